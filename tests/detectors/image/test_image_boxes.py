"""Boxes of bare body parts, from the network's output on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spotsafe.detectors.image.boxes import CLASSES, LABELS, LEAST, SIDE, findings, padded
from spotsafe.detectors.image.classes import EXPLICIT, NUDITY

Place = tuple[str, float, tuple[float, float, float, float]]


def output(*places: Place) -> NDArray[np.float32]:
    """The network's output for classes, scores and (middle x, middle y, width, height) in its pixels."""
    found = np.zeros((4 + len(CLASSES), len(places)), np.float32)
    for column, (name, score, box) in enumerate(places):
        found[:4, column] = box
        found[4 + CLASSES.index(name), column] = score
    return found


SQUARE = (160.0, 160.0, 160.0, 80.0)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("FEMALE_BREAST_EXPOSED", (NUDITY,)),
        ("MALE_GENITALIA_EXPOSED", (NUDITY, EXPLICIT)),
        ("FACE_FEMALE", None),
        ("FEMALE_BREAST_COVERED", None),
        ("BELLY_EXPOSED", None),
    ],
)
def test_only_bare_parts_speak_for_labels(name: str, labels: tuple[str, ...] | None) -> None:
    """Faces and what is covered are found by the network and told to nobody."""
    found = findings(output((name, 0.7, SQUARE)), 1.0, 1.0)
    assert [entry.labels for entry in found] == ([] if labels is None else [labels])


def test_a_box_is_placed_in_the_picture_and_not_in_its_padded_square() -> None:
    """In a picture twice as wide as high, the square's lower half is padding."""
    (found,) = findings(output(("BUTTOCKS_EXPOSED", 0.6, (160.0, 80.0, 160.0, 80.0))), 1.0, 2.0)
    assert found.box == (0.25, 0.25, 0.75, 0.75)
    assert found.score == pytest.approx(0.6)


def test_the_weaker_of_two_that_overlap_is_dropped() -> None:
    """One body part is one finding; another one apart is another."""
    places = ((0.5, (165.0, 160.0, 160.0, 80.0)), (0.9, SQUARE), (0.4, (60.0, 290.0, 40.0, 40.0)))
    found = findings(output(*(("BUTTOCKS_EXPOSED", score, box) for score, box in places)), 1.0, 1.0)
    assert [entry.score for entry in found] == [pytest.approx(0.9), pytest.approx(0.4)]


def test_doubtful_boxes_are_dropped() -> None:
    """Below the package's own threshold nothing is found."""
    assert findings(output(("ANUS_EXPOSED", LEAST - 0.01, SQUARE)), 1.0, 1.0) == []


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(CLASSES), st.floats(0.0, 1.0), st.tuples(*[st.floats(-50.0, 400.0, width=32)] * 4)
        ),
        max_size=8,
    )
)
def test_boxes_stay_inside_the_picture(places: list[Place]) -> None:
    """Whatever the network says, coordinates are in [0, 1] and classes among those with labels."""
    for found in findings(output(*places), 1.0, 1.5):
        assert all(0.0 <= edge <= 1.0 for edge in found.box)
        assert found.labels in LABELS.values()


@pytest.mark.parametrize("size", [(640, 480), (90, 400), (7, 7)])
def test_pictures_of_any_shape_fit_the_network(size: tuple[int, int]) -> None:
    """A square input in [0, 1], the picture in its upper left corner."""
    blob = padded(np.full((size[1], size[0], 3), 255, np.uint8))
    assert blob.shape == (1, 3, SIDE, SIDE)
    assert float(blob[0, 0, 0, 0]) == pytest.approx(1.0)
    assert float(blob.max()) <= 1.0 + 1e-6
