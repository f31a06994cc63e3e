"""Multi-index hashing over 256-bit hashes: every stored hash within a radius, exactly.

A hash is cut into 16 pieces of 16 bits. By the pigeonhole principle a hash within 31 bits differs in at most
one bit from the query in at least one piece (Norouzi, Punjani, Fleet: "Fast search in Hamming space with
multi-index hashing", CVPR 2012); so the buckets of each piece's value and of its 16 one-bit neighbours hold
all answers, and only what is in them is compared. Beyond 31 the search would not be exact and is refused.

The index is four plain arrays, memory-mapped from files, shared by processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PIECES = 16
BUCKETS = 1 << 16
EXACT_RADIUS = 2 * PIECES - 1
"""The largest radius for which the answer is complete."""

_NEIGHBOURS = np.array([0, *(1 << bit for bit in range(16))], np.uint16)
_BASE = (np.arange(PIECES, dtype=np.int64) * BUCKETS)[:, None]
_COUNTS = np.array([bin(value).count("1") for value in range(BUCKETS)], np.uint8)
"""Set bits of each 16-bit number, for numpy before 2.0."""


class Found(NamedTuple):
    """Positions in the index within the radius, and their distances in bits."""

    positions: NDArray[np.int64]
    distances: NDArray[np.int64]


class HashIndex:
    """An immutable index. *hashes* uint64[n, 4]; *items* int64[n], the number of the item whose hash it is;
    *order* uint32[16 n], positions sorted by piece and value; *offsets* uint32[16·65536 + 1], where each
    bucket begins in *order*."""

    ARRAYS = ("hashes", "items", "order", "offsets")

    def __init__(
        self,
        hashes: NDArray[np.uint64],
        items: NDArray[np.int64],
        *,
        order: NDArray[np.uint32],
        offsets: NDArray[np.uint32],
    ) -> None:
        self.hashes = hashes
        self.items = items
        self.order = order
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def build(cls, hashes: NDArray[np.uint64], items: NDArray[np.int64]) -> HashIndex:
        """Sort *hashes* into buckets: about 0.3 s and 64 bytes a hash for a million."""
        pieces = np.ascontiguousarray(hashes).view(np.uint16).reshape(-1, PIECES)
        order = np.empty((PIECES, len(hashes)), np.uint32)
        sizes = np.empty((PIECES, BUCKETS), np.int64)
        for piece in range(PIECES):
            column = np.ascontiguousarray(pieces[:, piece])
            order[piece] = np.argsort(column, kind="stable")
            sizes[piece] = np.bincount(column, minlength=BUCKETS)
        offsets = np.zeros(PIECES * BUCKETS + 1, np.uint32)
        offsets[1:] = np.cumsum(sizes.ravel())
        return cls(hashes, items, order=order.ravel(), offsets=offsets)

    def save(self, folder: Path) -> None:
        """Write the arrays as ``.npy`` files into *folder*, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> HashIndex:
        """Map the arrays of *folder* into memory. Raises OSError where one is missing, ValueError where one
        is no array."""
        hashes, items, order, offsets = (
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in cls.ARRAYS
        )
        if len(order) != PIECES * len(hashes) or len(offsets) != PIECES * BUCKETS + 1:
            raise ValueError("the arrays do not belong together")
        return cls(hashes, items, order=order, offsets=offsets)

    def within(self, value: NDArray[np.uint64], radius: int) -> Found:
        """Every stored hash within *radius* bits of *value* uint64[4], in no order. Raises ValueError for a
        radius over :data:`EXACT_RADIUS`."""
        if not 0 <= radius <= EXACT_RADIUS:
            raise ValueError(f"the index is exact up to {EXACT_RADIUS} bits")
        keys = (_BASE + (value.view(np.uint16)[:, None] ^ _NEIGHBOURS)).ravel()
        starts = self.offsets[keys].astype(np.int64)
        lengths = self.offsets[keys + 1].astype(np.int64) - starts
        ends = np.cumsum(lengths)
        total = int(ends[-1])
        if not total:
            return Found(np.empty(0, np.int64), np.empty(0, np.int64))
        places = np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
        candidates = self.order[places]
        distances = distances_to(self.hashes[candidates], value)
        near = distances <= radius
        positions, first = np.unique(candidates[near], return_index=True)
        return Found(positions.astype(np.int64), distances[near][first])


def distances_to(hashes: NDArray[np.uint64], value: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Differing bits between each of *hashes* uint64[n, 4] and *value* uint64[4]."""
    differing = hashes ^ value
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(differing).sum(axis=1, dtype=np.int64))
    return np.asarray(_COUNTS[differing.view(np.uint16)].sum(axis=1, dtype=np.int64))
