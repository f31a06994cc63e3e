"""Checking a gate: each requirement on each label that it covers, and why it is not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.compare import LOWER_IS_BETTER, Difference, Verdict, compare
from spotsafe.evaluation.gates.model import AGAINST, Gate, RequirementModel
from spotsafe.evaluation.metrics.estimate import Estimate
from spotsafe.evaluation.runs.measures import CATALOGUE, COSTS, THRESHOLD, Costs, Subject, measure
from spotsafe.evaluation.runs.run import Mask, ScoredRun, open_run


class Result(NamedTuple):
    """One requirement on one label: *found* and *wanted* in words, whether it *passed*, and the *reason*
    where it did not. *place* is ``file:line``."""

    id: str
    place: str
    requirement: str
    label: str
    found: str
    wanted: str
    passed: bool
    reason: str = ""


class GateResult(NamedTuple):
    """All results of a gate."""

    file: str
    about: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is kept."""
        return all(result.passed for result in self.results)

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "file": self.file,
            "about": self.about,
            "passed": self.passed,
            "results": [result._asdict() for result in self.results],
        }


def check_gate(
    gate: Gate,
    run: ScoredRun,
    *,
    against: ScoredRun | None = None,
    thresholds: Mapping[str, float] | None = None,
    costs: Mapping[str, Costs] | None = None,
    seed: int = 0,
) -> GateResult:
    """*run* under *gate*. *against* is what the word ``against`` stands for; *thresholds* and *costs* (by
    label) count where the gate names none. A figure that cannot be given fails its requirement with the
    reason. Raises ConfigurationError where a run to compare with is not named or cannot be opened."""
    cuts, prices = {**(thresholds or {}), **gate.thresholds}, {**(costs or {}), **gate.costs}
    judge = _Judge(gate, run, against, thresholds=cuts, costs=prices, seed=seed)
    results = [
        result
        for requirement, line in zip(gate.requirements, gate.lines, strict=True)
        for result in judge.results(requirement, f"{gate.path}:{line}")
    ]
    return GateResult(str(gate.path), gate.about, tuple(results))


class _Judge:
    def __init__(
        self,
        gate: Gate,
        run: ScoredRun,
        against: ScoredRun | None,
        *,
        thresholds: Mapping[str, float],
        costs: Mapping[str, Costs],
        seed: int,
    ) -> None:
        self._gate = gate
        self._run = run
        self._against = against
        self._thresholds = thresholds
        self._costs = costs
        self._seed = seed
        self._opened: dict[str, ScoredRun] = {}

    def results(self, wanted: RequirementModel, place: str) -> Iterator[Result]:
        """One result per label and, with ``each``, per value; one failed where nothing is covered."""
        name = wanted.id or place.rpartition("/")[2]
        labels = self._run.wanted(wanted.label)
        if not labels:
            covered = ", ".join(wanted.label)
            why = f"the run scores no label that fits; it scores {', '.join(self._run.labels)}"
            yield Result(name, place, _words(wanted), covered, "–", _bound(wanted), False, why)
            return
        for label in labels:
            try:
                found = list(self._of_label(wanted, label))
            except _Unanswerable as error:
                found = [("–", False, str(error), "")]
            for words, passed, reason, value in found:
                told = _words(wanted) + (f", {wanted.each} {value}" if value else "")
                yield Result(name, place, told, label, words, _bound(wanted), passed, reason)

    def _of_label(self, wanted: RequirementModel, label: str) -> Iterator[tuple[str, bool, str, str]]:
        """(found, passed, reason, value of ``each``)."""
        mask = self._rows(wanted)
        if wanted.no_worse_than is not None:
            yield (*self._compared(wanted, label, mask), "")
        elif wanted.each is None:
            yield (*_bounded(wanted, self._figure(wanted, label, mask)), "")
        else:
            figures = dict(self._by_value(wanted, label, mask))
            if wanted.gap_at_most is not None:
                yield (*_gap(wanted, figures), "")
            else:
                for value, figure in figures.items():
                    yield (*_bounded(wanted, figure), value)

    def _rows(self, wanted: RequirementModel) -> Mask | None:
        try:
            return self._run.select(wanted.slice)
        except ConfigurationError as error:
            raise _Unanswerable(str(error)) from None

    def _by_value(
        self, wanted: RequirementModel, label: str, mask: Mask | None
    ) -> Iterator[tuple[str, Estimate]]:
        """The figure for each value that has annotated rows."""
        try:
            category = self._run.category(str(wanted.each))
        except ConfigurationError as error:
            raise _Unanswerable(str(error)) from None
        annotated = ~np.isnan(self._run.truth(label))
        if mask is not None:
            annotated &= mask
        for code, value in enumerate(category.values):
            rows = annotated & (category.codes == code)
            if rows.any():
                yield value, self._figure(wanted, label, rows)

    def _figure(self, wanted: RequirementModel, label: str, mask: Mask | None) -> Estimate:
        at, costs = self._at(wanted, label), self._costs.get(label, COSTS)
        subject = Subject(self._run, label, at, mask, self._seed, costs)
        return measure(subject, [wanted.metric])[wanted.metric]

    def _at(self, wanted: RequirementModel, label: str) -> float:
        return self._thresholds.get(label, THRESHOLD) if wanted.threshold is None else wanted.threshold

    def _compared(self, wanted: RequirementModel, label: str, mask: Mask | None) -> tuple[str, bool, str]:
        other = self._baseline(str(wanted.no_worse_than))
        if label not in other.labels:
            return "–", False, f"{other.folder} does not score it"
        found = compare(
            other, self._run, labels=[label], metrics=[wanted.metric], mask=mask, seed=self._seed,
            thresholds={label: self._at(wanted, label)},
        ).differences[0]  # fmt: skip
        return _no_worse(wanted, found)

    def _baseline(self, name: str) -> ScoredRun:
        if name == AGAINST:
            if self._against is None:
                raise ConfigurationError(
                    f"{self._gate.path} compares with a run: name it, e.g. with --against RUN"
                )
            return self._against
        if name not in self._opened:
            self._opened[name] = open_run(self._gate.path.parent / name)
        return self._opened[name]


class _Unanswerable(Exception):
    """A requirement that the run has no answer to; the text is the reason."""


def _bounded(wanted: RequirementModel, figure: Estimate) -> tuple[str, bool, str]:
    """A figure against ``at_least`` or ``at_most``."""
    judged = {"point": figure.value, "lower": figure.low, "upper": figure.high}[wanted.confidence]
    if judged is None or figure.value is None:
        return "–", False, figure.refused or "there is no figure"
    words = f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"
    if wanted.at_least is not None:
        passed, short = judged >= wanted.at_least, "below"
    else:
        passed, short = judged <= (wanted.at_most or 0.0), "above"
    side = {"point": "the figure", "lower": "its lower bound", "upper": "its upper bound"}[wanted.confidence]
    return words, passed, "" if passed else f"{side} is {short}"


def _gap(wanted: RequirementModel, figures: Mapping[str, Estimate]) -> tuple[str, bool, str]:
    """The spread of a figure between values against ``gap_at_most``; values without a figure fail it."""
    refused = {value: figure.refused for value, figure in figures.items() if figure.value is None}
    told = {value: figure.value for value, figure in figures.items() if figure.value is not None}
    if refused:
        value, why = next(iter(refused.items()))
        return "–", False, f"{wanted.each} {value}: {why}"
    if len(told) < 2:
        return "–", False, f"{wanted.each} has fewer than two values with annotated rows"
    least, most = min(told, key=lambda v: told[v]), max(told, key=lambda v: told[v])
    gap = told[most] - told[least]
    passed = gap <= (wanted.gap_at_most or 0.0)
    words = f"{gap:.4f} ({least} {told[least]:.4f}, {most} {told[most]:.4f})"
    return words, passed, "" if passed else f"{most} and {least} are further apart"


def _no_worse(wanted: RequirementModel, found: Difference) -> tuple[str, bool, str]:
    """A paired difference against 0, or against the margin."""
    if found.difference is None or found.low is None or found.high is None:
        return "–", False, found.refused or "there is no difference"
    words = f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
    if wanted.margin is None:
        passed = found.verdict is not Verdict.WORSE
        return words, passed, "" if passed else "the whole interval of the difference is on the worse side"
    worst = -found.high if wanted.metric in LOWER_IS_BETTER else found.low
    passed = worst >= -wanted.margin
    return words, passed, "" if passed else "it may be worse by more than the margin"


def _words(wanted: RequirementModel) -> str:
    """A requirement's subject in words."""
    where = ", ".join(f"{name} {' or '.join(values)}" for name, values in wanted.slice.items())
    cut = "" if wanted.threshold is None else f" at {wanted.threshold:g}"
    return CATALOGUE[wanted.metric].title + cut + (f", {where}" if where else "")


def _bound(wanted: RequirementModel) -> str:
    """A requirement's bound in words."""
    side = "" if wanted.confidence == "point" else f" ({wanted.confidence} bound)"
    if wanted.at_least is not None:
        return f"≥ {wanted.at_least:g}{side}"
    if wanted.at_most is not None:
        return f"≤ {wanted.at_most:g}{side}"
    if wanted.gap_at_most is not None:
        return f"gap between {wanted.each} ≤ {wanted.gap_at_most:g}"
    margin = "" if wanted.margin is None else f" by more than {wanted.margin:g}"
    return f"not worse than {wanted.no_worse_than}{margin}"
