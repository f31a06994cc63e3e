"""The rungs of the ladder, performed: cache, flights, network, engines. Sync and async twins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import Lock

from spotsafe.client.cache import Entry, SignalCache
from spotsafe.client.flights import Flight, Flights
from spotsafe.client.question import Question
from spotsafe.client.remote import ServiceDetector
from spotsafe.client.sources import INLINE_CHARACTERS, Source
from spotsafe.client.workers import Workers
from spotsafe.core.decision import Status
from spotsafe.core.errors import DetectorError, Failure, SpotsafeError
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.signals import Signals
from spotsafe.guard.attempts import attempts
from spotsafe.guard.blend import complete
from spotsafe.guard.drive import adrive, drive
from spotsafe.guard.ladder import ladder
from spotsafe.guard.steps import (
    Answered,
    AskPrimary,
    Failed,
    LookStale,
    Nothing,
    Outcome,
    Pause,
    Reply,
    Send,
    Step,
)  # fmt: skip


class Rungs:
    """Performs what the ladder asks for."""

    def __init__(
        self,
        cache: SignalCache,
        workers: Workers,
        *,
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        faults: FaultCounter,
    ) -> None:
        self.cache = cache
        self.flights = Flights()
        self.failures: dict[Failure, int] = {}
        self.overruns = 0
        self._counting = Lock()
        self._workers = workers
        self._monotonic = monotonic
        self._jitter = jitter
        self._faults = faults
        self._tasks: set[asyncio.Task[Reply | None]] = set()

    # ── what both twins decide ──────────────────────────────────────────────────────────────────

    def fresh(self, question: Question, source: Source) -> Signals | None:
        """Signals of *source* for this content within the ttl, or None."""
        entry = self._entry(question, source)
        if entry is None or self._monotonic() - entry.stored >= question.ttl:
            return None
        return entry.signals

    def _entry(self, question: Question, source: Source) -> Entry | None:
        return self.cache.get(question.hash + source.space) if question.ttl > 0 else None

    def _stale(self, question: Question) -> Reply:
        entry = self._entry(question, question.primary)
        if entry is None or self._monotonic() - entry.stored >= question.ttl + question.stale:
            return Nothing()
        return Answered(entry.signals)

    def _steps(self, question: Question) -> Generator[Step, Reply, Outcome]:
        return ladder(
            question.request.labels,
            question.parts,
            question.deadline,
            has_fallback=question.fallback is not None,
            may_stale=question.ttl > 0 and question.stale > 0,
            inline=self._inline(question, question.primary),
            beyond=question.primary.beyond,
        )

    def _settled(self, question: Question, source: Source, outcome: list[Signals] | Failed) -> Reply:
        """The reply to an answer: completed, and kept under the version that gave it."""
        if isinstance(outcome, Failed):
            return outcome
        source.refresh()
        if len(outcome) != 1:
            return Failed(Failure.MALFORMED)
        signals = outcome[0]
        source.ready = True
        source.learn(signals)
        if not source.remote:  # whose answers are completed as they are decoded
            signals = complete(signals, question.request.labels, question.parts)
        if not signals.has_failures and question.ttl > 0:
            self.cache.put(question.hash + source.space, signals, question.ttl + question.stale)
        return Answered(signals)

    def _counted(self, reply: Reply) -> Reply:
        if isinstance(reply, Failed):
            with self._counting:
                self.failures[reply.failure] = self.failures.get(reply.failure, 0) + 1
        return reply

    def _inline(self, question: Question, source: Source) -> bool:
        if not source.inline or question.size > INLINE_CHARACTERS:
            return False
        # A fallback that is still to load its models loads them on a thread that the deadline can leave; a
        # primary, of which nothing could be known otherwise, inside the first request.
        return source.ready or source is question.primary

    def _run(self, question: Question, source: Source, timeout: float) -> list[Signals]:
        """The answer of an engine on this thread. It counts however long it took: nothing is gained by
        throwing away what is known; that it overran is counted."""
        found = source.detector.detect([question.request], timeout=timeout)
        if question.deadline.left() < 0:
            with self._counting:
                self.overruns += 1
        return found

    def _submitted(self, question: Question, source: Source, timeout: float) -> Future[list[Signals]] | None:
        request = [question.request]
        return self._workers.submit(partial(source.detector.detect, request, timeout=timeout))

    # ── sync ────────────────────────────────────────────────────────────────────────────────────

    def climb(self, question: Question) -> Outcome:
        """What is known after all rungs that were needed, on the calling thread."""
        known = self.fresh(question, question.primary)
        if known is not None:
            return Outcome(known, Status.CACHED, rungs=("cache",))
        return drive(self._steps(question), partial(self._perform, question))

    def _perform(self, question: Question, step: Step) -> Reply:
        if isinstance(step, AskPrimary):
            return self._counted(self._primary(question, step.timeout))
        if isinstance(step, LookStale):
            return self._stale(question)
        return self._fallback(question, step.timeout)

    def _primary(self, question: Question, timeout: float) -> Reply:
        end = self._monotonic() + timeout
        key = question.hash + question.primary.space
        while True:
            flight, leads = self.flights.join(key)
            if leads:
                reply: Reply | None = None
                try:
                    reply = self._lead(question, end)
                    return reply
                finally:
                    self.flights.land(key, flight, reply)
            try:
                landed = flight.result(max(0.0, end - self._monotonic()))
            except TimeoutError:
                self.flights.forget(key, flight)  # its leader may be gone with its event loop
                return Failed(Failure.TIMEOUT)
            if landed is not None:
                return landed

    def _lead(self, question: Question, end: float) -> Reply:
        source = question.primary
        known = self.fresh(question, source)  # stored between the caller's look and its lead
        if known is not None:
            return Answered(known)
        left = end - self._monotonic()
        if source.gate is None:
            return self._send(question, source, left)
        steps = attempts(source.gate, left, self._monotonic, self._jitter)
        return drive(steps, partial(self._attempt, question, source))

    def _attempt(self, question: Question, source: Source, step: Send | Pause) -> Reply:
        if isinstance(step, Pause):
            self._workers.pause(step.seconds)
            return Nothing()
        return self._send(question, source, step.timeout)

    def _send(self, question: Question, source: Source, timeout: float) -> Reply:
        with contained("client.detect", self._faults):
            return self._settled(question, source, self._detect(question, source, timeout))
        return Failed(Failure.INTERNAL)

    def _detect(self, question: Question, source: Source, timeout: float) -> list[Signals] | Failed:
        detector, request = source.detector, [question.request]
        if isinstance(detector, ServiceDetector):
            return detector.ask(request, timeout, question.headers)
        failed = Failed(Failure.TIMEOUT)
        try:
            if self._inline(question, source):
                return self._run(question, source, timeout)
            if timeout <= 0:
                return failed
            future = self._submitted(question, source, timeout)
            if future is None:
                return Failed(Failure.OVERLOADED)
            return _within(future, timeout)
        except DetectorError as error:
            failed = Failed(error.failure, error.retry_after)
        except SpotsafeError as error:  # a detector's own affairs are no message to the product
            if self._faults.loud:
                raise
            self._faults.note("client.detect", type(error).__name__)
            failed = Failed(Failure.INTERNAL)
        except TimeoutError:
            pass
        return failed

    def _fallback(self, question: Question, step_timeout: float) -> Reply:
        source = question.fallback
        if source is None:
            return Nothing()
        known = self.fresh(question, source)
        return Answered(known) if known is not None else self._send(question, source, step_timeout)

    # ── async ───────────────────────────────────────────────────────────────────────────────────

    async def aclimb(self, question: Question) -> Outcome:
        """As :meth:`climb`, awaiting what takes time."""
        known = self.fresh(question, question.primary)
        if known is not None:
            return Outcome(known, Status.CACHED, rungs=("cache",))
        return await adrive(self._steps(question), partial(self._aperform, question))

    async def _aperform(self, question: Question, step: Step) -> Reply:
        if isinstance(step, AskPrimary):
            return self._counted(await self._aprimary(question, step.timeout))
        if isinstance(step, LookStale):
            return self._stale(question)
        return await self._afallback(question, step.timeout)

    async def _aprimary(self, question: Question, timeout: float) -> Reply:
        end = self._monotonic() + timeout
        key = question.hash + question.primary.space
        while True:
            flight, leads = self.flights.join(key)
            if leads:
                # A task of its own: the leader may be cancelled, what others wait for is not.
                task = asyncio.get_running_loop().create_task(self._fly(question, key, flight, end))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                landed = await asyncio.shield(task)
                return landed if landed is not None else Failed(Failure.INTERNAL)
            try:
                async with asyncio.timeout(max(0.0, end - self._monotonic())):
                    landed = await asyncio.wrap_future(flight)
            except TimeoutError:
                self.flights.forget(key, flight)  # its leader may be gone with its event loop
                return Failed(Failure.TIMEOUT)
            if landed is not None:
                return landed

    async def _fly(self, question: Question, key: bytes, flight: Flight, end: float) -> Reply | None:
        reply: Reply | None = None
        try:
            reply = await self._alead(question, end)
            return reply
        finally:
            self.flights.land(key, flight, reply)

    async def _alead(self, question: Question, end: float) -> Reply:
        source = question.primary
        known = self.fresh(question, source)
        if known is not None:
            return Answered(known)
        left = end - self._monotonic()
        if source.gate is None:
            return await self._asend(question, source, left)
        steps = attempts(source.gate, left, self._monotonic, self._jitter)
        return await adrive(steps, partial(self._aattempt, question, source))

    async def _aattempt(self, question: Question, source: Source, step: Send | Pause) -> Reply:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Nothing()
        return await self._asend(question, source, step.timeout)

    async def _asend(self, question: Question, source: Source, timeout: float) -> Reply:
        with contained("client.detect", self._faults):
            return self._settled(question, source, await self._adetect(question, source, timeout))
        return Failed(Failure.INTERNAL)

    async def _adetect(self, question: Question, source: Source, timeout: float) -> list[Signals] | Failed:
        detector, request = source.detector, [question.request]
        if isinstance(detector, ServiceDetector):
            return await detector.aask(request, timeout, question.headers)
        failed = Failed(Failure.TIMEOUT)
        try:
            if self._inline(question, source):
                return self._run(question, source, timeout)
            async with asyncio.timeout(timeout):
                awaitable = None if source.inline else getattr(detector, "adetect", None)
                if awaitable is not None:
                    found: list[Signals] = await awaitable(request, timeout=timeout)
                    return found
                future = self._submitted(question, source, timeout)
                if future is None:
                    return Failed(Failure.OVERLOADED)
                return await asyncio.wrap_future(future)
        except DetectorError as error:
            failed = Failed(error.failure, error.retry_after)
        except SpotsafeError as error:  # a detector's own affairs are no message to the product
            if self._faults.loud:
                raise
            self._faults.note("client.detect", type(error).__name__)
            failed = Failed(Failure.INTERNAL)
        except TimeoutError:
            pass
        return failed

    async def _afallback(self, question: Question, timeout: float) -> Reply:
        source = question.fallback
        if source is None:
            return Nothing()
        known = self.fresh(question, source)
        return Answered(known) if known is not None else await self._asend(question, source, timeout)

    def abandon(self) -> None:
        """Cancel flights of this loop that still run; used when the client closes."""
        for task in tuple(self._tasks):
            with suppress(RuntimeError):  # its loop is closed
                task.cancel()


def _within(future: Future[list[Signals]], timeout: float) -> list[Signals]:
    """Its result. TimeoutError where that takes longer; a run that has not begun is then given up, so
    that nobody computes what nobody waits for."""
    try:
        return future.result(timeout)
    except TimeoutError:
        future.cancel()
        raise
