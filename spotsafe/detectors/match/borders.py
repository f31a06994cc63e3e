"""Uniform borders around a picture: letterboxes, frames, padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONGEST = 512
"""Pixels of the longer side that are looked at: finding an edge to 0.2 % is enough for a hash."""

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
_WARMTH = np.array([0.5, 0.0, -0.5], np.float32)

VIEWS = ((_LUMINANCE, 8), (_LUMINANCE, 20), (_WARMTH, 12))
"""What is looked at, and the levels (of 255) by which a border's pixels may differ in it: what mild and
strong JPEG do to luminance, which it keeps at full resolution; red less blue tells a coloured border from a
picture of the same grey. With the middle one alone a border would often seem to go on into the picture."""

STRAY = 0.02
"""Share of a line's pixels that may be off: specks, a rounded corner."""

LEAST = 0.006
"""Share of the side under which a strip is no border: hashes tolerate it."""

MOST = 0.45
"""Share of the side that one border may take."""

BLOCK = 8
"""Lines looked at together: most pictures show in the first ones that they have no border."""

LEFT_OVER = 0.1
"""Share of the area that must be left."""

ROUNDS = 3
"""Borders within borders that are taken off."""


Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


def insides(pixels: NDArray[np.uint8]) -> list[Box]:
    """The boxes without uniform borders, one for each of :data:`VIEWS` that finds another one; empty where
    there are no borders, or where hardly anything would be left.

    *pixels* is uint8[height, width, 3]. A border is a run of lines at a side that all are, up to the
    tolerance, as the outermost one.
    """
    step = max(1, -(-max(pixels.shape[:2]) // LONGEST))
    coarse = pixels[::step, ::step]
    found: list[Box] = []
    for view, tolerance in VIEWS:
        small = (coarse @ view).astype(np.int16)
        box = _inside(small, tolerance)
        if box is not None and (full := _scaled(box, small.shape, pixels.shape, step)) not in found:
            found.append(full)
    return found


def _inside(small: NDArray[np.int16], tolerance: int) -> Box | None:
    left, top, right, bottom = 0, 0, small.shape[1], small.shape[0]
    for _ in range(ROUNDS):
        before = (left, top, right, bottom)
        cut_top, cut_bottom = _both_ends(small[top:bottom, left:right], tolerance)
        top, bottom = top + cut_top, bottom - cut_bottom
        cut_left, cut_right = _both_ends(small[top:bottom, left:right].T, tolerance)
        left, right = left + cut_left, right - cut_right
        if (left, top, right, bottom) == before:
            break
    whole = (0, 0, small.shape[1], small.shape[0])
    if (left, top, right, bottom) == whole or (right - left) * (bottom - top) < LEFT_OVER * small.size:
        return None
    return left, top, right, bottom


def _scaled(box: Box, small: tuple[int, ...], full: tuple[int, ...], step: int) -> Box:
    """*box* of every *step*-th pixel in those of the picture. An edge lies between two of the lines looked
    at; the outer half of what is unknown is given up."""
    left, top, right, bottom = box
    slack = step // 2
    return (
        left * step + slack * (left > 0), top * step + slack * (top > 0),
        min(full[1], right * step - slack * (right < small[1])),
        min(full[0], bottom * step - slack * (bottom < small[0])),
    )  # fmt: skip


def _both_ends(lines: NDArray[np.int16], tolerance: int) -> tuple[int, int]:
    """Lines of border at the start and at the end of *lines* [line, pixel]."""
    if lines.shape[0] < 8 or lines.shape[1] < 8:
        return 0, 0
    return _run(lines, tolerance), _run(lines[::-1], tolerance)


def _run(lines: NDArray[np.int16], tolerance: int) -> int:
    count = int(lines.shape[0] * MOST)
    grey = np.sort(lines[0])[lines.shape[1] // 2]
    run = 0
    while run < count:
        block = lines[run : min(run + BLOCK, count)]
        content = (np.abs(block - grey) > tolerance).mean(axis=1) > STRAY
        if content.any():
            run += int(np.argmax(content))
            return run if run >= max(2, LEAST * lines.shape[0]) else 0
        run += len(block)
    return 0  # uniform to the middle: no border but a flat half
