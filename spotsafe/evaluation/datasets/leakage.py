"""Rows that stand twice, and test rows that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.datasets.sketches import BANDS, Sketches, band_keys, similarities, split_names

NEAR = 0.8
"""Similarity (Jaccard, over shingles of five characters) from which two texts count as near-duplicates."""

_CANDIDATES = 8
"""Rows of one bucket that a row is compared with: a bucket of thousands is one template, and the first few
of it tell that."""

_SHOWN = 20


class Pair(NamedTuple):
    """Two rows, by id and split, that are the same (*similarity* 1.0, after normalisation) or nearly.

    *group*: the rows are not alike, but belong to one group that stands in both splits.
    """

    first: str
    second: str
    similarity: float
    first_split: str | None = None
    second_split: str | None = None
    group: bool = False

    def __str__(self) -> str:
        how = "one group" if self.group else "same" if self.similarity == 1.0 else f"{self.similarity:.2f}"
        return f"{_place(self.first, self.first_split)} ~ {_place(self.second, self.second_split)} ({how})"


def _place(row: str, split: str | None) -> str:
    return row if split is None else f"{row} [{split}]"


class LeakageError(ConfigurationError):
    """Test rows stand in the training data. *pairs* are all of them; the message lists the first."""

    def __init__(self, message: str, pairs: Sequence[Pair]) -> None:
        self.pairs = tuple(pairs)
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.pairs)


def leaks(train: Sketches, test: Sketches, *, near: float = NEAR) -> list[Pair]:
    """For each row of *test* that also stands in *train*, the pair with the most similar row found there, in
    the order of *test*."""
    return _pairs(train, test, _nearest(train, test, near))


def duplicates(sketches: Sketches, *, near: float = NEAR) -> list[Pair]:
    """For each row that stands earlier in the same set, the pair with the most similar earlier row found."""
    return _pairs(sketches, sketches, _nearest(sketches, sketches, near, earlier=True))


def split_leaks(sketches: Sketches, *, near: float = NEAR) -> list[Pair]:
    """Pairs of rows that stand in different splits of one set: alike, or of one group."""
    found: list[Pair] = []
    splits = np.array([split or "" for split in sketches.splits], dtype=object)
    parts = {name: sketches.chosen(np.flatnonzero(splits == name), name) for name in split_names(sketches)}
    for first, second in combinations(_training_first(parts), 2):
        alike = leaks(parts[first], parts[second], near=near)
        told = {pair.second for pair in alike}
        found += alike
        found += [pair for pair in _group_leaks(parts[first], parts[second]) if pair.second not in told]
    return found


def _training_first(names: Iterable[str]) -> list[str]:
    order = {"train": 0, "dev": 1, "validation": 1, "test": 2}
    return sorted(names, key=lambda name: (order.get(name, 0), name))


def _group_leaks(first: Sketches, second: Sketches) -> list[Pair]:
    members: Mapping[str, int] = {
        group: row for row, group in reversed(list(enumerate(first.groups))) if group is not None
    }
    return [
        Pair(first.ids[members[group]], second.ids[row], 0.0, first.name, second.name, group=True)
        for row, group in enumerate(second.groups)
        if group is not None and group in members
    ]


def refuse(pairs: Sequence[Pair], what: str) -> None:
    """Raise :class:`LeakageError` where there are *pairs*, listing them; *what* names the sets."""
    if not pairs:
        return
    listed = "\n".join(f"    {pair}" for pair in pairs[:_SHOWN])
    rest = f"\n    and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    raise LeakageError(
        f"{what}: {len(pairs)} rows to measure on also stand in the training data (similarity from 0 to 1); "
        f"remove them there, or put what belongs together into one split\n{listed}{rest}",
        pairs,
    )


_Found = tuple[NDArray[np.int64], NDArray[np.float64]]


def _nearest(first: Sketches, second: Sketches, near: float, *, earlier: bool = False) -> _Found:
    """For each row of *second* the position in *first* of the most similar candidate (-1: none) and its
    similarity. *earlier*: only candidates at a lower position (the two are one set)."""
    best = np.full(len(second.ids), -1, dtype=np.int64)
    score = np.zeros(len(second.ids))
    if not first.ids or not second.ids:
        return best, score
    for keys in _keys(first, second):
        for left, right in _candidates(*keys, earlier=earlier):
            found = similarities(first, second, (left, right))
            better = (found >= near) & (found > score[right])
            best[right[better]], score[right[better]] = left[better], found[better]
    return best, score


def _keys(first: Sketches, second: Sketches) -> Iterable[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
    yield first.exact, second.exact
    for band in range(BANDS):
        yield band_keys(first.signatures, band), band_keys(second.signatures, band)


def _candidates(
    first: NDArray[np.uint64], second: NDArray[np.uint64], *, earlier: bool
) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of positions with equal keys: per row of *second* its first few, one at a time."""
    order = np.argsort(first, kind="stable")
    ranked = first[order]
    low = np.searchsorted(ranked, second, side="left")
    high = np.searchsorted(ranked, second, side="right")
    for step in range(_CANDIDATES):
        right = np.flatnonzero(low + step < high)
        if not len(right):
            return
        left = order[low[right] + step]
        if earlier:
            before = left < right
            left, right = left[before], right[before]
        if len(right):
            yield left, right


def _pairs(first: Sketches, second: Sketches, found: _Found) -> list[Pair]:
    best, score = found
    return [
        Pair(
            first.ids[best[row]],
            second.ids[row],
            round(float(score[row]), 3),
            first.splits[best[row]],
            second.splits[row],
        )
        for row in np.flatnonzero(best >= 0).tolist()
    ]
