"""Windows over a long text, and what their scores say about the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

SIZE = 360
"""Code points in a window."""

OVERLAP = 60
"""Code points that neighbours share, so that a sentence cut by one edge stands whole in the next window."""

TEMPERATURE = np.float32(0.35)


def windows(text: str) -> list[tuple[int, int]]:
    """Half-open ranges that cover *text*; cuts move back to a blank where one is near. One range, perhaps
    empty, for a short text."""
    found, start = [], 0
    while len(text) - start > SIZE:
        end = start + SIZE
        blank = text.rfind(" ", end - OVERLAP // 2, end)
        end = blank if blank > start else end
        found.append((start, end))
        start = end - OVERLAP
    found.append((start, len(text)))
    return found


def pooled(logits: F32) -> F32:
    """One logit per label from *logits* [windows, labels]: a soft maximum (mean in the exponential at
    :data:`TEMPERATURE`). One window is itself; a single loud window among many keeps most of its height, and
    many windows do not add up to a finding by chance alone."""
    if len(logits) == 1:
        only: F32 = logits[0]
        return only
    top = logits.max(axis=0)
    result: F32 = top + TEMPERATURE * np.log(np.exp((logits - top) / TEMPERATURE).mean(axis=0))
    return result
