"""The bootstrap that two runs share: the same rows drawn for both, figures from scores gathered in cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spotsafe.evaluation.metrics.resample import POISSON_ONE
from spotsafe.evaluation.runs.run import POSITIVE_FROM, Floats, ScoredRun

MAX_CELLS = 4096
"""Scores are gathered in at most so many cells; fewer distinct scores stay apart."""

LEAST = 10
"""Positives, and negatives, below which no difference is stated."""

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Pair:
    """One label's rows that both runs scored: truth, weights and each run's scores."""

    def __init__(self, first: ScoredRun, second: ScoredRun, label: str, mask: Bools | None) -> None:
        self.label = label
        one, other = first.scores(label), second.scores(label)
        annotated = ~np.isnan(first.truth(label))
        if mask is not None:
            annotated &= mask
        has_one, has_other = annotated & ~np.isnan(one), annotated & ~np.isnan(other)
        self.rows = np.flatnonzero(has_one & has_other)
        self.only_first = int(has_one.sum()) - len(self.rows)
        self.only_second = int(has_other.sum()) - len(self.rows)
        self.truth = first.truth(label)[self.rows] >= POSITIVE_FROM
        self.weights: F64 | None = None
        self.unweighable = False
        if first.meta.sampled:
            inclusion = np.asarray(first.inclusion[self.rows])
            self.unweighable = bool(np.isnan(inclusion).any())
            self.weights = 1.0 / inclusion
        self.sides = (one[self.rows], other[self.rows])

    def weight(self) -> F64:
        """Weight per row, ones where labels were not sampled."""
        return np.ones(len(self.rows)) if self.weights is None else self.weights

    @property
    def refused(self) -> str | None:
        """Why these rows show no difference, or None."""
        positives = int(self.truth.sum())
        negatives = len(self.truth) - positives
        if self.unweighable:
            return "labels were sampled by score and some rows lack their inclusion probability"
        if min(positives, negatives) < LEAST:
            return f"{positives} positive and {negatives} negative rows in common; {LEAST} of each are needed"
        return None


class Draws:
    """Poisson(1) counts per row, the same for every label: draw *r* is seeded by (seed, r). Rows of one group
    are drawn together, so that pairs and threads count as one observation."""

    def __init__(self, run: ScoredRun, seed: int, count: int) -> None:
        self.count = count
        self._seed = seed
        groups = run.groups
        self._member: NDArray[np.int64] | None = None
        self._size = len(run)
        if groups.any():
            alone = groups == 0
            numbers = np.array(groups)
            # Rows of no group get numbers of their own; group numbers are positive.
            numbers[alone] = -np.arange(1, int(alone.sum()) + 1)
            names, self._member = np.unique(numbers, return_inverse=True)
            self._size = len(names)

    def row_counts(self, replicate: int) -> NDArray[np.uint8]:
        """How often draw *replicate* takes each row of the run."""
        rng = np.random.default_rng((self._seed, replicate))
        counts = POISSON_ONE[rng.integers(0, len(POISSON_ONE), self._size, dtype=np.uint16)]
        return counts if self._member is None else counts[self._member]


RANKED = ("auprc", "auroc")
"""Figures of the order of scores, from sums per cell."""


class Cells:
    """One side's rows gathered by score, highest scores in the last cell. The figures of any weights over
    these rows come from sums per cell, which are taken once for all of them."""

    def __init__(self, scores: Floats, truth: Bools, limit: int = MAX_CELLS) -> None:
        distinct, inverse = np.unique(scores, return_inverse=True)
        self.count = len(distinct)
        place = np.asarray(inverse, np.int64)
        if self.count > limit:
            # Cells of equal numbers of rows, then finer at the top where precision is decided.
            ranks = np.searchsorted(np.sort(scores), distinct)
            even = np.linspace(0, len(scores), limit // 2)
            top = len(scores) - np.geomspace(1, len(scores), limit // 2)
            cells = np.searchsorted(np.unique(np.concatenate([even, top])), ranks, side="right")
            place = np.asarray(cells[inverse], np.int64)
            self.count = int(cells.max()) + 1
        self._scores, self._truth = scores, truth
        self._bins = place + self.count * truth

    def figures(self, metrics: Sequence[str], weight: F64, at: float) -> list[float]:
        """The figures of weighted rows, in the order of *metrics*; NaN for one that counts over no row."""
        with np.errstate(invalid="ignore", divide="ignore"):
            up, down = self._sums(weight) if any(metric in RANKED for metric in metrics) else (weight, weight)
            return [
                _area(up, down)
                if metric == "auroc"
                else _average_precision(up, down)
                if metric == "auprc"
                else self._counted(metric, weight, at)
                for metric in metrics
            ]

    def _sums(self, weight: F64) -> tuple[F64, F64]:
        """Weight of positives and of negatives per cell, highest first."""
        both = np.asarray(np.bincount(self._bins, weight, 2 * self.count), np.float64)
        return both[self.count :][::-1], both[: self.count][::-1]

    def _counted(self, metric: str, weight: F64, at: float) -> float:
        """Figures that are means over rows."""
        if metric == "brier":
            return float(weight @ (self._scores - self._truth) ** 2 / weight.sum())
        flagged, truth = self._scores >= at, self._truth
        if metric == "accuracy":
            return float(weight @ (flagged == truth) / weight.sum())
        right = ~truth if metric == "fpr" else truth
        hits = float(weight @ (flagged & right))
        if metric == "f1":
            return float(2 * hits / np.float64(weight @ flagged + weight @ truth))
        over = {"recall": truth, "precision": flagged, "fpr": ~truth}[metric]
        return float(hits / np.float64(weight @ over))


def _average_precision(up: F64, down: F64) -> float:
    """``Σ (R_k - R_{k-1}) P_k`` over cells, highest scores first."""
    hits = np.cumsum(up)
    taken = hits + np.cumsum(down)
    precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
    return float(up @ precision / hits[-1])


def _area(up: F64, down: F64) -> float:
    """The share of pairs in which the positive's cell is higher; pairs in one cell count half."""
    below = down.sum() - np.cumsum(down) + down / 2
    return float(up @ below / (up.sum() * down.sum()))
