"""The worker: takes queued jobs, has them checked, and writes down what came of it.

A job belongs to a worker for as long as it says that it is alive. A service that stops gives its jobs back,
and nothing is counted against them. Where a worker vanishes instead (its process was killed, or crashed), the
lease ends by itself and the next one takes the job; that is counted, apart from attempts that failed, and
content over which workers keep vanishing is set aside like content on which the detector keeps failing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from anyio import to_thread

from spotsafe.core.errors import SpotsafeError
from spotsafe.core.faults import contained
from spotsafe.core.jobs import JobState
from spotsafe.core.seams import Detector
from spotsafe.core.signals import Cause, all_missing
from spotsafe.core.wire import encode_answer
from spotsafe.service import job_table
from spotsafe.service.job_attempt import Attempt, JobCause, attempted
from spotsafe.service.job_table import Job
from spotsafe.service.store import StoreUnavailable

if TYPE_CHECKING:
    from spotsafe.service.state import Service

_log = logging.getLogger("spotsafe.service")

_BEATS = 3
"""How often a worker says within one lease that it is alive."""


class JobWorkers:
    """The workers of one service; used from its event loop."""

    __slots__ = ("_awake", "_held", "_service", "_sleep", "_stopping", "_tasks")

    def __init__(
        self, service: Service, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """*sleep* waits for so many seconds before what could not be written down is written again."""
        self._service = service
        self._sleep = sleep
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
        outcome = Attempt(None, JobCause.WORKER)
        beating = asyncio.create_task(self._beating(job))
        try:
            if job.losses < self._service.limits.job_losses:
                outcome = await self._attempt(job, detector)
            await self._settled(job, outcome, detector.version)
        finally:
            beating.cancel()
            if not self._stopping:
                self._held.pop(job.job_id, None)

    async def _attempt(self, job: Job, detector: Detector) -> Attempt:
        limits = self._service.limits
        try:
            # Detectors keep their own time; one that hangs must not have the job, and this worker, for ever.
            async with asyncio.timeout(limits.job_seconds + limits.job_lease):
                return await _on_a_daemon(partial(attempted, self._service, job, detector))
        except TimeoutError:
            self._service.faults.note("service.jobs", "TimeoutError")
            return Attempt(None, JobCause.TIMEOUT)

    async def _settled(self, job: Job, outcome: Attempt, version: str) -> None:
        """Write down what came of *job*, trying again while the store cannot be written: the work is done,
        and nobody else gets the job from that store. It is given up after as long as doing it anew may take.
        Where the lease ended all the same and somebody else has the job, nothing is written."""
        waited, limits = 0.0, self._service.limits
        while True:
            try:
                return await to_thread.run_sync(partial(self._settle, job, outcome, version))
            except StoreUnavailable:
                if waited >= limits.job_seconds:
                    raise
                self._service.faults.note("service.jobs", "StoreUnavailable")
            await self._sleep(limits.job_poll_seconds)
            waited += limits.job_poll_seconds

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

    def _settle(self, job: Job, outcome: Attempt, version: str) -> None:
        service = self._service
        now, limits = service.clock.now(), service.limits
        lost = job.losses >= limits.job_losses
        if outcome.is_final:
            self._finish(job, JobState.DONE, outcome, version, now)
        elif lost or job.failures + 1 >= limits.job_attempts:
            self._finish(
                job._replace(failures=job.failures + (not lost)), JobState.SET_ASIDE, outcome, version, now
            )
        else:
            pause = limits.job_pause * 2**job.failures
            with service.store.writing() as connection:
                job_table.put_back(connection, job, now + pause, now, _word(outcome))

    def _finish(self, job: Job, state: JobState, outcome: Attempt, version: str, now: float) -> None:
        service, cause = self._service, _word(outcome)
        signals = outcome.signals or all_missing(job.asked.labels, Cause.ERROR, version)
        answer = json.dumps(encode_answer([("1", signals)], signals.engine))
        over = job_table.Ended(state, answer, signals.engine, cause)
        with service.store.writing() as connection:
            mine = job_table.finish(connection, job, over, now)
        if not mine:
            return
        service.metrics.count("spotsafe_jobs_ended_total", result=state.value)
        if state is JobState.SET_ASIDE:
            _log.warning(
                "job %s was set aside, cause %s (attempts that failed: %d, workers lost: %d); "
                "spotsafe jobs list shows it, spotsafe jobs requeue has it tried again",
                job.job_id, cause, job.failures, job.losses,
            )  # fmt: skip
        if state is JobState.DONE or not service.limits.job_aside_seconds:
            service.spool.drop(job.job_id)


def _word(outcome: Attempt) -> str | None:
    return None if outcome.cause is None else outcome.cause.value


async def _on_a_daemon(work: Callable[[], Attempt]) -> Attempt:
    """The result of *work*, on a thread that a stopping service does not wait for: a job may take a quarter
    of an hour, and whoever starts next takes it up again."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Attempt] = loop.create_future()

    def tell(result: Attempt) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        result = Attempt(None, JobCause.DETECTOR)
        try:
            result = work()
        finally:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(tell, result)

    Thread(target=run, name="spotsafe-job", daemon=True).start()
    return await done
