"""Closed-form intervals against published tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from spotsafe.evaluation.metrics.estimate import Estimate, estimate_from_json, refusal
from spotsafe.evaluation.metrics.intervals import (
    clopper_pearson,
    logit_delta,
    mean_estimate,
    newcombe,
    proportion,
    wilson,
)

# Newcombe, Statistics in Medicine 17 (1998), 857-872, table I.
ONE_SAMPLE = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]

# Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10.
TWO_SAMPLES = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
]


@pytest.mark.parametrize(("k", "n", "score", "exact"), ONE_SAMPLE)
def test_proportions_have_the_published_intervals(
    k: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    """Wilson's and Clopper-Pearson's bounds are those of Newcombe's worked examples."""
    assert np.round(wilson(k, n), 4) == pytest.approx(score)
    assert np.round(clopper_pearson(k, n), 4) == pytest.approx(exact)


@pytest.mark.parametrize(("counts", "bounds"), TWO_SAMPLES)
def test_differences_have_the_published_intervals(
    counts: tuple[int, int, int, int], bounds: tuple[float, float]
) -> None:
    """Newcombe's method 10 gives his own worked examples."""
    assert np.round(newcombe(*counts), 4) == pytest.approx(bounds)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (3, 7), (7, 7), (250, 1000)])
def test_bounds_agree_with_scipy(k: int, n: int) -> None:
    """The vectorised forms equal scipy's for one proportion."""
    for ours, name in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = binomtest(k, n).proportion_ci(method=name)
        assert np.stack(ours(k, n)) == pytest.approx([theirs.low, theirs.high], abs=1e-9)


def test_a_share_without_rows_is_refused() -> None:
    """No denominator, no figure; the reason names what is missing."""
    found = proportion(0, 0, what="flagged rows")
    assert not found.ok
    assert "flagged rows" in str(found.refused)
    assert np.stack(wilson(0, 0)).tolist() == [0.0, 1.0]


def test_a_mean_has_the_interval_of_its_standard_error() -> None:
    """Of 1, 2, 3, 4: mean 2.5, deviation of the mean sqrt(5/3/4)."""
    found = mean_estimate(np.array([1.0, 2.0, 3.0, 4.0]), positives=0)
    half = 1.959964 * (5 / 3 / 4) ** 0.5
    assert (found.value, found.low, found.high) == pytest.approx((2.5, 2.5 - half, 2.5 + half))
    assert mean_estimate(np.array([1.0]), positives=0).refused


def test_logit_bounds_are_symmetric_in_the_logit() -> None:
    """A value of 0.5 with deviation 0.05: logits plus and minus 1.96 x 0.2."""
    low, high = logit_delta(0.5, 0.05)
    assert np.log(high / (1 - high)) == pytest.approx(1.959964 * 0.2)
    assert low == pytest.approx(1 - high)
    assert np.stack(logit_delta(1.0, 0.1)).tolist() == [0.0, 1.0]


def test_estimates_survive_json() -> None:
    """What is written is read back, with and without a refusal."""
    for one in (Estimate(0.5, 0.4, 0.6, 10, 5, "wilson"), refusal("no rows")):
        assert estimate_from_json(one.to_json()) == one
    assert "refused" not in Estimate(0.5, 0.4, 0.6, 10, 5, "wilson").to_json()
