"""Ranking figures from labels that were sampled by score: each row counts by the inverse of its chance."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from spotsafe.evaluation.metrics.estimate import CONFIDENCE, Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, logit_delta
from spotsafe.evaluation.metrics.ranking import (
    area,
    average_precision,
    recall_keeping_fpr,
    recall_keeping_precision,
)
from spotsafe.evaluation.metrics.resample import PERCENTILE_REPLICATES, REPLICATES, Statistic
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


def recall_at_precision(
    labels: SampledLabels,
    scores: ArrayLike,
    precision: float,
    rng: np.random.Generator,
    *,
    domain: ArrayLike | None = None,
) -> Estimate:
    """The best recall among thresholds whose weighted precision is at least *precision*; the interval is the
    stratified bootstrap's, which repeats the choice. Refusals as of :func:`auprc`."""
    statistic = partial(recall_keeping_precision, precision=precision)
    return _graded(labels, scores, statistic, rng, domain=domain, chosen=True)


def recall_at_fpr(
    labels: SampledLabels,
    scores: ArrayLike,
    fpr: float,
    rng: np.random.Generator,
    *,
    domain: ArrayLike | None = None,
) -> Estimate:
    """The best recall among thresholds whose weighted false-positive rate is at most *fpr*, as
    :func:`recall_at_precision`. Refused as well where the rate is less than one effective negative row."""
    inside = labels.chosen if domain is None else labels.chosen & np.asarray(domain, np.bool_)
    negatives = effective((labels.weight * (1 - labels.truth))[inside[labels.chosen]])
    if labels.reason is None and fpr * negatives < 1:
        why = f"{negatives:.0f} effective negative rows cannot tell a rate of {fpr:g}"
        return refusal(why, n=int(inside.sum()), positives=int(labels.effective_positives))
    statistic = partial(recall_keeping_fpr, fpr=fpr)
    return _graded(labels, scores, statistic, rng, domain=domain, chosen=True)


def _graded(
    labels: SampledLabels,
    scores: ArrayLike,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    domain: ArrayLike | None,
    chosen: bool = False,
) -> Estimate:
    """*chosen*: the statistic picks a threshold, so that its draws lie askew and are read as percentiles."""
    values = over_labelled(labels, scores)
    inside = np.ones(len(values)) if domain is None else over_labelled(labels, domain)
    up, down = labels.truth * inside, (1 - labels.truth) * inside
    n, positives, why = scarce(labels, inside)
    if why is not None:
        return refusal(why, n=n, positives=positives)
    order = np.argsort(-values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=np.inf))

    def figure(weights: F64) -> F64:
        """The statistic of each line of weights, over distinct scores, highest first."""
        cells = [np.add.reduceat((weights * side)[..., order], starts, axis=-1) for side in (up, down)]
        return statistic(*cells)

    value = float(figure(labels.weight))
    count = PERCENTILE_REPLICATES if chosen else REPLICATES
    drawn = np.concatenate([figure(weights) for weights in redrawn(labels, rng, count)])
    drawn = drawn[np.isfinite(drawn)]
    if chosen:
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return Estimate(
            value,
            min(float(low), value),
            max(float(high), value),
            n,
            positives,
            "hájek, stratified bootstrap",
        )
    drawn = np.clip(drawn, 1e-6, 1 - 1e-6)
    deviation = float(np.std(np.log(drawn / (1 - drawn)), ddof=1)) * value * (1 - value)
    bounds = logit_delta(value, deviation)
    method = "hájek, logit, stratified bootstrap"
    return Estimate(value, float(bounds[0]), float(bounds[1]), n, positives, method)


def scarce(labels: SampledLabels, inside: F64) -> tuple[int, int, str | None]:
    """Labelled rows of a domain (0/1 over the labelled rows), its effective positives rounded down, and why
    no figure of scores is given over it, or None."""
    sides = [effective(labels.weight * side * inside) for side in (labels.truth, 1 - labels.truth)]
    why = labels.reason
    if why is None and min(sides) < LEAST_EFFECTIVE:
        side = "positives" if sides[0] <= sides[1] else "negatives"
        why = f"{min(sides):.1f} effective {side}; at least {LEAST_EFFECTIVE:g} are needed"
    return int(inside.sum()), int(sides[0]), why
