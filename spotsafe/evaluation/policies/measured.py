"""Policies over data: what share of the rows each surface would block, hold, limit, redact or have reviewed,
and where the truth is known, whom that wrongs and what gets through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spotsafe.core.decision import Disposition, Effect, Status
from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import POSITIVE_FROM, Bools
from spotsafe.evaluation.metrics.estimate import Estimate
from spotsafe.evaluation.policies.data import PolicyData
from spotsafe.evaluation.policies.outcomes import PEOPLE, Circumstances, Outcomes, outcomes
from spotsafe.policy.surface import PolicySet, SurfacePolicy, required_surface

WORDS = (*(d.word for d in Disposition), *(e.value for e in Effect), PEOPLE)
"""Shares that are reported: each disposition, each effect, and the work for people."""


class LabelFigures(NamedTuple):
    """One label's truth against what happens: of the rows for which it is right, the share *blocked*,
    *stopped* (held or blocked), *acted* on in any way, and *missed* (published as they are)."""

    label: str
    positives: int
    blocked: Estimate
    stopped: Estimate
    acted: Estimate
    missed: Estimate


class Errors(NamedTuple):
    """Whom a policy wrongs: of the clean rows, the share blocked and the share stopped (held or blocked); of
    the blocked, and of the stopped, rows annotated throughout, the share that violates. *missed*: of the
    violating rows, the share published as they are. Truth is over the labels that the surface's rules read
    (:meth:`~spotsafe.evaluation.policies.data.PolicyData.violating` and ``settled``)."""

    false_blocks: Estimate
    false_stops: Estimate
    block_precision: Estimate
    stop_precision: Estimate
    missed: Estimate


class RuleFigures(NamedTuple):
    """One rule: the share of rows in which it fires on a score, and of those annotated for all its labels,
    the share for which one of them is right."""

    rule: str
    at: float
    then: tuple[str, ...]
    fires: Estimate
    precision: Estimate


class SliceFigures(NamedTuple):
    """Rows of one value of one grouping."""

    grouping: str
    value: str
    rows: int
    shares: Mapping[str, Estimate]
    errors: Errors


class SurfaceFigures(NamedTuple):
    """A surface's policy over all rows that it carries. *left_out* are rows of kinds that it does not carry,
    *unscored* labels that its rules read and nobody scored, *unsure* the share of rows not checked in
    full."""

    surface: str
    version: str
    rows: int
    left_out: int
    unscored: tuple[str, ...]
    shares: Mapping[str, Estimate]
    unsure: Estimate
    errors: Errors
    rules: tuple[RuleFigures, ...]
    labels: tuple[LabelFigures, ...]
    slices: tuple[SliceFigures, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything by name, JSON-ready."""
        found = plain(self)
        return dict(found)


def plain(value: Any) -> Any:
    """Named tuples as mappings, all the way down; estimates as they write themselves."""
    if isinstance(value, Estimate):
        return value.to_json()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(entry) for name, entry in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def chosen_surfaces(policies: PolicySet, surfaces: Sequence[str]) -> list[SurfacePolicy]:
    """The policies of *surfaces*, or of all declared ones, or of the baselines that are named
    (``baseline/public-ugc``). ConfigurationError names what there is."""
    found = []
    for name in surfaces or list(policies.surfaces):
        known = name in policies.baselines and policies.surface(name) is None
        found.append(policies.baseline(name) if known else required_surface(policies, name))
    if not found:
        raise ConfigurationError("the manifests declare no surface; name a baseline, as baseline/public-ugc")
    return found


def evaluate_policies(
    policies: PolicySet,
    data: PolicyData,
    *,
    surfaces: Sequence[str] = (),
    groupings: Sequence[str] = (),
    circumstances: Circumstances | None = None,
) -> tuple[SurfaceFigures, ...]:
    """The figures of each surface (all declared ones, or *surfaces*), with a breakdown by *groupings* of the
    data. Raises ConfigurationError for a surface or grouping that there is not."""
    for name in groupings:
        if name not in data.groupings:
            known = ", ".join(data.groupings) or "none"
            raise ConfigurationError(f"the data have no grouping {name[:40]!r}; there are: {known}")
    return tuple(
        figures(outcomes(policy, data, circumstances), groupings)
        for policy in chosen_surfaces(policies, surfaces)
    )


def figures(found: Outcomes, groupings: Sequence[str] = ()) -> SurfaceFigures:
    """The figures of one surface's outcomes."""
    data, carried, policy = found.data, found.carried, found.policy
    acts = {word: found.where(word) for word in WORDS}
    truth = (*data.violating(policy.labels), data.settled(policy.labels))
    rows = int(carried.sum())
    return SurfaceFigures(
        policy.name,
        policy.version,
        rows,
        len(data) - rows,
        found.unscored,
        {word: data.share(held, carried) for word, held in acts.items()},
        data.share(carried & (found.status >= Status.PARTIAL), carried),
        _errors(found, acts, truth, carried),
        tuple(_rules(found)),
        tuple(_labels(found, acts)),
        tuple(_slices(found, acts, truth, groupings)),
    )


Truth = tuple[Bools, Bools, Bools]
"""Rows known to violate, known to be clean, and annotated throughout."""


def _errors(found: Outcomes, acts: Mapping[str, Bools], truth: Truth, among: Bools) -> Errors:
    bad, clean, settled = (column & among for column in truth)
    block, stop = acts["block"], acts["block"] | acts["hold"]
    share = found.data.share
    return Errors(
        share(block, clean, what="rows known to be clean throughout"),
        share(stop, clean, what="rows known to be clean throughout"),
        share(bad, block & settled, what="blocked rows annotated for all labels"),
        share(bad, stop & settled, what="stopped rows annotated for all labels"),
        share(found.untouched, bad, what="violating rows"),
    )


def _rules(found: Outcomes) -> Iterable[RuleFigures]:
    for rule in found.policy.rules:
        fired = found.fired(rule.name)
        bad, settled = found.data.violating(rule.labels)[0], found.data.settled(rule.labels)
        yield RuleFigures(
            rule.name,
            rule.at,
            rule.then.words,
            found.data.share(fired, found.carried),
            found.data.share(bad, fired & settled, what="rows that fire it and are annotated for its labels"),
        )


def _labels(found: Outcomes, acts: Mapping[str, Bools]) -> Iterable[LabelFigures]:
    for label in found.policy.labels:
        if label not in found.data.truth:
            continue
        with np.errstate(invalid="ignore"):
            right = (np.asarray(found.data.truth[label]) >= POSITIVE_FROM) & found.carried
        if right.any():
            stop = acts["block"] | acts["hold"]
            kinds = (acts["block"], stop, ~found.untouched, found.untouched)
            yield LabelFigures(label, int(right.sum()), *(found.data.share(held, right) for held in kinds))


def _slices(
    found: Outcomes, acts: Mapping[str, Bools], truth: Truth, groupings: Sequence[str]
) -> Iterable[SliceFigures]:
    for name in groupings:
        grouping = found.data.groupings[name]
        codes = np.asarray(grouping.codes)
        for code, value in enumerate(grouping.values):
            among = (codes == code) & found.carried
            if among.any():
                shares = {word: found.data.share(acts[word], among) for word in ("block", "hold", PEOPLE)}
                errors = _errors(found, acts, truth, among)
                yield SliceFigures(name, value, int(among.sum()), shares, errors)
