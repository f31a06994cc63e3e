"""Calibration: expected calibration error over bins of equal mass, Brier score and its parts, reliability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spotsafe.evaluation.metrics.columns import Bools, Judged, judged, scarce
from spotsafe.evaluation.metrics.estimate import CONFIDENCE, Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, mean_estimate, wilson
from spotsafe.evaluation.metrics.ranking import LEAST
from spotsafe.evaluation.metrics.resample import PERCENTILE_REPLICATES, poisson

BINS = 15
"""Bins of the reliability curve and of the expected calibration error."""

_FINE = 32
"""Cells per bin that the bootstrap draws from; scores within one count as their mean."""


class ReliabilityBin(NamedTuple):
    """One bin: *score* is the mean score in it, *observed* the share of positives, *share* its share of all
    rows."""

    score: float
    observed: Estimate
    share: float


class BrierParts(NamedTuple):
    """Brier score = reliability - resolution + uncertainty + within (all in squared probability)."""

    reliability: float
    resolution: float
    uncertainty: float
    within: float


class Sums(NamedTuple):
    """Sums per cell: weight, weight of positives, weight x score."""

    mass: F64
    hits: F64
    score: F64

    def joined(self, width: int) -> Sums:
        """Cells joined by *width* (the last one may hold fewer)."""
        starts = np.arange(0, self.mass.shape[-1], width)
        return Sums(*(np.add.reduceat(column, starts, axis=-1) for column in self))


def _cells(rows: Judged, bins: int) -> tuple[Sums, Sums]:
    """Positives and negatives apart, in ``bins x _FINE`` cells of equal mass; equal scores share a cell, so
    that where scores repeat, cells stay empty."""
    weight = rows.weight()
    order = np.argsort(rows.scores, kind="stable")
    mass = np.cumsum(weight[order])
    # A whisker more, so that what adding up leaves in the last digits moves no row to another bin.
    steps = np.arange(1, bins * _FINE) * (mass[-1] / (bins * _FINE)) * (1 + 1e-9)
    cuts = rows.scores[order][np.minimum(np.searchsorted(mass, steps, side="right"), rows.n - 1)]
    place = np.searchsorted(cuts, rows.scores, side="right")

    def gathered(side: Bools, truth: float) -> Sums:
        held = np.bincount(place[side], weight[side], bins * _FINE).astype(np.float64)
        score = np.bincount(place[side], weight[side] * rows.scores[side], bins * _FINE).astype(np.float64)
        return Sums(held, held * truth, score)

    return gathered(rows.truth, 1.0), gathered(~rows.truth, 0.0)


def _binned(rows: Judged, bins: int) -> Sums:
    return _whole(_cells(rows, bins))


def _gap(binned: Sums) -> F64:
    gap = np.abs(binned.hits - binned.score).sum(axis=-1)
    return np.asarray(gap / np.maximum(binned.mass.sum(axis=-1), 1e-12))


def ece(
    truth: ArrayLike,
    scores: ArrayLike,
    rng: np.random.Generator,
    *,
    bins: int = BINS,
    weights: ArrayLike | None = None,
    least: int = LEAST,
) -> Estimate:
    """Expected calibration error ``Σ_b (n_b/n) |mean score_b - share positive_b|`` over *bins* of equal mass
    (Naeini, Cooper and Hauskrecht, AAAI 2015; equal mass: Nixon et al., CVPR workshops 2019).

    The figure is biased upwards: a perfectly calibrated score has an ECE above 0 in any sample. The interval
    is the basic bootstrap's, which takes that bias off, extended to hold the figure itself.
    """
    rows = judged(truth, scores, weights, unit=True)
    if (why := scarce(rows.positives, rows.n - rows.positives, least)) is not None:
        return refusal(why, n=rows.n, positives=rows.positives)
    square = float((rows.weight() ** 2).sum() / rows.weight().sum())
    return _ece(_cells(rows, bins), square, rng, n=rows.n, positives=rows.positives)


def ece_of_sums(
    sides: tuple[Sums, Sums], rng: np.random.Generator, *, n: int, positives: int, bins: int = BINS
) -> Estimate:
    """The same from sums per score, positives and negatives apart, ascending."""
    return _ece(regrouped(sides, bins * _FINE), 1.0, rng, n=n, positives=positives)


def regrouped(sides: tuple[Sums, Sums], count: int) -> tuple[Sums, Sums]:
    """Cells of about equal mass, *count* of them, from finer ones that are never split."""
    up, down = sides
    mass = np.cumsum(up.mass + down.mass)
    steps = np.arange(1, count) * (mass[-1] / count) * (1 + 1e-9)
    place = np.searchsorted(np.searchsorted(mass, steps, side="right"), np.arange(len(mass)), side="right")

    def gathered(side: Sums) -> Sums:
        return Sums(*(np.bincount(place, column, count).astype(np.float64) for column in side))

    return gathered(up), gathered(down)


def reliability_of_sums(sides: tuple[Sums, Sums], *, bins: int = BINS) -> list[ReliabilityBin]:
    """As :func:`reliability`, from the same sums."""
    return _curve(_whole(regrouped(sides, bins * _FINE)))


def _whole(sides: tuple[Sums, Sums]) -> Sums:
    """Positives and negatives together in bins, those without rows left out."""
    up, down = sides
    joined = Sums(up.mass + down.mass, up.hits, up.score + down.score).joined(_FINE)
    filled = joined.mass > 0
    return Sums(*(column[filled] for column in joined))


def _ece(
    sides: tuple[Sums, Sums], square: float, rng: np.random.Generator, *, n: int, positives: int
) -> Estimate:
    value = float(_gap(_whole(sides)))
    drawn = _drawn_gaps(sides, square, rng)
    tail = (1 - CONFIDENCE) / 2
    below, above = np.quantile(drawn, [tail, 1 - tail])
    low, high = np.clip((2 * value - above, 2 * value - below), 0.0, 1.0)
    method = f"basic, poisson bootstrap ({PERCENTILE_REPLICATES})"
    return Estimate(value, min(float(low), value), max(float(high), value), n, positives, method)


def _drawn_gaps(sides: tuple[Sums, Sums], square: float, rng: np.random.Generator) -> F64:
    """ECE of Poisson bootstrap draws, bins kept; *square* is Σw²/Σw of the rows' weights."""
    total = np.zeros((3, PERCENTILE_REPLICATES, -(-len(sides[0].mass) // _FINE)))
    for side in sides:
        drawn = poisson(side.mass / square, PERCENTILE_REPLICATES, rng) * square
        filled = np.where(side.mass > 0, side.mass, 1.0)
        cells = Sums(drawn, drawn * (side.hits / filled), drawn * (side.score / filled)).joined(_FINE)
        total += np.stack(cells)
    return _gap(Sums(*total))


def brier(truth: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Estimate:
    """Mean squared difference of score and truth (Brier 1950), with the interval of the central limit
    theorem."""
    rows = judged(truth, scores, weights, unit=True)
    return mean_estimate(
        (rows.scores - rows.truth) ** 2, positives=rows.positives, weights=rows.weights, bounds=(0.0, 1.0)
    )


def brier_parts(
    truth: ArrayLike, scores: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> BrierParts:
    """Murphy's decomposition (Journal of Applied Meteorology 12, 1973) over bins of equal mass; *within* is
    what scores that differ inside a bin add (Stephenson, Coelho and Jolliffe, Weather and Forecasting 23,
    2008). ConfigurationError without rows."""
    rows = judged(truth, scores, weights, unit=True)
    binned, weight = _binned(rows, bins), rows.weight()
    total = weight.sum()
    rate = float(binned.hits.sum() / total)
    observed, mean = binned.hits / binned.mass, binned.score / binned.mass
    reliability = float(binned.mass @ (mean - observed) ** 2 / total)
    resolution = float(binned.mass @ (observed - rate) ** 2 / total)
    uncertainty = rate * (1 - rate)
    whole = float(weight @ (rows.scores - rows.truth) ** 2 / total)
    return BrierParts(reliability, resolution, uncertainty, whole - (reliability - resolution + uncertainty))


def reliability(truth: ArrayLike, scores: ArrayLike, *, bins: int = BINS) -> list[ReliabilityBin]:
    """The reliability curve: per bin of equal mass the mean score against the share of positives with its
    Wilson interval, lowest scores first."""
    rows = judged(truth, scores, unit=True)
    return _curve(_binned(rows, bins)) if rows.n else []


def _curve(binned: Sums) -> list[ReliabilityBin]:
    total, found = float(binned.mass.sum()), []
    for mass, hits, score in zip(*binned, strict=True):
        low, high = wilson(hits, mass)
        observed = Estimate(float(hits / mass), float(low), float(high), int(mass), int(hits), "wilson")
        found.append(ReliabilityBin(float(score / mass), observed, float(mass / total)))
    return found
