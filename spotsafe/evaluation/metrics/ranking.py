"""Ranking: AUPRC, AUROC, recall at a fixed precision and at a fixed false-positive rate."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError, missing_extra
from spotsafe.evaluation.metrics.columns import Bools, judged, scarce
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, clopper_pearson, logit_delta
from spotsafe.evaluation.metrics.resample import logit_bootstrap, percentile_bootstrap

LEAST = 10
"""Positives, and negatives, below which no ranking figure is given: its interval would span nearly all."""


def learned() -> Any:
    """``sklearn.metrics``; ConfigurationError with the install line where scikit-learn is absent."""
    try:
        from sklearn import metrics
    except ImportError:
        raise missing_extra("eval", "evaluation") from None
    return metrics


class AtTarget(NamedTuple):
    """A recall reached while another rate is kept, and the score from which it is (None: nowhere)."""

    estimate: Estimate
    threshold: float | None


def auprc(
    truth: ArrayLike,
    scores: ArrayLike,
    rng: np.random.Generator,
    *,
    weights: ArrayLike | None = None,
    least: int = LEAST,
) -> Estimate:
    """Area under the precision-recall curve as average precision ``Σ (R_k - R_{k-1}) P_k`` (scikit-learn).
    A ranking that knows nothing has the prevalence as its AUPRC.

    The interval is symmetric on the logit scale, which keeps its coverage where percentile intervals lose
    theirs (Boyd, Eng and Page, ECML 2013), with a Poisson bootstrap's deviation.
    """
    rows = judged(truth, scores, weights)
    if (why := scarce(rows.positives, rows.n - rows.positives, least)) is not None:
        return refusal(why, n=rows.n, positives=rows.positives)
    value = float(learned().average_precision_score(rows.truth, rows.scores, sample_weight=rows.weights))
    return logit_bootstrap(rows, value, average_precision, rng)


def average_precision(up: F64, down: F64) -> F64:
    """Average precision from positives and negatives per distinct score [..., scores], highest first."""
    hits = np.cumsum(up, axis=-1)
    flagged = hits + np.cumsum(down, axis=-1)
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    with np.errstate(invalid="ignore"):
        return np.asarray((up * precision).sum(axis=-1) / hits[..., -1])


class Placements(NamedTuple):
    """*value* is the AUROC; *positive* is, for each distinct score (ascending), the share of negatives below
    it, *negative* the share of positives above it (ties half); *ups* and *downs* are how many positives and
    negatives have that score."""

    value: float
    positive: F64
    negative: F64
    ups: F64
    downs: F64

    @property
    def deviation(self) -> float:
        """DeLong's standard error: ``S10/m + S01/n``, its root."""
        spread = 0.0
        for place, count in ((self.positive, self.ups), (self.negative, self.downs)):
            size = float(count.sum())
            centre = self.value  # the mean placement of either class
            spread += float(count @ (place - centre) ** 2) / (size * max(size - 1, 1.0))
        return float(spread**0.5)


def placements(truth: Bools, ranks: NDArray[np.intp], distinct: int) -> Placements:
    """The structural components of the AUROC (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988) in one
    pass over rows whose scores are given as *ranks* among the *distinct* ones (cf. Sun and Xu, IEEE Signal
    Processing Letters 21, 2014). Both classes must occur."""
    ups = np.bincount(ranks[truth], minlength=distinct).astype(np.float64)
    downs = np.bincount(ranks[~truth], minlength=distinct).astype(np.float64)
    return placed(ups, downs)


def placed(ups: F64, downs: F64) -> Placements:
    """The same from positives and negatives per distinct score, ascending."""
    below = (np.cumsum(downs) - downs / 2) / downs.sum()
    above = 1.0 - (np.cumsum(ups) - ups / 2) / ups.sum()
    return Placements(float(ups @ below / ups.sum()), below, above, ups, downs)


def ranked(scores: F64) -> tuple[NDArray[np.intp], int]:
    """Each score's rank among the distinct ones, from 0, and how many these are."""
    distinct, ranks = np.unique(scores, return_inverse=True)
    return ranks, len(distinct)


def auroc(
    truth: ArrayLike,
    scores: ArrayLike,
    rng: np.random.Generator | None = None,
    *,
    weights: ArrayLike | None = None,
    least: int = LEAST,
) -> Estimate:
    """Area under the ROC curve (scikit-learn): the chance that a positive scores above a negative.

    The interval is DeLong's on the logit scale. At exactly 0 or 1, where it has no width, the bound is
    Clopper-Pearson's over as many disjoint pairs as the rarer class has rows. With *weights* the deviation is
    a Poisson bootstrap's, which needs *rng*.
    """
    rows = judged(truth, scores, weights)
    if (why := scarce(rows.positives, rows.n - rows.positives, max(least, 2))) is not None:
        return refusal(why, n=rows.n, positives=rows.positives)
    value = float(learned().roc_auc_score(rows.truth, rows.scores, sample_weight=rows.weights))
    if rows.weights is not None:
        if rng is None:
            raise ConfigurationError("a weighted AUROC is bootstrapped: pass a seeded numpy Generator as rng")
        return logit_bootstrap(rows, value, area, rng)
    return area_estimate(placements(rows.truth, *ranked(rows.scores)), value)


def area_estimate(found: Placements, value: float) -> Estimate:
    """*value*, the AUROC of *found*, with its interval."""
    positives, negatives = int(found.ups.sum()), int(found.downs.sum())
    rows, deviation = positives + negatives, found.deviation
    if deviation == 0 or not 0 < value < 1:
        pairs = min(positives, negatives)
        low, high = clopper_pearson(value * pairs, pairs)
        return Estimate(value, float(low), float(high), rows, positives, "clopper-pearson, pairs")
    low, high = logit_delta(value, deviation)
    return Estimate(value, float(low), float(high), rows, positives, "delong, logit")


def area(up: F64, down: F64) -> F64:
    """AUROC from positives and negatives per distinct score [..., scores], highest first; ties count half."""
    below = down.sum(axis=-1, keepdims=True) - np.cumsum(down, axis=-1) + down / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((up * below).sum(axis=-1) / (up.sum(axis=-1) * down.sum(axis=-1)))


def recall_keeping_precision(up: F64, down: F64, *, precision: float) -> F64:
    """The best recall while precision is kept, from positives and negatives per distinct score [..., scores],
    highest first; 0 where no threshold keeps it."""
    hits = np.cumsum(up, axis=-1)
    flagged = hits + np.cumsum(down, axis=-1)
    return _best(hits, (hits >= precision * flagged * (1 - _ROUNDING)) & (flagged > 0))


def recall_keeping_fpr(up: F64, down: F64, *, fpr: float) -> F64:
    """The best recall while the false-positive rate is kept, from the same columns."""
    false = np.cumsum(down, axis=-1)
    return _best(np.cumsum(up, axis=-1), false <= fpr * false[..., -1:] * (1 + _ROUNDING))


_ROUNDING = 1e-12
"""What adding up weights may leave of a rate that is met exactly."""


def _best(hits: F64, kept: NDArray[np.bool_]) -> F64:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(kept, hits, 0.0).max(axis=-1) / hits[..., -1])


def recall_at_precision(
    truth: ArrayLike, scores: ArrayLike, precision: float, rng: np.random.Generator, *, least: int = LEAST
) -> AtTarget:
    """The highest recall among thresholds whose precision on these rows is at least *precision*.

    The threshold is chosen on the rows it is judged by, so the figure describes a ranking and promises
    nothing of new rows; for that, tune (:mod:`spotsafe.evaluation.policies.tuning`). The interval bootstraps
    the choice as well.
    """
    rows = judged(truth, scores)
    if (why := scarce(rows.positives, rows.n - rows.positives, least)) is not None:
        return AtTarget(refusal(why, n=rows.n, positives=rows.positives), None)
    kept, recall, cuts = learned().precision_recall_curve(rows.truth, rows.scores)
    allowed = np.flatnonzero(kept[:-1] >= precision)

    best = int(allowed[np.argmax(recall[allowed])]) if len(allowed) else None
    value = 0.0 if best is None else float(recall[best])
    found = percentile_bootstrap(rows, value, partial(recall_keeping_precision, precision=precision), rng)
    return AtTarget(found, None if best is None else float(cuts[best]))


def too_coarse(negatives: int, fpr: float) -> str | None:
    """Why so few negative rows cannot tell a rate of *fpr*, or None."""
    if fpr * negatives >= 1:
        return None
    return f"{negatives} negative rows cannot tell a rate of {fpr:g}; at least {int(np.ceil(1 / fpr))} can"


def recall_at_fpr(
    truth: ArrayLike, scores: ArrayLike, fpr: float, rng: np.random.Generator, *, least: int = LEAST
) -> AtTarget:
    """The highest recall among thresholds whose false-positive rate on these rows is at most *fpr*; the
    interval bootstraps the choice as well. Refused where a rate of *fpr* is less than one negative row."""
    rows = judged(truth, scores)
    negatives = rows.n - rows.positives
    why = scarce(rows.positives, negatives, least)
    if (why := why or too_coarse(negatives, fpr)) is not None:
        return AtTarget(refusal(why, n=rows.n, positives=rows.positives), None)
    wrong, recall, cuts = learned().roc_curve(rows.truth, rows.scores, drop_intermediate=False)
    best = int(np.searchsorted(wrong, fpr, side="right")) - 1

    found = percentile_bootstrap(rows, float(recall[best]), partial(recall_keeping_fpr, fpr=fpr), rng)
    cut = float(cuts[best])
    return AtTarget(found, cut if np.isfinite(cut) else None)
