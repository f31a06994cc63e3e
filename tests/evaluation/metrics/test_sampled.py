"""Labels sampled by score: estimates by hand, refusals, and coverage where unweighted figures fail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.metrics import average_precision_score, roc_auc_score

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics import calibration, ranking, sampled, sampled_ranking, threshold
from spotsafe.evaluation.metrics.confusion import confusion
from spotsafe.evaluation.metrics.design import Design, plan
from spotsafe.evaluation.metrics.fairness import gaps, subgroup_aucs
from spotsafe.evaluation.metrics.functional import functional_tests
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels

RNG = np.random.default_rng


def two_strata() -> tuple[SampledLabels, np.ndarray]:
    """Stratum ``high``: 100 rows, 10 labelled, 8 positive, all flagged. Stratum ``low``: 900 rows, 30
    labelled, 3 positive, none flagged."""
    truth = np.array([1] * 8 + [0] * 2 + [1] * 3 + [0] * 27)
    strata = np.array(["high"] * 10 + ["low"] * 30)
    inclusion = np.repeat([0.1, 30 / 900], [10, 30])
    labels = SampledLabels(truth, inclusion, strata=strata, frame={"high": 100, "low": 900})
    return labels, np.repeat([0.9, 0.1], [10, 30])


def test_rates_by_hand() -> None:
    """Positives 80 + 90 of 1000 rows, flagged 100 of which 80 right."""
    labels, scores = two_strata()
    found = sampled.rates(labels, scores, 0.5, least=1)
    expected = {
        "precision": 0.8, "recall": 80 / 170, "f1": 160 / 270, "fpr": 20 / 830, "fnr": 90 / 170,
        "accuracy": 890 / 1000, "flagged": 0.1, "prevalence": 0.17,
    }  # fmt: skip
    assert {name: one.value for name, one in found.named().items()} == pytest.approx(expected)
    assert sampled.total(labels).refused
    assert labels.effective_positives == pytest.approx(170**2 / (8 * 10**2 + 3 * 30**2))


def test_the_standard_error_by_hand() -> None:
    """Precision rests on stratum ``high`` alone: (1 - 10/100) s²/10 with s² = 10/9 x 0.8 x 0.2."""
    labels, _ = two_strata()
    flagged = np.repeat([1.0, 0.0], [10, 30])
    found = sampled.ratio(labels, labels.truth * flagged, flagged)
    assert found.deviation == pytest.approx((0.9 * (10 / 9 * 0.16) / 10) ** 0.5)
    assert found.rows == pytest.approx(10)
    drawn = sampled.bootstrap(labels, labels.truth * flagged, flagged, RNG(0), 4000)
    assert drawn.std() == pytest.approx(found.deviation, rel=0.1)


def test_totals_are_in_rows_of_the_frame() -> None:
    """Horvitz-Thompson: 20 of 40 labelled rows of 400 are positive, so 200 of the frame are."""
    labels = SampledLabels([1] * 20 + [0] * 20, [0.1] * 40, strata=["a"] * 40, frame={"a": 400})
    found = sampled.total(labels)
    assert found.value == pytest.approx(200)
    assert 100 < found.low < 200 < found.high < 300
    assert "horvitz-thompson" in found.method


def test_labels_that_never_came_are_made_up_for() -> None:
    """A stratum of 100 of which 10 were drawn and 5 answered: the five stand for all 100."""
    truth = [1.0] * 3 + [0.0] * 2 + [np.nan] * 5
    labels = SampledLabels(truth, [0.1] * 10, strata=["a"] * 10, frame={"a": 100})
    assert labels.weight.sum() == pytest.approx(100)
    assert labels.without([True] + [False] * 9).weight.sum() == pytest.approx(100)


def test_rows_chosen_one_by_one() -> None:
    """Without strata each row stands for 1/inclusion rows, and a census has no error."""
    truth = np.array([1, 0] * 30)
    census = SampledLabels(truth, np.ones(60))
    assert sampled.ratio(census, census.truth, np.ones(60)).deviation == 0
    weighted = SampledLabels(truth, np.where(truth, 1.0, 0.5))
    assert sampled.ratio(weighted, weighted.truth, np.ones(60)).value == pytest.approx(30 / 90)


METRICS: list[Callable[[SampledLabels, np.ndarray], object]] = [
    lambda t, s: ranking.auprc(t, s, RNG(0)),
    ranking.auroc,
    lambda t, s: ranking.recall_at_precision(t, s, 0.5, RNG(0)),
    lambda t, s: ranking.recall_at_fpr(t, s, 0.5, RNG(0)),
    lambda t, s: threshold.rates(t, s, 0.5),
    lambda t, s: threshold.cost_loss(t, s, false_positive=1, false_negative=1),
    lambda t, s: calibration.ece(t, s, RNG(0)),
    calibration.brier,
    calibration.brier_parts,
    calibration.reliability,
    lambda t, s: functional_tests(t, s, 0.5, np.zeros(40, int), ["f"]),
    lambda t, s: subgroup_aucs(t, s, {"g": np.ones(40, bool)}),
    lambda t, s: gaps(t, s, 0.5, {"g": np.ones(40, bool)}),
    lambda t, s: confusion(["a.b"], [t], [s], [0.5]),
    lambda t, s: np.asarray(t),
    lambda t, s: np.mean(t),
]


@pytest.mark.parametrize("metric", METRICS)
def test_no_unweighted_metric_takes_them(metric: Callable[[SampledLabels, np.ndarray], object]) -> None:
    """Not one function over plain columns, numpy's own included, counts labels sampled by score."""
    labels, scores = two_strata()
    with pytest.raises(ConfigurationError, match="sampled by score"):
        metric(labels, scores)


def test_too_few_effective_positives_are_refused() -> None:
    """Eleven positives count as eight: no recall. The ten flagged rows are too few for a precision."""
    labels, scores = two_strata()
    found = sampled.rates(labels, scores, 0.5)
    assert "8.3 effective positives" in str(found.recall.refused)
    assert "10.0 effective flagged rows" in str(found.precision.refused)
    assert found.flagged.ok


def test_a_stratum_without_labels_is_refused() -> None:
    """A stratum of 5 % of the frame without a label may hold anything; one of 0.5 % is let be."""
    truth, inclusion, strata = [1, 0] * 50, [0.1] * 100, ["a"] * 100
    gap = SampledLabels(truth, inclusion, strata=strata, frame={"a": 1000, "b": 52})
    assert "'b' holds 4.9%" in str(sampled.total(gap).refused)
    small = SampledLabels(truth, inclusion, strata=strata, frame={"a": 1000, "b": 5})
    assert sampled.total(small).ok
    unlabelled = SampledLabels([np.nan] * 4, [0.1] * 4)
    assert "no row is labelled" in str(sampled.total(unlabelled).refused)


BAD = [
    ({"truth": [1, 0], "inclusion": [0.5, 0.0]}, "inclusion probability above 0"),
    ({"truth": [1, 0], "inclusion": [0.5, np.nan]}, "inclusion probability above 0"),
    ({"truth": [1, 0], "inclusion": [0.5]}, "one length"),
    ({"truth": [1], "inclusion": [0.5], "frame": {"a": 2}}, "give the strata"),
    ({"truth": [1], "inclusion": [0.5], "strata": ["b"], "frame": {"a": 2}}, "stratum 'b'"),
    ({"truth": [1, 1], "inclusion": [1, 1], "strata": ["a", "a"], "frame": {"a": 1}}, "fewer rows"),
]


@pytest.mark.parametrize(("given", "words"), BAD)
def test_designs_that_cannot_be_are_refused(given: dict, words: str) -> None:
    """The message names what is wrong."""
    with pytest.raises(ConfigurationError, match=words):
        SampledLabels(**given)


def stream(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """30,000 rows, 2 % positive, with calibrated scores."""
    logits = rng.normal(size=30_000) * 2.2 - 6.2
    scores = 1 / (1 + np.exp(-logits))
    return scores, rng.random(30_000) < scores


def test_coverage_is_near_nominal_where_unweighted_fails() -> None:
    """80 label sets of 900 rows drawn by score: intervals of recall and prevalence hold the truth in at least
    88 %, unweighted ones in hardly any."""
    rng = RNG(5)
    scores, truth = stream(rng)
    at = float(np.quantile(scores, 0.98))
    flagged = scores >= at
    true = {"recall": (truth & flagged).sum() / truth.sum(), "prevalence": truth.mean()}
    design = plan(scores, 900, thresholds=[at])
    covered, naive, given = dict.fromkeys(true, 0), dict.fromkeys(true, 0), 0
    for _ in range(80):
        draw = design.draw(scores, rng)
        labels = design.judged(draw, truth[draw.rows])
        found = sampled.rates(labels, scores[draw.rows], at).named()
        plain = threshold.rates(truth[draw.rows], scores[draw.rows], at).named()
        given += found["recall"].ok
        for name, value in true.items():
            covered[name] += bool(found[name].ok and found[name].low <= value <= found[name].high)
            naive[name] += bool(plain[name].low <= value <= plain[name].high)
    assert given >= 60
    assert all(count >= 0.88 * given for count in covered.values()), (covered, given)
    assert all(count <= 0.3 * 80 for count in naive.values()), naive


def test_the_bootstrap_agrees_with_the_delta_method() -> None:
    """Two kinds of interval for one recall differ by less than a fifth of their width."""
    rng = RNG(6)
    scores, truth = stream(rng)
    at = float(np.quantile(scores, 0.98))
    design = plan(scores, 1500, thresholds=[at])
    draw = design.draw(scores, rng)
    labels = design.judged(draw, truth[draw.rows])
    delta = sampled.rates(labels, scores[draw.rows], at).recall
    drawn = sampled.rates(labels, scores[draw.rows], at, rng=RNG(0)).recall
    width = delta.high - delta.low
    assert abs(delta.low - drawn.low) < 0.2 * width
    assert abs(delta.high - drawn.high) < 0.2 * width
    assert "bootstrap" in drawn.method


def test_areas_of_the_whole_frame() -> None:
    """From 1,500 labels drawn by score: weighted AUPRC and AUROC hold those of all 30,000 rows, an
    unweighted AUPRC is far above; eleven positives are too few."""
    rng = RNG(7)
    scores, truth = stream(rng)
    design = plan(scores, 1500)
    draw = design.draw(scores, rng)
    labels, given = design.judged(draw, truth[draw.rows]), scores[draw.rows]
    for name, theirs in (("auprc", average_precision_score), ("auroc", roc_auc_score)):
        true = theirs(truth, scores)
        found = getattr(sampled_ranking, name)(labels, given, RNG(0))
        assert found.low <= true <= found.high, name
    plain = ranking.auprc(truth[draw.rows], given, RNG(0))
    assert plain.low > average_precision_score(truth, scores)
    few, marks = two_strata()
    assert "8.3 effective positives" in str(sampled_ranking.auprc(few, marks, RNG(0)).refused)


def test_positives_that_nobody_found_are_allowed_for() -> None:
    """A stratum of 900 rows with 30 labels and no positive, mean score 0.01, may hold
    870 x 0.5/(50 + 30) = 5.4 positives among the others, and up to 5.02 times that: recall 80/107.3 at the
    least."""
    truth = np.array([1] * 40 + [0] * 10 + [0] * 30)
    labels = SampledLabels(
        truth,
        np.repeat([0.5, 30 / 900], [50, 30]),
        strata=["high"] * 50 + ["low"] * 30,
        frame={"high": 100, "low": 900},
        expected={"high": 0.8, "low": 0.01},
    )
    flagged = np.repeat([1.0, 0.0], [50, 30])
    mean = 870 * 0.5 / (0.5 / 0.01 + 30)
    upper = mean * chi2(1).ppf(0.975)
    assert sampled.unseen(labels, lambda t: (t * flagged, t)) == pytest.approx((0.0, mean))
    assert sampled.unseen(labels, lambda t: (t, np.ones_like(t))) == pytest.approx((mean, 0.0))
    found = sampled.rates(labels, np.repeat([0.9, 0.1], [50, 30]), 0.5)
    assert found.recall.low < 80 / (80 + upper) + 0.2
    assert found.recall.high == 1.0
    assert found.precision.low > 0.6


def test_what_hides_and_the_sampling_error_are_one_distribution() -> None:
    """Prevalence of 85 found of 1000 rows beside a stratum that may hide some: by simulation, draws of the
    estimate (logit, Student's t) and of how much hides (χ² with one degree of freedom) give the same ends,
    within a twentieth of the width; both are inside of the ends added up."""
    labels, _ = two_strata()
    truth = np.where(np.arange(40) < 10, np.arange(40) < 8, 0)
    labels = SampledLabels(
        truth,
        labels.inclusion,
        strata=["high"] * 10 + ["low"] * 30,
        frame={"high": 100, "low": 900},
        expected={"high": 0.8, "low": 0.004},
    )

    def measure(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return truth, np.ones_like(truth)

    found = sampled.share(labels, measure, "rows", least=1)
    one = sampled.ratio(labels, *measure(labels.truth))
    rng, n = RNG(0), 200_000
    logit = np.log(one.value / (1 - one.value))
    scale = one.deviation / (one.value * (1 - one.value))
    drawn = 1 / (1 + np.exp(-(logit + rng.standard_t(one.degrees, n) * scale)))
    more = sampled.unseen(labels, measure)[0] / 1000
    low, high = np.quantile(drawn + more * rng.chisquare(1, n), [0.025, 0.975])
    assert found.high == pytest.approx(high, abs=(high - low) / 20)
    assert found.low == pytest.approx(min(low, one.value), abs=(high - low) / 20)
    assert found.high < np.quantile(drawn, 0.975) + more * chi2(1).ppf(0.975)


def test_domains_are_parts_of_the_whole_design() -> None:
    """The two halves of a frame have totals that add up to the whole."""
    rng = RNG(8)
    scores, truth = stream(rng)
    design = plan(scores, 1500)
    draw = design.draw(scores, rng)
    labels = design.judged(draw, truth[draw.rows])
    half = np.arange(len(draw.rows)) % 2 == 0
    parts = [
        sampled.rates(labels, scores[draw.rows], 0.1, domain=side, least=1).prevalence
        for side in (half, ~half)
    ]
    whole = sampled.rates(labels, scores[draw.rows], 0.1, least=1).prevalence
    weights = [labels.weight[side].sum() for side in (half, ~half)]
    assert sum(p.value * w for p, w in zip(parts, weights, strict=True)) == pytest.approx(
        whole.value * sum(weights)
    )


def designed(budget: int = 500) -> tuple[np.ndarray, Design]:
    scores, _ = stream(RNG(9))
    return scores, plan(scores, budget, thresholds=[0.5, 0.9])


def test_a_design_spends_its_budget_and_cuts_at_thresholds() -> None:
    """All labels are placed, every stratum has its floor, and strata end where the product acts."""
    scores, design = designed()
    assert design.labels.sum() == 500
    assert design.sizes.sum() == len(scores)
    assert {0.5, 0.9} <= set(design.cuts)
    floor = np.minimum(int(500 * 0.15 / len(design.sizes)), design.sizes)
    assert (design.labels >= floor).all()
    assert (design.labels <= design.sizes).all()


def test_a_design_oversamples_what_is_uncertain() -> None:
    """Inclusion is highest near a score of one half, and never 0."""
    _scores, design = designed()
    chance = design.labels / design.sizes
    assert chance[design.strata([0.4])[0]] > 10 * chance[0] > 0


def test_a_draw_keeps_its_chances() -> None:
    """As many rows per stratum as planned, without repeats, and 1/inclusion adds up to the stream."""
    scores, design = designed()
    draw = design.draw(scores, RNG(0))
    assert len(np.unique(draw.rows)) == len(draw.rows) == 500
    assert (1 / draw.inclusion).sum() == pytest.approx(len(scores))
    assert design.draw(scores, RNG(0)).rows.tolist() == draw.rows.tolist()


def test_designs_say_what_they_cannot_do() -> None:
    """Too few labels, scores that are no probabilities, a draw from another stream."""
    scores, design = designed()
    with pytest.raises(ConfigurationError, match="two to each"):
        plan(scores, 10)
    with pytest.raises(ConfigurationError, match="probabilities"):
        plan([0.5, np.nan], 10)
    with pytest.raises(ConfigurationError, match="made for"):
        design.draw(scores[1:], RNG(0))
    full = plan([0.2, 0.5, 0.9, 0.95], 100, strata=2)
    assert full.labels.tolist() == full.sizes.tolist()
