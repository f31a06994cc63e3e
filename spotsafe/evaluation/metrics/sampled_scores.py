"""What scores are worth, from labels that were sampled by score: calibration error, Brier score and cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from spotsafe.evaluation.metrics.calibration import BINS
from spotsafe.evaluation.metrics.estimate import CONFIDENCE, Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64
from spotsafe.evaluation.metrics.resample import PERCENTILE_REPLICATES
from spotsafe.evaluation.metrics.sampled import over_labelled, redrawn, share
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels
from spotsafe.evaluation.metrics.sampled_ranking import scarce


def ece(
    labels: SampledLabels,
    scores: ArrayLike,
    rng: np.random.Generator,
    *,
    bins: int = BINS,
    domain: ArrayLike | None = None,
) -> Estimate:
    """Expected calibration error of the whole frame, or of *domain*: bins of equal *weight*, in each the gap
    between the Hájek means of score and truth. The interval is the basic one of a stratified bootstrap with
    the bins kept, which takes off the upward bias, extended to hold the figure itself. Refused under 20
    effective positives or negatives."""
    values = over_labelled(labels, scores)
    inside = np.ones(len(values)) if domain is None else over_labelled(labels, domain)
    n, positives, why = scarce(labels, inside)
    if why is not None:
        return refusal(why, n=n, positives=positives)
    rows = np.flatnonzero(inside)
    rows = rows[np.argsort(values[rows], kind="stable")]
    starts = _bins(values[rows], labels.weight[rows], bins)
    gap = (labels.truth - values)[rows]

    def figure(weights: F64) -> F64:
        held = weights[..., rows]
        apart = np.abs(np.add.reduceat(held * gap, starts, axis=-1)).sum(axis=-1)
        return np.asarray(apart / np.maximum(held.sum(axis=-1), 1e-12))

    value = float(figure(labels.weight))
    drawn = np.concatenate([figure(weights) for weights in redrawn(labels, rng, PERCENTILE_REPLICATES)])
    tail = (1 - CONFIDENCE) / 2
    below, above = np.quantile(drawn, [tail, 1 - tail])
    low, high = np.clip((2 * value - above, 2 * value - below), 0.0, 1.0)
    method = "hájek, basic, stratified bootstrap"
    return Estimate(value, min(float(low), value), max(float(high), value), n, positives, method)


def _bins(ordered: F64, weight: F64, bins: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Where bins of equal weight begin in ascending scores; equal scores share a bin."""
    mass = np.cumsum(weight)
    steps = np.arange(1, bins) * (mass[-1] / bins) * (1 + 1e-9)  # as calibration has it
    cuts = ordered[np.minimum(np.searchsorted(mass, steps, side="right"), len(ordered) - 1)]
    return np.unique(np.append(np.searchsorted(ordered, cuts), 0))


def brier(labels: SampledLabels, scores: ArrayLike, *, domain: ArrayLike | None = None) -> Estimate:
    """Mean squared difference of score and truth as a Hájek mean, with its logit-delta interval."""
    values = over_labelled(labels, scores)
    inside = np.ones(len(values)) if domain is None else over_labelled(labels, domain)
    return share(labels, lambda truth: ((values - truth) ** 2 * inside, inside), "rows")


def cost_loss(
    labels: SampledLabels,
    scores: ArrayLike,
    threshold: float,
    *,
    false_positive: float,
    false_negative: float,
    domain: ArrayLike | None = None,
) -> Estimate:
    """Mean cost per row at *threshold* as a Hájek mean, in the costs' own unit: the share of the higher cost,
    with that share's interval."""
    flagged = (over_labelled(labels, scores) >= threshold).astype(np.float64)
    inside = np.ones(len(flagged)) if domain is None else over_labelled(labels, domain)
    most = max(false_positive, false_negative)
    alarm, miss = false_positive / most, false_negative / most

    def measure(truth: F64) -> tuple[F64, F64]:
        return (alarm * flagged * (1 - truth) + miss * truth * (1 - flagged)) * inside, inside

    found = share(labels, measure, "rows")
    if found.value is None or found.low is None or found.high is None:
        return found
    value, low, high = (most * bound for bound in (found.value, found.low, found.high))
    return found._replace(value=value, low=low, high=high)
