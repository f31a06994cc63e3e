"""Which lines belong together, and in which order a reader takes them.

Lines that follow one another at a line's distance are a block (a caption, a bubble, a column); blocks are
read from the top, and lines inside a block row by row. Everything is measured along the picture's own
direction of writing, so that a tilted or turned picture reads like a straight one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

GAP = 1.1
"""Lines of a block are at most so many line heights apart, from the lower edge to the next upper one."""

WORD_GAP = 2.0
"""Pieces of one row are at most so many line heights apart."""

ALIKE = 1.8
"""Heights of neighbours in a block differ by no more than this factor."""

SAME_ROW = 0.5
"""Middles of pieces of one row are at most so many line heights apart."""


class Place(NamedTuple):
    """Where a line is: its *middle* (x, y), the unit vector in which it is read, and its length and height,
    all in pixels of the picture."""

    middle: F32
    along: F32
    length: float
    height: float


class _Laid(NamedTuple):
    """A line in the picture's frame of reading: its extent along and across."""

    left: float
    right: float
    top: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


def blocks(places: Sequence[Place]) -> list[list[int]]:
    """Indices of *places*, in blocks in the order of reading."""
    if not places:
        return []
    along = direction(places)
    laid = [_laid(place, along) for place in places]
    group = list(range(len(laid)))
    for one in range(len(laid)):
        for other in range(one):
            if group[one] != group[other] and _together(laid[one], laid[other]):
                old, new = group[one], group[other]
                group = [new if entry == old else entry for entry in group]
    found = [[index for index, entry in enumerate(group) if entry == name] for name in dict.fromkeys(group)]
    ordered = [_rows(members, laid) for members in found]
    return sorted(ordered, key=lambda members: (laid[members[0]].top, laid[members[0]].left))


def direction(places: Sequence[Place]) -> F32:
    """The unit vector in which most of the text is read: the mean over the lines within 45 degrees of the
    most favoured quarter."""
    weights = np.array([place.length for place in places], np.float32)
    vectors = np.stack([place.along for place in places])
    quarters = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)
    nearest = (vectors @ quarters.T).argmax(axis=1)
    chosen = nearest == np.bincount(nearest, weights, minlength=4).argmax()
    mean: F32 = (vectors[chosen] * weights[chosen, None]).sum(axis=0)
    return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-6))


def _laid(place: Place, along: F32) -> _Laid:
    x = float(place.middle @ along)
    y = float(place.middle @ np.array([-along[1], along[0]], np.float32))
    return _Laid(x - place.length / 2, x + place.length / 2, y - place.height / 2, y + place.height / 2)


def _together(one: _Laid, other: _Laid) -> bool:
    low, high = sorted((one.height, other.height))
    if high > ALIKE * max(low, 1.0):
        return False
    apart = max(one.left, other.left) - min(one.right, other.right)
    if _same_row(one, other):
        return apart <= WORD_GAP * high
    below = max(one.top, other.top) - min(one.bottom, other.bottom)
    return apart < 0 and below <= GAP * high


def _same_row(one: _Laid, other: _Laid) -> bool:
    distance = abs((one.top + one.bottom) - (other.top + other.bottom)) / 2
    return distance <= SAME_ROW * min(one.height, other.height)


def _rows(members: list[int], laid: Sequence[_Laid]) -> list[int]:
    """*members* row by row, each row from its beginning."""
    rest = sorted(members, key=lambda index: laid[index].top + laid[index].bottom)
    ordered: list[int] = []
    while rest:
        first = rest[0]
        row = [index for index in rest if index == first or _same_row(laid[first], laid[index])]
        ordered += sorted(row, key=lambda index: laid[index].left)
        rest = [index for index in rest if index not in row]
    return ordered
