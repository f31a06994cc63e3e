"""Calibration error, Brier score and its parts: worked by hand, and what chance adds to them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.calibration import brier, brier_parts, ece, reliability

TRUTH, SCORES = [0, 1, 1, 1], [0.1, 0.3, 0.7, 0.9]
RNG = np.random.default_rng


def test_the_error_by_hand() -> None:
    """Two bins of two rows: |0.2 - 0.5|/2 + |0.8 - 1|/2."""
    assert ece(TRUTH, SCORES, RNG(0), bins=2, least=1).value == pytest.approx(0.25)


def test_brier_and_its_parts_by_hand() -> None:
    """(0.01 + 0.49 + 0.09 + 0.01)/4 = 0.065 - 0.0625 + 0.1875 - 0.04."""
    assert brier(TRUTH, SCORES).value == pytest.approx(0.15)
    parts = brier_parts(TRUTH, SCORES, bins=2)
    assert tuple(parts) == pytest.approx((0.065, 0.0625, 0.1875, -0.04))


def test_brier_agrees_with_scikit_learn() -> None:
    """On 1,000 random rows, weighted or not."""
    rng = RNG(1)
    scores, weights = rng.random(1000), rng.random(1000)
    truth = rng.random(1000) < scores
    assert brier(truth, scores).value == pytest.approx(brier_score_loss(truth, scores))
    assert brier(truth, scores, weights=weights).value == pytest.approx(
        brier_score_loss(truth, scores, sample_weight=weights)
    )


def test_the_interval_takes_the_bias_off() -> None:
    """A calibrated score has an error above 0 in every sample; the interval still reaches down to about 0.
    One that is off by 0.2 is told from it."""
    rng = RNG(2)
    scores = rng.random(2000)
    calibrated = ece(rng.random(2000) < scores, scores, RNG(0))
    off = ece(rng.random(2000) < np.clip(scores - 0.2, 0, 1), scores, RNG(0))
    assert calibrated.value > 0.015
    assert calibrated.low < 0.01
    assert off.low > 0.1
    assert off.low <= 0.18 <= off.high  # the mean of min(score, 0.2)


def test_the_curve_counts_every_row_once() -> None:
    """Bins of equal mass, lowest scores first; equal scores are never split."""
    rng = RNG(3)
    scores = rng.integers(0, 8, 1000) / 10
    curve = reliability(rng.random(1000) < scores, scores, bins=10)
    assert sum(entry.observed.n for entry in curve) == 1000
    assert sum(entry.share for entry in curve) == pytest.approx(1)
    means = [entry.score for entry in curve]
    assert means == sorted(means)
    assert len(curve) <= 8


def test_scores_that_are_no_probabilities_are_refused() -> None:
    """A logit of 3 has no calibration error."""
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        ece([0, 1], [0.2, 3.0], RNG(0))
    assert ece([0, 0, 1], [0.1, 0.2, 0.3], RNG(0)).refused
