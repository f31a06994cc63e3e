"""Long strips, such as pictures of a whole conversation, are looked at piece by piece."""

from __future__ import annotations

from itertools import pairwise

LONG = 4.0
TILE = 2.5
MOST_TILES = 8
"""A picture more than :data:`LONG` times longer than wide is looked at in tiles of about :data:`TILE` widths,
at most so many."""


OVERLAP = 0.1
"""Of a high strip's width: so much more is looked at above and below a tile, so that a line on the cut
is whole in one of the two."""


def tiles(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of the pieces in which such a picture is looked at: one, but for long
    strips. They cover the picture once."""
    short, long = sorted((width, height))
    if long <= LONG * short:
        return [(0, 0, width, height)]
    count = min(MOST_TILES, round(long / (TILE * short)))
    cuts = [round(long * number / count) for number in range(count + 1)]
    pairs = list(pairwise(cuts))
    if width > height:
        return [(start, 0, end, height) for start, end in pairs]
    return [(0, start, width, end) for start, end in pairs]


def widened(tile: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """The *tile* of a picture of that size with :data:`OVERLAP` above and below. One of a wide strip stays as
    it is: its lines run on into the next tile in any case, and each piece of them is read once."""
    left, top, right, bottom = tile
    if width > height:
        return tile
    more = round(OVERLAP * width)
    return left, max(0, top - more), right, min(height, bottom + more)
