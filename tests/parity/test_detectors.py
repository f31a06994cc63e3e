"""Detectors that are not the service: where they run, and what bounds them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from spotsafe.client.client import Client
from spotsafe.client.sources import INLINE_CHARACTERS
from spotsafe.core.decision import Disposition, Status
from spotsafe.core.errors import Failure
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.testing import FakeDetector

Ask = Callable[..., object]


class Tracked(FakeDetector):
    """Notes the thread it runs on; hangs where it is told."""

    adetect = None  # type: ignore[assignment] # what has only a sync face

    def __init__(self, *, inline: bool) -> None:
        super().__init__(id="tracked")
        self.inline = inline
        self.threads: list[int] = []
        self.let_go = threading.Event()
        self.let_go.set()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        self.threads.append(threading.get_ident())
        self.let_go.wait(20)
        return super().detect(requests)


@pytest.fixture
def hanging() -> Iterator[Tracked]:
    """A foreign detector that hangs until the test is over."""
    detector = Tracked(inline=False)
    detector.let_go.clear()
    yield detector
    detector.let_go.set()


@pytest.mark.parametrize(
    ("inline", "length", "own_thread"),
    [(True, INLINE_CHARACTERS, True), (True, INLINE_CHARACTERS + 1, False), (False, 10, False)],
)
def test_only_short_texts_are_scored_on_the_calling_thread(
    inline: bool, length: int, own_thread: bool, ask: Ask, client_for: Callable[..., Client]
) -> None:
    """An engine in this process takes up to 2,000 characters inline; everything else runs in the pool."""
    detector = Tracked(inline=inline)
    decision = ask(client_for(detector=detector), body="x" * length)
    assert decision.status is Status.CHECKED
    assert (detector.threads == [threading.get_ident()]) is own_thread


def test_a_detector_that_hangs_costs_the_deadline(
    ask: Ask, hanging: Tracked, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """The wall clock decides, whatever the detector does; the engine answers with what is left."""
    client = client_for(detector=hanging, fallback=engine)
    assert ask(client, "hasty", body="hello").status is Status.LOCAL
    assert client.stats()["failures"] == {"timeout": 1}


def test_detectors_that_hang_do_not_pile_up(
    ask: Ask, hanging: Tracked, client_for: Callable[..., Client]
) -> None:
    """A bounded pool: the breaker and the queue keep what hangs from eating the process."""
    client = client_for(detector=hanging)
    for number in range(8):
        assert ask(client, "hasty", body=str(number)).disposition is Disposition.HOLD
    assert len(hanging.threads) <= 5
    assert client.stats()["breaker"]["state"] == "open"


def test_an_awaited_detector_is_cancelled_at_the_deadline(client_for: Callable[..., Client]) -> None:
    """A coroutine that hangs is cancelled, not left behind."""
    ended: list[str] = []

    class Awaited(FakeDetector):
        async def adetect(
            self, requests: Sequence[DetectRequest], *, timeout: float | None = None
        ) -> list[Signals]:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
            raise AssertionError("unreachable")

    client = client_for(detector=Awaited())
    assert asyncio.run(client.acheck("hasty", body="hello")).status is Status.UNCHECKED
    assert ended == ["cancelled"]


@pytest.mark.parametrize("answers", [0, 2])
def test_an_answer_to_another_number_of_questions_is_malformed(
    answers: int, ask: Ask, client_for: Callable[..., Client]
) -> None:
    """Signals that may belong to other content are nobody's."""

    class Miscounting(FakeDetector):
        inline = True

        def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
            return super().detect(requests) * answers

    client = client_for(detector=Miscounting())
    assert ask(client, body="hello").status is Status.UNCHECKED
    assert client.stats()["failures"] == {"malformed": 1}


def test_a_detector_that_leaves_labels_out_has_not_called_them_clean(
    ask: Ask, client_for: Callable[..., Client]
) -> None:
    """Silence is missing, with cause error; and it is not cached."""

    class Silent(FakeDetector):
        inline = True

        def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
            self.requests.extend(requests)
            return [Signals(engine="silent") for _ in requests]

    detector = Silent()
    client = client_for(detector=detector)
    for _ in range(2):
        decision = ask(client, body="hello")
        assert (decision.status, decision.disposition) == (Status.UNCHECKED, Disposition.HOLD)
    assert len(detector.requests) == 2


@pytest.mark.parametrize("failure", [f for f in Failure if f not in (Failure.CLOSED,)])
def test_a_detectors_error_is_counted_by_its_word(
    failure: Failure, ask: Ask, client_for: Callable[..., Client]
) -> None:
    """Third-party detectors fail in the same closed words."""
    detector = FakeDetector()
    detector.fail(failure)
    client = client_for(detector=detector)
    assert ask(client, body="hello").status is Status.UNCHECKED
    assert client.stats()["failures"] == {failure.value: 1}


def test_an_error_of_the_fallback_leaves_the_failure_policy(
    ask: Ask, engine: FakeDetector, client_for: Callable[..., Client]
) -> None:
    """Where the last rung breaks as well, on_failure decides."""
    detector = FakeDetector()
    for broken in (detector, engine):
        broken.fail(Failure.INTERNAL)
    decision = ask(client_for(detector=detector, fallback=engine), body="hello")
    assert (decision.status, decision.disposition) == (Status.UNCHECKED, Disposition.HOLD)


def test_declared_context_is_part_of_the_question(ask: Ask, client_for: Callable[..., Client]) -> None:
    """A detector that reads the market is asked once per market."""
    detector = FakeDetector(context_fields=("market",))
    client = client_for(detector=detector)
    for market in ("se", "de", "se", "de"):
        ask(client, body="hello", context={"market": market, "age": 3})
    assert [request.context["market"] for request in detector.requests] == ["se", "de"]


def test_a_detectors_own_error_keeps_its_retry_after(ask: Ask, client_for: Callable[..., Client]) -> None:
    """A third party that asks for time is left alone like the service."""
    detector = FakeDetector()
    detector.fail(Failure.OVERLOADED, retry_after=60.0)
    client = client_for(detector=detector)
    ask(client, body="one")
    ask(client, body="two")
    assert len(detector.requests) == 1
