"""Rates at a threshold and costs: two-by-two tables worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.threshold import cost_loss, cost_threshold, from_counts, rates

TRUTH = np.repeat([1, 0, 1, 0], [6, 2, 4, 88])
SCORES = np.repeat([0.9, 0.9, 0.1, 0.1], [6, 2, 4, 88])


def test_rates_by_hand() -> None:
    """6 hits, 2 false alarms, 4 misses, 88 quiet: each rate is the quotient that its name says."""
    found = rates(TRUTH, SCORES, 0.5)
    expected = {
        "precision": 6 / 8, "recall": 6 / 10, "f1": 12 / 18, "fpr": 2 / 90, "fnr": 4 / 10,
        "accuracy": 94 / 100, "flagged": 8 / 100, "prevalence": 10 / 100,
    }  # fmt: skip
    assert {name: one.value for name, one in found.named().items()} == pytest.approx(expected)
    assert found == from_counts(6, 2, 4, 88)
    assert (found.precision.n, found.recall.n, found.f1.n) == (8, 10, 12)


def test_the_interval_of_f1_is_that_of_the_share_of_hits() -> None:
    """6 hits of 12 rows positive or flagged: Wilson of 6/12 is 0.2538 to 0.7462, and F = 2J/(1+J)."""
    found = from_counts(6, 2, 4, 88).f1
    assert (found.low, found.high) == pytest.approx((0.4048, 0.8546), abs=2e-4)


def test_f1_covers() -> None:
    """Of 400 tables drawn with the same chances, the interval holds the true F1 in about 95 %."""
    rng = np.random.default_rng(0)
    chances = np.array([0.08, 0.04, 0.05, 0.83])
    true = 2 * chances[0] / (2 * chances[0] + chances[1] + chances[2])
    tables = rng.multinomial(300, chances, size=400)
    inside = sum(f.low <= true <= f.high for f in (from_counts(*map(int, row)).f1 for row in tables))
    assert 0.92 * 400 <= inside <= 0.98 * 400


def test_what_has_no_denominator_is_refused() -> None:
    """Nothing flagged: no precision; no positives: no recall; the rest stands."""
    found = from_counts(0, 0, 0, 10)
    assert {name for name, one in found.named().items() if not one.ok} == {"precision", "recall", "f1", "fnr"}
    assert found.fpr.value == 0.0


def test_weights_count_rows() -> None:
    """A row of weight 3 has the value of three rows; its interval is that of fewer rows."""
    truth, scores = [1, 1, 0, 0, 1, 0], [0.9, 0.2, 0.8, 0.1, 0.7, 0.3]
    weights = [3, 1, 2, 1, 1, 1]
    repeated = rates(np.repeat(truth, weights), np.repeat(scores, weights), 0.5)
    weighted = rates(truth, scores, 0.5, weights=weights)
    for name, one in weighted.named().items():
        assert one.value == pytest.approx(repeated.named()[name].value), name
        assert 0 <= one.low <= one.value <= one.high <= 1


def test_costs() -> None:
    """t* = 1/(1+4); 2 false alarms at 1 and 4 misses at 4 over 100 rows cost 0.18 a row."""
    assert cost_threshold(1, 4) == 0.2
    found = cost_loss(TRUTH, SCORES, false_positive=1, false_negative=4)
    assert found.value == pytest.approx((2 * 1 + 4 * 4) / 100)
    assert found.low < found.value < found.high
    everything = cost_loss(TRUTH, SCORES, false_positive=1, false_negative=4, threshold=0.0)
    assert everything.value == pytest.approx(0.9)
    with pytest.raises(ConfigurationError, match="above 0"):
        cost_threshold(0, 1)


BAD = [
    ([1, 0], [0.5], None, "one length"),
    ([1, np.nan], [0.5, 0.5], None, "without annotation"),
    ([1, 0], [0.5, np.nan], None, "missing rows"),
    ([1, 0], [0.5, 0.5], [1, -1], "weights"),
    ([1, 0], [0.5, 0.5], [1], "weights"),
    ([1, 0], [0.5, 0.5], [0, 0], "weights"),
]


@pytest.mark.parametrize(("truth", "scores", "weights", "words"), BAD)
def test_columns_that_do_not_fit_are_refused(
    truth: list[float], scores: list[float], weights: list[float] | None, words: str
) -> None:
    """Missing values are the caller's to leave out and count; nothing is dropped in silence."""
    with pytest.raises(ConfigurationError, match=words):
        rates(truth, scores, 0.5, weights=weights)
