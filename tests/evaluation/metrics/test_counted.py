"""Figures from counts per score: those of the rows, whatever the blocks, in memory that rows do not grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.evaluation.metrics import calibration, counted, ranking, threshold

RNG = np.random.default_rng


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60))
def test_cells_keep_the_order(scores: list[float]) -> None:
    """A higher score never lies in a lower cell, and scores that differ by more than 1 in 2,048 of their
    distance to the nearer end lie in different ones."""
    values = np.sort(np.array(scores, np.float32))
    cells = counted.cell_of(values)
    assert (np.diff(cells) >= 0).all()
    assert cells.min() >= 0
    assert cells.max() < counted.CELLS
    for low, high, same in zip(values, values[1:], np.diff(cells) == 0, strict=False):
        near = min(float(high), 1 - float(low))
        assert not same or float(high) - float(low) <= max(near / 2**11, 2.0**-20)


def test_counts_give_the_figures_of_the_rows() -> None:
    """20,000 rows in blocks of 999: what the threshold decides is exact, areas are within 0.0001 and their
    intervals within an eighth of their width; scikit-learn agrees."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = RNG(0)
    truth = rng.random(20_000) < 0.05
    scores = (1 / (1 + np.exp(-(rng.normal(size=20_000) * 1.5 + 2.2 * truth - 3)))).astype(np.float32)
    blocks = ((truth[at : at + 999], scores[at : at + 999]) for at in range(0, 20_000, 999))
    found, exact = counted.tally(0.5, blocks), scores.astype(np.float64)
    assert found.rates() == threshold.rates(truth, exact, 0.5)
    prices = {"false_positive": 2.0, "false_negative": 5.0}
    recall, fixed = ranking.recall_at_precision(truth, exact, 0.3, RNG(0)), 0.01
    pairs = [
        (found.brier(), calibration.brier(truth, exact)),
        (found.cost(2, 5), threshold.cost_loss(truth, exact, threshold=0.5, **prices)),
        (counted.auprc(found, RNG(0)), ranking.auprc(truth, exact, RNG(0))),
        (counted.auroc(found), ranking.auroc(truth, exact)),
        (counted.ece(found, RNG(0)), calibration.ece(truth, exact, RNG(0))),
        (counted.recall_at_precision(found, 0.3, RNG(0)), recall.estimate),
        (
            counted.recall_at_fpr(found, fixed, RNG(0)),
            ranking.recall_at_fpr(truth, exact, fixed, RNG(0)).estimate,
        ),
    ]
    for one, other in pairs:
        width = other.high - other.low
        assert one.value == pytest.approx(other.value, abs=1e-4)
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=width / 8)
        assert (one.n, one.positives, one.method) == (other.n, other.positives, other.method)
    assert counted.auprc(found, RNG(0)).value == pytest.approx(
        average_precision_score(truth, exact), abs=1e-4
    )
    assert counted.auroc(found).value == pytest.approx(roc_auc_score(truth, exact), abs=1e-5)


def test_few_rows_are_refused_as_ever() -> None:
    """The reasons are those of the rows' own figures."""
    truth, scores = np.array([True] * 3 + [False] * 30), np.linspace(0, 1, 33, dtype=np.float32)
    found = counted.tally(0.5, [(truth, scores)])
    assert counted.auprc(found, RNG(0)).refused == ranking.auprc(truth, scores, RNG(0)).refused
    truth = np.arange(33) % 2 == 0
    found = counted.tally(0.5, [(truth, scores)])
    assert "cannot tell" in str(counted.recall_at_fpr(found, 0.01, RNG(0)).refused)
    assert counted.tally(0.5, []).brier().value is None
