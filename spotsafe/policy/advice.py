"""Warnings: what a manifest says that is allowed but hardly meant. Lint prints them, start-up logs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spotsafe.core.content import LATER_KINDS
from spotsafe.core.decision import Mode
from spotsafe.core.errors import Fault
from spotsafe.policy.document import Path
from spotsafe.policy.durations import HASTY, IMAGE_DEADLINE, format_duration
from spotsafe.policy.layers import Baseline, Layer, failure_action, failure_stated
from spotsafe.policy.model import RuleModel, SurfaceModel
from spotsafe.policy.surface import Rule, SurfacePolicy
from spotsafe.policy.wording import first_few, nearest, shown


def advise(
    layer: Layer, surface: SurfaceModel, baseline: Baseline, policy: SurfacePolicy, services: Sequence[str]
) -> list[Fault]:
    """All warnings about one surface. *services* are the reporting units that the platform knows; empty
    where it names none."""
    return [
        *_overridden(layer, policy),
        *_failures(layer, baseline, policy),
        *_service(layer, surface, services),
        *_media(layer, surface, policy),
        *_rules(layer, surface, policy),
    ]


def _overridden(layer: Layer, policy: SurfacePolicy) -> Iterable[Fault]:
    for origin in policy.origins:
        if origin.tightened:
            message = f"{origin.field} has no effect: {origin.source} is stricter ({origin.value})"
            hint = "remove it, or state something stricter"
            yield layer.document.fault((*layer.path, *origin.field.split(".")), message, hint)


def _failures(layer: Layer, baseline: Baseline, policy: SurfacePolicy) -> Iterable[Fault]:
    """Where ``on_failure`` says less than a baseline: the baseline's rules keep theirs."""
    for key in layer.model.on_failure or {}:
        weaker = []
        for label in policy.labels:
            base = failure_action(baseline.layers, label)
            if failure_stated(layer.model, label) is not (layer.model.on_failure or {})[key]:
                continue
            own = failure_stated(layer.model, label)
            if own is not None and not own.covers(base):
                weaker.append(label)
        if weaker:
            message = f"{baseline.name} is stricter than this for {first_few(weaker)}"
            hint = "the stricter of both counts; a baseline's rule is loosened by a waiver alone"
            yield layer.document.fault((*layer.path, "on_failure", key), message, hint)


def _service(layer: Layer, surface: SurfaceModel, services: Sequence[str]) -> Iterable[Fault]:
    if services and surface.service not in services:
        hint = nearest(surface.service, list(services)) or f"known are {', '.join(services)}"
        message = f"the platform knows no service {shown(surface.service)}"
        yield layer.document.fault((*layer.path, "service"), message, hint)


def _media(layer: Layer, surface: SurfaceModel, policy: SurfacePolicy) -> Iterable[Fault]:
    """Where a stated deadline does not go with the kinds of the parts."""
    media = [key for key, part in surface.content.items() if part.type in LATER_KINDS]
    if media and surface.deadline is not None and surface.deadline != float("inf"):
        message = f"the deadline is async: {shown(media[0])} is never checked inside a request"
        hint = "write deadline: async, so that readers of the manifest see it"
        yield layer.document.fault((*layer.path, "deadline"), message, hint)
    pictures = [key for key, part in policy.content.items() if part.kind == "image"]
    if pictures and surface.deadline is not None and policy.deadline is not None and policy.deadline < HASTY:
        message = f"the deadline is too short for a picture: {shown(pictures[0])} will often go unchecked"
        usual = format_duration(IMAGE_DEADLINE)
        hint = f"a picture takes a few hundred milliseconds: remove it (the default is {usual}) or write more"
        yield layer.document.fault((*layer.path, "deadline"), message, hint)


def _rules(layer: Layer, surface: SurfaceModel, policy: SurfacePolicy) -> Iterable[Fault]:
    rules = list(policy.rules)
    own = rules[len(rules) - len(surface.rules) :]
    for index, (entry, rule) in enumerate(zip(own, surface.rules, strict=True)):
        path = layer.document.entry((*layer.path, "rules"), index)
        yield from _pointless(layer, path, rule)
        if (by := _covered(entry, [other for other in rules if other is not entry])) is not None:
            message = f"the rule {shown(entry.id)} adds nothing: {by.name} does as much from {by.at:g} on"
            yield layer.document.fault(path, message, "remove it, or lower 'at', or make 'then' stricter")


def _pointless(layer: Layer, path: Path, rule: RuleModel) -> Iterable[Fault]:
    document = layer.document
    if rule.at >= 1:
        hint = "scores of exactly 1 are rare; 0.95 is already strict"
        yield document.fault((*path, "at"), f"the rule {shown(rule.id)} hardly ever fires: at is 1", hint)
    if not any(rule.then):
        hint = "rules cannot loosen; name what shall happen"
        yield document.fault((*path, "then"), f"the rule {shown(rule.id)} does nothing: then is allow", hint)
    if rule.when is not None and rule.when.strip() == "false":
        message = f"the rule {shown(rule.id)} never fires: its condition is false"
        yield document.fault((*path, "when"), message, "remove the rule")


def _covered(rule: Rule, others: Iterable[Rule]) -> Rule | None:
    """A rule that fires wherever *rule* does and does at least as much, or None. Of two that are equal
    the earlier one counts."""
    for other in others:
        if (
            set(rule.labels) <= set(other.labels)
            and other.at <= rule.at
            and other.then.covers(rule.then)
            and other.waiver is None
            and other.mode is Mode.ENFORCE
            and other.when is None
            and (not other.parts or (rule.parts and set(rule.parts) <= set(other.parts)))
            and not (rule.notice and rule.notice != other.notice)
            and (other.at, other.then, other.labels) != (rule.at, rule.then, rule.labels)
        ):
            return other
    return None
