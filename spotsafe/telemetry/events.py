"""Builds the events of :mod:`spotsafe.core.records`: decisions, registrations, drops, feedback.

Nothing here holds content. What a person or a product calls things by (actor, item) and what they
wrote appear only as digests under the tenant's key; context only where the manifest says ``record``.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from spotsafe.core.clock import SystemClock
from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Disposition, Mode, Status, Verdict
from spotsafe.core.ids import keyed, uuid7
from spotsafe.core.receipts import OnExpiry
from spotsafe.core.signals import Signals
from spotsafe.telemetry.identity import Identity, clean

if TYPE_CHECKING:
    from spotsafe.core.seams import Clock

MAX_CONTEXT_CHARS = 256
"""Longer context strings are cut: context is meant for facts about a content, never for content."""
MAX_CONTEXT_STRINGS = 16
SURFACES_PER_REGISTER = 100
"""A registration with more surfaces is split, so that no event outgrows the outbox's limit."""

_ENGINE = re.compile(r"[A-Za-z0-9._:+/@=,;()-]{0,100}")
_FORK_PROOF = SystemRandom()
_NOT_RECORDED = object()


class ContextRule(Protocol):
    """What this room reads of a declared context field."""

    @property
    def record(self) -> bool: ...


class RecordedPolicy(Protocol):
    """What this room reads of a compiled surface policy."""

    @property
    def name(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def unlinked(self) -> bool: ...
    @property
    def context(self) -> Mapping[str, ContextRule]: ...


class Hold(NamedTuple):
    """A hold that the service is to keep: *expires* in Unix seconds, *reason* ``policy`` or ``outage``."""

    expires: float
    reason: str
    on_expiry: OnExpiry


def failed_open(verdict: Verdict, signals: Signals, kill_switch: str | None = None) -> bool:
    """Whether a failure let the content through: a label that rules read is missing because something
    broke, and neither the decision nor what shadow held back stops the content. A kill switch is a
    choice, not a failure, and is counted as bypass instead."""
    if verdict.status < Status.PARTIAL or kill_switch is not None:
        return False
    applied = verdict if verdict.would is None else verdict.would
    stopped = max(verdict.disposition, applied.disposition) >= Disposition.HOLD
    return not stopped and signals.has_failures


def decision_record(
    decision: Decision,
    policy: RecordedPolicy,
    *,
    identity: Identity,
    at: float,
    latency_ms: float,
    actor: str | None = None,
    item: str | None = None,
    content_digest: str | None = None,
    context: Mapping[str, object] | None = None,
    trace_id: str | None = None,
    hold: Hold | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The event of one decision. *actor*, *item* and *content_digest* are keyed hex digests already
    (:class:`DecisionBuilder` makes them); *at* is in Unix seconds, *latency_ms* what the guard added."""
    verdict, signals = decision.verdict, decision.signals
    would = verdict.would
    return {
        **identity.head("decision", decision.id, at),
        "surface": decision.surface,
        "team": policy.team,
        "service": policy.service,
        "direction": policy.direction,
        "audience": policy.audience,
        "policy_version": policy.version,
        "mode": policy.mode.value,
        "disposition": verdict.disposition.word,
        "effects": sorted(effect.value for effect in verdict.effects),
        "status": verdict.status.word,
        "queued": decision.queued,
        "would": None if would is None else _would(would),
        "kill_switch": decision.kill_switch,
        "failed_open": failed_open(verdict, signals, decision.kill_switch),
        "latency_ms": round(latency_ms, 4) if math.isfinite(latency_ms) else 0.0,
        "reasons": _reasons(verdict),
        "waivers": list(verdict.waivers),
        "scores": _scores(signals),
        "missing": _missing(signals),
        "engine": signals.engine if _ENGINE.fullmatch(signals.engine) else "",
        "actor": actor,
        "item": item,
        "content": content_digest,
        "context": _recorded(policy.context, context or {}),
        "hold": hold._asdict() if isinstance(hold, Hold) else dict(hold) if hold is not None else None,
        "trace_id": trace_id,
    }


class DecisionBuilder:
    """Turns what the hot path put aside into records, on the delivery thread.

    Called with a plain tuple (cheaper than any object to make): ``(decision, policy, at, latency_ms,
    actor, item, content, context, trace_id, hold)``: actor and item in clear or None, *content* the
    original :class:`Content`, its 32-byte digest, or None.
    """

    __slots__ = ("_identity", "_key")

    def __init__(self, identity: Identity, key: bytes) -> None:
        self._identity = identity
        self._key = key

    def __call__(self, raw: Any) -> Mapping[str, Any]:
        decision, policy, at, latency_ms, actor, item, content, context, trace_id, hold = raw
        digest = content.digest() if isinstance(content, Content) else content
        return decision_record(
            decision,
            policy,
            identity=self._identity,
            at=at,
            latency_ms=latency_ms,
            actor=self._keyed("actor", actor),
            item=self._keyed("item", item),
            content_digest=self._keyed("content", digest),
            context=context,
            trace_id=trace_id,
            hold=hold,
        )

    def _keyed(self, domain: str, value: str | bytes | None) -> str | None:
        return None if value is None else keyed(self._key, domain, value)


class SurfaceEntry(NamedTuple):
    """One surface of a registration. *declared*: in a manifest; *decorated*: in the code.
    *waivers*: ``{"rule", "ends", "owner"}``; *unsupported*: labels that no primary detector gives."""

    surface: str
    team: str = ""
    declared: bool = True
    decorated: bool = False
    mode: str = Mode.ENFORCE.value
    waivers: Sequence[Mapping[str, Any]] = ()
    unsupported: Sequence[str] = ()


def register_records(
    surfaces: Iterable[SurfaceEntry],
    *,
    identity: Identity,
    kill_switches: Iterable[str] = (),
    clock: Clock | None = None,
    random: Random = _FORK_PROOF,
) -> list[dict[str, Any]]:
    """The registration of this process: one event per SURFACES_PER_REGISTER surfaces, at least one.
    The second and later ones carry ``chunk``."""
    now = (clock or SystemClock()).now()
    rows = [{**s._asdict(), "waivers": [dict(w) for w in s.waivers], "unsupported": list(s.unsupported)}
            for s in sorted(surfaces, key=lambda entry: entry.surface)]  # fmt: skip
    events = []
    for chunk, start in enumerate(range(0, max(1, len(rows)), SURFACES_PER_REGISTER)):
        event = identity.head("register", uuid7(int(now * 1000), random), now)
        event["surfaces"] = rows[start : start + SURFACES_PER_REGISTER]
        event["kill_switches"] = sorted(kill_switches)
        event["python"] = ".".join(map(str, sys.version_info[:3]))
        if chunk:
            event["chunk"] = chunk
        events.append(event)
    return events


def drops_record(
    drops: Mapping[str, int], *, identity: Identity, clock: Clock | None = None, random: Random = _FORK_PROOF
) -> dict[str, Any]:
    """The event that says how many events were lost since the last such event, by reason."""
    now = (clock or SystemClock()).now()
    head = identity.head("drops", uuid7(int(now * 1000), random), now)
    return {**head, "drops": {reason: count for reason, count in sorted(drops.items()) if count > 0}}


def feedback_record(
    decision_id: str,
    *,
    identity: Identity,
    verdict: str,
    label: str | None = None,
    reporter: str | None = None,
    clock: Clock | None = None,
    random: Random = _FORK_PROOF,
) -> dict[str, Any]:
    """What a person thinks of a decision: *verdict* is ``agree``, ``too_strict`` or ``too_lax``;
    *reporter* a keyed digest."""
    now = (clock or SystemClock()).now()
    head = identity.head("feedback", uuid7(int(now * 1000), random), now)
    return {**head, "decision_id": decision_id, "verdict": verdict, "label": label, "reporter": reporter}


def _would(verdict: Verdict) -> dict[str, Any]:
    effects = sorted(effect.value for effect in verdict.effects)
    return {"disposition": verdict.disposition.word, "effects": effects}


def _reasons(verdict: Verdict) -> list[dict[str, Any]]:
    return [
        {
            "rule": reason.rule,
            "label": reason.label,
            "trigger": reason.trigger,
            "cause": reason.cause,
            "score": reason.score,
            "threshold": reason.threshold,
        }
        for reason in verdict.reasons
    ]


def _scores(signals: Signals) -> dict[str, float]:
    scores: dict[str, float] = {}
    for signal in signals.scores:
        scores[signal.label] = max(scores.get(signal.label, 0.0), round(signal.score, 4))
    return scores


def _missing(signals: Signals) -> dict[str, str]:
    missing: dict[str, str] = {}
    for entry in signals.missing:
        if entry.label not in missing or entry.cause.is_failure:
            missing[entry.label] = entry.cause.value
    return missing


def _recorded(declared: Mapping[str, ContextRule], context: Mapping[str, object]) -> dict[str, Any]:
    """The context fields that the manifest wants recorded, as JSON scalars; anything else is left out."""
    recorded: dict[str, Any] = {}
    for name, rule in declared.items():
        if not rule.record or name not in context:
            continue
        scalar = _scalar(context[name])
        if scalar is not _NOT_RECORDED:
            recorded[name] = scalar
    return recorded


def _scalar(value: object) -> Any:
    """*value* as JSON: a scalar, or a list of strings (the manifest's ``strings``)."""
    if isinstance(value, str):
        return clean(value, MAX_CONTEXT_CHARS)
    if isinstance(value, int) and abs(value) < 2**53:
        return value  # beyond that, not every reader of JSON gets the same number
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
        return [clean(entry, MAX_CONTEXT_CHARS) for entry in value[:MAX_CONTEXT_STRINGS]]
    return _NOT_RECORDED
