"""At a threshold: precision, recall, F1, false-positive rate and the cost of both kinds of error.

A row is flagged where its score is at least the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import Judged, judged
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, logit_delta, mean_estimate, proportion, wilson


class Rates(NamedTuple):
    """The figures of one threshold. *flagged* is the share of flagged rows, *prevalence* of positive ones."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    fpr: Estimate
    fnr: Estimate
    accuracy: Estimate
    flagged: Estimate
    prevalence: Estimate

    def named(self) -> Mapping[str, Estimate]:
        """By name, in the order above."""
        return self._asdict()


DENOMINATORS = {
    "precision": "flagged rows",
    "recall": "positive rows",
    "f1": "rows positive or flagged",
    "fpr": "negative rows",
    "fnr": "positive rows",
    "accuracy": "rows",
    "flagged": "rows",
    "prevalence": "rows",
}
"""What each rate counts over, in words."""


Columns = tuple[F64, F64]

PARTS: Mapping[str, Callable[[F64, F64], Columns]] = {
    "precision": lambda truth, flagged: (truth * flagged, flagged),
    "recall": lambda truth, flagged: (truth * flagged, truth),
    "f1": lambda truth, flagged: (2 * truth * flagged, truth + flagged),
    "fpr": lambda truth, flagged: ((1 - truth) * flagged, 1 - truth),
    "fnr": lambda truth, flagged: (truth * (1 - flagged), truth),
    "accuracy": lambda truth, flagged: (
        truth * flagged + (1 - truth) * (1 - flagged),
        np.ones_like(truth),
    ),
    "flagged": lambda truth, flagged: (flagged, np.ones_like(truth)),
    "prevalence": lambda truth, flagged: (truth, np.ones_like(truth)),
}
"""Numerator and denominator of each rate, row by row, from 0/1 columns of truth and of what was flagged."""


def rates(
    truth: ArrayLike, scores: ArrayLike, threshold: float, *, weights: ArrayLike | None = None
) -> Rates:
    """All figures at *threshold*.

    Without weights the rates have Wilson intervals. F1 = 2J/(1+J) with J = TP/(TP+FP+FN), which is a
    proportion of the rows that are positive or flagged; its Wilson bounds are mapped through that monotone
    function. With *weights* the rates are ratios of weighted sums with linearised logit-delta intervals.
    """
    rows = judged(truth, scores, weights)
    flagged = rows.scores >= threshold
    if rows.weights is not None:
        columns = rows.truth.astype(np.float64), flagged.astype(np.float64)
        return Rates(
            **{
                name: weighted_ratio(rows, *parts(*columns), DENOMINATORS[name])
                for name, parts in PARTS.items()
            }
        )
    return from_counts(
        int((rows.truth & flagged).sum()),
        int((~rows.truth & flagged).sum()),
        int((rows.truth & ~flagged).sum()),
        int((~rows.truth & ~flagged).sum()),
    )


def from_counts(tp: int, fp: int, fn: int, tn: int) -> Rates:
    """The figures of a two-by-two table."""
    n, positives = tp + fp + fn + tn, tp + fn
    tops = {
        "precision": (tp, tp + fp),
        "recall": (tp, positives),
        "fpr": (fp, fp + tn),
        "fnr": (fn, positives),
        "accuracy": (tp + tn, n),
        "flagged": (tp + fp, n),
        "prevalence": (positives, n),
    }
    found = {
        name: proportion(top, bottom, positives=positives, what=DENOMINATORS[name])
        for name, (top, bottom) in tops.items()
    }
    return Rates(f1=_f1(tp, fp, fn), **found)


def _f1(tp: int, fp: int, fn: int) -> Estimate:
    union = tp + fp + fn
    if union == 0:
        return refusal(f"there are no {DENOMINATORS['f1']} to count over")
    low, high = wilson(tp, union)
    value, down, up = (2 * j / (1 + j) for j in (tp / union, float(low), float(high)))
    return Estimate(value, down, up, union, tp + fn, "wilson over positive or flagged")


def weighted_ratio(rows: Judged, top: F64, bottom: F64, what: str) -> Estimate:
    """``Σ w top / Σ w bottom`` over independent rows; variance ``Σ w²(top - R bottom)²/(Σ w bottom)²``
    (Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, section 5.6). At 0 or 1: Wilson over
    Kish's effective number of rows ``(Σ w bottom)²/Σ (w bottom)²``."""
    weight = rows.weight()
    total = float(weight @ bottom)
    if total <= 0:
        return refusal(f"there are no {what} to count over", n=0, positives=rows.positives)
    value = min(float(weight @ top) / total, 1.0)
    count = int((bottom > 0).sum())
    if value in (0.0, 1.0):
        effective = total**2 / float((weight * bottom) @ (weight * bottom))
        low, high = wilson(value * effective, effective)
        return Estimate(value, float(low), float(high), count, rows.positives, "wilson, effective rows")
    variance = float((weight**2) @ (top - value * bottom) ** 2) / total**2
    low, high = logit_delta(value, variance**0.5)
    return Estimate(value, float(low), float(high), count, rows.positives, "logit-delta")


def cost_threshold(false_positive: float, false_negative: float) -> float:
    """The threshold of least expected cost on calibrated scores, ``t* = C_fp / (C_fp + C_fn)`` (Elkan, IJCAI
    2001). ConfigurationError unless both costs are positive."""
    if not (false_positive > 0 and false_negative > 0):
        raise ConfigurationError("both costs must be above 0")
    return false_positive / (false_positive + false_negative)


def cost_loss(
    truth: ArrayLike,
    scores: ArrayLike,
    *,
    false_positive: float,
    false_negative: float,
    threshold: float | None = None,
    weights: ArrayLike | None = None,
) -> Estimate:
    """Mean cost per row ``(C_fp FP + C_fn FN)/n`` at *threshold* (None: at t*), in the costs' own unit, with
    the interval of the central limit theorem."""
    at = cost_threshold(false_positive, false_negative) if threshold is None else threshold
    rows = judged(truth, scores, weights)
    flagged = rows.scores >= at
    cost = np.where(flagged & ~rows.truth, false_positive, 0.0)
    cost += np.where(~flagged & rows.truth, false_negative, 0.0)
    return mean_estimate(cost, positives=rows.positives, weights=rows.weights)
