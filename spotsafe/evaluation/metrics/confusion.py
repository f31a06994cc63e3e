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
    """Multi-label confusion over L *labels*. A row with several labels counts under each; what has no score
    is neither flagged nor not flagged.

    *rows* [L]: rows for which the label is right. *scored* [L, L]: of these, how many have a score for the
    label across; *flagged* [L, L]: in how many of them it was flagged; the diagonal are hits. *wrong* [L, L]:
    the part of it in which the label across is annotated and *not* right; ``flagged - wrong`` is right as
    well, or nobody looked. *told* [L]: rows of which it is known whether anything was flagged; *silent* [L]:
    those in which nothing was. The last line of each, [L], is that of the *clean* rows: those with
    annotations of which none is right.
    """

    labels: tuple[str, ...]
    rows: Counts
    scored: Counts
    flagged: Counts
    wrong: Counts
    told: Counts
    silent: Counts

    @property
    def clean(self) -> int:
        """Rows with annotations of which none is right."""
        return int(self.rows[-1])

    def shares(self, *, wrong: bool = False) -> NDArray[np.float64]:
        """*flagged* (or *wrong*) over *scored*: [L + 1, L]; NaN where nothing is scored."""
        counts = self.wrong if wrong else self.flagged
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(counts / self.scored)


def confusion(
    labels: Sequence[str],
    truth: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    thresholds: Sequence[float],
    *,
    families: bool = False,
) -> Confusion:
    """Confusion over columns per label: *truth* (0..1, NaN: not annotated), *scores* (NaN: missing). With
    *families*, codes that share what stands before the first dot count as one: flagged where one of them is,
    right where one of them is, wrong where all of them are annotated and none is right, scored where one is
    flagged or all of them have a score. A label that nobody scored in any row is left out of this, and of
    whether nothing was flagged.

    Cf. Heydarian, Doyle and Samavi, "MLCM: Multi-Label Confusion Matrix" (IEEE Access 10, 2022), from which
    it differs in that co-occurring labels and missing annotations are kept apart. ConfigurationError for
    columns that do not fit each other, or labels sampled by score.
    """
    if any(isinstance(column, SampledLabels) for column in truth):
        raise ConfigurationError("a confusion table counts rows as they come; labels sampled by score refuse")
    lengths = {len(np.asanyarray(column)) for column in (*truth, *scores)}
    if len(lengths) > 1 or not len(labels) == len(truth) == len(scores) == len(thresholds):
        raise ConfigurationError("confusion needs one column of truth and scores, and a threshold, per label")
    groups = families_of(labels) if families else {label: [index] for index, label in enumerate(labels)}
    total, size = _Totals(len(groups)), lengths.pop() if lengths else 0
    ever = np.array([_any_score(np.asanyarray(column)) for column in scores])
    for start in range(0, size, BLOCK):
        part = slice(start, start + BLOCK)
        known = np.stack([np.asarray(column[part], np.float64) for column in map(np.asanyarray, truth)])
        value = np.stack([np.asarray(column[part], np.float64) for column in map(np.asanyarray, scores)])
        with np.errstate(invalid="ignore"):
            right, over = known >= POSITIVE_FROM, value >= np.asarray(thresholds)[:, None]
        annotated, given = ~np.isnan(known), ~np.isnan(value)
        by_group = [
            np.stack([column[members].any(axis=0) for members in groups.values()])
            for column in (right, over, given)
        ]
        whole = [
            np.stack([column[members].all(axis=0) for members in groups.values()])
            for column in (annotated, given | ~ever[:, None])
        ]
        scored = by_group[1] | (whole[1] & by_group[2])
        blind = ~by_group[1].any(axis=0) & ~whole[1].all(axis=0)
        total.add(
            by_group[0], whole[0], by_group[1], scored, (np.asarray(annotated.any(axis=0)), np.asarray(blind))
        )
    return total.confusion(tuple(groups))


def _any_score(column: NDArray[np.generic]) -> bool:
    """Whether a column has a score anywhere, looked for block by block."""
    return any(
        not np.isnan(np.asarray(column[start : start + BLOCK], np.float64)).all()
        for start in range(0, len(column), BLOCK)
    )


def families_of(labels: Sequence[str]) -> dict[str, list[int]]:
    """Family (what stands before the first dot) → places of its codes."""
    groups: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        groups.setdefault(label.partition(".")[0], []).append(index)
    return groups


class _Totals:
    """Counts that grow block by block; the last line is that of the clean rows."""

    def __init__(self, size: int) -> None:
        self.rows, self.told, self.silent = np.zeros((3, size + 1), np.int64)
        self.scored, self.flagged, self.wrong = np.zeros((3, size + 1, size), np.int64)

    def add(
        self,
        right: NDArray[np.bool_],
        annotated: NDArray[np.bool_],
        over: NDArray[np.bool_],
        scored: NDArray[np.bool_],
        rows: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    ) -> None:
        """One block: [labels, rows] each; of *rows* [rows] which have any annotation, and of which it is not
        known whether anything was flagged."""
        seen, blind = rows
        lines = np.vstack([right, seen & ~right.any(axis=0)])
        quiet = ~over.any(axis=0) & ~blind
        factor = lines.astype(np.float64)
        self.rows += lines.sum(axis=1)
        self.scored += (factor @ scored.T).astype(np.int64)
        self.flagged += (factor @ over.T).astype(np.int64)
        self.wrong += (factor @ (over & annotated & ~right).T).astype(np.int64)
        self.told += (lines & ~blind).sum(axis=1)
        self.silent += (lines & quiet).sum(axis=1)

    def confusion(self, labels: tuple[str, ...]) -> Confusion:
        return Confusion(labels, self.rows, self.scored, self.flagged, self.wrong, self.told, self.silent)
