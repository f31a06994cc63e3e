"""Ranking figures from labels that were sampled by score: each row counts by the inverse of its chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, logit_delta
from spotsafe.evaluation.metrics.ranking import area, average_precision
from spotsafe.evaluation.metrics.resample import REPLICATES, Statistic
from spotsafe.evaluation.metrics.sampled import LEAST_EFFECTIVE, over_labelled, redrawn
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels, effective


def auprc(
    labels: SampledLabels, scores: ArrayLike, rng: np.random.Generator, *, domain: ArrayLike | None = None
) -> Estimate:
    """Average precision of the whole frame, or of *domain* (a boolean column over all rows): precision and
    recall at each score are Hájek ratios. The interval is ``logit(v) ± z sd`` over stratified bootstrap
    draws. Refused as rates are, and under 20 effective positives or negatives."""
    return _graded(labels, scores, average_precision, rng, domain=domain)


def auroc(
    labels: SampledLabels, scores: ArrayLike, rng: np.random.Generator, *, domain: ArrayLike | None = None
) -> Estimate:
    """Area under the ROC curve of the whole frame, or of *domain*; interval and refusals as of
    :func:`auprc`."""
    return _graded(labels, scores, area, rng, domain=domain)


def _graded(
    labels: SampledLabels,
    scores: ArrayLike,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    domain: ArrayLike | None,
) -> Estimate:
    values = over_labelled(labels, scores)
    inside = np.ones(len(values)) if domain is None else over_labelled(labels, domain)
    up, down = labels.truth * inside, (1 - labels.truth) * inside
    sides = effective(labels.weight * up), effective(labels.weight * down)
    n, positives = int(inside.sum()), int(sides[0])
    why = labels.reason
    if why is None and min(sides) < LEAST_EFFECTIVE:
        side = "positives" if sides[0] <= sides[1] else "negatives"
        why = f"{min(sides):.1f} effective {side}; at least {LEAST_EFFECTIVE:g} are needed"
    if why is not None:
        return refusal(why, n=n, positives=positives)
    order = np.argsort(-values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=np.inf))

    def figure(weights: F64) -> F64:
        """The statistic of each line of weights, over distinct scores, highest first."""
        cells = [np.add.reduceat((weights * side)[..., order], starts, axis=-1) for side in (up, down)]
        return statistic(*cells)

    value = float(figure(labels.weight))
    drawn = np.concatenate([figure(weights) for weights in redrawn(labels, rng, REPLICATES)])
    drawn = np.clip(drawn[np.isfinite(drawn)], 1e-6, 1 - 1e-6)
    deviation = float(np.std(np.log(drawn / (1 - drawn)), ddof=1)) * value * (1 - value)
    low, high = logit_delta(value, deviation)
    return Estimate(value, float(low), float(high), n, positives, "hájek, logit, stratified bootstrap")
