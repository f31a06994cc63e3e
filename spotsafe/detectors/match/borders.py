"""Uniform borders around a picture: letterboxes, frames, padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONGEST = 512
"""Pixels of the longer side that are looked at: finding an edge to 0.2 % is enough for a hash."""

TOLERANCE = 20
"""Levels (of 255) by which a border's pixels may differ from its grey: what strong JPEG does to them."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

STRAY = 0.02
"""Share of a line's pixels that may be off: specks, a rounded corner."""

LEAST = 0.006
"""Share of the side under which a strip is no border: hashes tolerate it."""

MOST = 0.45
"""Share of the side that one border may take."""

BLOCK = 8
"""Lines looked at together: most pictures show in the first ones that they have no border."""

ROUNDS = 3
"""Borders within borders that are taken off."""


def inside(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """The box (left, top, right, bottom in pixels) without uniform borders; None where there are none, or
    where hardly anything would be left.

    *pixels* is uint8[height, width, 3]. A border is a run of lines at a side that all have, up to
    :data:`TOLERANCE`, the luminance of the outermost one.
    """
    height, width = pixels.shape[:2]
    step = max(1, -(-max(height, width) // LONGEST))
    # Luminance: JPEG keeps it at full resolution, while colours bleed over the border's edge.
    small = (pixels[::step, ::step] @ _LUMA).astype(np.int16)
    left, top, right, bottom = 0, 0, small.shape[1], small.shape[0]
    for _ in range(ROUNDS):
        before = (left, top, right, bottom)
        cut_top, cut_bottom = _both_ends(small[top:bottom, left:right])
        top, bottom = top + cut_top, bottom - cut_bottom
        cut_left, cut_right = _both_ends(small[top:bottom, left:right].swapaxes(0, 1))
        left, right = left + cut_left, right - cut_right
        if (left, top, right, bottom) == before:
            break
    if (left, top, right, bottom) == (0, 0, small.shape[1], small.shape[0]):
        return None
    if (right - left) * (bottom - top) < 0.1 * small.shape[0] * small.shape[1]:
        return None
    # An edge lies between two of the lines looked at; the outer half of what is unknown is given up.
    slack = step // 2
    return (
        left * step + slack * (left > 0), top * step + slack * (top > 0),
        min(width, right * step - slack * (right < small.shape[1])),
        min(height, bottom * step - slack * (bottom < small.shape[0])),
    )  # fmt: skip


def _both_ends(lines: NDArray[np.int16]) -> tuple[int, int]:
    """Lines of border at the start and at the end of *lines* [line, pixel]."""
    if lines.shape[0] < 8 or lines.shape[1] < 8:
        return 0, 0
    return _run(lines), _run(lines[::-1])


def _run(lines: NDArray[np.int16]) -> int:
    count = int(lines.shape[0] * MOST)
    grey = np.sort(lines[0])[lines.shape[1] // 2]
    run = 0
    while run < count:
        block = lines[run : min(run + BLOCK, count)]
        content = (np.abs(block - grey) > TOLERANCE).mean(axis=1) > STRAY
        if content.any():
            run += int(np.argmax(content))
            return run if run >= max(2, LEAST * lines.shape[0]) else 0
        run += len(block)
    return 0  # uniform to the middle: no border but a flat half
