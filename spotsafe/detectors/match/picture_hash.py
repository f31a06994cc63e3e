"""Pictures as PDQ hashes: what is stored of a known picture and what is looked up of a new one.

PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019) is 256 signs
of low-frequency cosine coefficients of the 64 × 64 luminance. It survives re-encoding and mild blurring but
no shift by more than about 1.5 % of the width. Two things are done about that:

* Pictures are brought to 64 × 64 by one antialiased resampling before they are hashed. Left to itself PDQ
  smooths by windows of whole pixels, so that copies of different size differ by 20 bits and more; after it
  they differ by about 4, and from plain PDQ hashes of lists by about 12.
* Of a known picture the hashes of its crops are stored (:data:`CROPS`); of a new one its mirror image and
  what is left without borders are looked up. Mirroring and borders at look-up also serve hashes that came
  from lists, of which no crop can be made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import missing_extra
from spotsafe.detectors.match.borders import insides
from spotsafe.detectors.match.entries import BankError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
"""A picture: uint8[height, width, 3], RGB, upright."""

SIDE = 64
"""Width and height, in pixels, that are hashed: PDQ's own grid."""

MIN_QUALITY = 50
"""PDQ's quality (0 to 100, from the sum of gradients) under which a picture is not added: what has hardly any
structure looks like much else."""

MIN_MARGIN = 2.0
"""Margin under which a picture is not added. PDQ's quality also counts fine texture, of which the hash sees
nothing; the margin, the distance from the threshold that three quarters of the coefficients keep, is what
re-encoding must overcome. From 2 on JPEG moved no more than 12 bits of 473 pictures, below 0.5 up to 130."""

LOOKED_UP_QUALITY, LOOKED_UP_MARGIN = 20, 1.0
"""The same for what is looked up and for crops that are stored: a copy may have lost some of both."""

MIN_PIXELS = 32
"""Shorter sides than this are not hashed: an icon has no 256 bits to tell it by."""

ENOUGH = 768
"""Pixels of the longer side from which on more of them do not change a hash."""

_SIDES = (0.025, 0.05, 0.075, 0.1)
_CENTRED = (0.017, 0.034, 0.05, 0.067, 0.084, 0.1)


class Crop(NamedTuple):
    """A part of a picture: shares of width and height cut off at each side."""

    name: str
    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


CROPS = (
    Crop("whole"),
    *(Crop(f"{side} {share:.1%}", **{side: share}) for share in _SIDES for side in Crop._fields[1:]),
    *(Crop(f"centre {share:.1%}", share, share, share, share) for share in _CENTRED),
)
"""What is stored of a picture. A hash tolerates an error of the cut of about ±1.25 % of one side or ±0.8 % of
all four, so that every cut up to 10 % lies near one of these."""


class PictureHash(NamedTuple):
    """One hash: *value* uint64[4]; *how* it was made; PDQ's *quality*; *margin* of its bits."""

    value: NDArray[np.uint64]
    how: str
    quality: int
    margin: float

    @property
    def usable(self) -> bool:
        """Whether it says enough to be looked up, or stored beside the whole picture's."""
        return self.quality >= LOOKED_UP_QUALITY and self.margin >= LOOKED_UP_MARGIN


def stored_hashes(pixels: Pixels) -> list[PictureHash]:
    """The hashes to store of a known picture: its crops, and the whole without its borders.

    Crops that turn out flat are left out. Raises :class:`BankError` where the whole itself is too flat or too
    small to be told by its hash.
    """
    picture = _picture(pixels)
    pixels = np.asarray(picture)
    found = [each for crop in CROPS for each in _hashed(picture, crop)]
    whole = found[0]
    if whole.quality < MIN_QUALITY or whole.margin < MIN_MARGIN:
        raise BankError(
            f"the picture is too flat for a perceptual hash (PDQ quality {whole.quality}, margin "
            f"{whole.margin:.1f}; at least {MIN_QUALITY} and {MIN_MARGIN:g} are needed); "
            "add its file to the exact bank"
        )
    for box in insides(pixels):
        found += _hashed(picture, Crop("without borders"), box)
    return [each for each in found if each.usable]


def looked_up_hashes(pixels: Pixels) -> list[PictureHash]:
    """The hashes to look up of a new picture: as it is and without its borders, each also mirrored. Empty
    where the picture is too flat or too small to be told by its hash."""
    if min(pixels.shape[:2]) < MIN_PIXELS:
        return []
    picture = _picture(pixels)
    pixels = np.asarray(picture)
    found = _hashed(picture, Crop("as it is"), mirrored=True)
    for box in insides(pixels):
        found += _hashed(picture, Crop("without borders"), box, mirrored=True)
    return [each for each in found if each.usable]


def _picture(pixels: Pixels) -> Image:
    """The picture, by whole numbers scaled down to less than twice :data:`ENOUGH` pixels."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise BankError("a picture is an array uint8[height, width, 3] of RGB")
    if min(pixels.shape[:2]) < MIN_PIXELS:
        raise BankError(
            f"the picture's shorter side has fewer than {MIN_PIXELS} pixels; add its file to the exact bank"
        )
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("media", "matching known pictures") from None
    factor = max(pixels.shape[:2]) // ENOUGH
    picture = Image.fromarray(pixels)
    return picture.reduce(factor) if factor > 1 and min(picture.size) >= MIN_PIXELS * factor else picture


def _hashed(
    picture: Image, crop: Crop, box: tuple[int, int, int, int] | None = None, *, mirrored: bool = False
) -> list[PictureHash]:
    """The hash of a part of the picture and, with *mirrored*, of its mirror image; *box* in pixels, clockwise
    from left."""
    left, top, right, bottom = box or (0, 0, *picture.size)
    width, height = right - left, bottom - top
    area = (
        left + crop.left * width, top + crop.top * height,
        right - crop.right * width, bottom - crop.bottom * height,
    )  # fmt: skip
    from PIL.Image import Resampling

    small = np.asarray(picture.resize((SIDE, SIDE), Resampling.BILINEAR, box=area, reducing_gap=3.0))
    found = [_pdq(small, crop.name)]
    if mirrored and found[0].usable:
        found.append(_pdq(np.ascontiguousarray(small[:, ::-1]), f"{crop.name}, mirrored"))
    return found


def _pdq(small: Pixels, how: str) -> PictureHash:
    try:
        import pdqhash
    except ImportError:
        raise missing_extra("media", "matching known pictures") from None
    coefficients, quality = pdqhash.compute_float(small)
    middle = np.median(coefficients)
    margin = np.partition(np.abs(coefficients - middle), 64)[64]
    return PictureHash(packed(coefficients > middle), how, int(quality), float(margin))


def packed(bits: NDArray[Any]) -> NDArray[np.uint64]:
    """256 bits, as any numbers, as uint64[4]."""
    return np.packbits(bits.astype(np.uint8)).view(np.uint64)


def from_hex(text: str) -> NDArray[np.uint64]:
    """A PDQ hash as lists write it (64 hexadecimal digits) → uint64[4]. Raises :class:`BankError`."""
    try:
        raw = bytes.fromhex(text.strip())
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise BankError("a PDQ hash has 64 hexadecimal digits")
    return np.frombuffer(raw, np.uint8).view(np.uint64)


def to_hex(value: NDArray[np.uint64]) -> str:
    """uint64[4] → 64 hexadecimal digits, as lists write PDQ hashes."""
    return value.tobytes().hex()
