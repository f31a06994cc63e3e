"""Confusion by taxonomy: where one label is right, which are flagged; for codes and for families of codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import POSITIVE_FROM
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels

BLOCK = 65_536
"""Rows worked on at a time: memory is that many rows of all labels, however long the columns."""

Counts = NDArray[np.int64]


class Confusion(NamedTuple):
    """Multi-label confusion over L *labels*. A row with several labels counts under each.

    *rows* [L]: rows for which the label is right. *flagged* [L, L]: of these, in how many the label across
    was flagged; the diagonal are hits. *wrong* [L, L]: the part of it in which the label across is annotated
    and *not* right; ``flagged - wrong`` is right as well, or nobody looked. *silent* [L]: rows in which
    nothing was flagged. The *clean* rows are those with annotations of which none is right; *clean_flagged*
    [L] counts what is flagged in them, *clean_silent* those in which nothing is.
    """

    labels: tuple[str, ...]
    rows: Counts
    flagged: Counts
    wrong: Counts
    silent: Counts
    clean: int
    clean_flagged: Counts
    clean_silent: int

    def shares(self, *, wrong: bool = False) -> NDArray[np.float64]:
        """*flagged* (or *wrong*) over *rows*: [L, L]; NaN in the line of a label that is never right."""
        counts = self.wrong if wrong else self.flagged
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(counts / self.rows[:, None])


def confusion(
    labels: Sequence[str],
    truth: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    thresholds: Sequence[float],
    *,
    families: bool = False,
) -> Confusion:
    """Confusion over columns per label: *truth* (0..1, NaN: not annotated), *scores* (NaN: missing, which is
    not flagged). With *families*, codes that share what stands before the first dot count as one: flagged
    where one of them is, right where one of them is, wrong where all of them are annotated and none is right.

    Cf. Heydarian, Doyle and Samavi, "MLCM: Multi-Label Confusion Matrix" (IEEE Access 10, 2022), from which
    it differs in that co-occurring labels and missing annotations are kept apart. ConfigurationError for
    columns that do not fit each other, or labels sampled by score.
    """
    if any(isinstance(column, SampledLabels) for column in truth):
        raise ConfigurationError("a confusion table counts rows as they come; labels sampled by score refuse")
    lengths = {len(np.asanyarray(column)) for column in (*truth, *scores)}
    if len(lengths) > 1 or not len(labels) == len(truth) == len(scores) == len(thresholds):
        raise ConfigurationError("confusion needs one column of truth and scores, and a threshold, per label")
    groups = _families(labels) if families else {label: [index] for index, label in enumerate(labels)}
    total = _Totals(len(groups))
    for start in range(0, lengths.pop() if lengths else 0, BLOCK):
        part = slice(start, start + BLOCK)
        known = np.stack([np.asarray(column[part], np.float64) for column in map(np.asanyarray, truth)])
        value = np.stack([np.asarray(column[part], np.float64) for column in map(np.asanyarray, scores)])
        with np.errstate(invalid="ignore"):
            right, over = known >= POSITIVE_FROM, value >= np.asarray(thresholds)[:, None]
        annotated = ~np.isnan(known)
        total.add(
            np.stack([right[members].any(axis=0) for members in groups.values()]),
            np.stack([annotated[members].all(axis=0) for members in groups.values()]),
            np.stack([over[members].any(axis=0) for members in groups.values()]),
            np.asarray(annotated.any(axis=0), np.bool_),
        )
    return total.confusion(tuple(groups))


def _families(labels: Sequence[str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        groups.setdefault(label.partition(".")[0], []).append(index)
    return groups


class _Totals:
    """Counts that grow block by block."""

    def __init__(self, size: int) -> None:
        self.rows, self.silent, self.clean_flagged = np.zeros((3, size), np.int64)
        self.flagged, self.wrong = np.zeros((2, size, size), np.int64)
        self.clean = self.clean_silent = 0

    def add(
        self,
        right: NDArray[np.bool_],
        annotated: NDArray[np.bool_],
        over: NDArray[np.bool_],
        seen: NDArray[np.bool_],
    ) -> None:
        """One block: [labels, rows] each, and whether a row has any annotation."""
        lines = right.astype(np.float64)
        quiet = ~over.any(axis=0)
        clean = seen & ~right.any(axis=0)
        self.rows += right.sum(axis=1)
        self.flagged += (lines @ over.T).astype(np.int64)
        self.wrong += (lines @ (over & annotated & ~right).T).astype(np.int64)
        self.silent += (right & quiet).sum(axis=1)
        self.clean += int(clean.sum())
        self.clean_flagged += (over & clean).sum(axis=1)
        self.clean_silent += int((clean & quiet).sum())

    def confusion(self, labels: tuple[str, ...]) -> Confusion:
        return Confusion(
            labels,
            self.rows,
            self.flagged,
            self.wrong,
            self.silent,
            self.clean,
            self.clean_flagged,
            self.clean_silent,
        )
