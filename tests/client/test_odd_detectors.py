"""Detectors and services that misbehave in ways no protocol foresees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spotsafe import Client, ConfigurationError, SurfaceBlocked
from spotsafe.core.decision import Decision, Status
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signal, Signals
from spotsafe.testing import FakeDetector, FakeService

pytestmark = pytest.mark.usefixtures("spotsafe_as_in_production")
CANARY = "canary-5d1f"

Driver = Callable[[Client], Decision]
DRIVERS: dict[str, Driver] = {
    "sync": lambda client: client.check("s", body="hello"),
    "async": lambda client: asyncio.run(client.acheck("s", body="hello")),
}
drivers = pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)


class Odd(FakeDetector):
    """Answers with whatever *behave* returns or raises."""

    adetect = None  # type: ignore[assignment] # async callers take the same way

    def __init__(self, behave: Callable[[Sequence[DetectRequest]], Any]) -> None:
        super().__init__()
        self._behave = behave

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        answer: list[Signals] = self._behave(requests)
        return answer


def raising(error: Exception) -> Callable[[Sequence[DetectRequest]], Any]:
    def behave(requests: Sequence[DetectRequest]) -> Any:
        raise error

    return behave


@pytest.fixture
def made(declare: Callable[..., Path], client_for: Callable[..., Client]) -> Callable[..., Client]:
    """Makes clients that have all the time in the world."""
    return partial(client_for, declare(deadline="20s"), telemetry=False)


@drivers
@pytest.mark.parametrize(
    "behave",
    [
        raising(ConfigurationError(CANARY)),
        raising(SurfaceBlocked(CANARY, CANARY)),
        raising(MemoryError()),
        lambda requests: None,
        lambda requests: ["signals"],
        lambda requests: [{}],
        lambda requests: (signals for signals in ()),
    ],
)
def test_a_detector_out_of_its_mind_leaves_the_check_to_the_fallback(
    made: Callable[..., Client], driver: Driver, behave: Callable[[Sequence[DetectRequest]], Any]
) -> None:
    """Whatever it raises or returns is a failure: no exception reaches the product."""
    with made(detector=Odd(behave), fallback=FakeDetector()) as client:
        assert driver(client).status is Status.LOCAL


@drivers
@pytest.mark.parametrize("score", [-1.0, float("-inf"), float("nan"), 2.0])
def test_a_score_that_is_none_is_never_clean(
    made: Callable[..., Client], driver: Driver, score: float
) -> None:
    """A number outside of 0 to 1 says nothing good about the content."""

    def behave(requests: Sequence[DetectRequest]) -> list[Signals]:
        return [Signals([Signal(label, score, "body") for label in requests[0].labels])]

    with made(detector=Odd(behave), fallback=None) as client:
        assert driver(client).action == "block"


def test_a_leader_whose_loop_was_closed_under_it_blocks_nobody_for_good(
    declare: Callable[..., Path], client_for: Callable[..., Client]
) -> None:
    """The next question of the same kind waits its deadline at most once; then somebody leads anew."""
    with (
        FakeService() as service,
        client_for(declare(deadline="300ms"), service=service.url, telemetry=False) as client,
    ):
        loop = asyncio.new_event_loop()
        task = loop.create_task(client.acheck("s", body="hello"))
        for _ in range(3):  # far enough to lead, not far enough for an answer
            loop.call_soon(loop.stop)
            loop.run_forever()
        assert not task.done()
        loop.close()
        client.check("s", body="hello")
        assert client.check("s", body="hello").status is Status.CHECKED
        task._log_destroy_pending = False  # type: ignore[attr-defined] # that is what this test is about


@drivers
def test_an_answer_longer_than_any_question_is_worth_is_malformed(
    made: Callable[..., Client], driver: Driver
) -> None:
    """Megabytes of signals for one comment are not read: that would take longer than the deadline."""

    class Talkative(FakeService):
        def detected(self, body: Any) -> dict[str, Any]:
            answer = super().detected(body)
            answer["results"][0]["signals"] *= 2_000
            return answer

    with (
        Talkative() as service,
        made(service=service.url, fallback=None) as client,
    ):
        assert driver(client).status is Status.UNCHECKED
        assert client.stats()["failures"] == {"malformed": 1}
