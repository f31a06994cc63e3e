"""What a line of text says: the recognition network of PP-OCR, one crop at a time.

The network reads Latin, Chinese and Japanese script, digits and signs; other scripts it reads as rubbish
with little confidence, which is how they are noticed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors import weights
from spotsafe.detectors.image.text_boxes import TextBox, opencv

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

HEIGHT = 48
"""Rows of the network's input."""

NARROWEST = 64
WIDEST = 1920
"""Columns of the network's input: narrower crops are padded, wider ones squeezed."""

STEP = 16
"""Widths are rounded up to multiples of this, so that fewer shapes occur."""

UPRIGHT = 1.5
"""A crop that is this many times higher than wide holds a line turned by 90 degrees."""


class Spelling(NamedTuple):
    """What was read, and the mean probability of its characters (0 where nothing was read)."""

    text: str
    confidence: float


class LineReader:
    """Reads one line at a time: a batch of lines takes as long as the lines one by one."""

    def __init__(self, *, threads: int = weights.THREADS) -> None:
        """Load the network and its alphabet. Raises ConfigurationError."""
        self._session = weights.session(weights.TEXT_LINES, threads=threads, varied=True)
        self._input = self._session.get_inputs()[0].name
        known = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._alphabet = ("", *known, " ")

    def read(self, crop: U8) -> Spelling:
        """The text of *crop* [height, width, 3] RGB, a line from left to right."""
        return decoded(self.chances(prepared(crop)), self._alphabet)

    def chances(self, line: F32) -> F32:
        """One pass of the network: probability of each character of the alphabet (the first is the blank)
        per step [steps, characters] of a prepared crop."""
        result: F32 = self._session.run(None, {self._input: line})[0][0]
        return result


def prepared(crop: U8) -> F32:
    """The network's input [1, 3, :data:`HEIGHT`, columns] for a crop: BGR in [-1, 1], padded with grey."""
    cv2 = opencv()
    height, width = crop.shape[:2]
    columns = min(WIDEST, max(1, -(-HEIGHT * width // height)))
    method = cv2.INTER_AREA if height > HEIGHT else cv2.INTER_CUBIC
    scaled = cv2.resize(crop, (columns, HEIGHT), interpolation=method)
    padded = np.zeros((1, 3, HEIGHT, max(NARROWEST, -(-columns // STEP) * STEP)), np.float32)
    padded[0, :, :, :columns] = scaled[:, :, ::-1].transpose(2, 0, 1)
    padded[0, :, :, :columns] *= np.float32(1 / 127.5)
    padded[0, :, :, :columns] -= np.float32(1.0)
    return padded


def decoded(chances: F32, alphabet: tuple[str, ...]) -> Spelling:
    """Best path of a connectionist temporal classification (Graves et al. 2006): repeats and blanks (index 0)
    dropped. *chances* [steps, characters]."""
    best = chances.argmax(axis=1)
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    if not kept.any():
        return Spelling("", 0.0)
    text = "".join(alphabet[index] for index in best[kept].tolist())
    return Spelling(text, float(chances.max(axis=1)[kept].mean()))


def cropped(pixels: U8, box: TextBox) -> U8:
    """The part of the picture inside the box, turned so that its text runs from left to right."""
    cv2 = opencv()
    across, down = max(1, round(box.width)), max(1, round(box.height))
    target = np.array([[0, 0], [across, 0], [0, down]], np.float32)
    matrix = cv2.getAffineTransform(np.ascontiguousarray(box.corners[[0, 1, 3]]), target)
    crop: U8 = cv2.warpAffine(
        pixels, matrix, (across, down), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(np.rot90(crop)) if down >= UPRIGHT * across else crop
