"""Estimates from labels that were sampled by score: Horvitz-Thompson totals and Hájek ratios.

Each row counts by the inverse of its chance to be labelled; variances are those of the design.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.estimate import CONFIDENCE, Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, logit_delta, normal_quantile, wilson
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels, effective
from spotsafe.evaluation.metrics.threshold import DENOMINATORS, PARTS, Rates

LEAST_EFFECTIVE = 20.0
"""Effective positives (and effective rows of the denominator) below which an estimate is refused."""


class Ratio(NamedTuple):
    """A Hájek ratio with the standard error of its linearisation; *total* is its denominator."""

    value: float
    deviation: float
    rows: float
    degrees: float
    total: float


def ratio(labels: SampledLabels, top: F64, bottom: F64) -> Ratio:
    """``Σ w top / Σ w bottom`` over the labelled rows and its standard error: the design variance of
    ``Σ w (top - R bottom)``, stratum by stratum with the finite-population correction, divided by
    ``Σ w bottom`` (Särndal, Swensson and Wretman 1992, sections 3.7 and 5.6). Without strata each row was
    chosen for itself: ``Σ (1 - π) w² e²``. ``rows`` is the effective number of rows in the denominator,
    ``degrees`` Satterthwaite's degrees of freedom."""
    base = labels.weight * bottom
    total = float(base.sum())
    if total <= 0:
        return Ratio(0.0, 0.0, 0.0, 1.0, 0.0)
    value = float(labels.weight @ top) / total
    residual = labels.weight * (top - value * bottom)
    parts, degrees = _variance(labels, residual)
    variance = float(parts.sum())
    shared = float((parts**2 / degrees).sum())
    freedom = variance**2 / shared if shared > 0 else 1.0
    return Ratio(value, variance**0.5 / total, effective(base), max(freedom, 1.0), total)


def _variance(labels: SampledLabels, residual: F64) -> tuple[F64, F64]:
    """Variance of ``Σ residual`` and degrees of freedom, per stratum. A stratum with one label lends no
    deviation of its own; its square stands in, which is more."""
    if labels.stratum is None:
        return np.array([float((1 - labels.inclusion) @ residual**2)]), np.array([len(residual) - 1.0])
    strata = len(labels.sizes)
    count = np.bincount(labels.stratum, minlength=strata).astype(np.float64)
    total = np.bincount(labels.stratum, residual, strata)
    square = np.bincount(labels.stratum, residual**2, strata)
    spread = np.where(count > 1, square - total**2 / np.maximum(count, 1), square)
    scale = np.where(count > 1, count / np.maximum(count - 1, 1), 1.0)
    rest = 1 - count / np.maximum(labels.sizes, count.clip(1))
    return np.maximum(spread * scale * rest, 0.0), np.maximum(count - 1, 1.0)


Measure = Callable[[F64], tuple[F64, F64]]
"""Truth of the labelled rows (0/1) → numerator and denominator, row by row."""


def share(
    labels: SampledLabels,
    measure: Measure,
    what: str,
    *,
    positives_matter: bool = True,
    least: float = LEAST_EFFECTIVE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """The ratio that *measure* makes, with its logit-delta interval (Student's t with Satterthwaite's degrees
    of freedom), or, where *rng* is given, that of a stratified bootstrap. *what* names what is counted over.

    Neither sees positives in a stratum where none was found. Where the strata's mean scores are known, the
    interval is that of the estimate together with what :func:`unseen` allows for.

    Refused where a stratum of more than 1 % of the frame has no label, under *least* effective rows in the
    denominator, and, where *positives_matter*, under *least* effective positives.
    """
    top, bottom = measure(labels.truth)
    positives, n = labels.effective_positives, int((bottom > 0).sum())
    found = ratio(labels, top, bottom)
    why = labels.reason
    if why is None and positives_matter and positives < least:
        why = f"{positives:.1f} effective positives; at least {least:g} are needed"
    if why is None and found.rows < least:
        why = f"{found.rows:.1f} effective {what}; at least {least:g} are needed"
    if why is not None:
        return refusal(why, n=n, positives=int(positives))
    low, high, method = _bounds(labels, found, measure, rng)
    low, high = max(min(low, found.value), 0.0), min(max(high, found.value), 1.0)
    return Estimate(found.value, low, high, n, int(positives), method)


def _bounds(
    labels: SampledLabels, found: Ratio, measure: Measure, rng: np.random.Generator | None
) -> tuple[float, float, str]:
    more = unseen(labels, measure)
    if found.value in (0.0, 1.0):
        low, high = wilson(found.value * found.rows, found.rows)
        if more != (0.0, 0.0):
            ends = _moved(np.array([found.value]), found.total, more, np.array([UPPER]))[0, 0] - found.value
            low, high = low + min(ends, 0.0), high + max(ends, 0.0)
        return float(low), float(high), "hájek, wilson"
    if rng is None:
        if more == (0.0, 0.0):
            bounds = logit_delta(found.value, found.deviation, _quantile(found.degrees))
            return float(bounds[0]), float(bounds[1]), "hájek, logit-delta"
        drawn, method = _spread(found), "hájek, logit-delta"
    else:
        drawn, method = bootstrap(labels, *measure(labels.truth), rng), "hájek, stratified bootstrap"
    tail = (1 - CONFIDENCE) / 2
    times = np.ones(1) if more == (0.0, 0.0) else _likely()
    moved = _moved(drawn[np.isfinite(drawn)], found.total, more, times)
    low, high = np.quantile(moved, [tail, 1 - tail])
    return float(low), float(high), method


STEPS = (np.arange(400) + 0.5) / 400
"""Quantiles at which a distribution is laid out: no randomness where none is asked for."""


def _spread(found: Ratio) -> F64:
    """The estimate's distribution on the logit scale, as values at :data:`STEPS`."""
    from scipy.special import expit, logit, stdtrit

    scale = found.deviation / (found.value * (1 - found.value))
    return np.asarray(expit(logit(found.value) + stdtrit(found.degrees, STEPS) * scale), np.float64)


def _likely() -> F64:
    """How many times the mean of :func:`unseen` there may be, at :data:`STEPS`: χ² with one degree of
    freedom, which is Gamma(1/2) over its mean."""
    from scipy.special import gammaincinv

    return np.asarray(gammaincinv(PRIOR, STEPS) / PRIOR, np.float64)


def _moved(value: F64, below: float, more: tuple[float, float], times: F64) -> F64:
    """Ratios of denominator *below* when *times* the unseen numerator and denominator are added: [values,
    times]."""
    above, under = (np.outer(np.ones_like(value), times) * part for part in more)
    return np.asarray((value[:, None] * below + above) / (below + under))


def gap(labels: SampledLabels, one: Measure, other: Measure, what: str) -> Estimate:
    """The ratio of *one* less that of *other*, such as a rate inside of a group and outside: the linearised
    residuals of both are subtracted row by row, so that what they share in a stratum counts; Student's t.
    Refused where either ratio has too few effective rows."""
    parts = [measure(labels.truth) for measure in (one, other)]
    ratios = [ratio(labels, *columns) for columns in parts]
    n = sum(int((bottom > 0).sum()) for _, bottom in parts)
    short = min(found.rows for found in ratios)
    why = labels.reason
    if why is None and short < LEAST_EFFECTIVE:
        why = f"{short:.1f} effective {what} on one side; at least {LEAST_EFFECTIVE:g} are needed"
    if why is not None:
        return refusal(why, n=n)
    first, second = (
        labels.weight * (top - found.value * bottom) / float(labels.weight @ bottom)
        for found, (top, bottom) in zip(ratios, parts, strict=True)
    )
    spread, degrees = _variance(labels, first - second)
    variance = float(spread.sum())
    shared = float((spread**2 / degrees).sum())
    half = _quantile(max(variance**2 / shared if shared > 0 else 1.0, 1.0)) * variance**0.5
    value = ratios[0].value - ratios[1].value
    low, high = max(value - half, -1.0), min(value + half, 1.0)
    return Estimate(value, low, high, n, int(labels.effective_positives), "hájek, linearised, t")


PRIOR = 0.5
"""Pseudo-positives of Jeffreys' prior for a rate."""

UPPER = 5.0239
"""The 97.5 % point of χ² with one degree of freedom."""


def unseen(labels: SampledLabels, measure: Measure) -> tuple[float, float]:
    """What the positives of strata in which none was found would add to numerator and denominator, in the
    mean of what their mean scores and the labels allow.

    A stratum of N rows with mean score p, of which m labels found none, has ``N (1/2)/(1/(2p) + m)``
    positives in the mean of a Beta(1/2, 1/(2p)) prior, and up to 5.02 times that. Scores that are too low are
    so in all strata alike, so that one number of times holds for all of them together; it and the sampling
    error are independent. (A prior that knows no scores, as Jeffreys' for a share, would let half a
    pseudo-positive per stratum stand for thousands of rows.) Nothing without known mean scores.
    """
    if labels.stratum is None or labels.expected is None:
        return 0.0, 0.0
    strata = len(labels.sizes)
    count = np.bincount(labels.stratum, minlength=strata)
    empty = (np.bincount(labels.stratum, labels.truth, strata) == 0) & (count > 0)
    rate = np.clip(labels.expected, 1e-12, 1.0)
    mean = np.where(empty, np.maximum(labels.sizes - count, 0) * PRIOR / (PRIOR / rate + count), 0.0)
    spread = (mean / np.maximum(count, 1))[labels.stratum]
    ones, zeros = measure(np.ones_like(labels.truth)), measure(np.zeros_like(labels.truth))
    above, below = (float(spread @ (one - zero)) for one, zero in zip(ones, zeros, strict=True))
    return above, below


def _quantile(degrees: float) -> float:
    from scipy.special import stdtrit

    return max(float(stdtrit(degrees, 1 - (1 - CONFIDENCE) / 2)), normal_quantile())


def rates(
    labels: SampledLabels,
    scores: ArrayLike,
    threshold: float,
    *,
    domain: ArrayLike | None = None,
    least: float = LEAST_EFFECTIVE,
    rng: np.random.Generator | None = None,
    positives: bool = True,
) -> Rates:
    """Precision, recall, F1, rates and prevalence of the whole frame at *threshold*. Without *positives*,
    few of them are no reason to refuse a rate: rows that all are expected clean have none.

    *scores* and *domain* (a boolean column: only these rows, such as one language) are over all rows of
    *labels*. With *rng* the intervals are a stratified bootstrap's, else logit-delta's.
    """
    flagged = (over_labelled(labels, scores) >= threshold).astype(np.float64)
    inside = np.ones_like(flagged) if domain is None else over_labelled(labels, domain)

    def limited(parts: Callable[[F64, F64], tuple[F64, F64]]) -> Measure:
        def measure(truth: F64) -> tuple[F64, F64]:
            top, bottom = parts(truth, flagged)
            return top * inside, bottom * inside

        return measure

    return Rates(
        **{
            name: share(
                labels,
                limited(parts),
                DENOMINATORS[name],
                positives_matter=positives and name not in _OF_FLAGGED,
                least=least,
                rng=rng,
            )
            for name, parts in PARTS.items()
        }
    )


_OF_FLAGGED = ("precision", "fpr", "flagged")
"""Rates that rest on flagged or negative rows, however few positives there are."""


def over_labelled(labels: SampledLabels, column: ArrayLike) -> F64:
    """A column over all rows, cut down to the labelled ones. ConfigurationError where it does not fit, or a
    labelled row has no value."""
    values = np.asarray(column, np.float64)
    if values.shape != (len(labels),):
        raise ConfigurationError(f"a column over {len(values)} rows does not fit labels over {len(labels)}")
    values = values[labels.chosen]
    if np.isnan(values).any():
        raise ConfigurationError(
            "labelled rows have no score (NaN); leave them out of labels and scores first"
        )
    return values


def total(labels: SampledLabels, column: ArrayLike | None = None) -> Estimate:
    """The Horvitz-Thompson total ``Σ w x`` over the frame: of positives, or of *column* (0/1, over all rows);
    its interval is that of the share, times the size of the frame."""
    held = None if column is None else over_labelled(labels, column)
    size = float(labels.sizes.sum())
    found = share(
        labels,
        lambda truth: (truth if held is None else held, np.ones_like(truth)),
        "rows",
        positives_matter=held is None,
    )
    if found.value is None or found.low is None or found.high is None:
        return found
    value, low, high = (size * bound for bound in (found.value, found.low, found.high))
    return found._replace(value=value, low=low, high=high, method=f"horvitz-thompson; {found.method}")


def bootstrap(
    labels: SampledLabels, top: F64, bottom: F64, rng: np.random.Generator, count: int = 500
) -> F64:
    """*count* draws of the ratio by :func:`redrawn` weights; NaN where nothing is counted over."""
    parts = [(weights @ top, weights @ bottom) for weights in redrawn(labels, rng, count)]
    above, below = (np.concatenate(side) for side in zip(*parts, strict=True))
    return np.asarray(np.divide(above, below, out=np.full(count, np.nan), where=below > 0), np.float64)


_AT_ONCE = 4_000_000
"""Weights held at a time."""


def redrawn(labels: SampledLabels, rng: np.random.Generator, count: int) -> Iterator[F64]:
    """*count* draws of the rows' weights, some at a time [draws, rows]: in each stratum ``m - 1`` of its m
    rows with replacement, rescaled so that the variance is the design's, finite-population correction
    included (Rao and Wu, JASA 83, 1988). Without strata all rows are one stratum."""
    stratum = np.zeros(len(labels.truth), np.int64) if labels.stratum is None else labels.stratum
    strata = [np.flatnonzero(stratum == code) for code in range(len(labels.sizes))]
    step = max(1, _AT_ONCE // max(len(stratum), 1))
    for start in range(0, count, step):
        draws = min(step, count - start)
        weights = np.tile(labels.weight, (draws, 1))
        for rows, size in zip(strata, labels.sizes, strict=True):
            m = len(rows)
            if m > 1:
                picks = rng.integers(0, m, (draws, m - 1)) + np.arange(draws)[:, None] * m
                drawn = np.bincount(picks.ravel(), minlength=draws * m).reshape(draws, m)
                root = max(1 - m / size, 0.0) ** 0.5
                weights[:, rows] *= 1 - root + root * m / (m - 1) * drawn
        yield weights
