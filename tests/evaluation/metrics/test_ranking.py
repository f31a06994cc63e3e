"""Ranking figures: worked by hand, against scikit-learn, and their intervals' coverage."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import judged
from spotsafe.evaluation.metrics.ranking import (
    auprc,
    auroc,
    placements,
    ranked,
    recall_at_fpr,
    recall_at_precision,
)
from spotsafe.evaluation.metrics.resample import cells, cut_scores

RNG = np.random.default_rng


def drawn(rng: np.random.Generator, n: int, share: float = 0.1, gap: float = 1.5):
    truth = rng.random(n) < share
    return truth, rng.normal(size=n) + gap * truth


def test_average_precision_by_hand() -> None:
    """Positives at ranks 1 and 3: (1/1 + 2/3) / 2."""
    found = auprc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6], RNG(0), least=2)
    assert found.value == pytest.approx(5 / 6)
    assert (found.n, found.positives) == (4, 2)


def test_delong_by_hand() -> None:
    """Positives 3 and 2 against negatives 1 and 2.5: area 3/4, S10 = S01 = 1/8, variance 1/8."""
    rows = judged([1, 1, 0, 0], [3.0, 2.0, 1.0, 2.5])
    found = placements(rows.truth, *ranked(rows.scores))
    assert found.value == 0.75
    assert found.deviation == pytest.approx((1 / 8) ** 0.5)
    estimate = auroc([1, 1, 0, 0], [3.0, 2.0, 1.0, 2.5], least=2)
    half = 1.959964 * (1 / 8) ** 0.5 / (0.75 * 0.25)
    assert estimate.high == pytest.approx(1 / (1 + np.exp(-(np.log(3) + half))))


def test_ties_count_half() -> None:
    """A score that says the same of all rows has area 1/2, by components too."""
    rows = judged([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5])
    assert placements(rows.truth, *ranked(rows.scores)).value == 0.5


def test_perfect_areas_keep_an_honest_bound() -> None:
    """20 of 20 positives above all negatives: the bound is that of 20 disjoint pairs, 0.025^(1/20)."""
    found = auroc([1] * 20 + [0] * 40, [1.0] * 20 + [0.0] * 40)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 20))
    assert auprc([1] * 20 + [0] * 40, [1.0] * 20 + [0.0] * 40, RNG(0)).low == pytest.approx(0.025 ** (1 / 20))


def test_an_area_just_below_one_is_no_surer_than_one() -> None:
    """A false alarm that climbs down from above the last positive, then none: the lower bound rises towards
    that of the perfect case and never stands above it, and the value is always inside."""
    found = []
    for place in (5, 10, 15, 19, 20):
        truth = [1] * place + [0] + [1] * (20 - place) + [0] * 39
        found.append(auprc(truth, np.arange(60, 0, -1.0), RNG(0)))
    lows = [one.low for one in found]
    assert found[3].value == pytest.approx((19 + 20 / 21) / 20)
    assert lows == sorted(lows)
    assert lows[-1] == pytest.approx(0.025 ** (1 / 20))
    assert lows[-2] > 0.8
    assert all(one.low < one.value <= one.high for one in found)


def test_intervals_of_areas_near_one_cover_the_truth() -> None:
    """20 positives over 40 negatives far apart, one positive in twenty lost among them: in at least nine of
    ten samples the truth (0.97) is inside, where draws of the rows alone held it in eight."""
    rng = RNG(5)

    def apart(positives: int, negatives: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.repeat([True, False], [positives, negatives])
        shift = 4.0 * (truth & (rng.random(len(truth)) >= 0.05))
        return truth, rng.normal(size=len(truth)) + shift

    true = average_precision_score(*apart(40_000, 80_000))
    found = [auprc(*apart(20, 40), rng) for _ in range(60)]
    assert sum(one.low <= true <= one.high for one in found) >= 0.9 * 60


@pytest.mark.parametrize("truth", [[1] * 30, [0] * 30, [1] * 3 + [0] * 27])
def test_too_few_rows_of_a_class_are_refused(truth: list[int]) -> None:
    """Below ten positives or negatives there is a reason and no figure."""
    scores = np.linspace(0, 1, 30)
    for found in (
        auprc(truth, scores, RNG(0)),
        auroc(truth, scores),
        recall_at_precision(truth, scores, 0.5, RNG(0)).estimate,
        recall_at_fpr(truth, scores, 0.1, RNG(0)).estimate,
    ):
        assert found.value is None
        assert "at least 10" in str(found.refused)


@pytest.mark.parametrize("figure", ["auprc", "auroc"])
def test_intervals_cover_the_truth(figure: str) -> None:
    """Over 60 samples of 400 rows the true value lies inside in 95 % of cases, give or take chance."""
    rng = RNG(11)
    measure = {
        "auprc": lambda t, s: auprc(t, s, rng),
        "auroc": auroc,
    }[figure]
    theirs = {"auprc": average_precision_score, "auroc": roc_auc_score}[figure]
    true = theirs(*drawn(rng, 100_000))
    covered = 0
    for _ in range(60):
        found = measure(*drawn(rng, 400))
        covered += found.low <= true <= found.high
    assert covered >= 0.88 * 60


def test_recall_at_a_kept_rate_by_hand() -> None:
    """Ten positives over ten negatives with one negative on top: precision 0.9 holds down to all positives,
    and one false positive in ten is a rate of 0.1."""
    scores = np.array([20.0, *range(19, 9, -1), *range(9, 0, -1)])
    truth = np.array([0] + [1] * 10 + [0] * 9)
    found = recall_at_precision(truth, scores, 0.9, RNG(0))
    assert (found.estimate.value, found.threshold) == (1.0, 10.0)
    assert recall_at_fpr(truth, scores, 0.1, RNG(0)).estimate.value == 1.0
    assert recall_at_precision(truth, scores, 0.95, RNG(0)).estimate.value == 0.0
    assert recall_at_precision(truth, scores, 0.95, RNG(0)).threshold is None
    assert "at least 100" in str(recall_at_fpr(truth, scores, 0.01, RNG(0)).estimate.refused)


def test_long_columns_are_gathered_into_few_cells() -> None:
    """50,000 distinct scores become at most 2,048 cells that hold every row, and the figure stays exact."""
    truth, scores = drawn(RNG(2), 50_000, share=0.02)
    rows = judged(truth, scores)
    found = cells(rows)
    assert len(cut_scores(rows)) == len(found.positives) <= 2049
    assert (found.positives.sum(), found.negatives.sum()) == (truth.sum(), (~truth).sum())
    assert auprc(truth, scores, RNG(0)).value == pytest.approx(average_precision_score(truth, scores))


def test_weights_of_one_change_no_figure_and_ask_for_randomness() -> None:
    """The weighted value equals the unweighted one; a weighted area cannot be had without a generator."""
    truth, scores = drawn(RNG(3), 500)
    ones = np.ones(500)
    assert auprc(truth, scores, RNG(0), weights=ones).value == auprc(truth, scores, RNG(0)).value
    weighted, plain = auroc(truth, scores, RNG(0), weights=ones), auroc(truth, scores)
    assert weighted.value == plain.value
    assert (weighted.low, weighted.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    with pytest.raises(ConfigurationError, match="rng"):
        auroc(truth, scores, weights=ones)


def test_the_same_seed_gives_the_same_interval() -> None:
    """Nothing but the generator passed in is random."""
    truth, scores = drawn(RNG(4), 300)
    assert auprc(truth, scores, RNG(7)) == auprc(truth, scores, RNG(7))
