"""Every way in which the service fails, over a real socket, through both drivers from one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from spotsafe.client.client import Client
from spotsafe.core.decision import Disposition, Status
from spotsafe.core.errors import Failure
from spotsafe.core.signals import Cause
from spotsafe.testing import FakeDetector, FakeService
from spotsafe.testing.faults import FAULTS
from spotsafe.testing.service import Fault

Ask = Callable[..., object]


class Row(NamedTuple):
    """A fault that lasts; how it is counted, and how many requests one check makes of it."""

    fault: Fault
    failure: Failure
    requests: int
    surface: str = "patient"


ROWS = [
    Row(Fault("hang"), Failure.TIMEOUT, 1, "hasty"),
    Row(Fault("slow", 20.0), Failure.TIMEOUT, 1, "hasty"),
    Row(Fault("drip"), Failure.TIMEOUT, 1, "hasty"),
    Row(Fault("drip_body"), Failure.TIMEOUT, 1, "hasty"),
    Row(Fault("truncate"), Failure.CONNECT, 2),
    Row(Fault("die"), Failure.CONNECT, 2),
    Row(Fault("garbage"), Failure.CONNECT, 2),
    Row(Fault("flood"), Failure.MALFORMED, 1),
    Row(Fault("malformed"), Failure.MALFORMED, 1),
    Row(Fault("deep"), Failure.MALFORMED, 1),
    Row(Fault("not_json"), Failure.MALFORMED, 1),
    Row(Fault("lie_labels"), Failure.MALFORMED, 1),
    Row(Fault("lie_scores"), Failure.MALFORMED, 1),
    Row(Fault("lie_range"), Failure.MALFORMED, 1),
    Row(Fault("lie_ids"), Failure.MALFORMED, 1),
    Row(Fault("lie_parts"), Failure.MALFORMED, 1),
    Row(Fault("lie_spans"), Failure.MALFORMED, 1),
    Row(Fault("lie_empty"), Failure.MALFORMED, 1),
    Row(Fault("too_many", 30), Failure.OVERLOADED, 1),
    Row(Fault("unavailable", 30), Failure.OVERLOADED, 1),
    Row(Fault("too_many", 0), Failure.OVERLOADED, 2),
    Row(Fault("unavailable"), Failure.OVERLOADED, 2),
    Row(Fault("server_error"), Failure.SERVER, 2),
    Row(Fault("unauthorized"), Failure.UNAUTHORIZED, 1),
    Row(Fault("rejected"), Failure.REJECTED, 1),
    Row(Fault("too_large"), Failure.REJECTED, 1),
    Row(Fault("redirect"), Failure.REJECTED, 1),
]


def test_the_table_has_every_fault() -> None:
    """A fault that the fake service can show is one that the client is tested against."""
    assert {row.fault.kind for row in ROWS} == set(FAULTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(str(field) for field in row.fault if field))
def test_a_failing_service_is_replaced_by_the_local_engine(
    row: Row, ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """Whatever the service does, the local engine answers, and the decision says that it did."""
    service.fail(row.fault)
    engine.say("spam", {"integrity.spam": 0.99})
    client = client_for(service=service.url, fallback=engine)
    decision = ask(client, row.surface, body="you spam")
    assert (decision.status, decision.disposition) == (Status.LOCAL, Disposition.BLOCK)
    assert client.stats()["failures"] == {row.failure.value: 1}
    assert len(service.requests) == row.requests
    assert len(engine.requests) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(str(field) for field in row.fault if field))
def test_without_a_local_engine_the_failure_policy_decides(
    row: Row, ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """With no rung left nothing counts as clean: held, unchecked, with the cause on every label."""
    service.fail(row.fault)
    decision = ask(client_for(service=service.url), row.surface, body="hello")
    assert (decision.status, decision.disposition) == (Status.UNCHECKED, Disposition.HOLD)
    cause = Cause.TIMEOUT if row.failure is Failure.TIMEOUT else Cause.ERROR
    assert {entry.cause for entry in decision.signals.missing} == {cause}


@pytest.mark.parametrize("kind", ["truncate", "die", "server_error", "unavailable", "garbage"])
def test_one_failure_is_mended_by_the_retry(
    kind: str, ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """A single hiccup is not seen: the retry's answer counts as checked."""
    service.fail(Fault(kind), times=1)
    decision = ask(client_for(service=service.url), body="hello")
    assert (decision.status, decision.disposition) == (Status.CHECKED, Disposition.ALLOW)
    assert len(service.requests) == 2


def test_a_refused_connection_is_a_failure_like_any_other(
    ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """Nobody listens: the local engine answers."""
    url = service.url
    service.stop()
    decision = ask(client_for(service=url, fallback=engine), body="hello")
    assert decision.status is Status.LOCAL


def test_retry_after_beyond_the_deadline_silences_the_client(
    ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """A server that asks for half a minute is left alone; the next check makes no request."""
    service.fail(Fault("too_many", 30), times=1)
    client = client_for(service=service.url, fallback=engine)
    for text in ("one", "two", "three"):
        assert ask(client, body=text).status is Status.LOCAL
    assert len(service.requests) == 1
    assert client.stats()["failures"] == {"overloaded": 1, "backing_off": 2}
    assert client.stats()["breaker"]["silent_for"] > 0


def test_an_open_breaker_uses_no_network(
    ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """After five failures in a row nothing is sent until the cool-down is over."""
    service.fail(Fault("malformed"))
    client = client_for(service=service.url, fallback=engine)
    for number in range(9):
        ask(client, body=f"text {number}")
    assert len(service.requests) == 5
    assert client.stats()["breaker"]["state"] == "open"
    assert client.stats()["failures"] == {"malformed": 5, "breaker_open": 4}


def test_a_block_that_could_be_read_stands(
    ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """Half an answer blocks where the half that arrived says so; the other half is missing."""
    service.say("integrity.spam", 0.99).omit("ai.prompt_attack")
    decision = ask(client_for(service=service.url), body="hello")
    assert (decision.status, decision.disposition) == (Status.PARTIAL, Disposition.BLOCK)


def test_what_failed_in_an_answer_is_asked_of_the_local_engine(
    ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """The rungs' signals are merged: the service's where it gave any, the engine's for the rest."""
    service.omit("ai.prompt_attack")
    engine.say("hello", {"ai.prompt_attack": 0.99, "integrity.spam": 0.99})
    decision = ask(client_for(service=service.url, fallback=engine), body="hello")
    assert (decision.status, decision.disposition) == (Status.LOCAL, Disposition.BLOCK)
    assert [reason.label for reason in decision.reasons] == ["ai.prompt_attack"]


def test_a_label_out_of_reach_is_not_asked_of_the_local_engine(
    ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """``language`` is an answer about reach, not a failure: the rule's if_missing decides."""
    service.omit("ai.prompt_attack", Cause.LANGUAGE)
    decision = ask(client_for(service=service.url, fallback=engine), body="hello")
    assert engine.requests == []
    assert decision.status is Status.PARTIAL


def test_answers_with_failed_labels_are_not_cached(
    ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """Tomorrow's answer may be whole: the same content is asked again."""
    service.omit("ai.prompt_attack")
    client = client_for(service=service.url)
    ask(client, body="hello")
    ask(client, body="hello")
    assert len(service.requests) == 2


def test_a_name_that_does_not_resolve_in_time_ends_at_the_deadline(
    ask: Ask, engine: FakeDetector, client_for: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that hangs costs the deadline and no more; the look-up goes on behind it."""
    import threading

    from spotsafe.client import network

    let_go = threading.Event()

    def hanging(host: str) -> tuple[str, ...]:
        let_go.wait(30)
        raise OSError(host)

    monkeypatch.setattr(network, "_system_lookup", hanging)
    client = client_for(service="http://service.test:9", fallback=engine)
    decision = ask(client, "hasty", body="hello")
    assert decision.status is Status.LOCAL
    assert client.stats()["failures"] == {"timeout": 1}
    let_go.set()


def test_a_detector_that_raises_anything_is_contained(
    ask: Ask, client_for: Callable[..., Client], spotsafe_as_in_production: None
) -> None:
    """A fault of our own, or of a detector, is counted and leads to on_failure; it never reaches the
    request."""

    class Broken(FakeDetector):
        def detect(self, requests: object, *, timeout: float | None = None) -> list:
            raise ZeroDivisionError("the text was: hello")

    client = client_for(detector=Broken())
    decision = ask(client, body="hello")
    assert (decision.status, decision.disposition) == (Status.UNCHECKED, Disposition.HOLD)
    assert sum(client.stats()["internal_faults"].values()) >= 1
