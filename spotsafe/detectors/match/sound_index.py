"""Finding where a fingerprint runs along a known one.

Two sounds that are the same have fingerprints that differ in few bits when they are laid side by side at the
right offset. Candidates for the offset come from an inverted index: positions of the known items by their
upper and by their lower 16 bits; offsets that many items of the sound asked about agree on are then compared
bit by bit. What counts is the share of differing bits over the best :data:`STRETCH` items in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STRETCH = 40
"""Items (5 s) in a row that must agree; with what an item looks at, 7.7 s of sound."""

BLOCK = 256
"""Items (32 s) of a long sound that are asked about together."""

OVERLAP = 64
"""Items by which blocks overlap, so that an excerpt of 10 s lies whole in one of them."""

EDGE = 8
"""Items (1 s) at the end of an extent that must agree as stretches do."""

CANDIDATES = 24
"""Offsets compared bit by bit for each block: those that most items agree on."""

DISTINCT = 8
"""Different items that a stretch must have: a hum or a pause is not told from another by its fingerprint."""

COMMON = 4096
"""Positions over which a half item is too common to say anything, such as that of silence."""

_HALVES = 1 << 16


class Run(NamedTuple):
    """A known sound found in the one asked about: its *number* in the index; items *first* to *last* (half
    open) of the sound asked about that agree with it; *offset*, where in the known sound that begins; the
    share of differing bits over the best stretch."""

    number: int
    first: int
    last: int
    offset: int
    distance: float


class SoundIndex:
    """Known fingerprints, laid end to end, and where each half item occurs in them. Immutable."""

    def __init__(self, known: Sequence[NDArray[np.uint32]]) -> None:
        self.starts = np.concatenate([[0], np.cumsum([len(each) for each in known])]).astype(np.int64)
        self.items = np.concatenate([np.empty(0, np.uint32), *known])
        self._tables = [_table(self.items >> np.uint32(16)), _table(self.items & np.uint32(0xFFFF))]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def runs(self, asked: NDArray[np.uint32], most: float) -> list[Run]:
        """Where known sounds run along *asked* with at most *most* differing bits (a share of all) over a
        stretch; one run for each offset and block."""
        if not len(self.items):
            return []
        found: list[Run] = []
        for begin in range(0, max(1, len(asked) - OVERLAP), BLOCK - OVERLAP):
            block = asked[begin : begin + BLOCK]
            if len(block) >= STRETCH:
                found += [
                    run._replace(first=run.first + begin, last=run.last + begin)
                    for shift in self._shifts(block)
                    for run in self._along(block, shift, most)
                ]
        return found

    def _shifts(self, block: NDArray[np.uint32]) -> list[int]:
        """Offsets (position among the known items, less position in the block) that most halves agree on."""
        halves = (block >> np.uint32(16), block & np.uint32(0xFFFF))
        hits = [_hits(table, half) for table, half in zip(self._tables, halves, strict=True)]
        shifts, counts = np.unique(np.concatenate(hits), return_counts=True)
        best = np.argsort(-counts, kind="stable")[:CANDIDATES]
        return [int(shift) for shift in shifts[best]]

    def _along(self, block: NDArray[np.uint32], shift: int, most: float) -> list[Run]:
        """Runs of the known sounds that lie along the block at that offset."""
        low, high = max(0, shift), min(len(self.items), shift + len(block))
        first = int(np.searchsorted(self.starts, low, side="right")) - 1
        found = []
        while first < len(self) and self.starts[first] < high:
            begin, end = max(low, int(self.starts[first])), min(high, int(self.starts[first + 1]))
            run = _best_run(block[begin - shift : end - shift], self.items[begin:end], most)
            if run is not None:
                at, until, distance = run
                begun = begin - shift
                offset = begin + at - int(self.starts[first])
                found.append(Run(first, begun + at, begun + until, offset, distance))
            first += 1
        return found


def _best_run(
    asked: NDArray[np.uint32], known: NDArray[np.uint32], most: float
) -> tuple[int, int, float] | None:
    """The extent (half open) over which stretches agree, and the best one's share of differing bits."""
    if len(asked) < STRETCH:
        return None
    errors = np.concatenate([[0], np.cumsum(bits(asked ^ known))])
    shares = (errors[STRETCH:] - errors[:-STRETCH]) / (32 * STRETCH)
    (good,) = np.nonzero(shares <= most)
    good = np.array([at for at in good if _varied(asked[at : at + STRETCH], known[at : at + STRETCH])], int)
    if not len(good):
        return None
    first, last = _trimmed(errors, int(good[0]), int(good[-1]) + STRETCH, most)
    return first, last, float(shares[good].min())


def _trimmed(errors: NDArray[np.int64], first: int, last: int, most: float) -> tuple[int, int]:
    """The extent without ends that differ: a stretch may agree although up to a third of it lies beyond."""
    limit = 32 * EDGE * most
    while last - first > EDGE and errors[first + EDGE] - errors[first] > limit:
        first += 1
    while last - first > EDGE and errors[last] - errors[last - EDGE] > limit:
        last -= 1
    return first, last


def _varied(asked: NDArray[np.uint32], known: NDArray[np.uint32]) -> bool:
    return len(np.unique(asked)) >= DISTINCT and len(np.unique(known)) >= DISTINCT


def varied_stretches(items: NDArray[np.uint32]) -> int:
    """How many stretches of a fingerprint can be recognised: long and varied enough."""
    return sum(
        len(np.unique(items[at : at + STRETCH])) >= DISTINCT
        for at in range(0, len(items) - STRETCH + 1, STRETCH // 2)
    )


class _Table(NamedTuple):
    order: NDArray[np.int64]
    offsets: NDArray[np.int64]


def _table(halves: NDArray[np.uint32]) -> _Table:
    """Positions sorted by their half item, and where each half item's begin."""
    sizes = np.bincount(halves, minlength=_HALVES)
    order = np.argsort(halves.astype(np.uint16), kind="stable")
    return _Table(order.astype(np.int64), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


def _hits(table: _Table, halves: NDArray[np.uint32]) -> NDArray[np.int64]:
    """For each known position whose half equals one of *halves*: that position less the half's index."""
    starts = table.offsets[halves]
    lengths = table.offsets[halves.astype(np.int64) + 1] - starts
    lengths = np.where(lengths > COMMON, 0, lengths)
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places = np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
    return np.asarray(table.order[places] - np.repeat(np.arange(len(halves)), lengths))


def bits(values: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Set bits of each value."""
    pairs = values - ((values >> np.uint32(1)) & np.uint32(0x55555555))
    nibbles = (pairs & np.uint32(0x33333333)) + ((pairs >> np.uint32(2)) & np.uint32(0x33333333))
    octets = (nibbles + (nibbles >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
    return np.asarray((octets * np.uint32(0x01010101)) >> np.uint32(24), np.int64)
