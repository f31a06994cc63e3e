"""Admission: bounded, batched while waiting, fair between keys."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from spotsafe.core.content import Content, Text
from spotsafe.core.errors import DetectorError
from spotsafe.core.faults import FaultCounter
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.service.admission import DetectionQueue
from spotsafe.service.limits import Limits
from spotsafe.service.problems import Problem


def wanted(text: str = "hello") -> DetectRequest:
    return DetectRequest(Content([Text(text, "body")]), ("hate.speech",))


async def until(detector: Any, calls: int) -> None:
    """Wait until the detector was entered so often."""
    for _ in range(calls):
        await asyncio.to_thread(detector.entered.acquire)


def test_requests_that_wait_go_together(detector: Any) -> None:
    """While the one thread is busy, eight waiting requests are put into one call, each answered its own."""
    detector.gate = threading.Event()

    async def run() -> list[Signals]:
        queue = DetectionQueue(detector, Limits(detect_threads=1), FaultCounter())
        first = asyncio.create_task(queue.detect([wanted()], "a"))
        await until(detector, 1)
        rest = [asyncio.create_task(queue.detect([wanted(f"hate.speech=0.{n}")], "a")) for n in range(1, 9)]
        await asyncio.sleep(0)
        detector.gate.set()
        answers = [(await task)[0] for task in [first, *rest]]
        assert queue.items == 0
        queue.close()
        return answers

    answers = asyncio.run(run())
    assert detector.batches == [1, 8]
    assert [signals.score("hate.speech") for signals in answers] == [0.01, *(n / 10 for n in range(1, 9))]


def test_a_batch_has_a_largest_size(detector: Any) -> None:
    """What waits is taken in batches of at most so many items and characters."""
    detector.gate = threading.Event()

    async def run() -> None:
        limits = Limits(detect_threads=1, detect_batch=3, detect_batch_characters=100)
        queue = DetectionQueue(detector, limits, FaultCounter())
        texts = ["first", "a", "b", "c", "d", "x" * 90, "y" * 90]
        tasks = [asyncio.create_task(queue.detect([wanted(text)], "a")) for text in texts]
        await until(detector, 1)
        detector.gate.set()
        await asyncio.gather(*tasks)
        queue.close()

    asyncio.run(run())
    assert detector.batches == [1, 3, 2, 1]


def test_long_requests_do_not_hold_up_short_ones(detector: Any) -> None:
    """While a long text (or a long list) is worked on, short ones are answered, and the other way round."""
    detector.gate = threading.Event()

    async def run() -> None:
        queue = DetectionQueue(detector, Limits(detect_batch=3, detect_batch_characters=100), FaultCounter())
        tasks = [asyncio.create_task(queue.detect([wanted("x" * 500)], "a"))]
        await until(detector, 1)
        tasks.append(asyncio.create_task(queue.detect([wanted()] * 4, "a")))
        tasks.append(asyncio.create_task(queue.detect([wanted()], "a")))
        await until(detector, 1)
        assert detector.batches == [1, 1]
        detector.gate.set()
        await asyncio.gather(*tasks)
        queue.close()

    asyncio.run(run())
    assert detector.batches == [1, 1, 4]


def test_a_full_queue_refuses_at_once(detector: Any) -> None:
    """Beyond the bound 503, beyond a key's share 429, both with Retry-After; others still get in."""
    detector.gate = threading.Event()

    async def run() -> None:
        limits = Limits(detect_queue=6, detect_queue_per_key=4)
        queue = DetectionQueue(detector, limits, FaultCounter())
        tasks = [asyncio.create_task(queue.detect([wanted()] * 4, "greedy"))]
        await until(detector, 1)
        with pytest.raises(Problem) as refused:
            await queue.detect([wanted()], "greedy")
        assert (refused.value.kind.status, refused.value.headers["retry-after"]) == (429, "1")
        tasks.append(asyncio.create_task(queue.detect([wanted()] * 2, "modest")))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as full:
            await queue.detect([wanted()], "third")
        assert (full.value.kind.status, full.value.headers["retry-after"]) == (503, "1")
        detector.gate.set()
        await asyncio.gather(*tasks)
        assert len(await queue.detect([wanted()], "greedy")) == 1
        queue.close()

    asyncio.run(run())


def test_a_late_answer_is_a_503_and_its_place_is_given_back(detector: Any) -> None:
    """A detector that hangs costs a caller its deadline, not the service its queue."""
    detector.gate = threading.Event()

    async def run() -> None:
        limits = Limits(detect_threads=1, detect_seconds=0.05)
        queue = DetectionQueue(detector, limits, FaultCounter())
        tasks = [asyncio.create_task(queue.detect([wanted()], "a")) for _ in range(3)]
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, Problem)
            assert outcome.kind.status == 503
        assert queue.items == 0
        detector.gate.set()
        queue.close()

    asyncio.run(run())
    assert detector.batches == [1], "callers that had gone were still worked for"


def test_a_detector_that_answers_short_is_a_failure(detector: Any) -> None:
    """An answer for another number of requests is never matched up by luck."""
    detector.detect = lambda requests, *, timeout=None: [Signals()] * (len(requests) + 1)

    async def run() -> None:
        queue = DetectionQueue(detector, Limits(), FaultCounter())
        with pytest.raises(DetectorError):
            await queue.detect([wanted()], "a")
        queue.close()

    asyncio.run(run())


def test_closing_refuses_what_waits(detector: Any) -> None:
    """At shutdown waiting callers get an answer instead of a hang."""
    detector.gate = threading.Event()

    async def run() -> None:
        queue = DetectionQueue(detector, Limits(detect_threads=1), FaultCounter())
        working = asyncio.create_task(queue.detect([wanted()], "a"))
        await until(detector, 1)
        waiting = asyncio.create_task(queue.detect([wanted()], "a"))
        await asyncio.sleep(0)
        queue.close()
        with pytest.raises(DetectorError):
            await waiting
        detector.gate.set()
        assert len(await working) == 1

    asyncio.run(run())
