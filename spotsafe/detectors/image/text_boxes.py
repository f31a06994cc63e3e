"""Where text is: rotated boxes from the detection network of PP-OCR.

The network gives each pixel's probability to be text (differentiable binarisation, Liao et al. 2020,
arXiv:1911.08947); boxes are the smallest rectangles around the islands above a threshold, grown back to the
size of the letters as that paper does it (distance = area × ratio / perimeter).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import missing_extra
from spotsafe.detectors import weights

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

AREA = 640 * 640
"""Pixels of the network's input; pictures are scaled to it, keeping their proportions."""

ENLARGED = 2.0
"""Small pictures are scaled up by no more than this."""

STEP = 32
"""The network halves its input five times."""

PIXEL = 0.3
BOX = 0.5
GROWTH = 1.6
SMALLEST = 3.0
MOST = 1000
"""Thresholds and sizes as published with the weights (PP-OCRv6 small)."""


class TextBox(NamedTuple):
    """A rotated rectangle in the picture's pixels: *corners* float32[4, 2] clockwise from the top left of the
    text, and the mean probability inside."""

    corners: F32
    probability: float

    @property
    def width(self) -> float:
        """Length of the upper edge."""
        return float(np.linalg.norm(self.corners[1] - self.corners[0]))

    @property
    def height(self) -> float:
        """Length of the left edge."""
        return float(np.linalg.norm(self.corners[3] - self.corners[0]))


class TextBoxFinder:
    """Finds boxes of text in a picture."""

    def __init__(self, *, threads: int = weights.THREADS) -> None:
        """Load the network. Raises ConfigurationError."""
        self._session = weights.session(weights.TEXT_BOXES, threads=threads, varied=True)
        self._input = self._session.get_inputs()[0].name

    def find(self, pixels: U8, *, area: int = AREA) -> list[TextBox]:
        """Boxes in *pixels* [height, width, 3] RGB, in no particular order."""
        height, width = pixels.shape[:2]
        across, down = input_size(width, height, area)
        return boxes(self.chances(blob(pixels, across, down)), width / across, height / down)

    def chances(self, prepared: F32) -> F32:
        """One pass of the network: probability of text per pixel [height, width] of a prepared input."""
        result: F32 = self._session.run(None, {self._input: prepared})[0][0, 0]
        return result


def blob(pixels: U8, across: int, down: int) -> F32:
    """The network's input [1, 3, *down*, *across*]: scaled, BGR, in [-1, 1]."""
    cv2 = opencv()
    method = cv2.INTER_AREA if 2 * across < pixels.shape[1] else cv2.INTER_LINEAR
    scaled = cv2.resize(pixels, (across, down), interpolation=method)
    prepared: F32 = cv2.dnn.blobFromImage(scaled, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
    return prepared


def input_size(width: int, height: int, area: int = AREA) -> tuple[int, int]:
    """Width and height of the network's input for such a picture: multiples of :data:`STEP`."""
    scale = min(ENLARGED, (area / (width * height)) ** 0.5)
    return (
        max(STEP, round(width * scale / STEP) * STEP),
        max(STEP, round(height * scale / STEP) * STEP),
    )


def boxes(chances: F32, across: float, down: float) -> list[TextBox]:
    """Boxes around the islands of text in *chances* [height, width], whose pixels are *across* by *down*
    pixels of the picture large."""
    cv2 = opencv()
    mask = (chances > PIXEL).astype(np.uint8)
    mask = cv2.dilate(mask, np.ones((2, 2), np.uint8))
    outlines = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]
    scale = np.array([across, down], np.float32)
    found = []
    for outline in outlines[:MOST]:
        centre, (width, height), angle = cv2.minAreaRect(outline)
        if min(width, height) < SMALLEST:
            continue
        inner = cv2.boxPoints((centre, (width, height), angle))
        probability = _mean_inside(chances, inner)
        if probability < BOX:
            continue
        grown = 2 * width * height * GROWTH / (2 * (width + height))
        corners = cv2.boxPoints((centre, (width + grown, height + grown), angle))
        found.append(TextBox(_clockwise(corners * scale), probability))
    return found


def _mean_inside(chances: F32, corners: F32) -> float:
    """Mean of *chances* inside the rectangle."""
    cv2 = opencv()
    height, width = chances.shape
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, np.round(corners - (left, top)).astype(np.int32)[np.newaxis], 1)
    return float(cv2.mean(chances[top : bottom + 1, left : right + 1], mask)[0])


def _clockwise(corners: F32) -> F32:
    """Corners from the top left one on: of the two leftmost the upper one is first."""
    by_left = corners[np.argsort(corners[:, 0], kind="stable")]
    left = by_left[:2][np.argsort(by_left[:2, 1], kind="stable")]
    right = by_left[2:][np.argsort(by_left[2:, 1], kind="stable")]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)


def opencv() -> Any:
    """OpenCV, which comes with the package of the networks for text."""
    try:
        import cv2
    except ImportError:
        raise missing_extra("media", "reading text in pictures") from None
    return cv2
