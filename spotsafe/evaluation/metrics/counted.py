"""The figures of one label from counts per score, for columns too long to be held: rows are counted block by
block, and memory is that of the cells, however many rows there are.

A cell is a stretch of scores of relative width 2⁻¹² of the score, or of what it lacks to 1, so that order is
kept where scores crowd at either end; rows of one cell count as ties. What depends on the threshold is
counted exactly, and so are the Brier score and the histogram.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spotsafe.evaluation.metrics import calibration, ranking
from spotsafe.evaluation.metrics.columns import Bools, scarce
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, moments_estimate
from spotsafe.evaluation.metrics.resample import (
    Cells,
    Sizes,
    Statistic,
    logit_bootstrap,
    percentile_bootstrap,
)
from spotsafe.evaluation.metrics.threshold import Rates, from_counts

Counts = NDArray[np.int64]

_MANTISSA, _OCTAVES = 12, 20
_SIDE = _OCTAVES << _MANTISSA
CELLS = 2 * _SIDE
"""Cells of the scores from 0 to 1: so many octaves down from one half, and up towards 1."""

BINS = 25
"""Bars of the histogram, of equal width over [0, 1]."""

_SHIFT = 23 - _MANTISSA
_LEAST = np.float32(2.0 ** -(_OCTAVES + 1))
_BASE = int(_LEAST.view(np.uint32)) >> _SHIFT

MOST_CELLS = 2048
"""Cells that a bootstrap draws."""


def cell_of(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The cell of each score, ascending with it."""
    high = scores >= 0.5
    near = np.where(high, np.float32(1) - scores, scores).astype(np.float32)
    level = (np.maximum(near, _LEAST).view(np.uint32) >> _SHIFT).astype(np.int64) - _BASE
    level = np.minimum(level, _SIDE - 1)
    return np.where(high, CELLS - 1 - level, level)


class Tally:
    """Counts of one label's rows at the threshold *at*; :meth:`add` takes them block by block."""

    def __init__(self, at: float) -> None:
        self.at = at
        # The first line is that of the negatives, the second of the positives.
        self.held = np.zeros((2, CELLS), np.int64)
        self.score = np.zeros((2, CELLS))
        self.table = np.zeros((2, 2), np.int64)
        self.histogram = np.zeros((2, BINS), np.int64)
        self._square, self._fourth = 0.0, 0.0

    def add(self, truth: Bools, scores: NDArray[np.float32]) -> None:
        """Rows with annotation and score."""
        cell = cell_of(scores)
        exact = scores.astype(np.float64)
        flagged = exact >= self.at
        for row, side in enumerate((~truth, truth)):
            self.held[row] += np.bincount(cell[side], minlength=CELLS)
            self.score[row] += np.bincount(cell[side], exact[side], CELLS)
            self.table[row] += np.bincount(flagged[side].astype(np.int64), minlength=2)
            self.histogram[row] += np.histogram(exact[side], np.linspace(0.0, 1.0, BINS + 1))[0]
        error = (exact - truth) ** 2
        self._square += float(error.sum())
        self._fourth += float((error**2).sum())

    @property
    def positives(self) -> int:
        return int(self.table[1].sum())

    @property
    def n(self) -> int:
        """Rows with annotation and score."""
        return int(self.table.sum())

    def scarce(self) -> str | None:
        """Why no ranking figure is given, or None."""
        return scarce(self.positives, self.n - self.positives, ranking.LEAST)

    def ordered(self) -> tuple[F64, F64]:
        """Positives and negatives per filled cell, highest scores first."""
        down, up = self.held[:, self.held.any(axis=0)][:, ::-1].astype(np.float64)
        return up, down

    def rates(self) -> Rates:
        """Rates at the threshold, exactly."""
        (tn, fp), (fn, tp) = self.table.tolist()
        return from_counts(tp, fp, fn, tn)

    def brier(self) -> Estimate:
        """The Brier score, exactly."""
        return moments_estimate((self.n, self._square, self._fourth), positives=self.positives, most=1.0)

    def cost(self, false_positive: float, false_negative: float) -> Estimate:
        """Mean cost per row at the threshold, exactly."""
        (_, fp), (fn, _) = self.table.tolist()
        total = false_positive * fp + false_negative * fn
        square = false_positive**2 * fp + false_negative**2 * fn
        return moments_estimate((self.n, total, square), positives=self.positives)

    def binned(self) -> tuple[calibration.Sums, calibration.Sums]:
        """Positives and negatives apart, per cell, ascending, as calibration takes them."""
        filled = self.held.any(axis=0)
        down, up = self.held[:, filled].astype(np.float64)
        below, above = self.score[:, filled]
        return calibration.Sums(up, up, above), calibration.Sums(down, np.zeros_like(down), below)


def tally(at: float, blocks: Iterable[tuple[Bools, NDArray[np.float32]]]) -> Tally:
    """The counts of *blocks* of (truth, scores)."""
    found = Tally(at)
    for truth, scores in blocks:
        found.add(truth, scores)
    return found


def auprc(found: Tally, rng: np.random.Generator) -> Estimate:
    """As :func:`ranking.auprc`, rows of one cell being ties."""
    if (why := found.scarce()) is not None:
        return refusal(why, n=found.n, positives=found.positives)
    value = float(ranking.average_precision(*found.ordered()))
    return logit_bootstrap(
        Sizes(found.n, found.positives), value, ranking.average_precision, rng, gathered(found)
    )


def auroc(found: Tally) -> Estimate:
    """As :func:`ranking.auroc`."""
    if (why := found.scarce()) is not None:
        return refusal(why, n=found.n, positives=found.positives)
    ups, downs = (side[::-1] for side in found.ordered())
    places = ranking.placed(ups, downs)
    return ranking.area_estimate(places, places.value)


def recall_at_precision(found: Tally, precision: float, rng: np.random.Generator) -> Estimate:
    """As :func:`ranking.recall_at_precision`."""
    return _kept(found, partial(ranking.recall_keeping_precision, precision=precision), rng)


def recall_at_fpr(found: Tally, fpr: float, rng: np.random.Generator) -> Estimate:
    """As :func:`ranking.recall_at_fpr`."""
    if (why := ranking.too_coarse(found.n - found.positives, fpr)) is not None:
        return refusal(found.scarce() or why, n=found.n, positives=found.positives)
    return _kept(found, partial(ranking.recall_keeping_fpr, fpr=fpr), rng)


def _kept(found: Tally, statistic: Statistic, rng: np.random.Generator) -> Estimate:
    if (why := found.scarce()) is not None:
        return refusal(why, n=found.n, positives=found.positives)
    value = float(statistic(*found.ordered()))
    return percentile_bootstrap(Sizes(found.n, found.positives), value, statistic, rng, gathered(found))


def ece(found: Tally, rng: np.random.Generator) -> Estimate:
    """As :func:`calibration.ece`."""
    if (why := found.scarce()) is not None:
        return refusal(why, n=found.n, positives=found.positives)
    return calibration.ece_of_sums(found.binned(), rng, n=found.n, positives=found.positives)


def gathered(found: Tally, limit: int = MOST_CELLS) -> Cells:
    """At most *limit* cells, highest first: half of them at equal steps through the positives, half ever
    finer towards the highest negatives, as :func:`resample.cut_scores` has them."""
    up, down = found.ordered()
    if len(up) > limit:
        even = np.searchsorted(np.cumsum(up), np.linspace(0, up.sum(), limit // 2))
        fine = np.searchsorted(np.cumsum(down), np.geomspace(1, max(down.sum(), 1.0), limit // 2))
        starts = np.unique(np.concatenate([[0], even, fine]).clip(0, len(up) - 1)).astype(np.int64)
        up, down = (np.add.reduceat(side, starts) for side in (up, down))
    return Cells(up, down, np.ones_like(up), np.ones_like(down))
