"""Figures of scores and thresholds from labels sampled by score: against plain figures, by hand, and by how
often their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from spotsafe.evaluation.metrics import (
    calibration,
    ranking,
    sampled,
    sampled_ranking,
    sampled_scores,
    threshold,
)
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels

RNG = np.random.default_rng


def rows(rng: np.random.Generator, n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.random(n) < 0.25
    return truth, np.where(truth, rng.beta(4, 2, n), rng.beta(2, 4, n))


def test_a_census_gives_the_plain_figures() -> None:
    """Every row sure to be drawn: the values of the unweighted metrics, thresholds and bins included."""
    truth, scores = rows(RNG(1))
    labels = SampledLabels(truth.astype(float), np.ones(len(truth)))
    pairs = [
        (
            sampled_ranking.recall_at_precision(labels, scores, 0.9, RNG(0)),
            ranking.recall_at_precision(truth, scores, 0.9, RNG(0)).estimate,
        ),
        (
            sampled_ranking.recall_at_fpr(labels, scores, 0.05, RNG(0)),
            ranking.recall_at_fpr(truth, scores, 0.05, RNG(0)).estimate,
        ),
        (sampled_scores.ece(labels, scores, RNG(0)), calibration.ece(truth, scores, RNG(0))),
        (sampled_scores.brier(labels, scores), calibration.brier(truth, scores)),
        (
            sampled_scores.cost_loss(labels, scores, 0.4, false_positive=2, false_negative=7),
            threshold.cost_loss(truth, scores, false_positive=2, false_negative=7, threshold=0.4),
        ),
    ]
    for one, other in pairs:
        assert one.value == pytest.approx(other.value)
        assert one.low <= one.value <= one.high
        assert "hájek" in one.method


def test_weights_are_counts() -> None:
    """Rows drawn by a half count as two: the figures are those of a set in which they stand twice."""
    truth, scores = rows(RNG(2))
    chance = np.where(scores > 0.5, 1.0, 0.5)
    labels = SampledLabels(truth.astype(float), chance)
    twice = np.repeat(np.arange(len(truth)), np.where(chance < 1, 2, 1))
    both = truth[twice], scores[twice]
    assert sampled_scores.brier(labels, scores).value == pytest.approx(calibration.brier(*both).value)
    found = sampled_ranking.recall_at_precision(labels, scores, 0.8, RNG(0))
    assert found.value == pytest.approx(ranking.recall_at_precision(*both, 0.8, RNG(0)).estimate.value)
    found = sampled_ranking.recall_at_fpr(labels, scores, 0.1, RNG(0))
    assert found.value == pytest.approx(ranking.recall_at_fpr(*both, 0.1, RNG(0)).estimate.value)


def test_a_gap_by_hand() -> None:
    """Two strata, the group in one of them alone: 6 of 20 less 3 of 30, and the variances of both add up,
    p(1-p)/(m-1) (1 - m/N)."""
    truth = np.array([1.0] * 6 + [0] * 14 + [1] * 3 + [0] * 27)
    strata = ["a"] * 20 + ["b"] * 30
    labels = SampledLabels(truth, np.repeat([0.2, 0.1], [20, 30]), strata=strata)
    inside = np.repeat([1.0, 0.0], [20, 30])
    found = sampled.gap(
        labels, lambda t: (t * inside, inside), lambda t: (t * (1 - inside), 1 - inside), "rows"
    )
    assert found.value == pytest.approx(0.3 - 0.1)
    parts = 0.3 * 0.7 / 19 * 0.8, 0.1 * 0.9 / 29 * 0.9
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 19 + parts[1] ** 2 / 29)
    from scipy.stats import t

    half = t(degrees).ppf(0.975) * sum(parts) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half))
    few = sampled.gap(labels, lambda t: (t[:1].repeat(50), inside), lambda t: (t, np.eye(50)[0]), "rows")
    assert "effective rows on one side" in str(few.refused)


def test_few_rows_are_refused() -> None:
    """Under twenty effective positives, and where a rate is less than one negative row."""
    truth, scores = rows(RNG(3), 60)
    labels = SampledLabels(truth.astype(float), np.full(60, 0.5))
    assert "effective positives" in str(sampled_scores.ece(labels, scores, RNG(0)).refused)
    truth, scores = rows(RNG(3), 100)
    labels = SampledLabels(truth.astype(float), np.full(100, 0.5))
    assert "cannot tell" in str(sampled_ranking.recall_at_fpr(labels, scores, 0.01, RNG(0)).refused)


def test_intervals_hold_the_truth() -> None:
    """Twenty-four label sets, half of the rows above 0.5 and an eighth of the others: the intervals hold the
    figures of all 4,000 rows in at least 20."""
    rng = RNG(4)
    truth, scores = rows(rng, 4000)
    chance = np.where(scores > 0.5, 0.5, 0.125)
    strata = (scores > 0.5).astype(int)
    true = {
        "recall": ranking.recall_keeping_precision(
            truth[np.argsort(-scores)].astype(float), 1.0 - truth[np.argsort(-scores)], precision=0.8
        ),
        "brier": ((scores - truth) ** 2).mean(),
        "cost": (2.0 * (~truth & (scores >= 0.5)) + (truth & (scores < 0.5))).mean(),
        "ece": calibration.ece(truth, scores, rng).value,
    }
    held = dict.fromkeys(true, 0)
    for _ in range(24):
        drawn = np.flatnonzero(rng.random(4000) < chance)
        labels = SampledLabels(truth[drawn].astype(float), chance[drawn], strata=strata[drawn])
        here = scores[drawn]
        found = {
            "recall": sampled_ranking.recall_at_precision(labels, here, 0.8, rng),
            "brier": sampled_scores.brier(labels, here),
            "cost": sampled_scores.cost_loss(labels, here, 0.5, false_positive=2, false_negative=1),
            "ece": sampled_scores.ece(labels, here, rng),
        }
        for name, one in found.items():
            held[name] += one.low <= true[name] <= one.high
    assert min(held.values()) >= 20, held
