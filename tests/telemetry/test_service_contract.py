"""What this room writes, the service reads: every kind of event, to the last field."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from spotsafe.core.content import Content, Text
from spotsafe.core.decision import Disposition, Effect, Reason, Verdict
from spotsafe.core.records import MAX_EVENT_BYTES
from spotsafe.core.signals import Cause
from spotsafe.service.event_records import Refused, read_event
from spotsafe.telemetry.events import (
    DecisionBuilder,
    Hold,
    SurfaceEntry,
    drops_record,
    feedback_record,
    register_records,
)

CONTEXT = {"text": "x" * 10_000, "number": 3, "share": 0.5, "flag": True, "tags": ["a", "b"], "huge": 10**400,
           "surrogate": "\ud800", "nothing": None}  # fmt: skip
ID = "01900000-0000-7000-8000-000000000001"


@pytest.fixture
def full(identity: Any, decision: Any, policy: Any) -> dict[str, Any]:
    """A decision event in which every field has something to say."""
    made = decision(
        disposition=Disposition.HOLD, effects=[Effect.REVIEW], missing={"tone.toxic": Cause.TIMEOUT},
        would=Verdict(Disposition.BLOCK, [Effect.QUARANTINE]),
    )  # fmt: skip
    made._id, made.queued, made.kill_switch = ID, True, "surface:comments.create"
    made.verdict.waivers = ("baseline/public-ugc#profanity",)
    made.verdict.reasons = (
        Reason("floor#x", "hate.speech", "failure", Disposition.HOLD, frozenset(), 0.9, 0.8, "timeout"),
        Reason("floor#y", "hate.speech", "missing", Disposition.HOLD, frozenset({Effect.REVIEW})),
    )
    shown = policy(context={name: SimpleNamespace(record=True) for name in CONTEXT})
    content, hold = Content([Text("x", "body")]), Hold(9.0, "policy", "reject")
    raw = (made, shown, 5.0, 1.5, "actor", "item", content, CONTEXT, "0" * 32, hold)
    return dict(DecisionBuilder(identity, b"key")(raw))


def test_every_field_of_a_decision_arrives(full: dict[str, Any]) -> None:
    """The service keeps what the client sends; what is null is left out."""
    sent = json.loads(json.dumps(full))
    kept = dict(read_event(sent, most=MAX_EVENT_BYTES).record)
    assert set(kept) == set(sent)
    for field in set(sent) - {"context", "reasons"}:
        assert kept[field] == sent[field], field
    assert kept["context"]["tags"] == ["a", "b"]
    assert [reason["rule"] for reason in kept["reasons"]] == ["floor#x", "floor#y"]


def test_the_other_kinds_of_event_arrive(identity: Any, clock: Any) -> None:
    """Registrations (also split ones), losses, feedback."""
    waiver = {"rule": "floor#x", "ends": 5.0, "owner": "me@example.com"}
    surfaces = [
        SurfaceEntry(f"s.{n}", "t", waivers=[waiver], unsupported=["ip.copyright"]) for n in range(150)
    ]
    for record in (
        *register_records(surfaces, identity=identity, kill_switches=["process"], clock=clock),
        drops_record({"full": 3}, identity=identity, clock=clock),
        feedback_record(ID, identity=identity, verdict="too_lax", label="hate.speech", clock=clock),
    ):
        sent = json.loads(json.dumps(record))
        assert len(json.dumps(record)) < MAX_EVENT_BYTES
        kept = read_event(sent, most=MAX_EVENT_BYTES).record
        assert set(kept) == {field for field, value in sent.items() if value is not None}


@pytest.mark.parametrize("number", [10**400, -(10**400), float("inf"), float("nan")])
def test_a_number_without_a_float_is_refused_not_a_crash(full: dict[str, Any], number: Any) -> None:
    """Somebody else's client may send any JSON."""
    with pytest.raises(Refused, match="latency_ms"):
        read_event({**full, "latency_ms": number}, most=MAX_EVENT_BYTES)
