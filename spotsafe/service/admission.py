"""Admission to the detector: bounded, in two lanes, small requests put together when they wait.

A request goes to the detector at once while its lane has a free thread. When none is, requests wait; the
next free thread takes as many as fit into a batch. Long requests have a lane of their own, so that a book
does not hold up comments.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause, Signals, all_missing
from spotsafe.service.limits import Limits
from spotsafe.service.problems import OVERLOADED, TOO_MANY, Kind, Problem


class _Job:
    """One caller's requests and the future of their signals."""

    __slots__ = ("characters", "future", "key", "requests")

    def __init__(self, requests: Sequence[DetectRequest], key: str) -> None:
        self.requests = requests
        self.key = key
        self.characters = sum(len(part.data) for request in requests for part in request.content)
        self.future: asyncio.Future[list[Signals]] = asyncio.get_running_loop().create_future()


class _Lane:
    """Jobs that wait for the same threads."""

    __slots__ = ("busy", "threads", "waiting")

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.busy = 0
        self.waiting: deque[_Job] = deque()


class DetectionQueue:
    """Runs requests on one detector; used from one event loop."""

    __slots__ = ("_detector", "_faults", "_limits", "_long", "_per_key", "_pool", "_short", "items")

    def __init__(self, detector: Detector, limits: Limits, faults: FaultCounter) -> None:
        self._detector = detector
        self._limits = limits
        self._faults = faults
        self._short, self._long = _Lane(limits.detect_threads), _Lane(limits.detect_threads_long)
        threads = limits.detect_threads + limits.detect_threads_long
        self._pool = ThreadPoolExecutor(threads, "spotsafe-detect")
        self._per_key: Counter[str] = Counter()
        self.items = 0
        """Items waiting or in work."""

    async def detect(self, requests: Sequence[DetectRequest], key: str) -> list[Signals]:
        """Signals for each of *requests*, in order, for the application *key*.

        Raises :class:`Problem` 429 or 503 when full or late, and DetectorError when nothing could be
        scored. A request on which alone the detector failed has every label missing, cause ``error``.
        """
        self._admit(len(requests), key)
        job = _Job(requests, key)
        lane = self._lane(job)
        lane.waiting.append(job)
        try:
            self._pump(lane)
            async with asyncio.timeout(self._limits.detect_seconds):
                return await job.future
        except TimeoutError:
            raise self._full(OVERLOADED, "The answer took too long") from None
        finally:
            self.items -= len(requests)
            self._per_key[key] -= len(requests)
            if not self._per_key[key]:
                del self._per_key[key]

    def _admit(self, size: int, key: str) -> None:
        if self._per_key[key] + size > self._limits.detect_queue_per_key:
            raise self._full(TOO_MANY, "Too many items of this key are waiting")
        if self.items + size > self._limits.detect_queue:
            raise self._full(OVERLOADED, "Too many items are waiting")
        self.items += size
        self._per_key[key] += size

    def _full(self, kind: Kind, what: str) -> Problem:
        seconds = self._limits.retry_after
        return Problem(kind, f"{what}. Try again after {seconds} s.", retry_after=seconds)

    def _lane(self, job: _Job) -> _Lane:
        limits = self._limits
        fits = job.characters <= limits.detect_batch_characters and len(job.requests) <= limits.detect_batch
        return self._short if fits else self._long

    def _pump(self, lane: _Lane) -> None:
        while lane.busy < lane.threads and (batch := self._next_batch(lane.waiting)):
            lane.busy += 1
            loop = asyncio.get_running_loop()
            done = loop.run_in_executor(self._pool, self._run, [job.requests for job in batch])
            done.add_done_callback(partial(self._finish, lane, batch))

    def _next_batch(self, waiting: deque[_Job]) -> list[_Job]:
        """The longest waiting job, with those behind it that are small enough to come along. Jobs whose
        caller has gone are dropped unseen."""
        batch: list[_Job] = []
        room, characters = self._limits.detect_batch, self._limits.detect_batch_characters
        while waiting:
            job = waiting[0]
            if job.future.done():
                waiting.popleft()
                continue
            if batch and (len(job.requests) > room or job.characters > characters):
                break
            batch.append(waiting.popleft())
            room -= len(job.requests)
            characters -= job.characters
        return batch

    def _finish(
        self, lane: _Lane, batch: list[_Job], done: asyncio.Future[list[list[Signals] | None]]
    ) -> None:
        lane.busy -= 1
        fault = done.exception()
        for job, signals in zip(batch, [None] * len(batch) if fault else done.result(), strict=True):
            if job.future.done():
                continue
            if signals is None:
                job.future.set_exception(DetectorError(Failure.INTERNAL, detector=self._detector.id))
            else:
                job.future.set_result(signals)
        self._pump(lane)

    def _run(self, jobs: list[Sequence[DetectRequest]]) -> list[list[Signals] | None]:
        """In a thread: all at once, and where that fails each by itself, so that one content on which
        the detector breaks does not take its neighbours with it."""
        everything = [request for requests in jobs for request in requests]
        together = self._scored(everything)
        if together is None and len(everything) == 1:
            return [None]
        if together is not None:
            answers = iter(together)
            return [[next(answers) for _ in requests] for requests in jobs]
        return [self._one_by_one(requests) for requests in jobs]

    def _one_by_one(self, requests: Sequence[DetectRequest]) -> list[Signals] | None:
        found = [self._scored([request]) for request in requests]
        if not any(found):
            return None
        version = self._detector.version
        return [
            answer[0] if answer else all_missing(request.labels, Cause.ERROR, version)
            for request, answer in zip(requests, found, strict=True)
        ]

    def _scored(self, requests: list[DetectRequest]) -> list[Signals] | None:
        """The detector's answer, or None where it failed or answered for another number of requests."""
        answer: list[Signals] | None = None
        try:
            with contained("service.detect", self._faults):
                answer = self._detector.detect(requests, timeout=self._limits.detect_seconds)
        except DetectorError as error:
            self._faults.note("service.detect", error.failure.value)
        return answer if answer is not None and len(answer) == len(requests) else None

    def close(self) -> None:
        """Refuse what waits and let the threads end."""
        for job in (*self._short.waiting, *self._long.waiting):
            if not job.future.done():
                job.future.set_exception(DetectorError(Failure.CLOSED, detector=self._detector.id))
        self._short.waiting.clear()
        self._long.waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
