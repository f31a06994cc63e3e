"""Redaction under a deadline: the second pass, and what the decision says of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from spotsafe.client.client import Client
from spotsafe.core.decision import Disposition, Effect, Status
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.testing import FakeDetector, ManualClock

Ask = Callable[..., object]


class Slow(FakeDetector):
    """Takes *seconds* of the test's clock for each answer."""

    def __init__(self, clock: ManualClock, seconds: float, **options: object) -> None:
        super().__init__({"jo@example.com": {"privacy.pii_exposure": 0.99}}, **options)
        self._clock, self._seconds = clock, seconds

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        self._clock.advance(self._seconds)
        return super().detect(requests, timeout=timeout)


class SlowEngine(Slow):
    """The same, on the calling thread."""

    inline = True


@pytest.mark.parametrize("seconds", [1.0, 9.999, 10.0, 30.0])
def test_a_slow_engine_redacts_and_does_not_hold(
    seconds: float, ask: Ask, client_for: Callable[..., Client]
) -> None:
    """An engine on the calling thread runs both passes whatever the clock says; that it overran its
    deadline is counted, and is no outage."""
    clock = ManualClock()
    engine = SlowEngine(clock, seconds)
    client = client_for(detector=engine, clock=clock)
    decision = ask(client, body="write to jo@example.com")
    assert (decision.disposition, decision.status) == (Disposition.ALLOW, Status.CHECKED)
    assert Effect.REDACT in decision.effects
    assert len(engine.requests) == 2
    assert client.stats()["overruns"] == (2 if seconds > 10 else 1 if seconds > 5 else 0)


def test_a_slow_primary_leaves_the_second_pass_to_the_local_engine(
    ask: Ask, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """What is left of the deadline is the local rung's: the redacted text is checked, locally."""
    clock = ManualClock()
    client = client_for(detector=Slow(clock, 9.0), clock=clock, fallback=engine)
    decision = ask(client, body="write to jo@example.com")
    assert (decision.disposition, decision.status) == (Disposition.ALLOW, Status.LOCAL)
    assert len(engine.requests) == 1


def test_a_slow_primary_without_a_local_engine_gets_its_share_anew(
    ask: Ask, client_for: Callable[..., Client]
) -> None:
    """A first pass that used the deadline up to its end leaves a fifth of it for the second."""
    clock = ManualClock()
    primary = Slow(clock, 10.0)
    decision = ask(client_for(detector=primary, clock=clock), body="write to jo@example.com")
    assert (decision.disposition, decision.status) == (Disposition.ALLOW, Status.CHECKED)
    assert len(primary.requests) == 2


def test_a_new_text_is_checked_though_its_masked_form_was_seen(
    ask: Ask, client_for: Callable[..., Client]
) -> None:
    """Two texts that differ in what is masked: the second is as new as the first."""
    detector = FakeDetector(
        {"jo@example.com": {"privacy.pii_exposure": 0.99}, "al@example.com": {"privacy.pii_exposure": 0.99}}
    )
    client = client_for(detector=detector)
    texts = ("to jo@example.com", "to al@example.com", "to al@example.com")
    statuses = [ask(client, body=text).status for text in texts]
    assert statuses == [Status.CHECKED, Status.CHECKED, Status.CACHED]
    assert len(detector.requests) == 3
