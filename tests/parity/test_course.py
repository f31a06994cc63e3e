"""What a check does besides failing: cache, staleness, redaction, shadow, holds at once, kill switches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from spotsafe.client.client import Client
from spotsafe.core.content import Audio, Image
from spotsafe.core.decision import Disposition, Effect, Status
from spotsafe.core.errors import ConfigurationError, Failure
from spotsafe.core.signals import Cause, Span
from spotsafe.testing import FakeDetector, FakeService, ManualClock

Ask = Callable[..., object]
TEN_MINUTES = 600.0


def test_the_second_check_of_the_same_content_is_a_hit(
    ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """Fresh signals answer without a request, from the first repetition on."""
    client = client_for(service=service.url)
    statuses = [ask(client, body="hello").status for _ in range(4)]
    assert statuses == [Status.CHECKED, Status.CACHED, Status.CACHED, Status.CACHED]
    assert len(service.requests) == 1
    assert client.stats()["cache"]["hits"] == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"body": "hello"}, {"body": "hello "}),
        ({"body": "a", "title": "b"}, {"body": "b", "title": "a"}),
        ({"body": "ab", "title": "c"}, {"body": "a", "title": "bc"}),
        ({"body": "hello"}, {"title": "hello"}),
        ({"body": "\ud800"}, {"body": "?"}),
    ],
    ids=["text", "order", "boundary", "name", "surrogate"],
)
def test_contents_that_differ_never_share_an_answer(
    one: dict[str, str], other: dict[str, str], ask: Ask, client_for: Callable[..., Client]
) -> None:
    """Each of two contents that differ anywhere is a question of its own."""
    detector = FakeDetector()
    client = client_for(detector=detector)
    for content in (one, other, one, other):
        ask_content = dict(content)
        ask_content.setdefault("body", "same")
        ask(client, **ask_content)
    assert len(detector.requests) == 2


def test_a_surface_without_ttl_asks_every_time(
    ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """``cache: {ttl: 0s}`` means what it says."""
    client = client_for(service=service.url)
    for _ in range(3):
        assert ask(client, "uncached", body="hello").status is Status.CHECKED
    assert len(service.requests) == 3


def test_stale_signals_answer_when_the_service_fails(ask: Ask, client_for: Callable[..., Client]) -> None:
    """Past the ttl the last answer counts only in a failure, and only until its stale end."""
    clock, detector = ManualClock(), FakeDetector()
    client = client_for(detector=detector, clock=clock)
    ask(client, body="hello")
    clock.advance(TEN_MINUTES)
    detector.fail(Failure.SERVER)
    stale = ask(client, body="hello")
    assert stale.status is Status.STALE or stale.status is Status.PARTIAL
    assert {entry.cause for entry in stale.signals.missing} == {Cause.ERROR}
    assert {entry.label for entry in stale.signals.missing} >= {"violence.threat"}
    assert stale.signals.score("integrity.spam") == 0.0
    clock.advance(3600.0)
    assert ask(client, body="hello").status is Status.UNCHECKED


def test_stale_signals_say_nothing_of_grave_labels_but_the_local_engine_may(
    ask: Ask, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """Severity 4 is never answered by a stale score; the next rung is asked for it."""
    clock, detector = ManualClock(), FakeDetector()
    client = client_for(detector=detector, clock=clock, fallback=engine)
    ask(client, body="hello")
    clock.advance(TEN_MINUTES)
    detector.fail(Failure.SERVER)
    decision = ask(client, body="hello")
    assert (decision.status, decision.disposition) == (Status.STALE, Disposition.ALLOW)
    by = {signal.label: signal.detector for signal in decision.signals.scores}
    assert by["violence.threat"] == "local.text"
    assert by["integrity.spam"] == "fake"


def test_a_stale_answer_never_lowers_an_earlier_block(
    ask: Ask, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """What was blocked while the signals were fresh stays blocked when they are stale."""
    clock = ManualClock()
    detector = FakeDetector({"buy now": {"integrity.spam": 0.99}})
    client = client_for(detector=detector, clock=clock, fallback=engine)
    assert ask(client, body="buy now").disposition is Disposition.BLOCK
    clock.advance(TEN_MINUTES)
    detector.fail(Failure.TIMEOUT)
    assert ask(client, body="buy now").disposition is Disposition.BLOCK


def test_an_answer_of_the_fallback_is_not_taken_for_the_primarys(
    ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """When the service is back, it is asked: what the engine said was kept under the engine's name."""
    service.fail("server_error", times=2)
    client = client_for(service=service.url, fallback=engine)
    assert ask(client, body="hello").status is Status.LOCAL
    assert ask(client, body="hello").status is Status.CHECKED


def test_the_fallback_is_asked_once_for_the_same_content_in_an_outage(
    ask: Ask, service: FakeService, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """With the breaker open a repetition costs neither a request nor a run of the engine."""
    service.fail("malformed")
    client = client_for(service=service.url, fallback=engine)
    for number in range(5):
        ask(client, body=str(number))
    asked = len(service.requests)
    for _ in range(4):
        assert ask(client, body="hello").status is Status.LOCAL
    assert len(service.requests) == asked
    assert len(engine.requests) == 6
    assert client.stats()["cache"]["fallback_hits"] >= 2


def test_a_new_version_in_an_answer_switches_the_namespace(
    ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """What another model said does not answer for the new one."""
    client = client_for(service=service.url)
    ask(client, body="old")
    service.engine = "fake-2"
    ask(client, body="other")
    assert ask(client, body="old").status is Status.CHECKED
    assert ask(client, body="old").status is Status.CACHED


def test_redacted_content_is_checked_again_for_the_rest(ask: Ask, client_for: Callable[..., Client]) -> None:
    """The handler receives edited text; the second pass looks at what it will receive."""
    detector = FakeDetector()
    detector.say("jo@example.com", {"privacy.pii_exposure": 0.99})
    client = client_for(detector=detector)
    for _ in range(3):
        decision = ask(client, body="write to jo@example.com")
        assert Effect.REDACT in decision.effects
        assert decision.disposition is Disposition.ALLOW
        assert "jo@" not in decision.content.part("body").data
    assert [len(request.content) for request in detector.requests] == [1, 1]


def test_what_the_redaction_uncovers_is_stopped(ask: Ask, client_for: Callable[..., Client]) -> None:
    """A second pass that finds more joins the first: the stricter of both."""
    detector = FakeDetector()
    detector.say("jo@example.com", {"privacy.pii_exposure": 0.99})
    detector.say("█", {"integrity.spam": 0.99})
    decision = ask(client_for(detector=detector), body="write to jo@example.com")
    assert decision.disposition is Disposition.BLOCK


def test_shadow_holds_back_what_its_own_rules_say(ask: Ask, client_for: Callable[..., Client]) -> None:
    """A surface in shadow alters nothing; the baseline's rules keep the baseline's mode."""
    detector = FakeDetector({"buy now": {"integrity.spam": 0.99}, "I will kill": {"violence.threat": 0.99}})
    client = client_for(detector=detector)
    decision = ask(client, "unseen", body="buy now")
    assert (decision.disposition, decision.would.disposition) == (Disposition.ALLOW, Disposition.BLOCK)
    assert ask(client, "unseen", body="I will kill").disposition is Disposition.HOLD


def test_where_nothing_is_enforced_nobody_waits_for_detection(
    ask: Ask, client_for: Callable[..., Client]
) -> None:
    """The check runs behind the request; by the next one its signals are in the cache."""
    clock = ManualClock()
    detector = FakeDetector({"buy now": {"integrity.spam": 0.99}})
    client = client_for(detector=detector, clock=clock)
    client.kill(until=clock.now() + 60, reason="slow")
    first = ask(client, body="buy now")
    assert (first.disposition, first.status, first.queued) == (Disposition.ALLOW, Status.UNCHECKED, True)
    assert client.flush(5.0)
    second = ask(client, body="buy now")
    assert (second.status, second.queued) == (Status.CACHED, False)
    assert second.would.disposition is Disposition.BLOCK


def test_an_async_deadline_holds_at_once_and_is_checked_behind(
    ask: Ask, client_for: Callable[..., Client]
) -> None:
    """Held and queued without a question inside the request; once checked, the content goes through."""
    detector = FakeDetector()
    client = client_for(detector=detector)
    held = ask(client, "later", body="hello")
    assert (held.disposition, held.status, held.queued) == (Disposition.HOLD, Status.UNCHECKED, True)
    assert client.flush(5.0)
    assert len(detector.requests) == 1
    assert ask(client, "later", body="hello").disposition is Disposition.ALLOW


def test_sound_is_never_checked_inside_a_request(ask: Ask, client_for: Callable[..., Client]) -> None:
    """Audio is held whatever the deadline says."""
    detector = FakeDetector()
    client = client_for(detector=detector)
    decision = ask(client, "later", body="hello", clip=Audio(b"RIFF"))
    assert (decision.disposition, decision.queued) == (Disposition.HOLD, True)
    client.flush(5.0)


@pytest.mark.parametrize("target", ["", "patient"])
def test_a_kill_switch_stops_enforcement_and_says_what_it_held_back(
    target: str, ask: Ask, client_for: Callable[..., Client]
) -> None:
    """Detection goes on behind the request; ``would`` and the switch are on the decision."""
    clock = ManualClock()
    client = client_for(detector=FakeDetector({"buy now": {"integrity.spam": 0.99}}), clock=clock)
    assert ask(client, body="buy now").disposition is Disposition.BLOCK
    client.kill(target, until=clock.now() + 60, reason="a bad rule")
    killed = ask(client, body="buy now")
    assert killed.disposition is Disposition.ALLOW
    assert killed.would.disposition is Disposition.BLOCK
    assert "a bad rule" in killed.kill_switch
    assert client.stats()["bypassed"] == 1
    clock.advance(61)
    assert ask(client, body="buy now").disposition is Disposition.BLOCK
    assert client.stats()["kill_switches"] == []


def test_several_rules_can_be_killed_at_once(ask: Ask, client_for: Callable[..., Client]) -> None:
    """Each switch stops its rule; a surface that has none of the rules is not called bypassed."""
    clock = ManualClock()
    scores = {"integrity.spam": 0.99, "ai.prompt_attack": 0.99}
    client = client_for(detector=FakeDetector({"buy now": scores}), clock=clock)
    client.kill("patient#spam", until=clock.now() + 60, reason="first")
    assert ask(client, body="buy now").disposition is Disposition.BLOCK
    client.kill("patient#attack", until=clock.now() + 60, reason="second")
    decision = ask(client, body="buy now")
    assert (decision.disposition, decision.would.disposition) == (Disposition.ALLOW, Disposition.BLOCK)
    assert "first" in decision.kill_switch
    assert "second" in decision.kill_switch
    other = ask(client, "hasty", body="buy now")
    assert (other.disposition, other.kill_switch) == (Disposition.BLOCK, None)


def test_check_content_says_what_it_takes(client_for: Callable[..., Client]) -> None:
    """A surface's name or a bare text in place of the nouns is a ConfigurationError with the remedy."""
    client = client_for(detector=FakeDetector())
    with pytest.raises(ConfigurationError, match=r"client.policy\('patient'\), or use client.check"):
        client.check_content("patient", "hello")
    for content in ("hello", None):
        with pytest.raises(ConfigurationError, match=r"takes a spotsafe Content.*use client.check"):
            client.check_content(client.policy("patient"), content)
        with pytest.raises(ConfigurationError, match=r"takes a spotsafe Content"):
            asyncio.run(client.acheck_content(client.policy("patient"), content))


def test_the_environment_holds_a_kill_switch(ask: Ask, client_for: Callable[..., Client]) -> None:
    """SPOTSAFE_MODE works without a deploy of code."""
    client = client_for(
        detector=FakeDetector({"buy now": {"integrity.spam": 0.99}}),
        clock=ManualClock(now=1_750_000_000.0),
        environ={"SPOTSAFE_MODE": "off@2026-01-01T00:00:00Z;incident 7"},
    )
    decision = ask(client, body="buy now")
    assert decision.disposition is Disposition.ALLOW
    assert "incident 7" in decision.kill_switch
    client.flush(5.0)


def test_content_that_stays_in_the_process_never_reaches_the_service(
    ask: Ask, service: FakeService, engine: FakeDetector, manifest: Path, client_for: Callable[..., Client]
) -> None:
    """``privacy: {send: local}``: the local engine is this surface's primary, and counts as checked."""
    manifest.write_text(manifest.read_text().replace(
        "    cache: {ttl: 0s, stale: 0s}", "    cache: {ttl: 0s, stale: 0s}\n    privacy: {send: local}"
    ))  # fmt: skip
    client = client_for(service=service.url, fallback=engine)
    assert ask(client, "uncached", body="hello").status is Status.CHECKED
    assert service.requests == []
    assert len(engine.requests) == 1


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"body": 7}, "int"),
        ({"body": b"bytes"}, "bytes"),
        ({"text": "hello"}, "'text'"),
        ({"body": None}, "'body'"),
        ({}, "nothing to check"),
        ({"body": Image(b"png")}, "image"),
    ],
)
def test_content_that_does_not_fit_the_manifest_names_the_argument(
    content: dict[str, object], named: str, ask: Ask, client_for: Callable[..., Client]
) -> None:
    """A mistake of the product's code is an error with the place and the remedy, not a decision."""
    with pytest.raises(ConfigurationError, match=named):
        ask(client_for(detector=FakeDetector()), **content)


def test_evidence_of_the_service_reaches_the_decision(
    ask: Ask, service: FakeService, client_for: Callable[..., Client]
) -> None:
    """Spans travel; they never carry the text."""
    service.say("privacy.pii_exposure", 0.99, containing="555", evidence=[Span(5, 8)])
    decision = ask(client_for(service=service.url), body="call 555 now")
    assert decision.content.part("body").data == "call ███ now"
