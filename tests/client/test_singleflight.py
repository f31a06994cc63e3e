"""Identical questions at the same time: one goes out, everyone gets its answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spotsafe.client.client import Client
from spotsafe.core.decision import Status
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.testing import FakeDetector

FLOCK = 64


class Gated(FakeDetector):
    """Answers when it is let; counts who asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()
        self.calls = 0
        self.failure: Failure | None = None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        self.calls += 1
        self.asked.release()
        assert self.go.wait(20)
        if self.failure is not None:
            raise DetectorError(self.failure)
        return super().detect(requests)

    adetect = None  # type: ignore[assignment] # in the loop it runs on a worker, as a sync detector does


@pytest.fixture
def gated() -> Gated:
    """A detector that waits for the test."""
    return Gated()


@pytest.fixture
def client(declare: Callable[..., Path], client_for: Callable[..., Client], gated: Gated) -> Iterator[Client]:
    """A client of it."""
    yield client_for(declare(deadline="20s"), detector=gated, telemetry=False)
    gated.go.set()


def joined(client: Client, count: int) -> None:
    """Return once *count* callers wait for a flight that another leads."""
    ready = threading.Event()
    flights = client._runtime.rungs.flights
    original = flights.join

    def watched(key: bytes) -> object:
        found = original(key)
        if flights.joins >= count:
            ready.set()
        return found

    type(flights).join, before = lambda self, key: watched(key), type(flights).join
    try:
        if flights.joins < count:
            assert ready.wait(20)
    finally:
        type(flights).join = before


def test_threads_share_one_request(client: Client, gated: Gated) -> None:
    """64 threads, one question, 64 answers."""
    with ThreadPoolExecutor(FLOCK) as pool:
        waiting = [pool.submit(client.check, "s", body="hello") for _ in range(FLOCK)]
        assert gated.asked.acquire(timeout=20)
        gated.go.set()
        decisions = [future.result(20) for future in waiting]
    assert gated.calls == 1
    assert {decision.status for decision in decisions} <= {Status.CHECKED, Status.CACHED}
    assert len({decision.id for decision in decisions}) == FLOCK


def test_tasks_share_one_request(client: Client, gated: Gated) -> None:
    """64 tasks of one loop, one question."""

    async def flock() -> list[Status]:
        tasks = [asyncio.create_task(client.acheck("s", body="hello")) for _ in range(FLOCK)]
        await asyncio.to_thread(gated.asked.acquire)
        gated.go.set()
        return [(await task).status for task in tasks]

    assert set(asyncio.run(flock())) <= {Status.CHECKED, Status.CACHED}
    assert gated.calls == 1
    assert client.stats()["singleflight_joins"] == FLOCK - 1


def test_a_leaders_cancellation_does_not_cancel_who_follows(client: Client, gated: Gated) -> None:
    """The request goes on for the others; nobody asks a second time."""

    async def flock() -> list[Status]:
        leader = asyncio.create_task(client.acheck("s", body="hello"))
        await asyncio.to_thread(gated.asked.acquire)
        followers = [asyncio.create_task(client.acheck("s", body="hello")) for _ in range(8)]
        await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        gated.go.set()
        return [(await follower).status for follower in followers]

    assert asyncio.run(flock()) == [Status.CHECKED] * 8
    assert gated.calls == 1


def test_a_followers_cancellation_cancels_nobody_else(client: Client, gated: Gated) -> None:
    """One impatient caller leaves, the leader gets its answer."""

    async def flock() -> Status:
        leader = asyncio.create_task(client.acheck("s", body="hello"))
        await asyncio.to_thread(gated.asked.acquire)
        follower = asyncio.create_task(client.acheck("s", body="hello"))
        await asyncio.sleep(0)
        follower.cancel()
        with pytest.raises(asyncio.CancelledError):
            await follower
        gated.go.set()
        return (await leader).status

    assert asyncio.run(flock()) is Status.CHECKED
    assert gated.calls == 1


def test_threads_and_loops_share_one_request(client: Client, gated: Gated) -> None:
    """A thread leads; tasks of two loops in two other threads follow."""

    def loop() -> Status:
        return asyncio.run(client.acheck("s", body="hello")).status

    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(client.check, "s", body="hello")
        assert gated.asked.acquire(timeout=20)
        loops = [pool.submit(loop) for _ in range(2)]
        joined(client, 2)
        gated.go.set()
        statuses = [leader.result(20).status, *(future.result(20) for future in loops)]
    assert statuses == [Status.CHECKED] * 3
    assert gated.calls == 1


def test_a_failure_is_everyones_and_is_not_repeated(client: Client, gated: Gated) -> None:
    """A leader that fails does not send the flock out one by one."""
    gated.failure = Failure.MALFORMED
    with ThreadPoolExecutor(8) as pool:
        leader = pool.submit(client.check, "s", body="hello")
        assert gated.asked.acquire(timeout=20)
        followers = [pool.submit(client.check, "s", body="hello") for _ in range(7)]
        joined(client, 7)
        gated.go.set()
        decisions = [future.result(20) for future in (leader, *followers)]
    assert {decision.status for decision in decisions} == {Status.UNCHECKED}
    assert gated.calls == 1


def test_a_leader_that_dies_hands_over(client: Client, gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the leading thread is interrupted, a follower leads anew and everyone is answered."""
    rungs = client._runtime.rungs
    lead, first = type(rungs)._lead, threading.Event()

    def interrupted(self: object, question: object, end: float) -> object:
        if first.is_set():
            return lead(self, question, end)
        first.set()
        joined(client, 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(rungs), "_lead", interrupted)
    gated.go.set()
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(client.check, "s", body="hello")
        assert first.wait(20)
        follower = pool.submit(client.check, "s", body="hello")
        assert follower.result(20).status is Status.CHECKED
        with pytest.raises(KeyboardInterrupt):
            leader.result(20)


def test_a_loop_that_ends_in_mid_flight_hands_over(client: Client, gated: Gated) -> None:
    """The loop that led is gone; who waits in another thread asks anew."""

    async def leave() -> None:
        task = asyncio.create_task(client.acheck("s", body="hello"))
        await asyncio.to_thread(gated.asked.acquire)
        joined_before.set()
        await asyncio.to_thread(joined, client, 1)
        task.cancel()

    joined_before = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(lambda: asyncio.run(leave()))
        assert joined_before.wait(20)
        follower = pool.submit(client.check, "s", body="hello")
        ended.result(20)
        gated.go.set()
        assert follower.result(20).status is Status.CHECKED


def test_different_contents_do_not_wait_for_each_other(client: Client, gated: Gated) -> None:
    """Singleflight is per content."""
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(client.check, "s", body=text) for text in ("one", "two")]
        assert gated.asked.acquire(timeout=20)
        assert gated.asked.acquire(timeout=20)
        gated.go.set()
        assert [future.result(20).status for future in futures] == [Status.CHECKED] * 2
    assert client.stats()["singleflight_joins"] == 0
