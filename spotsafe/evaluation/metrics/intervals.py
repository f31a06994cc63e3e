"""Intervals in closed form: proportions, differences of proportions, means, and ratios on the logit scale.

All are two-sided at the 95 % level unless *alpha* says otherwise, take scalars or arrays, and stay inside
[0, 1] where the quantity does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import missing_extra
from spotsafe.evaluation.metrics.estimate import CONFIDENCE, Estimate, refusal

F64 = NDArray[np.float64]
Bounds = tuple[F64, F64]

ALPHA = 1.0 - CONFIDENCE


def special() -> Any:
    """``scipy.special``; ConfigurationError with the install line where scipy is absent."""
    try:
        from scipy import special as functions
    except ImportError:
        raise missing_extra("eval", "evaluation") from None
    return functions


def normal_quantile(alpha: float = ALPHA) -> float:
    """z with ``P(|Z| > z) = alpha``: 1.96 for 0.05."""
    return float(special().ndtri(1.0 - alpha / 2.0))


def wilson(successes: ArrayLike, trials: ArrayLike, alpha: float = ALPHA) -> Bounds:
    """Score interval of a proportion (Wilson, JASA 22, 1927). Where *trials* is 0: all of [0, 1]."""
    k, n = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    z2 = normal_quantile(alpha) ** 2
    centre = (k + z2 / 2) / (n + z2)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(k * (n - k) / np.where(n > 0, n, 1.0) + z2 / 4)
    half = np.sqrt(z2) / (n + z2) * spread
    low = np.where(k <= 0, 0.0, np.clip(centre - half, 0.0, 1.0))
    return low, np.where(k >= n, 1.0, np.clip(centre + half, 0.0, 1.0))


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, alpha: float = ALPHA) -> Bounds:
    """Exact interval of a proportion (Clopper and Pearson, Biometrika 26, 1934): quantiles of Beta(k, n-k+1)
    and Beta(k+1, n-k). Each bound holds alone at level ``1 - alpha/2``."""
    k, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    beta = special().betaincinv
    low = np.where(k > 0, beta(np.maximum(k, 1), n - k + 1, alpha / 2), 0.0)
    high = np.where(k < n, beta(k + 1, np.maximum(n - k, 1), 1 - alpha / 2), 1.0)
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def newcombe(k1: float, n1: float, k2: float, n2: float) -> tuple[float, float]:
    """Interval of ``k1/n1 - k2/n2`` for independent samples: squared distances to the Wilson bounds add
    (Newcombe, Statistics in Medicine 17, 1998, method 10)."""
    (low1, high1), (low2, high2) = wilson(k1, n1), wilson(k2, n2)
    p1, p2 = k1 / n1, k2 / n2
    down = float(np.hypot(p1 - low1, high2 - p2))
    up = float(np.hypot(high1 - p1, p2 - low2))
    return p1 - p2 - down, p1 - p2 + up


def logit_delta(value: ArrayLike, deviation: ArrayLike, quantile: float | None = None) -> Bounds:
    """Interval of a share by the delta method on the logit scale: ``logit(v) ± z sd/(v(1-v))``, so that it
    stays inside (0, 1). A value of exactly 0 or 1 has no logit; all of [0, 1] is given unless its deviation
    is 0 too, and callers with a better bound use that."""
    v, sd = np.asarray(value, np.float64), np.asarray(deviation, np.float64)
    z = normal_quantile() if quantile is None else quantile
    inner = (v > 0) & (v < 1)
    safe = np.where(inner, v, 0.5)
    centre, half = np.log(safe / (1 - safe)), z * sd / (safe * (1 - safe))
    expit = special().expit
    return (
        np.asarray(np.where(inner, expit(centre - half), 0.0), np.float64),
        np.asarray(np.where(inner, expit(centre + half), 1.0), np.float64),
    )


def proportion(successes: float, trials: float, *, positives: int | None = None, what: str = "") -> Estimate:
    """A share with its Wilson interval; refused without trials. *what* names the denominator."""
    count = int(trials)
    held = int(successes) if positives is None else positives
    if trials <= 0:
        return refusal(f"there are no {what or 'rows'} to count over", n=0, positives=held)
    low, high = wilson(successes, trials)
    return Estimate(successes / trials, float(low), float(high), count, held, "wilson")


def moments_estimate(moments: tuple[int, float, float], *, positives: int, most: float = np.inf) -> Estimate:
    """As :func:`mean_estimate` of values from 0 to *most*, from how many there are, their sum and the sum of
    their squares."""
    n, total, square = moments
    if n < 2:
        return refusal("a mean with an interval needs at least two rows", n=n, positives=positives)
    mean = total / n
    half = normal_quantile() * (max(square / n - mean**2, 0.0) / (n - 1)) ** 0.5
    low, high = max(mean - half, 0.0), min(mean + half, most)
    return Estimate(mean, min(low, mean), max(high, mean), n, positives, "normal")


def mean_estimate(
    values: F64, *, positives: int, weights: F64 | None = None, bounds: tuple[float, float] = (0.0, np.inf)
) -> Estimate:
    """The mean of independent rows with the interval of the central limit theorem, clipped to *bounds*.
    With *weights* it is the weighted mean and its linearised variance ``Σ w²(x-m)²/(Σw)²``."""
    n = len(values)
    if n < 2:
        return refusal("a mean with an interval needs at least two rows", n=n, positives=positives)
    w = np.ones(n) if weights is None else weights
    total = float(w.sum())
    mean = float(w @ values) / total
    variance = float((w * w) @ (values - mean) ** 2) / total**2 * n / (n - 1)
    half = normal_quantile() * variance**0.5
    low, high = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    return Estimate(mean, min(low, mean), max(high, mean), n, positives, "normal")
