"""Events: exactly the documented fields, and never what a person wrote."""

from __future__ import annotations

import json
import math
import os
from types import SimpleNamespace
from typing import Any

import pytest

from spotsafe.core.content import Content, Text
from spotsafe.core.decision import Disposition, Effect, Mode, Reason, Status, Verdict
from spotsafe.core.ids import keyed
from spotsafe.core.signals import Cause, Signals
from spotsafe.telemetry.catalogue import EVENT_FIELDS
from spotsafe.telemetry.events import (
    MAX_CONTEXT_CHARS,
    SURFACES_PER_REGISTER,
    DecisionBuilder,
    Hold,
    SurfaceEntry,
    decision_record,
    drops_record,
    failed_open,
    feedback_record,
    register_records,
)
from spotsafe.telemetry.identity import Identity

KEY = b"tenant key"


def documented(kind: str) -> set[str]:
    return {*EVENT_FIELDS["every event"], *EVENT_FIELDS[kind]}


def test_a_decision_event_has_the_documented_fields(identity: Any, decision: Any, policy: Any) -> None:
    """The record is the contract of core/records.py, field by field."""
    made = decision(
        disposition=Disposition.BLOCK, effects=[Effect.REVIEW], missing={"tone.toxic": Cause.TIMEOUT}
    )
    record = decision_record(made, policy(), identity=identity, at=5.0, latency_ms=1.25)
    assert set(record) == documented("decision")
    assert record["event_id"] == made.id
    assert record["scores"] == {"hate.speech": 0.25}
    assert record["missing"] == {"tone.toxic": "timeout"}
    assert (record["app"], record["sdk"], record["instance"]) == ("comments-api", "9.9.9", "01" * 8)
    assert (record["disposition"], record["effects"], record["status"]) == ("block", ["review"], "checked")


def test_the_other_events_have_the_documented_fields(identity: Any, clock: Any) -> None:
    """Registrations, drops and feedback too."""
    (register,) = register_records([SurfaceEntry("a", "t")], identity=identity, clock=clock)
    drops = drops_record({"full": 2, "expired": 0}, identity=identity, clock=clock)
    feedback = feedback_record("id", identity=identity, verdict="too_lax", clock=clock)
    assert set(register) == documented("register") - {"chunk"}
    assert set(drops) == documented("drops")
    assert drops["drops"] == {"full": 2}
    assert set(feedback) == documented("feedback")
    assert {e["event_id"][14] for e in (register, drops, feedback)} == {"7"}, "ids are UUIDv7"


def test_nothing_that_a_person_wrote_is_in_an_event(
    identity: Any, decision: Any, policy: Any, canary: str
) -> None:
    """Content, actor and item leave only as digests under the tenant's key; context only when declared."""
    context = {"market": SimpleNamespace(record=True, type="string"),
               "draft": SimpleNamespace(record=False, type="string")}  # fmt: skip
    made = decision(text=canary)
    made.signals.engine = f"engine {canary} <echoed by a server that lies>"
    content = Content([Text(canary, "body")])
    raw = (
        made, policy(context=context), 5.0, 1.0, canary, canary, content,
        {"market": "SE", "draft": canary, "undeclared": canary}, None, None,
    )  # fmt: skip
    record = DecisionBuilder(identity, KEY)(raw)
    assert canary not in json.dumps(record)
    assert record["context"] == {"market": "SE"}
    assert record["actor"] == keyed(KEY, "actor", canary)
    assert record["item"] == keyed(KEY, "item", canary)
    assert record["content"] == keyed(KEY, "content", content.digest())
    assert len({record["actor"], record["item"], record["content"]}) == 3
    assert record["engine"] == ""


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        ("SE", "SE"),
        ("x" * 1000, "x" * MAX_CONTEXT_CHARS),
        ("\ud800", "?"),
        (3, 3),
        (True, True),
        (None, "left out"),
        (1.5, 1.5),
        (["a", "b"], ["a", "b"]),
        (math.nan, "left out"),
        (10**400, "left out"),
        (object(), "left out"),
        ({"nested": "x"}, "left out"),
        ([1, 2], "left out"),
    ],
)
def test_recorded_context_is_plain_and_short(
    identity: Any, decision: Any, policy: Any, value: object, recorded: object
) -> None:
    """Whatever a product passes as context, the event stays valid JSON of bounded size."""
    shown = policy(context={"field": SimpleNamespace(record=True)})
    record = decision_record(
        decision(), shown, identity=identity, at=5.0, latency_ms=math.inf, context={"field": value}
    )
    assert record["context"].get("field", "left out") == recorded
    json.dumps(record, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ((Disposition.ALLOW, Status.CHECKED, None, None, None), False),
        ((Disposition.ALLOW, Status.UNCHECKED, None, Cause.TIMEOUT, None), True),
        ((Disposition.LIMIT, Status.PARTIAL, None, Cause.ERROR, None), True),
        ((Disposition.HOLD, Status.UNCHECKED, None, Cause.TIMEOUT, None), False),
        ((Disposition.ALLOW, Status.PARTIAL, None, Cause.LANGUAGE, None), False),
        ((Disposition.ALLOW, Status.UNCHECKED, Disposition.HOLD, Cause.TIMEOUT, None), False),
        ((Disposition.ALLOW, Status.UNCHECKED, Disposition.ALLOW, Cause.TIMEOUT, None), True),
        ((Disposition.ALLOW, Status.UNCHECKED, None, Cause.ERROR, "process"), False),
    ],
    ids=["checked", "unchecked", "limited", "held", "language gap", "shadow held back", "shadow let through",
         "kill switch"],
)  # fmt: skip
def test_a_failure_let_through_is_told_from_everything_else(decision: Any, case: Any, expected: bool) -> None:
    """Only a failure whose policy let the content go counts: not reach, not shadow's doing, not a switch."""
    disposition, status, would, cause, switch = case
    verdict = Verdict(disposition, status=status, would=None if would is None else Verdict(would))
    signals = decision(missing={} if cause is None else {"hate.speech": cause}).signals
    assert failed_open(verdict, signals, switch) is expected


def test_reasons_would_and_hold_are_reported(identity: Any, decision: Any, policy: Any) -> None:
    """Reviewers see why, owners see what shadow held back, the service sees what to keep."""
    made = decision(would=Verdict(Disposition.BLOCK, [Effect.QUARANTINE]))
    reason = Reason("floor#x", "hate.speech", "score", Disposition.BLOCK, frozenset(), 0.9, 0.8)
    made.verdict.reasons = (reason,)
    record = decision_record(
        made, policy(mode=Mode.SHADOW), identity=identity, at=5.0, latency_ms=1.0,
        hold=Hold(9.0, "outage", "reject"),
    )  # fmt: skip
    assert record["would"] == {"disposition": "block", "effects": ["quarantine"]}
    assert record["reasons"] == [
        {"rule": "floor#x", "label": "hate.speech", "trigger": "score", "cause": None, "score": 0.9,
         "threshold": 0.8}
    ]  # fmt: skip
    assert record["hold"] == {"expires": 9.0, "reason": "outage", "on_expiry": "reject"}
    assert record["mode"] == "shadow"


def test_a_large_registration_is_split(identity: Any, clock: Any) -> None:
    """A monolith with many surfaces still registers; no event outgrows the outbox."""
    surfaces = [SurfaceEntry(f"surface.{n:04}", "t") for n in range(2 * SURFACES_PER_REGISTER + 1)]
    events = register_records(reversed(surfaces), identity=identity, clock=clock)
    assert [event.get("chunk") for event in events] == [None, 1, 2]
    assert [s["surface"] for event in events for s in event["surfaces"]] == [s.surface for s in surfaces]
    assert len({event["event_id"] for event in events}) == 3
    assert len(register_records([], identity=identity, clock=clock)) == 1, "a process without surfaces too"


@pytest.mark.parametrize(
    ("environ", "app", "environment"),
    [
        ({}, "unnamed", "production"),
        ({"OTEL_SERVICE_NAME": "api"}, "api", "production"),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=api,deployment.environment.name=staging"},
            "api",
            "staging",
        ),
        ({"SPOTSAFE_ENVIRONMENT": "demo", "CI": "true"}, "unnamed", "demo"),
        ({"CI": "true"}, "unnamed", "ci"),
        ({"CI": "true", "PYTEST_CURRENT_TEST": "x"}, "unnamed", "test"),
    ],
)
def test_the_identity_comes_from_the_environment(environ: Any, app: str, environment: str) -> None:
    """A deployment that names itself for OpenTelemetry has named itself for spotsafe."""
    found = Identity.from_environ(environ)
    assert (found.app, found.environment) == (app, environment)


def test_options_come_before_the_environment() -> None:
    """What the product says wins."""
    found = Identity.from_environ({"OTEL_SERVICE_NAME": "api"}, app="mine", environment="staging")
    assert (found.app, found.environment) == ("mine", "staging")


def test_a_forked_child_is_another_instance() -> None:
    """Two processes never report under one instance."""
    identity = Identity("api")
    mine = identity.instance
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, identity.instance.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        theirs = told.read()
    os.waitpid(child, 0)
    assert len(mine) == len(theirs) == 16
    assert mine != theirs
    assert mine == identity.instance


def test_signals_without_an_engine_are_fine(identity: Any, decision: Any, policy: Any) -> None:
    """An internal fault leaves no signals at all; its decision is still reported."""
    made = decision()
    made.signals = Signals()
    record = decision_record(made, policy(), identity=identity, at=5.0, latency_ms=1.0)
    assert (record["scores"], record["missing"], record["engine"]) == ({}, {}, "")
