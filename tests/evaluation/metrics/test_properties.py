"""What holds of every figure, whatever the rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.evaluation.metrics import calibration, ranking, sampled, threshold
from spotsafe.evaluation.metrics.estimate import Estimate
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels

Rows = tuple[np.ndarray, np.ndarray]
QUICK = settings(max_examples=25, deadline=None)


@st.composite
def rows(draw: st.DrawFn, least: int = 4) -> Rows:
    """Rows of both classes with scores that repeat."""
    n = draw(st.integers(least, 60))
    truth = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    truth[:4] = [True, False, True, False]
    scores = draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
    return np.array(truth), np.array(scores) / 12


def estimates(truth: np.ndarray, scores: np.ndarray) -> dict[str, Estimate]:
    rng = np.random.default_rng(0)
    return {
        "auprc": ranking.auprc(truth, scores, rng, least=1),
        "auroc": ranking.auroc(truth, scores, least=1),
        "at_precision": ranking.recall_at_precision(truth, scores, 0.5, rng, least=1).estimate,
        "at_fpr": ranking.recall_at_fpr(truth, scores, 0.5, rng, least=1).estimate,
        "ece": calibration.ece(truth, scores, rng, least=1),
        "brier": calibration.brier(truth, scores),
        **threshold.rates(truth, scores, 0.5).named(),
    }


@QUICK
@given(rows())
def test_figures_stay_inside_their_interval_and_the_unit(given_rows: Rows) -> None:
    """low <= value <= high, all of them shares; a refusal has a reason and no figure."""
    for name, one in estimates(*given_rows).items():
        if one.value is None:
            assert one.refused, name
            continue
        assert -1e-9 <= one.low <= one.value + 1e-9, name
        assert one.value - 1e-9 <= one.high <= 1 + 1e-9, name


@QUICK
@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(given_rows: Rows, shuffle) -> None:
    """Every figure, interval included, is the same of shuffled rows."""
    truth, scores = given_rows
    order = list(range(len(truth)))
    shuffle.shuffle(order)
    one, other = estimates(truth, scores), estimates(truth[order], scores[order])
    for name in one:
        assert one[name][:3] == pytest.approx(other[name][:3]), name


@QUICK
@given(rows())
def test_higher_thresholds_flag_less(given_rows: Rows) -> None:
    """Recall, false-positive rate and the flagged share never rise with the threshold."""
    steps = [threshold.rates(*given_rows, at) for at in (0.0, 0.25, 0.5, 0.75, 1.01)]
    for name in ("recall", "fpr", "flagged"):
        values = [getattr(step, name).value for step in steps]
        assert values == sorted(values, reverse=True), name


@QUICK
@given(rows())
def test_a_ranking_turned_round(given_rows: Rows) -> None:
    """The area of the opposite score is the rest to 1, and a monotone change of scores changes nothing."""
    truth, scores = given_rows
    area = ranking.auroc(truth, scores, least=1).value
    assert ranking.auroc(truth, -scores, least=1).value == pytest.approx(1 - area)
    assert ranking.auroc(truth, np.exp(3 * scores), least=1).value == pytest.approx(area)


WEIGHTED: list[Callable[..., Estimate]] = [
    lambda t, s, **kw: ranking.auprc(t, s, np.random.default_rng(0), least=1, **kw),
    lambda t, s, **kw: ranking.auroc(t, s, np.random.default_rng(0), least=1, **kw),
    lambda t, s, **kw: calibration.ece(t, s, np.random.default_rng(0), least=1, **kw),
    calibration.brier,
    lambda t, s, **kw: threshold.rates(t, s, 0.5, **kw).f1,
    lambda t, s, **kw: threshold.rates(t, s, 0.5, **kw).accuracy,
]


@pytest.mark.parametrize("metric", WEIGHTED)
@QUICK
@given(given_rows=rows(), weight=st.floats(0.1, 50))
def test_equal_weights_are_no_weights(
    metric: Callable[..., Estimate], given_rows: Rows, weight: float
) -> None:
    """Whatever the weight, where it is the same for all rows."""
    truth, scores = given_rows
    plain, weighted = metric(truth, scores), metric(truth, scores, weights=np.full(len(truth), weight))
    assert (plain.value is None) == (weighted.value is None)
    if plain.value is not None:
        assert weighted.value == pytest.approx(plain.value)


@QUICK
@given(rows())
def test_a_census_is_no_sample(given_rows: Rows) -> None:
    """Labels of which every row was sure to be chosen give the unweighted rates, and know them exactly."""
    truth, scores = given_rows
    labels = SampledLabels(truth.astype(float), np.ones(len(truth)), strata=scores > 0.5)
    weighted = sampled.rates(labels, scores, 0.5, least=0).named()
    for name, one in threshold.rates(truth, scores, 0.5).named().items():
        if one.ok and weighted[name].ok:
            assert weighted[name].value == pytest.approx(one.value), name
            if 0 < one.value < 1:
                assert weighted[name].high - weighted[name].low < 1e-6, name


@QUICK
@given(rows(least=10))
def test_brier_parts_add_up(given_rows: Rows) -> None:
    """Reliability - resolution + uncertainty + within is the score, and the first three are never
    negative."""
    parts = calibration.brier_parts(*given_rows, bins=5)
    whole = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert whole == pytest.approx(calibration.brier(*given_rows).value)
    assert min(parts[:3]) >= 0
