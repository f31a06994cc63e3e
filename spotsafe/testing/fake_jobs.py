"""Jobs of the fake service: done as soon as their bytes are there, or when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from spotsafe.core.jobs import JobOrder, JobState, decode_order, encode_report
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Signals, all_missing
from spotsafe.core.wire import encode_answer, lengths


class _Job:
    """An order and what arrived of it."""

    __slots__ = ("media", "order", "spoilt")

    def __init__(self, order: JobOrder) -> None:
        self.order = order
        self.media: dict[int, bytes] = {}
        self.spoilt = False

    @property
    def needs(self) -> tuple[int, ...]:
        return tuple(position for position in self.order.media if position not in self.media)


class FakeJobs:
    """The jobs of one fake service, by id, open to tests.

    ``paused`` keeps complete jobs queued; ``spoil`` has one set aside as content on which every detector
    fails.
    """

    def __init__(self, signals: Callable[[DetectRequest], Signals]) -> None:
        self._signals = signals
        self._lock = Lock()
        self._jobs: dict[str, _Job] = {}
        self.paused = False

    @property
    def ids(self) -> list[str]:
        """The jobs that were ordered, oldest first."""
        return list(self._jobs)

    def request(self, job_id: str) -> DetectRequest:
        """What a job has to check, as far as it arrived."""
        job = self._jobs[job_id]
        return job.order.request(job.media)

    def spoil(self, job_id: str) -> None:
        """Have the job set aside: nothing could be checked."""
        self._jobs[job_id].spoilt = True

    def forget(self, job_id: str) -> None:
        """Know nothing of the job any more."""
        self._jobs.pop(job_id, None)

    def order(self, body: object) -> tuple[int, dict[str, Any]]:
        """Status and answer to ``POST /v1/jobs``; WireError where *body* cannot be read."""
        wanted = decode_order(body)
        with self._lock:
            new = wanted.id not in self._jobs
            self._jobs.setdefault(wanted.id, _Job(wanted))
        return (201 if new else 200), self.report(wanted.id) or {}

    def receive(self, job_id: str, position: str, data: bytes) -> bool:
        """Keep the bytes of one part; False where no job has such a part."""
        job = self._jobs.get(job_id)
        if job is None or not position.isdigit() or int(position) not in job.order.media:
            return False
        job.media[int(position)] = data
        return True

    def report(self, job_id: str) -> dict[str, Any] | None:
        """The answer to ``GET /v1/jobs/{id}``, or None where there is no such job."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        if job.needs:
            return encode_report(job_id, JobState.RECEIVING, needs=job.needs)
        if self.paused:
            return encode_report(job_id, JobState.QUEUED)
        request = job.order.request(job.media)
        signals = self._signals(request)
        state = JobState.DONE
        if job.spoilt:
            state, signals = JobState.SET_ASIDE, all_missing(request.labels, Cause.ERROR, signals.engine)
        answer = encode_answer([("1", signals)], signals.engine)
        parts = lengths(request.content)
        return encode_report(job_id, state, labels=request.labels, parts=parts, answer=answer)
