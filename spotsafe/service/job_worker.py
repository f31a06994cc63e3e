"""The worker: takes queued jobs, has them checked, and writes down what came of it.

A job belongs to a worker for as long as it says that it is alive. A service that stops gives its jobs back,
and nothing is counted against them. Where a worker vanishes instead (its process was killed, or crashed), the
lease ends by itself and the next one takes the job; that is counted, apart from attempts that failed, and
content over which workers keep vanishing is set aside like content on which the detector keeps failing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from anyio import to_thread

from spotsafe.core.errors import SpotsafeError
from spotsafe.core.faults import contained
from spotsafe.core.jobs import JobState
from spotsafe.core.seams import Detector
from spotsafe.core.signals import Cause, Signals, all_missing
from spotsafe.core.wire import encode_answer
from spotsafe.service import job_bounds, job_table
from spotsafe.service.fitting import fitted, with_missing
from spotsafe.service.job_table import Job
from spotsafe.service.store import StoreUnavailable

if TYPE_CHECKING:
    from spotsafe.service.state import Service

_BEATS = 3
"""How often a worker says within one lease that it is alive."""


class JobWorkers:
    """The workers of one service; used from its event loop."""

    __slots__ = ("_awake", "_held", "_service", "_stopping", "_tasks")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._awake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        # Jobs are put here in the transaction that takes them, and transactions follow one another: what was
        # taken when the workers stop is here, and nothing is taken after that.
        self._held: dict[str, Job] = {}
        self._stopping = False

    def start(self) -> None:
        """Begin to work; returns at once."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._working()) for _ in range(self._service.limits.job_workers)]

    def wake(self) -> None:
        """Something was queued: look now rather than at the next poll."""
        self._awake.set()

    async def stop(self) -> None:
        """Take no more, and give back what is in work: whoever starts next takes it up at once. The detector
        is not waited for; what it still says is not written down."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        try:
            await to_thread.run_sync(self._give_back)
        except StoreUnavailable:
            self._service.faults.note("service.jobs", "StoreUnavailable")

    def _give_back(self) -> None:
        service = self._service
        with service.store.writing() as connection:
            for job in self._held.values():
                job_table.give_back(connection, job, service.clock.now())

    async def _working(self) -> None:
        while True:
            self._awake.clear()
            if not await self.work_once():
                try:
                    async with asyncio.timeout(self._service.limits.job_poll_seconds):
                        await self._awake.wait()
                except TimeoutError:
                    continue

    async def work_once(self) -> bool:
        """Work on the job whose turn it is; False where there is none, or no detector yet."""
        service = self._service
        detector = service.engine.detector
        if detector is None:
            return False
        worked = False
        try:
            with contained("service.jobs", service.faults):
                job = await to_thread.run_sync(self._take)
                if job is not None:
                    await self._work(job, detector)
                    worked = True
        except SpotsafeError as error:  # the store, mostly; whatever it is must not end the worker
            service.faults.note("service.jobs", type(error).__name__)
        return worked

    def _take(self) -> Job | None:
        service = self._service
        with service.store.writing() as connection:
            if self._stopping:
                return None
            job = job_table.take(connection, service.clock.now(), service.limits.job_lease)
            if job is not None:
                self._held[job.job_id] = job
        return job

    async def _work(self, job: Job, detector: Detector) -> None:
        """One attempt. A job over which too many workers vanished is set aside unseen."""
        signals = None
        try:
            if job.losses < self._service.limits.job_losses:
                signals = await self._attempt(job, detector)
            await to_thread.run_sync(partial(self._settle, job, signals, detector.version))
        finally:
            if not self._stopping:
                self._held.pop(job.job_id, None)

    async def _attempt(self, job: Job, detector: Detector) -> Signals | None:
        limits = self._service.limits
        beating = asyncio.create_task(self._beating(job))
        try:
            # Detectors keep their own time; one that hangs must not have the job, and this worker, for ever.
            async with asyncio.timeout(limits.job_seconds + limits.job_lease):
                return await _on_a_daemon(partial(self._checked, job, detector))
        except TimeoutError:
            self._service.faults.note("service.jobs", "TimeoutError")
            return None
        finally:
            beating.cancel()

    async def _beating(self, job: Job) -> None:
        service = self._service
        lease = service.limits.job_lease
        while True:
            await asyncio.sleep(lease / _BEATS)
            await to_thread.run_sync(self._renew, job, service.clock.now() + lease)

    def _renew(self, job: Job, due_at: float) -> None:
        try:
            with self._service.store.writing() as connection:
                job_table.renew(connection, job, due_at)
        except StoreUnavailable:
            self._service.faults.note("service.jobs", "StoreUnavailable")

    def _checked(self, job: Job, detector: Detector) -> Signals | None:
        """What the detector says, or None where it, or the content's files, failed. In a thread."""
        found: Signals | None = None
        try:
            with contained("service.jobs", self._service.faults):
                found = self._detected(job, detector)
        except SpotsafeError as error:
            self._service.faults.note("service.jobs", type(error).__name__)
        return found

    def _detected(self, job: Job, detector: Detector) -> Signals | None:
        """Parts that are too large are left where they are: their labels are missing, cause ``size``."""
        service, limits = self._service, self._service.limits
        order = service.spool.order(job.job_id)
        unread = job_bounds.unwanted(order, limits)
        missing = job_bounds.too_large(order, unread)
        request = service.spool.request(order, without=unread)
        request, too_long = fitted(request, detector.capabilities(), limits.text_characters)
        if not len(request.content):
            return Signals((), [*missing, *too_long], detector.version)
        found = detector.detect([request], timeout=limits.job_seconds)
        return with_missing(found[0], [*missing, *too_long]) if len(found) == 1 else None

    def _settle(self, job: Job, signals: Signals | None, version: str) -> None:
        service = self._service
        now, limits = service.clock.now(), service.limits
        lost = job.losses >= limits.job_losses
        if signals is not None and not signals.has_failures:
            self._finish(job, JobState.DONE, signals, now)
        elif lost or job.failures + 1 >= limits.job_attempts:
            said = signals or all_missing(job.asked.labels, Cause.ERROR, version)
            self._finish(job._replace(failures=job.failures + (not lost)), JobState.SET_ASIDE, said, now)
        else:
            pause = limits.job_pause * 2**job.failures
            with service.store.writing() as connection:
                job_table.put_back(connection, job, now + pause, now)

    def _finish(self, job: Job, state: JobState, signals: Signals, now: float) -> None:
        service = self._service
        answer = json.dumps(encode_answer([("1", signals)], signals.engine))
        with service.store.writing() as connection:
            mine = job_table.finish(connection, job, state, answer=answer, version=signals.engine, now=now)
        if not mine:
            return
        service.metrics.count("spotsafe_jobs_ended_total", result=state.value)
        if state is JobState.DONE or not service.limits.job_aside_seconds:
            service.spool.drop(job.job_id)


async def _on_a_daemon(work: Callable[[], Signals | None]) -> Signals | None:
    """The result of *work*, on a thread that a stopping service does not wait for: a job may take a quarter
    of an hour, and whoever starts next takes it up again."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Signals | None] = loop.create_future()

    def tell(result: Signals | None) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        result = None
        try:
            result = work()
        finally:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(tell, result)

    Thread(target=run, name="spotsafe-job", daemon=True).start()
    return await done
