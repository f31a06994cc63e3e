"""What the tests of telemetry share: a clock in hand, and decisions to report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from spotsafe.core.content import Content, Text
from spotsafe.core.decision import Decision, Disposition, Effect, Mode, Status, Verdict
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.telemetry.identity import Identity

CANARY = "canary-7f3a-nobody-may-see-this"


class Clock:
    """A clock that moves when told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def make_policy(name: str = "comments.create", **fields: Any) -> Any:
    """What telemetry reads of a surface's policy."""
    shown: dict[str, Any] = {
        "name": name, "team": "podcasts", "service": "main", "direction": "input", "audience": "public",
        "version": "abc123", "mode": Mode.ENFORCE, "unlinked": False, "context": {},
    }  # fmt: skip
    return SimpleNamespace(**{**shown, **fields})


_ids = count(1)


def make_decision(
    surface: str = "comments.create",
    *,
    disposition: Disposition = Disposition.ALLOW,
    status: Status = Status.CHECKED,
    effects: Iterable[Effect] = (),
    would: Verdict | None = None,
    missing: Mapping[str, Cause] | None = None,
    text: str = "great episode",
) -> Decision:
    signals = Signals(
        [Signal("hate.speech", 0.25, "body")],
        [Missing(label, "", cause) for label, cause in (missing or {}).items()],
        "engine-1",
    )
    verdict = Verdict(disposition, effects, status=status, would=would)
    return Decision(
        surface, verdict, signals, Content([Text(text, "body")]), lambda: f"decision-{next(_ids)}"
    )


@pytest.fixture
def canary() -> str:
    return CANARY


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_clock() -> Callable[[], Clock]:
    return Clock


@pytest.fixture
def identity() -> Identity:
    return Identity("comments-api", "production", sdk="9.9.9", entropy=lambda size: b"\x01" * size)


@pytest.fixture
def policy() -> Callable[..., Any]:
    return make_policy


@pytest.fixture
def decision() -> Callable[..., Decision]:
    return make_decision


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """A small record, numbered."""

    def make(number: int = 1, **fields: Any) -> dict[str, Any]:
        return {"event_id": f"event-{number}", "kind": "decision", "at": 1_800_000_000.0, **fields}

    return make
