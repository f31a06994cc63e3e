"""Boxes of bare body parts: an extra of its own, off unless asked for.

The weights come with the package ``nudenet``, which states MIT; the metadata inside the file state AGPL-3.0
(they were trained with a library of that licence). Whoever installs the extra ``nudity-boxes`` decides that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.signals import Box
from spotsafe.detectors import weights
from spotsafe.detectors.image.classes import EXPLICIT, NUDITY
from spotsafe.detectors.image.text_boxes import opencv

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

SIDE = 320
"""Rows and columns of the network's input."""

LEAST = 0.25
OVERLAP = 0.45
"""Score below which a box is dropped, and share of common area from which the weaker of two is: the package's
own settings."""

CLASSES = (
    "FEMALE_GENITALIA_COVERED", "FACE_FEMALE", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED", "MALE_BREAST_EXPOSED", "ANUS_EXPOSED", "FEET_EXPOSED", "BELLY_COVERED",
    "FEET_COVERED", "ARMPITS_COVERED", "ARMPITS_EXPOSED", "FACE_MALE", "BELLY_EXPOSED",
    "MALE_GENITALIA_EXPOSED", "ANUS_COVERED", "FEMALE_BREAST_COVERED", "BUTTOCKS_COVERED",
)  # fmt: skip
"""What the network tells apart, in its order."""

LABELS: dict[str, tuple[str, ...]] = {
    "BUTTOCKS_EXPOSED": (NUDITY,),
    "FEMALE_BREAST_EXPOSED": (NUDITY,),
    "FEMALE_GENITALIA_EXPOSED": (NUDITY, EXPLICIT),
    "MALE_GENITALIA_EXPOSED": (NUDITY, EXPLICIT),
    "ANUS_EXPOSED": (NUDITY, EXPLICIT),
}
"""Which labels a class speaks for. Faces, feet, bellies and what is covered speak for none."""


class NudityFinding(NamedTuple):
    """A bare body part: its box, the network's score in [0, 1], and the labels that it speaks for."""

    box: Box
    score: float
    labels: tuple[str, ...]


class NudityBoxes:
    """Finds bare body parts."""

    def __init__(self, *, threads: int = weights.THREADS) -> None:
        """Load the network (12 MB). Raises ConfigurationError where the extra is not installed."""
        self._session = weights.session(weights.NUDITY_BOXES, threads=threads)
        self._input = self._session.get_inputs()[0].name

    def find(self, pixels: U8) -> list[NudityFinding]:
        """Findings in *pixels* [height, width, 3] RGB, the surest first."""
        height, width = pixels.shape[:2]
        output = self._session.run(None, {self._input: padded(pixels)})[0][0]
        return findings(output, max(width, height) / width, max(width, height) / height)


def padded(pixels: U8) -> F32:
    """The network's input [1, 3, :data:`SIDE`, :data:`SIDE`]: scaled, with black to the right or below, in
    [0, 1]. In RGB, on which such networks are trained: the package itself swaps the channels once too often,
    which lowers what it finds of faces (0.61 rather than 0.76 on one portrait, 0.72 and 0.81 on another)."""
    cv2 = opencv()
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    blob = np.zeros((1, 3, SIDE, SIDE), np.float32)
    scaled = cv2.resize(pixels, size, interpolation=method)
    blob[0, :, : size[1], : size[0]] = scaled.transpose(2, 0, 1) * np.float32(1 / 255)
    return blob


def findings(output: F32, across: float, down: float) -> list[NudityFinding]:
    """Findings from *output* [4 + classes, places]: middle, width and height in the input's pixels, and a
    score per class. *across* and *down*: how much longer than the picture its padded square is."""
    scores = output[4:]
    best, which = scores.max(axis=0), scores.argmax(axis=0)
    found: list[tuple[float, Any, int]] = []
    for place in np.argsort(-best):
        if best[place] < LEAST:
            break
        x, y, width, height = (output[:4, place] / SIDE).tolist()
        edges = np.array([(x - width / 2) * across, (y - height / 2) * down,
                          (x + width / 2) * across, (y + height / 2) * down])  # fmt: skip
        edges = np.clip(edges, 0.0, 1.0)
        if all(_common(edges, other) < OVERLAP for _, other, _ in found):
            found.append((float(best[place]), edges, int(which[place])))
    return [
        NudityFinding(Box(*edges.round(4).tolist()), score, LABELS[CLASSES[kind]])
        for score, edges, kind in found
        if CLASSES[kind] in LABELS
    ]


def _common(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    inside = float(np.prod(np.maximum(sides, 0.0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return inside / max(areas - inside, 1e-9)
