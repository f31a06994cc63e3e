"""Tuning: the threshold of a rule that keeps a promise, what it costs, and the edit to the manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import Bools
from spotsafe.evaluation.metrics.estimate import CONFIDENCE, Estimate
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels
from spotsafe.evaluation.policies.certify import GRID, Counts, RuleRows, Target, certified, counts
from spotsafe.evaluation.policies.data import PolicyData
from spotsafe.evaluation.policies.outcomes import PEOPLE, Circumstances, outcomes
from spotsafe.policy.compile import NEVER
from spotsafe.policy.surface import Rule, SurfacePolicy
from spotsafe.policy.wording import nearest, shown


class Point(NamedTuple):
    """One threshold of the frontier: rates with the ends of their 95 % interval at this threshold alone, and
    whether all targets are certified there. None where nothing is counted over."""

    threshold: float
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    fpr: float | None
    load: float | None
    certified: bool


class Edit(NamedTuple):
    """The change to a manifest. *how* is ``edit`` (the rule stands in the surface's own manifest), ``add``
    (a baseline states it: a stricter rule of the surface's own joins it) or ``waiver`` (a baseline states
    it, and what is asked for is looser). *line* counts from 1."""

    how: str
    file: str
    line: int
    surface: str
    rule: str
    before: float
    after: float

    def __str__(self) -> str:
        change = f"{self.rule}: at: {self.before:g} → {self.after:g}"
        if self.how == "edit":
            return f"{self.file}:{self.line}: {change}"
        if self.how == "add":
            return (
                f"{change}: add a rule of that threshold to {self.surface}; a baseline's rule is not edited"
            )
        return f"{change}: looser than a baseline's rule; ask the platform for a waiver"

    def applied(self, text: str) -> str:
        """The manifest's *text* with the new threshold. ConfigurationError where the rule is not found at its
        place, or stands in a baseline."""
        lines = text.splitlines(keepends=True)
        rest = "".join(lines[self.line - 1 :])
        found = re.search(r"\bat:\s*([0-9.]+)", rest) if self.how == "edit" else None
        if found is None or float(found[1]) != self.before:
            raise ConfigurationError(f"{self.file}:{self.line}: no threshold {self.before:g} to edit here")
        head = "".join(lines[: self.line - 1])
        return f"{head}{rest[: found.start(1)]}{self.after:g}{rest[found.end(1) :]}"


class Tuning(NamedTuple):
    """The result: *threshold* is None where no threshold is certified, and *why* then says how far off it is.

    *now* and *then* are the rates at the rule's present threshold and at the new one (precision, recall, fpr,
    load), *people_now* and *people_then* the share of rows that people must look at under the whole policy.
    *rows* are those with a score, *known* those whose truth is known as well; *unmeasured* are labels of the
    rule that the data neither score nor annotate.
    """

    surface: str
    rule: str
    targets: tuple[str, ...]
    confidence: float
    threshold: float | None
    why: str | None
    rows: int
    known: int
    now: dict[str, Estimate]
    then: dict[str, Estimate]
    people_now: Estimate
    people_then: Estimate | None
    unmeasured: tuple[str, ...]
    frontier: tuple[Point, ...]
    edit: Edit | None


def tune(
    policy: SurfacePolicy,
    rule: str,
    data: PolicyData,
    targets: Sequence[Target],
    *,
    confidence: float = CONFIDENCE,
    circumstances: Circumstances | None = None,
) -> Tuning:
    """The threshold of *rule* (its id, or qualified name) at which all *targets* are kept on new rows of this
    kind with probability *confidence*.

    Among certified thresholds the highest is taken where a recall is promised (least work), else the lowest
    (what a rule decides, people need not). Raises ConfigurationError for an unknown rule, no target, or data
    without scores for it.
    """
    chosen = _rule(policy, rule)
    if not targets or not 0.5 <= confidence < 1:
        raise ConfigurationError("name at least one target, and a confidence from 0.5 up to but not 1")
    rows = _rows(chosen, data)
    labels = _labels(data)
    found = {kind: counts(rows, kind, labels) for kind in ("precision", "recall", "fpr", "load")}
    error = (1 - confidence) / len(targets)
    kept = np.ones(len(GRID), np.bool_)
    for target in targets:
        kept &= certified(found[target.kind], target, error)
    places = np.flatnonzero(kept)
    place = None
    if len(places):
        place = int(places[-1] if any(target.kind == "recall" for target in targets) else places[0])
    at = None if place is None else float(GRID[place])
    return Tuning(
        policy.name,
        chosen.name,
        tuple(map(str, targets)),
        confidence,
        at,
        _why(found, targets) if at is None else None,
        int((~np.isnan(rows.scores)).sum()),
        int((rows.known & ~np.isnan(rows.scores)).sum()),
        _at(found, data, rows, chosen.at),
        {} if at is None else _at(found, data, rows, at),
        _people(policy, data, circumstances),
        None if at is None else _people(with_threshold(policy, chosen, at), data, circumstances),
        tuple(label for label in chosen.labels if label not in data.scores or label not in data.truth),
        _frontier(found, kept),
        None if at is None else _edit(policy, chosen, at),
    )


def _rule(policy: SurfacePolicy, name: str) -> Rule:
    """The surface's own rule of that id before a baseline's."""
    for rule in reversed(policy.rules):
        if name in (rule.id, rule.name):
            return rule
    known = [rule.id for rule in policy.rules]
    hint = nearest(name, known) or f"there are: {', '.join(known)}"
    raise ConfigurationError(f"{policy.name} has no rule {shown(name)}; {hint}")


def _rows(rule: Rule, data: PolicyData) -> RuleRows:
    scored = [np.asarray(data.scores[label], np.float32) for label in rule.labels if label in data.scores]
    if not scored:
        raise ConfigurationError(f"nobody scored a label of {rule.name}; score {', '.join(rule.labels[:3])}")
    highest = scored[0].copy()
    for column in scored[1:]:
        np.fmax(highest, column, out=highest)
    truth = data.violating(rule.labels)
    return RuleRows(highest.astype(np.float64), *truth, data.settled(rule.labels))


def _labels(data: PolicyData) -> SampledLabels | None:
    """All rows as a sample, where they were chosen by score; the truth is put in by what is counted."""
    if data.sampling is None:
        return None
    inclusion = np.asarray(data.sampling.inclusion, np.float64)
    if np.isnan(inclusion).any():
        raise ConfigurationError("rows were chosen by score and some lack their inclusion probability")
    return SampledLabels(np.zeros(len(data)), inclusion, strata=data.sampling.strata)


def with_threshold(policy: SurfacePolicy, rule: Rule, at: float) -> SurfacePolicy:
    """The policy with one rule's threshold changed, for what-if figures: nothing is checked or stored."""
    checks = tuple(
        check._replace(at=at) if check.rule == rule.name and check.then is not None else check
        for check in policy.checks
    )
    gates = dict.fromkeys(policy.labels, NEVER)
    for check in checks:
        if check.then is not None:
            gates[check.label] = min(gates[check.label], check.at)
    rules = tuple(entry._replace(at=at) if entry.name == rule.name else entry for entry in policy.rules)
    return policy.changed(
        checks=checks, rules=rules, gates=tuple(gates.items()), version=f"{policy.version}+"
    )


def _people(policy: SurfacePolicy, data: PolicyData, circumstances: Circumstances | None) -> Estimate:
    found = outcomes(policy, data, circumstances)
    return data.share(found.where(PEOPLE), found.carried)


def _at(found: dict[str, Counts], data: PolicyData, rows: RuleRows, at: float) -> dict[str, Estimate]:
    """The rates at any threshold, one of the grid or not."""
    with np.errstate(invalid="ignore"):
        flagged: Bools = rows.scores.astype(np.float32) >= np.float32(at)
    scored, known = ~np.isnan(rows.scores), rows.known
    bases = {
        "precision": (rows.bad, flagged & known),
        "recall": (flagged, rows.bad & scored),
        "fpr": (flagged, rows.clean & scored),
        "load": (flagged, scored),
    }
    return {kind: data.share(*bases[kind]) for kind in found}


def _frontier(found: dict[str, Counts], kept: Bools) -> tuple[Point, ...]:
    columns = {"threshold": GRID, "fpr": found["fpr"].share, "load": found["load"].share}
    for kind in ("precision", "recall"):
        low, high = found[kind].bounds
        columns |= {kind: found[kind].share, f"{kind}_low": low, f"{kind}_high": high}
    return tuple(
        Point(
            **{name: _known(column[place]) for name, column in columns.items()}, certified=bool(kept[place])
        )
        for place in range(len(GRID))
    )


def _known(value: float) -> Any:
    return None if np.isnan(value) else float(value)


def _why(found: dict[str, Counts], targets: Sequence[Target]) -> str:
    """How far off the first target is that no threshold keeps by itself; else that they exclude each
    other."""
    for target in targets:
        counted = found[target.kind]
        least = target.kind in ("precision", "recall")
        rate, enough = counted.share, counted.over > 0
        if not enough.any():
            return f"{target}: no row is known to count over"
        bound = np.where(enough, counted.bounds[0 if least else 1], np.nan)
        best = int(np.nanargmax(bound) if least else np.nanargmin(bound))
        met = bound[best] >= target.value if least else bound[best] <= target.value
        if not met:
            return (
                f"{target} is not certain at any threshold: nearest is {rate[best]:.3f} at {GRID[best]:g}, "
                f"sure to {bound[best]:.3f} over {counted.over[best]:.0f} rows; label more, or ask for less"
            )
    return "no threshold keeps all of it with the confidence asked for; label more rows, or ask for less"


def _edit(policy: SurfacePolicy, rule: Rule, at: float) -> Edit:
    own = rule.source == policy.name
    how = "edit" if own else "add" if at < rule.at else "waiver"
    return Edit(how, rule.file, rule.line, policy.name, rule.id, rule.at, at)


def to_json(tuning: Tuning) -> dict[str, Any]:
    """Everything by name, JSON-ready; the edit with its words."""
    from spotsafe.evaluation.policies.measured import plain

    fields: dict[str, Any] = plain(tuning)
    if tuning.edit is not None:
        fields["edit"]["words"] = str(tuning.edit)
    return fields
