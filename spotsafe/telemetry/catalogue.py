"""Every name that telemetry uses, once: instruments, span attributes, event fields, drop reasons.

``docs/telemetry.md`` is generated from here (``python -m spotsafe.telemetry.catalogue docs/telemetry.md``)
and a test fails when it is stale; the instruments are made from here too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from spotsafe.core.content import DIRECTIONS
from spotsafe.core.decision import Disposition, Effect, Mode, Status
from spotsafe.core.errors import Failure
from spotsafe.core.records import FEEDBACK_VERDICTS, MAX_EVENT_BYTES
from spotsafe.telemetry.adoption import ROW_NAMES


class Metric(NamedTuple):
    """One instrument. *kind* is ``counter`` or ``gauge``; *attributes* are the keys of every point."""

    name: str
    kind: str
    unit: str
    attributes: tuple[str, ...]
    about: str


METRICS = (
    Metric("spotsafe.decisions", "counter", "{decision}", ("surface", "disposition", "status", "mode"),
           "Decisions made."),
    Metric("spotsafe.would", "counter", "{decision}", ("surface", "disposition"),
           "What shadow mode or a canary held back, by the disposition that it would have had."),
    Metric("spotsafe.guard.duration.bucket", "counter", "{decision}", ("surface", "le"),
           "Decisions whose added latency was at most `le` seconds; cumulative, as Prometheus has it."),
    Metric("spotsafe.guard.duration.sum", "counter", "s", ("surface",), "Latency that the guard added."),
    Metric("spotsafe.guard.duration.count", "counter", "{decision}", ("surface",),
           "Decisions whose latency is in the sum."),
    Metric("spotsafe.cache", "counter", "{lookup}", ("result",), "Look-ups in the signal cache."),
    Metric("spotsafe.detector.failures", "counter", "{failure}", ("detector", "failure"),
           "Detectors that gave no answer, by cause."),
    Metric("spotsafe.failures.let_through", "counter", "{decision}", ("surface",),
           "Content that went through because a failure's policy lets it."),
    Metric("spotsafe.surfaces.unlinked", "counter", "{decision}", ("surface",),
           "Decisions on surfaces that no manifest declares."),
    Metric("spotsafe.kill_switch", "gauge", "{switch}", ("switch",), "1 for each kill switch that is on."),
    Metric("spotsafe.bypassed", "counter", "{decision}", ("surface",), "Decisions under a kill switch."),
    Metric("spotsafe.internal_faults", "counter", "{fault}", ("place",),
           "Faults inside spotsafe that were contained."),
    Metric("spotsafe.outbox.items", "gauge", "{event}", (), "Events that wait for delivery."),
    Metric("spotsafe.outbox.bytes", "gauge", "By", (), "Their size."),
    Metric("spotsafe.outbox.set_aside", "gauge", "{event}", (), "Events that the service refused, kept."),
    Metric("spotsafe.outbox.dropped", "counter", "{event}", ("reason",), "Events lost, by reason."),
    Metric("spotsafe.outbox.delivered", "counter", "{event}", (), "Events that the service has."),
)  # fmt: skip

_MODES = ", ".join(mode.value for mode in Mode)
_EFFECTS = ", ".join(effect.value for effect in Effect)

SPAN_NAME = "spotsafe.check"
SPAN_ATTRIBUTES = {
    "spotsafe.surface": "the surface's name",
    "spotsafe.decision_id": "the decision's id: the same in the event, the service, review and appeal",
    "spotsafe.disposition": "the disposition's word",
    "spotsafe.effects": "the effects, sorted",
    "spotsafe.status": "whether it was checked",
    "spotsafe.mode": _MODES,
    "spotsafe.policy_version": "short digest of the effective policy",
    "spotsafe.failure": "why a detector gave no answer; only where one failed",
}

ATTRIBUTE_VALUES = {
    "surface": "name from manifest or decorator; `other` beyond 2,000 names",
    "disposition": ", ".join(d.word for d in Disposition),
    "status": ", ".join(s.word for s in Status),
    "mode": _MODES,
    "le": "upper bound in seconds, `+Inf` last",
    "result": "fresh, stale, miss, shared (joined another caller's request)",
    "detector": "the detector's id",
    "failure": ", ".join(f.value for f in Failure),
    "switch": "process, surface:NAME, rule:NAME",
    "place": "a place in spotsafe, such as `telemetry.build`",
    "reason": "full, too_large, expired, rejected, corrupt",
}

EVENT_FIELDS = {
    "every event": {
        "event_id": "UUIDv7; the key by which the service recognises repeats",
        "kind": "decision, register, drops or feedback",
        "at": "Unix seconds",
        "app": "`OTEL_SERVICE_NAME`, or the client's option",
        "environment": "option, `SPOTSAFE_ENVIRONMENT`, or derived",
        "instance": "random per process",
        "sdk": "version of the client",
    },
    "decision": {
        "surface": "the surface's name",
        "team": "from the manifest",
        "service": "reporting unit, from the manifest",
        "direction": ", ".join(DIRECTIONS),
        "audience": "public, group, private or minors",
        "policy_version": "short digest of the effective policy",
        "mode": _MODES,
        "disposition": "what happens",
        "effects": f"any of {_EFFECTS}",
        "status": "whether it was checked",
        "queued": "whether it waits for a review",
        "would": "disposition and effects that shadow or canary held back, or null",
        "kill_switch": "the switch under which it was made, or null",
        "failed_open": "whether a failure let the content through",
        "latency_ms": "what the guard added",
        "reasons": "fired rules: rule, label, trigger, cause, score, threshold",
        "waivers": "waivers that loosened it",
        "scores": "label → greatest score over the parts",
        "missing": "label → why it has no score",
        "engine": "version of what answered",
        "actor": "keyed digest, or null",
        "item": "keyed digest, or null",
        "content": "keyed digest, or null",
        "context": "fields that the manifest declares with `record: true`",
        "hold": "expires, reason and on_expiry of a hold, or null",
        "trace_id": "32 hex digits, or null",
    },
    "register": {
        "surfaces": "surface, team, declared, decorated, mode, waivers, unsupported labels",
        "kill_switches": "switches that are on",
        "python": "version of the interpreter",
        "chunk": "only beyond 100 surfaces: which part of the registration this is",
    },
    "drops": {"drops": "reason → events lost since the last such event"},
    "feedback": {
        "decision_id": "the decision it is about",
        "verdict": ", ".join(FEEDBACK_VERDICTS),
        "label": "the label it is about, or null",
        "reporter": "keyed digest, or null",
    },
}

DROPS = {
    "full": "the outbox, or the queue before it, is full; a tenth is kept for holds and registrations",
    "too_large": f"the event is larger than {MAX_EVENT_BYTES // 1024} KiB of JSON",
    "expired": "it waited longer than seven days",
    "rejected": "it could not be built, or the service refuses it (those are kept aside)",
    "corrupt": "the outbox file was damaged and set aside; counts what was last known to be in it",
}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def tables() -> dict[str, str]:
    """The generated tables by name, in Markdown."""
    metrics = [
        (f"`{m.name}`", m.kind, f"`{m.unit}`", ", ".join(f"`{a}`" for a in m.attributes) or "–", m.about)
        for m in METRICS
    ]
    fields = [
        (kind, f"`{name}`", about) for kind, named in EVENT_FIELDS.items() for name, about in named.items()
    ]
    return {
        "metrics": _table(("name", "kind", "unit", "attributes", "what it counts"), metrics),
        "attributes": _table(("attribute", "values"), [(f"`{k}`", v) for k, v in ATTRIBUTE_VALUES.items()]),
        "span": _table(("attribute", "what it is"), [(f"`{k}`", v) for k, v in SPAN_ATTRIBUTES.items()]),
        "events": _table(("event", "field", "what it is"), fields),
        "drops": _table(("reason", "when"), [(f"`{k}`", v) for k, v in DROPS.items()]),
        "rows": _table(("row", "what it holds"), [(f"`{k}`", v) for k, v in ROW_NAMES.items()]),
    }


def render(text: str) -> str:
    """*text* with each generated table (between ``<!-- table: NAME -->`` and ``<!-- end -->``) as of now."""
    for name, table in tables().items():
        start = text.index(begin := f"<!-- table: {name} -->") + len(begin)
        text = f"{text[:start]}\n{table}\n{text[text.index('<!-- end -->', start) :]}"
    return text


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(render(page.read_text("utf-8")), "utf-8")
