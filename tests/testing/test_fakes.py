"""The fakes do what a test scripts, and nothing else."""

from __future__ import annotations

import asyncio
import doctest
from typing import Annotated, Any

import pytest

import spotsafe.testing
from spotsafe import Client, Image, Text, safe_surface
from spotsafe.client import registry
from spotsafe.core.content import Content
from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.seams import AsyncDetector, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signals, Span
from spotsafe.testing import Captured, FakeDetector, ManualClock, capture_decisions, no_live_calls

CANARY = "canary-3d10"


LABELS = ("hate.speech", "tone.toxic")


def ask(detector: FakeDetector, *texts: str) -> Signals:
    content = Content([Text(text, f"p{n}") for n, text in enumerate(texts)])
    return detector.detect([DetectRequest(content, LABELS)])[0]


def test_an_unscripted_detector_scores_everything_zero() -> None:
    """Every requested label has a score for every part: nothing is missing, nothing fires."""
    signals = ask(FakeDetector(), "a", "b")
    scored = [(s.label, s.part, s.score) for s in signals.scores]
    assert scored == [(label, part, 0.0) for part in ("p0", "p1") for label in LABELS]
    assert signals.missing == ()
    assert isinstance(FakeDetector(), AsyncDetector)


def test_a_scripted_text_scores_where_it_stands() -> None:
    """Parts that contain the text get its scores, the highest of several lines, with its place."""
    detector = FakeDetector({"bad": {"hate.speech": 0.7}})
    detector.say("very bad", {"hate.speech": 0.9}, spans={"hate.speech": [(0, 4)]})
    signals = ask(detector, "this is very bad", "fine", "bad")
    by_part = {s.part: s for s in signals.by_label["hate.speech"]}
    assert {part: signal.score for part, signal in by_part.items()} == {"p0": 0.9, "p1": 0.0, "p2": 0.7}
    assert by_part["p0"].evidence == (Span(13, 16), Span(0, 4))
    assert by_part["p2"].evidence == (Span(0, 3),)
    assert by_part["p1"].evidence == ()


def test_missing_labels_have_their_cause() -> None:
    """By text and pattern, or because the detector is limited to some labels or kinds."""
    detector = FakeDetector(labels=["hate.*"], kinds=["text"])
    detector.miss("later", {"hate.*": Cause.TIMEOUT})
    assert ask(detector, "later").missing == (
        Missing("hate.speech", "p0", Cause.TIMEOUT), Missing("tone.toxic", "p0", Cause.UNSUPPORTED),
    )  # fmt: skip
    request = DetectRequest(Content([Image(b"x", "cover")]), ("hate.speech",))
    assert detector.detect([request])[0].missing == (Missing("hate.speech", "cover", Cause.MODALITY),)


def test_failures_are_raised_as_often_as_scripted() -> None:
    """A number of times, until recovery, or once for a text; sync and async alike."""
    detector = FakeDetector()
    detector.fail(Failure.OVERLOADED, times=1, retry_after=3.0)
    with pytest.raises(DetectorError) as caught:
        ask(detector, "a")
    assert (caught.value.failure, caught.value.retry_after) == (Failure.OVERLOADED, 3.0)
    assert ask(detector, "a").missing == ()
    detector.fail_on("boom", "timeout")
    assert ask(detector, "a").missing == ()
    with pytest.raises(DetectorError):
        asyncio.run(detector.adetect([DetectRequest(Content([Text("boom")]), ("hate.speech",))]))
    assert ask(detector, "boom").missing == ()
    detector.fail(Failure.CONNECT)
    for _ in range(2):
        with pytest.raises(DetectorError):
            ask(detector, "a")
    detector.recover()
    assert ask(detector, "a").missing == ()
    assert len(detector.requests) == 8


@pytest.mark.parametrize(
    "wrong",
    [
        lambda d: d.say("x", {"no.such": 0.5}),
        lambda d: d.say("x", {"hate.speech": 1.5}),
        lambda d: d.miss("x", {"no.*": Cause.TIMEOUT}),
    ],
)
def test_a_script_that_cannot_be_right_is_refused(wrong: Any) -> None:
    """Unknown labels and impossible scores are found when they are written."""
    with pytest.raises(ConfigurationError):
        wrong(FakeDetector())


def test_fakes_show_no_content() -> None:
    """Neither repr of the detector nor of what was captured holds content."""
    detector = FakeDetector({CANARY: {"hate.speech": 0.9}})
    ask(detector, CANARY)
    assert CANARY not in f"{detector!r} {detector.requests!r} {Captured()!r}"


def test_the_manual_clock_moves_only_when_told() -> None:
    """advance() moves both clocks, set() only the wall clock; a step back is refused."""
    clock = ManualClock(100.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 2.5)
    clock.set(50.0)
    assert (clock.now(), clock.monotonic()) == (50.0, 2.5)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


def test_decisions_of_one_client_are_captured(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """From decorated handlers and from the client's methods, hits included, and only inside the block."""
    spotsafe_detector.say("kill", {"violence.threat": 0.99})

    @safe_surface("a.surface")
    def create(body: Annotated[str, Text]) -> None: ...

    with capture_decisions(spotsafe_client) as captured:
        with pytest.raises(LookupError, match="no decision"):
            _ = captured.last
        create("fine")
        create("fine")
        spotsafe_client.check("b.surface", body="kill")
        asyncio.run(spotsafe_client.acheck("b.surface", body="fine"))
    create("fine")
    assert captured.actions == [
        ("a.surface", "allow"), ("a.surface", "allow"), ("b.surface", "hold"), ("b.surface", "allow"),
    ]  # fmt: skip
    assert [d.action for d in captured.of("b.surface")] == ["hold", "allow"]
    assert (len(captured), captured.last.surface) == (4, "b.surface")


def test_live_calls_are_refused_but_not_to_this_machine(spotsafe_as_in_production: None) -> None:
    """A forgotten fake is a ConfigurationError that names the host; loopback is let through."""
    with no_live_calls():
        registry.require_live_calls("127.0.0.1")
        with Client(service="https://detect.example", fallback=None, telemetry=False, app="t") as client:
            with pytest.raises(ConfigurationError, match=r"detect\.example under no_live_calls"):
                client.check("a.surface", body="x")
            with pytest.raises(ConfigurationError, match=r"detect\.example under no_live_calls"):
                asyncio.run(client.acheck("a.surface", body="x"))
    registry.require_live_calls("detect.example")


def test_the_examples_in_the_documentation_of_the_room_run() -> None:
    """Docstrings of the fakes are executed."""
    import spotsafe.testing.capture
    import spotsafe.testing.detector

    for module in (spotsafe.testing.capture, spotsafe.testing.detector):
        failed, tried = doctest.testmod(module)
        assert tried
        assert not failed


def test_every_public_name_of_the_room_resolves() -> None:
    """__all__ is complete and each name can be had."""
    for name in spotsafe.testing.__all__:
        assert getattr(spotsafe.testing, name) is not None
    with pytest.raises(AttributeError):
        spotsafe.testing.Nothing  # noqa: B018 - the access is what is tested


def test_a_failure_needs_no_name_and_a_wrong_one_is_told_the_right_ones() -> None:
    """``fail()`` is a server error; an unknown word names those that there are."""
    detector = FakeDetector()
    detector.fail()
    with pytest.raises(DetectorError) as caught:
        ask(detector, "a")
    assert caught.value.failure is Failure.SERVER
    for fail in (detector.fail, lambda word: detector.fail_on("a", word)):
        with pytest.raises(ConfigurationError, match="'down' is no way to fail; there are: timeout,"):
            fail("down")


def test_captured_decisions_can_be_walked() -> None:
    """``for decision in captured`` gives them in order."""
    with Client(detector=FakeDetector(), fallback=None, telemetry=False, environ={}) as client:
        with capture_decisions(client) as captured:
            made = [client.check("s", body="a"), client.check("s", body="b")]
        assert list(captured) == made
