"""The gate file: requirements on a run's figures, as pydantic models.

Read by the manifest's own YAML reader: what is wrong is told with file, line and column, all at once.

.. code-block:: yaml

    spotsafe-gate: 1
    about: What a text engine keeps before release
    thresholds: {hate.*: 0.7}
    requirements:
      - {metric: auprc, label: hate.*, slice: {language: de}, at_least: 0.7, confidence: lower}
      - {metric: fpr, label: hate.*, slice: {functionality: [F18, F19]}, at_most: 0.02, confidence: upper}
      - {metric: accuracy, label: hate.speech, each: functionality, at_least: 0.6}
      - {metric: fpr, label: tone.toxic, each: target, gap_at_most: 0.03}
      - {metric: auprc, label: "*", no_worse_than: against}
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from spotsafe.core.errors import ConfigurationError, Fault
from spotsafe.core.labels import expand, specificity
from spotsafe.evaluation.compare import METRICS
from spotsafe.evaluation.runs.measures import CATALOGUE, Costs
from spotsafe.policy.document import read_document
from spotsafe.policy.fields import LabelPatterns, label_hint, problem
from spotsafe.policy.model import Strict
from spotsafe.policy.validation import validated
from spotsafe.policy.wording import nearest

AGAINST = "against"
"""The word for the run that is named when the gate is checked, instead of a folder."""

Given = TypeVar("Given")

BOUNDS = ("at_least", "at_most", "gap_at_most", "no_worse_than")


def _metric(value: object) -> str:
    if value not in CATALOGUE:
        known = f"known are {', '.join(CATALOGUE)}"
        raise problem("is no metric", nearest(value, list(CATALOGUE)) or known)
    return str(value)


def _values(value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict) or not value:
        raise problem("is no slice", "write {language: de} or {functionality: [F18, F19]}")
    listed = {name: one if isinstance(one, list) else [one] for name, one in value.items()}
    if any(not entry or not all(isinstance(word, str) for word in entry) for entry in listed.values()):
        raise problem("has values that are no words", "put numbers and true/false in quotes")
    return listed


def _cuts(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise problem("must be a mapping", "write {hate.*: 0.7}")
    for pattern, cut in value.items():
        if not expand([pattern]):
            raise problem(f"{pattern[:40]!r} covers no label of the taxonomy", label_hint(pattern))
        if isinstance(cut, bool) or not isinstance(cut, int | float) or not 0 <= cut <= 1:
            raise problem("holds a threshold that is no number from 0 to 1", "write e.g. 0.7")
    return {pattern: float(cut) for pattern, cut in value.items()}


def _prices(value: object) -> dict[str, Costs]:
    if not isinstance(value, dict):
        raise problem("must be a mapping", "write {hate.*: {alarm: 1, miss: 10}}")
    found = {}
    for pattern, given in value.items():
        if not expand([pattern]):
            raise problem(f"{pattern[:40]!r} covers no label of the taxonomy", label_hint(pattern))
        if not isinstance(given, dict) or set(given) != set(Costs._fields):
            raise problem("holds no two prices", "write {alarm: 1, miss: 10}")
        if any(
            isinstance(p, bool) or not isinstance(p, int | float) or not 0 < p < inf for p in given.values()
        ):
            raise problem("holds a price that is no number above 0", "write {alarm: 1, miss: 10}")
        found[pattern] = Costs(float(given["alarm"]), float(given["miss"]))
    return found


Share = Annotated[float, Field(ge=0, le=1)]


class RequirementModel(Strict):
    """One requirement: of a metric and labels, exactly one bound."""

    metric: Annotated[Any, BeforeValidator(_metric)]
    """The figure that is bounded; the rates are at the label's threshold."""
    label: LabelPatterns
    """Labels or patterns; every label of the run that one covers must keep the bound."""
    id: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """A name for results."""
    slice: Annotated[Any, BeforeValidator(_values)] = Field(default_factory=dict)
    """Only rows with these values, e.g. `{language: de}`."""
    each: Annotated[str, Field(min_length=1)] | None = None
    """A slice whose every value must keep the bound, e.g. `functionality` or `language`."""
    at_least: float | None = None
    """The least that the figure may be; a share (0.02 is 2 %), but for `cost`."""
    at_most: float | None = None
    """The most that the figure may be; a share (0.02 is 2 %), but for `cost`."""
    gap_at_most: Annotated[float, Field(ge=0)] | None = None
    """The most by which the figure may differ between the values of `each`."""
    no_worse_than: Annotated[str, Field(min_length=1)] | None = None
    """A run's folder, or `against` for the run named at the command line; compared in pairs."""
    margin: Annotated[float, Field(ge=0)] | None = None
    """With `no_worse_than`: by how much it may be worse at the interval's worse end. Without it, it fails
    only where the whole interval of the difference is on the worse side."""
    confidence: Literal["point", "lower", "upper"] = "point"
    """What must keep the bound: the figure itself or an end of its 95 % interval."""
    threshold: Share | None = None
    """Where scores are cut for this requirement."""

    @field_validator("at_least", "at_most", "gap_at_most", "margin")
    @classmethod
    def a_share(cls, value: float | None, info: ValidationInfo) -> float | None:
        """A bound of a share is one: a bound of 2, meant as 2 %, would let everything pass."""
        metric = info.data.get("metric")
        if value is None or metric is None or metric == "cost" or 0 <= value <= 1:
            return value
        hint = f"{value / 100:g} means {value:g} %" if 1 < value <= 100 else "0.02 means 2 %"
        raise problem(f"is no bound for {metric}, which runs from 0 to 1", hint)

    @model_validator(mode="after")
    def one_bound(self) -> RequirementModel:
        """Exactly one bound, with what belongs to it."""
        given = [name for name in BOUNDS if getattr(self, name) is not None]
        if len(given) != 1:
            told = " and ".join(given) if given else "no bound"
            raise problem(f"has {told}", f"give exactly one of {', '.join(BOUNDS)}")
        if self.margin is not None and self.no_worse_than is None:
            raise problem("has a margin without no_worse_than", "remove it, or add no_worse_than")
        if self.no_worse_than is not None and self.metric not in METRICS:
            raise problem(
                f"{self.metric} is not compared between runs", f"comparable are {', '.join(METRICS)}"
            )
        if self.no_worse_than is not None and self.each is not None:
            raise problem("has both each and no_worse_than", "write a requirement per slice")
        if self.gap_at_most is not None and self.each is None:
            raise problem(
                "has a gap without each", "name the slice whose values are compared, e.g. each: target"
            )
        if self.confidence != "point" and self.at_least is None and self.at_most is None:
            raise problem("has a confidence that nothing reads", "it goes with at_least or at_most")
        return self


class GateModel(Strict):
    """A gate."""

    version: Literal[1] = Field(alias="spotsafe-gate")
    """The format of this file."""
    about: str = ""
    """What the gate is for, in a sentence."""
    thresholds: Annotated[Any, BeforeValidator(_cuts)] = Field(default_factory=dict)
    """Label pattern → where its scores are cut; the most specific pattern wins."""
    costs: Annotated[Any, BeforeValidator(_prices)] = Field(default_factory=dict)
    """Label pattern → what a false alarm and a miss cost, for the metric `cost`."""
    requirements: list[RequirementModel] = Field(min_length=1)
    """What must hold; all of it."""


class Gate:
    """A gate that was read: its *file*, *about*, *requirements* and the line of each (*lines*)."""

    def __init__(self, path: Path, model: GateModel, lines: list[int]) -> None:
        self.path = path
        self.about = model.about
        self.requirements = tuple(model.requirements)
        self.lines = tuple(lines)
        self.thresholds = cut_of(model.thresholds)
        self.costs: dict[str, Costs] = cut_of(model.costs)


def cut_of(patterns: Mapping[str, Given]) -> dict[str, Given]:
    """Label → what is given for it (a threshold, prices), from patterns of which the most specific wins."""
    found: dict[str, Given] = {}
    for pattern in sorted(patterns, key=specificity):
        found.update(dict.fromkeys(expand([pattern]), patterns[pattern]))
    return found


def read_gate(path: Path) -> Gate:
    """The gate in *path*. Raises ConfigurationError with every fault, each with its place and remedy."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); name the gate's file") from None
    faults: list[Fault] = []
    document = read_document(str(path), raw, faults)
    model = None if document is None else validated(GateModel, document, (), faults)
    if faults or model is None or document is None:
        told = "\n".join(str(_own_hint(fault)) for fault in faults)
        raise ConfigurationError(f"the gate cannot be used\n{told}")
    lines = [document.place(("requirements", index))[0] for index in range(len(model.requirements))]
    return Gate(path, model, lines)


def _own_hint(fault: Fault) -> Fault:
    """The manifest's hints, where they speak of manifests, in the words of gates."""
    if "spotsafe init" in fault.hint:
        return fault._replace(hint="a gate starts with 'spotsafe-gate: 1' and lists requirements")
    if "manifest reference" in fault.hint:
        return fault._replace(hint="docs/evaluation.md has examples")
    return fault
