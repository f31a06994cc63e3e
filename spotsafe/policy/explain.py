"""``explain``: the effective policy of a surface, where each rule and field comes from, and why a content
with given scores would be decided as it is. Results are JSON-ready; scores come from the command line,
never from content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from spotsafe.core.decision import Mode, Reason, Verdict
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS, default_action, matching
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.policy.actions import Action
from spotsafe.policy.conditions import fits
from spotsafe.policy.durations import ASYNC, format_duration, format_instant
from spotsafe.policy.surface import ContextField, Rule, SurfacePolicy
from spotsafe.policy.wording import nearest, shown

V = TypeVar("V")


def explain(policy: SurfacePolicy, now: float) -> dict[str, Any]:
    """Everything in force on a surface: identity, fields with their origin, rules with their layer,
    failure actions by label, waivers."""
    return {
        "surface": policy.name,
        "team": policy.team,
        "owner": policy.owner,
        "about": policy.about,
        "baseline": policy.baseline,
        "declared": not policy.unlinked,
        "version": policy.version,
        "direction": policy.direction,
        "audience": policy.audience,
        "languages": list(policy.languages),
        "mode": mode_words(policy.mode, policy.canary),
        "service": policy.service,
        "content": {key: _part(part.kind, part.optional) for key, part in policy.content.items()},
        "context": {name: field._asdict() for name, field in policy.context.items()},
        "deadline": format_duration(ASYNC if policy.deadline is None else policy.deadline),
        "fields": [{**origin._asdict(), "tightened": origin.tightened} for origin in policy.origins],
        "rules": [_rule(rule, policy, now) for rule in policy.rules],
        "labels": [_label(label, policy) for label in policy.labels],
        "waivers": [
            {
                **rule.waiver._asdict(),
                "ends": format_instant(rule.waiver.ends),
                "running": now < rule.waiver.ends,
            }
            for rule in policy.rules
            if rule.waiver is not None
        ],
        "notices": {key: sorted(texts) for key, texts in policy.notices.items()},
    }


def mode_words(mode: Mode, canary: float) -> str:
    """``shadow``, ``enforce`` or ``canary 10%``."""
    return f"canary {canary:g}%" if mode is Mode.CANARY else mode.value


def _part(kind: str, optional: bool) -> str:
    return f"{kind}, optional" if optional else kind


def _rule(rule: Rule, policy: SurfacePolicy, now: float) -> dict[str, Any]:
    humans = [
        check.label
        for check in policy.checks
        if check.rule == rule.name and check.then is not None and check.then != rule.then
    ]
    return {
        "rule": rule.name,
        "from": rule.source,
        "labels": list(rule.patterns),
        "at": rule.at,
        "then": list(rule.then.words),
        "held_for_a_person": humans,
        "when": rule.when,
        "parts": list(rule.parts),
        "mode": mode_words(rule.mode, rule.canary),
        "waived_until": format_instant(rule.waiver.ends) if rule.waiver and now < rule.waiver.ends else None,
        "place": f"{rule.file}:{rule.line}",
    }


def _label(label: str, policy: SurfacePolicy) -> dict[str, Any]:
    """What becomes of one label where it is missing: the join over the rules that read it."""
    checks = [check for check in policy.checks if check.label == label]
    failure, reach = Action(), dict.fromkeys(checks[0].reach, Action())
    for check in checks:
        failure = failure.joined(check.failure)
        reach = {cause: action.joined(check.reach[cause]) for cause, action in reach.items()}
    return {
        "label": label,
        "severity": LABELS[label].severity,
        "fires_from": min((check.at for check in checks if check.then is not None), default=None),
        "on_failure": list(failure.words),
        "if_missing": {cause.value: list(action.words) for cause, action in reach.items()},
    }


def explain_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict with its reasons, for people who operate the platform: rules, scores, thresholds."""
    return {
        "action": verdict.action,
        "disposition": verdict.disposition.word,
        "effects": sorted(effect.value for effect in verdict.effects),
        "status": verdict.status.word,
        "notice": verdict.notice,
        "reasons": [reason_words(reason) for reason in verdict.reasons],
        "waivers": list(verdict.waivers),
        "would": None if verdict.would is None else explain_verdict(verdict.would),
    }


def reason_words(reason: Reason) -> dict[str, Any]:
    """One reason, JSON-ready."""
    return {
        "rule": reason.rule,
        "label": reason.label,
        "trigger": reason.trigger,
        "does": list(Action(reason.disposition, reason.effects).words),
        "score": reason.score,
        "at": reason.threshold,
        "cause": reason.cause,
    }


def scripted_signals(
    policy: SurfacePolicy,
    scores: Mapping[str, float],
    missing: Mapping[str, str] | None = None,
    *,
    parts: Iterable[str] = (),
) -> Signals:
    """Signals in which *scores* (label or pattern → score) and *missing* (→ cause) are given and every
    other label scores 0, for each of *parts*. A scripted score above 0 on a text carries a span, so
    that ``redact`` can be shown."""
    names = tuple(parts) or tuple(policy.content) or ("content",)
    known = _by_label(scores)
    gaps = _by_label(missing or {})
    labels = dict.fromkeys((*policy.labels, *known))
    evidence = {
        name: (Span(0, 1),) if name not in policy.content or policy.content[name].kind == "text" else ()
        for name in names
    }
    return Signals(
        [
            Signal(label, score, name, LABELS[label].severity, evidence=evidence[name] if score else ())
            for label in labels
            if label not in gaps
            for name in names
            for score in (known.get(label, 0.0),)
        ],
        [Missing(label, "", Cause(cause)) for label, cause in gaps.items() if label in policy.labels],
        "scripted",
    )


def _by_label(patterns: Mapping[str, V]) -> dict[str, V]:
    """Patterns spread over labels; a code of its own goes before a pattern."""
    found: dict[str, V] = {}
    for pattern in sorted(patterns, key=lambda entry: entry in LABELS):
        for label in matching(pattern):
            found[label] = patterns[pattern]
    return found


def parse_scores(entries: Iterable[str]) -> dict[str, float]:
    """``LABEL=0.9`` entries of a command line. ConfigurationError names the entry that is wrong."""
    scores = {}
    for entry in entries:
        label, sign, number = entry.partition("=")
        try:
            score = float(number)
        except ValueError:
            score = -1.0
        if not sign or not matching(label) or not 0 <= score <= 1:
            raise ConfigurationError(
                f"--score {entry[:60]!r}: write LABEL=SCORE, a label of the taxonomy and a score from 0 to 1"
            )
        scores[label] = score
    return scores


def parse_context(text: str, fields: Mapping[str, ContextField]) -> dict[str, object]:
    """The JSON object of a command line as a context of *fields*. ConfigurationError names the field that
    is unknown or of another type: a real caller would be told by its rules alone, with cause ``context``."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError("--context: write a JSON object, e.g. '{\"author_age_days\": 3}'")
    for name, value in found.items():
        if name not in fields:
            known = f"declared are {', '.join(fields)}" if fields else "the surface declares none"
            raise ConfigurationError(
                f"--context: no field {shown(name)}; {nearest(name, list(fields)) or known}"
            )
        if not fits(fields[name].type, value):
            raise ConfigurationError(f"--context: {name} must be {_JSON_TYPES[fields[name].type]}")
    return found


_JSON_TYPES = {
    "string": "a string, in quotes", "int": "a whole number, without quotes", "bool": "true or false",
    "double": "a number, without quotes", "strings": 'a list of strings, e.g. ["a", "b"]',
}  # fmt: skip


def label_entries() -> list[dict[str, Any]]:
    """The taxonomy, JSON-ready: per label its severity, default action, who decides, and what it is in
    other schemes."""
    return [
        {
            "label": label.code,
            "severity": label.severity,
            "default": list(Action(*default_action(label.code)).words),
            "decision": label.min_decision,
            "human": label.needs_human,
            "openai": list(label.openai),
            "llama_guard": list(label.llama_guard),
            "azure": list(label.azure),
            "dsa_category": label.dsa_category,
            "dsa_keywords": list(label.dsa_keywords),
        }
        for label in LABELS.values()
    ]


def parse_missing(entries: Iterable[str]) -> dict[str, str]:
    """``LABEL=CAUSE`` entries of a command line. ConfigurationError names the entry that is wrong."""
    causes = [cause.value for cause in Cause]
    missing = {}
    for entry in entries:
        label, _, cause = entry.partition("=")
        if not matching(label) or cause not in causes:
            raise ConfigurationError(
                f"--missing {entry[:60]!r}: write LABEL=CAUSE; causes are {', '.join(causes)}"
            )
        missing[label] = cause
    return missing
