"""What a detector cannot give of what policies read: labels without a detector, uncovered languages."""

from __future__ import annotations

from collections.abc import Iterable

from spotsafe.core.decision import Disposition
from spotsafe.core.errors import Fault
from spotsafe.core.seams import Calibration, Capabilities
from spotsafe.core.signals import Cause
from spotsafe.policy.surface import PolicySet, Rule, SurfacePolicy
from spotsafe.policy.wording import first_few, shown


def unsupported_labels(policy: SurfacePolicy, capabilities: Capabilities) -> tuple[str, ...]:
    """The labels that the surface's rules read and the detector can never give."""
    return tuple(label for label in policy.labels if label not in capabilities.labels)


def reach_warnings(policies: PolicySet, capabilities: Capabilities) -> list[Fault]:
    """Warnings, at the rules of manifests, about gaps between *policies* and what a detector can do."""
    found: list[Fault] = []
    for policy in policies.surfaces.values():
        for rule in policy.rules:
            if rule.source == policy.name:
                found.extend(_rule_gaps(policy, rule, capabilities))
        found.extend(_language_gaps(policy, capabilities))
    return found


def _rule_gaps(policy: SurfacePolicy, rule: Rule, capabilities: Capabilities) -> Iterable[Fault]:
    lost = [label for label in rule.labels if label not in capabilities.labels]
    holding = [
        check.label
        for check in policy.checks
        if check.rule == rule.name and check.label in lost and any(check.reach[Cause.UNSUPPORTED])
    ]
    if holding:
        message = f"no detector here gives {', '.join(holding)}: {rule.name} acts on everything"
        hint = "state if_missing: {unsupported: allow} if going without is meant"
        yield Fault(rule.file, rule.line, rule.column, message, hint)
    elif len(lost) == len(rule.labels):
        message = f"no detector here gives {', '.join(lost)}: {rule.name} never fires"
        yield Fault(rule.file, rule.line, rule.column, message, "connect a service that gives it")
    if rule.then.disposition is Disposition.BLOCK:
        rough = [label for label in rule.labels if _rough(label, policy, capabilities)]
        if rough:
            message = f"{rule.name} blocks on {', '.join(rough)}, whose scores are not calibrated"
            yield Fault(
                rule.file, rule.line, rule.column, message, "hold or review instead, or calibrate it first"
            )


def _rough(label: str, policy: SurfacePolicy, capabilities: Capabilities) -> bool:
    languages = capabilities.labels.get(label)
    if not languages:
        return False
    primary = [language.partition("-")[0] for language in policy.languages] or list(languages)
    known = [languages.get(language, languages.get("*")) for language in primary]
    return any(entry not in (None, Calibration.CALIBRATED) for entry in known)


def _language_gaps(policy: SurfacePolicy, capabilities: Capabilities) -> Iterable[Fault]:
    for language in policy.languages:
        primary = language.partition("-")[0]
        lost = [
            label for label in policy.labels if capabilities.gap(label, "text", primary) is Cause.LANGUAGE
        ]
        if lost:
            message = f"{policy.name}: no detector here covers {shown(language)} for {first_few(lost)}"
            yield Fault(
                *policy.language_places[language],
                message,
                "if_missing decides there; spotsafe explain shows how",
            )
