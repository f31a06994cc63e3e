"""Comparing two runs: paired on the same rows, and honest about no difference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from spotsafe.core.content import Content, Text
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.evaluation import paired
from spotsafe.evaluation.compare import METRICS, Difference, Verdict, compare
from spotsafe.evaluation.datasets.rows import DataSet, Row
from spotsafe.evaluation.runs.run import ScoredRun
from spotsafe.evaluation.runs.scoring import Pace, score

LABEL, OTHER = "hate.speech", "tone.toxic"


class Listed:
    """Gives row *n* the n-th of its scores (None: missing with cause language)."""

    version = "1"

    def __init__(self, name: str, scores: dict[str, Sequence[float | None]]) -> None:
        self.id = name
        self.scores = scores

    def capabilities(self) -> None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [self._one(int(str(request.content.parts[0].data)), request.labels) for request in requests]

    def _one(self, number: int, labels: Sequence[str]) -> Signals:
        given = {label: self.scores[label][number] for label in labels}
        return Signals(
            [Signal(label, value, "body") for label, value in given.items() if value is not None],
            [Missing(label, "body", Cause.LANGUAGE) for label, value in given.items() if value is None],
        )


def runs(
    folder: Path,
    truth: dict[str, Sequence[float | None]],
    *scores: dict[str, Sequence[Any]],
    rows: dict[str, Any] | None = None,
    **options: Any,
) -> list[ScoredRun]:
    """One run per dict of scores, over rows with this truth; *rows* gives further fields by row."""
    count = len(next(iter(truth.values())))
    listed = [
        Row(
            f"r{n}",
            Content([Text(str(n), "body")], ()),
            {label: float(values[n]) for label, values in truth.items() if values[n] is not None},  # type: ignore[arg-type]  # not None here
            **{field: values[n] for field, values in (rows or {}).items()},
        )
        for n in range(count)
    ]
    data = DataSet("mine", lambda: iter(listed), list(truth), digest="d", **options)
    return [
        score(Listed(f"engine-{k}", given), data, folder / str(k), pace=Pace(1000, 100_000))
        for k, given in enumerate(scores)
    ]


def noisy(truth: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(strength * (truth - 0.5) + rng.normal(size=len(truth)))))


def one(found: Sequence[Difference], metric: str = "auprc") -> Difference:
    return next(difference for difference in found if difference.metric == metric)


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    """Equal scores: the difference is exactly 0 and so are its bounds, for every metric."""
    rng = np.random.default_rng(1)
    truth = rng.random(400) < 0.3
    scores = {LABEL: noisy(truth, rng, 2).tolist()}
    first, second = runs(tmp_path, {LABEL: truth.tolist()}, scores, scores)
    for difference in compare(first, second, metrics=METRICS).differences:
        assert (difference.difference, difference.low, difference.high) == (0, 0, 0)
        assert difference.verdict is Verdict.SAME


def test_a_small_but_steady_gain_shows_because_it_is_paired(tmp_path: Path) -> None:
    """Both runs share most of their noise: separate intervals overlap, the interval of the difference holds
    no 0; and the other way round it is a loss of the same size."""
    rng = np.random.default_rng(2)
    truth = rng.random(1500) < 0.3
    shared = rng.normal(size=1500)
    good, better = (1 / (1 + np.exp(-(s * (truth - 0.5) + shared))) for s in (1.5, 1.7))
    first, second = runs(tmp_path, {LABEL: truth.tolist()}, {LABEL: good.tolist()}, {LABEL: better.tolist()})
    gain = one(compare(first, second).differences)
    assert gain.verdict is Verdict.BETTER
    assert gain.low is not None
    assert gain.low > 0
    loss = one(compare(second, first).differences)
    assert loss.verdict is Verdict.WORSE
    assert loss.difference == pytest.approx(-(gain.difference or 0))


def test_figures_are_those_of_scikit_learn(tmp_path: Path) -> None:
    """Average precision and ROC area, ties included, on the rows that both scored."""
    rng = np.random.default_rng(3)
    truth = rng.random(300) < 0.4
    a, b = (np.round(noisy(truth, rng, 1), 1) for _ in range(2))
    gaps = [None if n % 7 == 0 else float(v) for n, v in enumerate(a)]
    first, second = runs(tmp_path, {LABEL: truth.tolist()}, {LABEL: gaps}, {LABEL: b.tolist()})
    both = np.arange(300) % 7 != 0
    found = compare(first, second, metrics=("auprc", "auroc")).differences
    for difference, oracle in zip(found, (average_precision_score, roc_auc_score), strict=True):
        assert difference.first == pytest.approx(oracle(truth[both], a.astype(np.float32)[both]))
        assert difference.second == pytest.approx(oracle(truth[both], b.astype(np.float32)[both]))
        assert (difference.rows, difference.only_first, difference.only_second) == (both.sum(), 0, 43)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_gathered_scores_keep_the_figure(seed: int, digits: int) -> None:
    """With a cell per distinct score, average precision is scikit-learn's, weights or not."""
    rng = np.random.default_rng(seed)
    truth = np.append(rng.random(80) < 0.3, [True, False])
    scores = np.round(rng.random(82), digits).astype(np.float32)
    weight = rng.integers(0, 4, 82).astype(float) + 0.25
    auprc, auroc = paired.Cells(scores, truth).figures(["auprc", "auroc"], weight, 0.5)
    assert auprc == pytest.approx(average_precision_score(truth, scores, sample_weight=weight))
    assert auroc == pytest.approx(roc_auc_score(truth, scores, sample_weight=weight))


def test_many_distinct_scores_are_gathered_without_losing_the_figure() -> None:
    """Fifty thousand distinct scores in at most 4,096 cells: within a thousandth of the exact figure."""
    rng = np.random.default_rng(4)
    truth = rng.random(50_000) < 0.02
    scores = noisy(truth, rng, 3).astype(np.float32)
    cells = paired.Cells(scores, truth)
    assert cells.count <= paired.MAX_CELLS + 1
    [found] = cells.figures(["auprc"], np.ones(50_000), 0.5)
    assert found == pytest.approx(average_precision_score(truth, scores), abs=1e-3)


def test_intervals_hold_the_truth_about_as_often_as_they_say(tmp_path: Path) -> None:
    """Two engines of equal strength, drawn anew forty times: 'no difference' in all but a few."""
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = np.arange(200) < 60
        sides = [noisy(truth, rng, 1.5).astype(np.float32) for _ in range(2)]
        cells = [paired.Cells(side, truth) for side in sides]
        drawn = []
        for _ in range(200):
            weight = rng.poisson(1.0, 200).astype(float)
            a, b = (side.figures(["auprc"], weight, 0.5)[0] for side in cells)
            drawn.append(b - a)
        low, high = np.quantile(drawn, [0.025, 0.975])
        wrong += not low <= 0 <= high
    assert wrong <= 6


def test_draws_are_poisson_and_the_same_for_every_label(tmp_path: Path) -> None:
    """Mean and variance 1 by row, equal counts within a group, another draw for another number."""
    truth = {LABEL: [n % 2 for n in range(2000)]}
    groups = {"group": [f"g{n // 4}" for n in range(1000)] + [None] * 1000}
    [run] = runs(tmp_path, truth, {LABEL: [0.5] * 2000}, rows=groups)
    draws = paired.Draws(run, 0, 10)
    counts = draws.row_counts(0)
    assert (counts[:1000].reshape(250, 4) == counts[:1000:4, None]).all()
    assert len(np.unique(counts[1000:1004])) > 1 or len(np.unique(counts[1000:1100])) > 1
    assert np.array_equal(counts, draws.row_counts(0))
    assert not np.array_equal(counts, draws.row_counts(1))
    many = np.concatenate([draws.row_counts(n)[1000:] for n in range(60)])
    assert many.mean() == pytest.approx(1, abs=0.02)
    assert many.var() == pytest.approx(1, abs=0.03)


def test_grouped_rows_count_once(tmp_path: Path) -> None:
    """The same rows ten times over, told to belong together, give no narrower interval than once."""
    rng = np.random.default_rng(5)
    truth = rng.random(150) < 0.4
    sides = [{LABEL: np.tile(noisy(truth, rng, 1), 10).tolist()} for _ in range(2)]
    whole = {LABEL: np.tile(truth, 10).tolist()}
    groups = {"group": [f"g{n}" for n in range(150)] * 10}
    tied = one(compare(*runs(tmp_path / "tied", whole, *sides, rows=groups)).differences)
    loose = one(compare(*runs(tmp_path / "loose", whole, *sides)).differences)
    assert tied.difference == pytest.approx(loose.difference)
    assert width(tied) > 2.5 * width(loose)


def width(difference: Difference) -> float:
    assert difference.low is not None
    assert difference.high is not None
    return difference.high - difference.low


def test_sampled_labels_are_weighted(tmp_path: Path) -> None:
    """Rows drawn for labelling by score count 1/inclusion each; without it nothing is compared."""
    rng = np.random.default_rng(6)
    truth = rng.random(300) < 0.4
    a, b = (noisy(truth, rng, 1) for _ in range(2))
    inclusion = np.where(a > 0.5, 0.9, 0.1)
    scores = [{LABEL: side.tolist()} for side in (a, b)]
    given = {"inclusion": inclusion.tolist()}
    weighted = runs(tmp_path / "w", {LABEL: truth.tolist()}, *scores, rows=given, sampled=True)
    found = one(compare(*weighted).differences)
    expected = average_precision_score(truth, a.astype(np.float32), sample_weight=1 / inclusion)
    assert found.first == pytest.approx(expected)
    given = {"inclusion": [None, *inclusion[1:].tolist()]}
    lacking = runs(tmp_path / "l", {LABEL: truth.tolist()}, *scores, rows=given, sampled=True)
    refused = one(compare(*lacking).differences)
    assert refused.verdict is Verdict.REFUSED
    assert "inclusion" in str(refused.refused)


def test_too_few_rows_are_not_compared(tmp_path: Path) -> None:
    """Nine positives show nothing, and the reason is given."""
    truth = [n < 9 for n in range(100)]
    scores = {LABEL: [n / 100 for n in range(100)]}
    found = compare(*runs(tmp_path, {LABEL: truth}, scores, scores))
    assert one(found.differences).verdict is Verdict.REFUSED
    assert "9 positive" in str(one(found.differences).refused)
    assert one(found.means).verdict is Verdict.REFUSED


def test_the_mean_is_over_labels_in_the_same_draws(tmp_path: Path) -> None:
    """The mean's value is the mean of the labels' values; its interval is narrower than the widest."""
    rng = np.random.default_rng(7)
    truth = {label: (rng.random(500) < 0.3) for label in (LABEL, OTHER)}
    sides = [{label: noisy(values, rng, s).tolist() for label, values in truth.items()} for s in (1.0, 1.4)]
    found = compare(*runs(tmp_path, {k: v.tolist() for k, v in truth.items()}, *sides))
    labels = [d for d in found.differences if d.metric == "auprc"]
    mean = one(found.means)
    assert mean.difference == pytest.approx(np.mean([d.difference for d in labels]))
    assert width(mean) < max(map(width, labels))


def test_lower_is_better_for_false_positives(tmp_path: Path) -> None:
    """A run that flags fewer clean rows is better, though its rate is lower."""
    truth = [n % 2 == 0 for n in range(400)]
    loud = [0.9] * 400
    quiet = [0.9 if t or n % 40 == 1 else 0.1 for n, t in enumerate(truth)]
    found = compare(*runs(tmp_path, {LABEL: truth}, {LABEL: loud}, {LABEL: quiet}), metrics=["fpr", "recall"])
    assert one(found.differences, "fpr").verdict is Verdict.BETTER
    assert one(found.differences, "recall").verdict is Verdict.SAME
    pair = runs(tmp_path / "x", {LABEL: truth}, {LABEL: loud}, {LABEL: quiet})
    at = compare(*pair, metrics=["fpr"], thresholds={LABEL: 0.95})
    assert one(at.differences, "fpr").first == 0.0


def test_only_the_rows_asked_for(tmp_path: Path) -> None:
    """A mask limits the comparison to a slice."""
    truth = [n % 2 == 0 for n in range(100)]
    scores = {LABEL: [n / 100 for n in range(100)]}
    first, second = runs(tmp_path, {LABEL: truth}, scores, scores)
    assert one(compare(first, second, mask=np.arange(100) < 40).differences).rows == 40


def test_runs_that_cannot_be_paired_are_refused(tmp_path: Path) -> None:
    """Other rows, other annotations and unknown metrics are errors with a remedy."""
    scores = {LABEL: [0.1, 0.2, 0.3]}
    [first] = runs(tmp_path / "a", {LABEL: [1, 0, 1]}, scores)
    [fewer] = runs(tmp_path / "b", {LABEL: [1, 0]}, scores)
    [other] = runs(tmp_path / "c", {LABEL: [1, 0, 0]}, scores)
    with pytest.raises(ConfigurationError, match=r"different rows .* same --limit"):
        compare(first, fewer)
    with pytest.raises(ConfigurationError, match="disagree on what is right"):
        compare(first, other)
    with pytest.raises(ConfigurationError, match="there are: auprc"):
        compare(first, first, metrics=["beauty"])
