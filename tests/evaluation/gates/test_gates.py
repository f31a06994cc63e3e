"""Gates: what is kept passes, what is not fails with the reason, and what cannot be told fails too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotsafe.core.content import Content, Text
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.evaluation.datasets.rows import DataSet, Row
from spotsafe.evaluation.gates.check import GateResult, check_gate
from spotsafe.evaluation.gates.model import read_gate
from spotsafe.evaluation.runs.run import ScoredRun
from spotsafe.evaluation.runs.scoring import Pace, score

HATE, TOXIC = "hate.speech", "tone.toxic"
COUNT = 400


class Numbers:
    """Scores row *n* by *scores*; None is missing."""

    id, version = "numbers", "1"

    def __init__(self, scores: Sequence[float | None]) -> None:
        self.scores = scores

    def capabilities(self) -> None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        found = []
        for request in requests:
            value = self.scores[int(str(request.content.parts[0].data))]
            scored = [] if value is None else [Signal(label, value, "") for label in request.labels]
            missing = (
                [Missing(label, "", Cause.LANGUAGE) for label in request.labels] if value is None else []
            )
            found.append(Signals(scored, missing))
        return found


def rows() -> list[Row]:
    """Half are hate; F1 is all hate, F18 all clean; French rows are never annotated for tone."""
    listed = []
    for n in range(COUNT):
        labels = {HATE: float(n % 2), **({TOXIC: 0.0} if n % 4 else {})}
        slices = {"functionality": "F1" if n % 2 else "F18", "few": "x" if n < 5 else "y"}
        listed.append(Row(f"r{n}", Content([Text(str(n))], ()), labels, "de" if n % 8 < 4 else "fr", slices))
    return listed


def run(folder: Path, scores: Sequence[float | None], name: str = "run") -> ScoredRun:
    data = DataSet("mine", lambda: iter(rows()), (HATE, TOXIC), digest="d")
    return score(Numbers(scores), data, folder / name, pace=Pace(100, 1000))


def good() -> list[float | None]:
    """Hate scores high; 1 clean row in 20 does too."""
    rng = np.random.default_rng(0)
    noise = rng.random(COUNT)
    return [float(0.6 + 0.4 * x if n % 2 or n % 40 == 0 else 0.45 * x) for n, x in enumerate(noise)]


def poor() -> list[float | None]:
    return [float(x) for x in np.random.default_rng(1).random(COUNT)]


def checked(folder: Path, scored: ScoredRun, requirement: str, **options: Any) -> GateResult:
    path = folder / "gate.yaml"
    path.write_text(f"spotsafe-gate: 1\nabout: a test\nrequirements:\n  - {{{requirement}}}\n", "utf-8")
    return check_gate(read_gate(path), scored, **options)


REQUIREMENTS = [
    ("metric: auprc, label: hate.*, at_least: 0.7", True, ""),
    ("metric: auprc, label: hate.speech, at_least: 0.99999", False, "the figure is below"),
    ("metric: fpr, label: hate.speech, at_most: 0.06", True, ""),
    ("metric: fpr, label: hate.speech, at_most: 0.06, confidence: upper", False, "upper bound is above"),
    ("metric: fpr, label: hate.speech, at_most: 0.06, threshold: 0.1", False, "the figure is above"),
    ("metric: recall, label: hate.speech, at_least: 0.95, confidence: lower", True, ""),
    ("metric: fpr, label: hate.speech, slice: {functionality: F18}, at_most: 0.06", True, ""),
    ("metric: accuracy, label: hate.speech, each: functionality, at_least: 0.9", True, ""),
    ("metric: accuracy, label: hate.speech, each: functionality, at_least: 0.96", False, "is below"),
    ("metric: accuracy, label: hate.speech, each: functionality, gap_at_most: 0.06", True, ""),
    ("metric: accuracy, label: hate.speech, each: functionality, gap_at_most: 0.01", False, "further apart"),
    ("metric: coverage, label: '*', at_least: 1", True, ""),
    ("metric: cost, label: hate.speech, at_most: 0.025", True, ""),
    ("metric: cost, label: hate.speech, at_most: 0.02", False, "the figure is above"),
    # What cannot be told is not kept.
    ("metric: auprc, label: tone.toxic, at_least: 0.1", False, "0 positive rows"),
    ("metric: auprc, label: sexual.explicit, at_least: 0.1", False, "no label that fits"),
    ("metric: auprc, label: hate.speech, slice: {market: se}, at_least: 0.1", False, "no slice 'market'"),
    ("metric: auprc, label: hate.speech, slice: {language: sv}, at_least: 0.1", False, "no row is annotated"),
    ("metric: fpr, label: hate.speech, each: market, at_most: 1", False, "no slice 'market'"),
    ("metric: auprc, label: hate.speech, each: few, gap_at_most: 1", False, "few x: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("requirement", "passed", "reason"), REQUIREMENTS, ids=[r for r, _, _ in REQUIREMENTS]
)
def test_requirements_pass_or_fail_with_the_reason(
    tmp_path: Path, requirement: str, passed: bool, reason: str
) -> None:
    """Each kind of bound, kept and not; a figure that is refused or missing fails."""
    found = checked(tmp_path, run(tmp_path, good()), requirement)
    assert found.passed is passed
    failed = [result for result in found.results if not result.passed]
    assert bool(failed) is not passed
    assert all(reason in result.reason for result in failed)
    assert all(result.place.endswith("gate.yaml:4") for result in found.results)


def test_errors_have_the_prices_that_the_gate_states(tmp_path: Path) -> None:
    """Ten false alarms and no miss in 400 rows: 10 times their price over 400, the most specific one."""
    scored = run(tmp_path, good())
    path = tmp_path / "gate.yaml"
    path.write_text(
        "spotsafe-gate: 1\n"
        "costs: {hate.*: {alarm: 1, miss: 1}, hate.speech: {alarm: 4, miss: 1}}\n"
        "requirements:\n  - {metric: cost, label: hate.speech, at_most: 0.1}\n",
        "utf-8",
    )
    [result] = check_gate(read_gate(path), scored).results
    assert result.passed
    assert result.found.startswith("0.1000 (")
    [result] = checked(tmp_path, scored, "metric: cost, label: hate.speech, at_most: 0.1").results
    assert result.found.startswith("0.0250 (")


def test_what_has_no_score_is_not_covered(tmp_path: Path) -> None:
    """Coverage counts annotated rows; missing scores fail it and do not touch the other figures."""
    scores = [None if n % 10 == 3 else value for n, value in enumerate(good())]
    scored = run(tmp_path, scores)
    assert not checked(tmp_path, scored, "metric: coverage, label: '*', at_least: 0.95").passed
    assert checked(tmp_path, scored, "metric: auprc, label: hate.*, at_least: 0.7").passed


def test_no_worse_than_another_run(tmp_path: Path) -> None:
    """Without a margin only a shown loss fails; with one, a possible loss beyond it does."""
    engine, other = run(tmp_path, good(), "good"), run(tmp_path, poor(), "poor")
    plain = "metric: auprc, label: hate.speech, no_worse_than: against"
    assert checked(tmp_path, engine, plain, against=other).passed
    assert checked(tmp_path, engine, plain, against=engine).passed
    loss = checked(tmp_path, other, plain, against=engine)
    assert not loss.passed
    assert "worse side" in loss.results[0].reason
    path = "metric: auprc, label: hate.speech, no_worse_than: good, margin: 0.01"
    assert checked(tmp_path, engine, path).passed
    assert "may be worse by more" in checked(tmp_path, other, path).results[0].reason
    lower = "metric: fpr, label: hate.speech, no_worse_than: good, margin: 0.01"
    assert not checked(tmp_path, other, lower).passed


def test_a_run_to_compare_with_must_be_named(tmp_path: Path) -> None:
    """Nothing passes because nothing was compared."""
    engine = run(tmp_path, good())
    with pytest.raises(ConfigurationError, match="--against RUN"):
        checked(tmp_path, engine, "metric: auprc, label: hate.*, no_worse_than: against")
    with pytest.raises(ConfigurationError, match="no run"):
        checked(tmp_path, engine, "metric: auprc, label: hate.*, no_worse_than: nowhere")


def test_the_most_specific_threshold_wins(tmp_path: Path) -> None:
    """Patterns cut many labels; a label's own cut, then a requirement's own, come before."""
    path = tmp_path / "gate.yaml"
    path.write_text(
        "spotsafe-gate: 1\nthresholds: {'*': 0.9, hate.*: 0.05, hate.speech: 0.5}\nrequirements:\n"
        "  - {metric: recall, label: hate.speech, at_least: 1}\n"
        "  - {metric: recall, label: hate.speech, at_least: 1, threshold: 0.95}\n",
        "utf-8",
    )
    gate = read_gate(path)
    assert [gate.thresholds[label] for label in (HATE, "hate.threatening", TOXIC)] == [0.5, 0.05, 0.9]
    found = check_gate(gate, run(tmp_path, good()), thresholds={HATE: 0.99})
    assert [result.passed for result in found.results] == [True, False]


HEAD = "spotsafe-gate: 1\n"
ONE = "requirements:\n  - {metric: fpr, label: '*', at_most: 1}\n"


def listing(requirement: str) -> str:
    """A gate of one requirement."""
    return f"{HEAD}requirements:\n  - {{{requirement}}}\n"


BAD = [
    (f"spotsafe-gate: 2\n{ONE}", "gate.yaml:1:16:"),
    (ONE, "'spotsafe-gate' is missing"),
    (f"{HEAD}requirements: []\n", "at least 1"),
    (listing("metric: auprk, label: '*', at_least: 1"), "did you mean 'auprc'"),
    (listing("metric: auprc, label: hate.speach, at_least: 1"), "hate.speech"),
    (listing("metric: auprc, label: '*'"), "give exactly one of"),
    (listing("metric: auprc, label: '*', at_least: 1, at_most: 1"), "has at_least and at_most"),
    (listing("metric: auprc, label: '*', atleast: 1"), "did you mean 'at_least'"),
    (listing("metric: auprc, label: '*', at_least: '1'"), "without quotes"),
    (listing("metric: ece, label: '*', no_worse_than: x"), "comparable are"),
    (listing("metric: fpr, label: '*', gap_at_most: 0.1"), "each: target"),
    (listing("metric: fpr, label: '*', at_most: 1, margin: 1"), "remove it"),
    (listing("metric: fpr, label: '*', at_most: 1, slice: {a: 1}"), "in quotes"),
    (listing("metric: fpr, label: '*', at_most: 1, slice: de"), "language: de"),
    (listing("metric: fpr, label: '*', each: a, no_worse_than: b"), "requirement per slice"),
    (listing("metric: fpr, label: '*', each: a, gap_at_most: 1, confidence: upper"), "goes with at_least"),
    (listing("metric: fpr, label: '*', at_most: 2"), "gate.yaml:3:40: 'at_most'"),
    (listing("metric: fpr, label: '*', at_most: 2"), "0.02 means 2 %"),
    (listing("metric: auprc, label: '*', at_least: 70"), "0.7 means 70 %"),
    (listing("metric: auprc, label: '*', at_least: -0.1"), "from 0 to 1"),
    (listing("metric: fpr, label: '*', each: a, gap_at_most: 3"), "0.03 means 3 %"),
    (listing("metric: fpr, label: '*', no_worse_than: b, margin: 1.5"), "'margin'"),
    (f"{HEAD}thresholds: {{hat: 1}}\n{ONE}", "gate.yaml:2:"),
    (f"{HEAD}thresholds: {{'*': 7}}\n{ONE}", "0 to 1"),
    ("- 1\n", "starts with 'spotsafe-gate: 1'"),
    ("spotsafe-gate: [\n", "gate.yaml:"),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_faults_in_a_gate_are_told_with_place_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    """Strict: unknown keys, wrong types and contradictions are errors, each at its line."""
    path = tmp_path / "gate.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_gate(path)
    assert told in str(caught.value)
    assert f"{path}:" in str(caught.value)


def test_a_cost_may_be_bounded_by_more_than_one(tmp_path: Path) -> None:
    """Prices are free, so a cost is no share."""
    path = tmp_path / "gate.yaml"
    path.write_text(listing("metric: cost, label: '*', at_most: 20"), "utf-8")
    assert read_gate(path).requirements[0].at_most == 20


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """Two wrong requirements: two faults, in their lines."""
    path = tmp_path / "gate.yaml"
    path.write_text(
        "spotsafe-gate: 1\nrequirements:\n  - {metric: x, label: '*', at_least: 1}\n"
        "  - {metric: fpr, label: nothing.here, at_most: 1}\n",
        "utf-8",
    )
    with pytest.raises(ConfigurationError, match=r"(?s)gate.yaml:3:.*gate.yaml:4:"):
        read_gate(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_gate(tmp_path / "absent.yaml")


def test_the_gate_of_the_documentation_is_one(tmp_path: Path) -> None:
    """What docs/evaluation.md shows can be read."""
    page = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text("utf-8")
    path = tmp_path / "gate.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0], "utf-8")
    assert len(read_gate(path).requirements) == 6
