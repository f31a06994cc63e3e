"""Layers → :class:`SurfacePolicy`: rules split by label, failure actions resolved, fields merged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from spotsafe.core.content import LATER_KINDS
from spotsafe.core.decision import Mode
from spotsafe.core.labels import LABELS, expand
from spotsafe.policy.durations import ASYNC, IMAGE_DEADLINE, format_duration
from spotsafe.policy.layers import (
    REACH_CAUSES,
    Baseline,
    Layer,
    context_fields,
    decided,
    failure_action,
    mode_of,
    own_surface,
    reach_actions,
    stated,
    unknown_action,
)
from spotsafe.policy.model import RuleModel, SurfaceModel
from spotsafe.policy.ratchet import DIRECTIONS, merge
from spotsafe.policy.surface import (
    Check,
    Condition,
    HoldPolicy,
    Origin,
    PartSpec,
    Rule,
    SurfacePolicy,
    Waiver,
    clear_verdicts,
)

NEVER = 2.0
"""A gate that no score reaches."""

Conditions = Mapping[str, Condition]
"""Compiled ``when`` by its text."""


def compile_surface(
    name: str,
    baseline: Baseline,
    own: Layer | None,
    *,
    identity: tuple[str, str] = ("", ""),
    conditions: Conditions | None = None,
    waivers: Sequence[Waiver] = (),
) -> SurfacePolicy:
    """The policy of surface *name*: its *baseline* and, where it has a manifest, its *own* layer.

    *identity* is (team, owner). *waivers* are those of the platform that may still run; which ones
    count is decided at evaluation by its ``now``.
    """
    layers = baseline.layers if own is None else (*baseline.layers, own)
    surface = own_surface(layers)
    waived = {waiver.rule: waiver for waiver in waivers if waiver.surface == name}
    checks: list[Check] = []
    rules: list[Rule] = []
    for layer in layers:
        for index, rule in enumerate(layer.model.rules):
            entry = _rule(layer, index, rule, waived)
            rules.append(entry)
            checks.extend(_checks(entry, rule, layer, baseline, own=own, conditions=conditions or {}))
    fields = _merged(name, baseline, layers, surface)
    fields.update(team=identity[0], owner=identity[1], rules=tuple(rules), checks=tuple(checks))
    fields.update(_indexes(checks, fields["content"]))
    fields["version"] = _digest(fields)
    return SurfacePolicy(fields)


def _rule(layer: Layer, index: int, rule: RuleModel, waived: Mapping[str, Waiver]) -> Rule:
    mode, canary = layer.mode if rule.mode is None else mode_of(rule.mode)
    line, column = layer.rule_place(index)
    return Rule(
        id=rule.id,
        source=layer.name,
        labels=expand(rule.label),
        patterns=tuple(rule.label),
        at=float(rule.at),
        then=rule.then,
        mode=mode,
        canary=canary,
        when=rule.when,
        parts=tuple(rule.parts),
        notice=rule.notice,
        waiver=waived.get(f"{layer.name}#{rule.id}"),
        file=layer.document.file,
        line=line,
        column=column,
    )


def _checks(
    entry: Rule,
    rule: RuleModel,
    layer: Layer,
    baseline: Baseline,
    *,
    own: Layer | None,
    conditions: Conditions,
) -> Iterable[Check]:
    """One check per label, and for a baseline's rule an overlay where the surface is stricter on what
    is missing: it carries the surface's own mode."""
    base_layers = baseline.layers
    is_own = layer is own
    for label in entry.labels:
        layers = (*base_layers, own) if is_own and own is not None else base_layers
        check = Check(
            rule=entry.name,
            label=label,
            at=entry.at,
            then=decided(entry.then, label, baseline),
            parts=entry.parts,
            condition=None if entry.when is None else conditions[entry.when],
            mode=entry.mode,
            canary=entry.canary,
            notice=entry.notice,
            reach=reach_actions(layers, layer, rule, label),
            failure=failure_action(layers, label),
            unknown=unknown_action(layer, rule, label, entry.then),
            waiver=entry.waiver,
        )
        yield check
        if own is not None and not is_own and (overlay := _overlay(check, base_layers, layer, rule, own)):
            yield overlay


def _overlay(
    check: Check, base_layers: Sequence[Layer], layer: Layer, rule: RuleModel, own: Layer
) -> Check | None:
    layers = (*base_layers, own)
    reach = reach_actions(layers, layer, rule, check.label)
    failure = failure_action(layers, check.label)
    if failure == check.failure and reach == check.reach:
        return None
    # A layer that states less than the default for what nobody stated before must not loosen it.
    reach = {cause: action.joined(check.reach[cause]) for cause, action in reach.items()}
    mode, canary = own.mode
    return check._replace(
        then=None, reach=reach, failure=failure.joined(check.failure), mode=mode, canary=canary
    )


def _merged(
    name: str, baseline: Baseline, layers: Sequence[Layer], surface: SurfaceModel | None
) -> dict[str, Any]:
    mode, canary = mode_of(None) if surface is None else layers[-1].mode
    content = merge("content", [_parts(layer) for layer in layers])
    deadline = _effective("deadline", layers, surface)
    if any(part.kind in LATER_KINDS for part in content.values()):
        deadline = ASYNC
    return {
        "name": name,
        "about": layers[-1].model.about,
        "baseline": baseline.name,
        "direction": "input" if surface is None else surface.direction,
        "audience": (surface.audience if surface is not None else None) or baseline.audiences[0],
        "content": content,
        "context": {} if surface is None else context_fields(surface),
        "languages": merge("languages", [layer.model.languages for layer in layers]),
        "language_places": {
            language: (layer.document.file, *layer.document.place((*layer.path, "languages", index)))
            for layer in layers
            for index, language in enumerate(layer.model.languages)
        },
        "mode": mode,
        "canary": canary,
        "deadline": None if deadline == ASYNC else deadline,
        "cache_ttl": _effective("cache.ttl", layers, surface),
        "cache_stale": _effective("cache.stale", layers, surface),
        "privacy_send": _effective("privacy.send", layers, surface),
        "retain": _effective("privacy.retain", layers, surface),
        "hold": HoldPolicy(*(_effective(f"hold.{f}", layers, surface) for f in HoldPolicy._fields)),
        "service": "main" if surface is None else surface.service,
        "notices": merge("notices", [layer.model.notices for layer in layers]),
        "origins": tuple(_origin(field, layers, surface) for field in ORIGIN_FIELDS),
        "unlinked": False,
        "broken": False,
    }


ORIGIN_FIELDS = (
    "deadline", "cache.ttl", "cache.stale", "hold.keep", "hold.ttl", "hold.on_expiry", "privacy.send",
    "privacy.retain",
)  # fmt: skip
"""The fields of one value whose origin is kept."""


def _effective(field: str, layers: Sequence[Layer], surface: SurfaceModel | None) -> Any:
    """The merged value of *field*. A baseline's deadline is a lower limit, not a value of its own: where
    the surface states none, the default joins: that of pictures where a layer declares one."""
    values = stated(layers, field)
    if field == "deadline" and (surface is None or surface.deadline is None):
        pictures = any(part.type == "image" for layer in layers for part in layer.model.content.values())
        values.append(IMAGE_DEADLINE if pictures else DIRECTIONS[field].default)
    return merge(field, values)


def _origin(field: str, layers: Sequence[Layer], surface: SurfaceModel | None) -> Origin:
    """Where the effective value of *field* comes from: the first layer that states it."""
    effective = _effective(field, layers, surface)
    source = next((layer.name for layer in layers if effective in stated([layer], field)), "default")
    own = stated(layers[-1:], field) if surface is not None else []
    return Origin(field, written(effective), source, written(own[0]) if own else None)


def written(value: object) -> str:
    """A field's value as manifests write it; numbers are seconds."""
    return format_duration(value) if isinstance(value, int | float) else str(value)


def _parts(layer: Layer) -> dict[str, PartSpec]:
    return {
        key: PartSpec(part.type, part.optional, tuple(key.split(".")))
        for key, part in layer.model.content.items()
    }


def _indexes(checks: Sequence[Check], content: Mapping[str, PartSpec]) -> dict[str, Any]:
    """What evaluation looks up, worked out once."""
    gates: dict[str, float] = {}
    for check in checks:
        gates[check.label] = min(gates.get(check.label, NEVER), NEVER if check.then is None else check.at)
    labels = expand(gates)
    loud = {check.label for check in checks if any(check.reach[REACH_CAUSES[0]])}
    return {
        "labels": labels,
        "gates": tuple((label, gates[label]) for label in labels),
        "quiet": frozenset(set(labels) - loud),
        "inapplicable": frozenset(
            (label, key)
            for key, part in content.items()
            for label in labels
            if not LABELS[label].applies_to(part.kind)
        ),
        "static": not any(c.condition or c.mode is Mode.CANARY or c.waiver for c in checks),
        "clear": clear_verdicts(),
    }


_UNVERSIONED = frozenset(
    {"clear", "gates", "quiet", "inapplicable", "checks", "static", "labels", "origins", "language_places"}
)


def _digest(fields: Mapping[str, Any]) -> str:
    """A short digest of the effective policy: equal policies have equal versions wherever written."""
    plain: dict[str, Any] = {name: value for name, value in fields.items() if name not in _UNVERSIONED}
    plain["rules"] = [rule._replace(file="", line=0, column=0) for rule in fields["rules"]]
    plain["checks"] = [
        (c.rule, c.label, c.then, sorted(c.reach.items()), c.failure, c.unknown) for c in fields["checks"]
    ]
    return sha256(json.dumps(plain, sort_keys=True, default=_plain).encode()).hexdigest()[:12]


def _plain(value: object) -> object:
    if isinstance(value, frozenset | set):
        return sorted(str(entry) for entry in value)
    raise TypeError(type(value).__name__)
