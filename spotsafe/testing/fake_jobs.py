"""Jobs of the fake service: done as soon as their bytes are there, or when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Any

from spotsafe.core.jobs import Asked, JobOrder, JobState, decode_order, encode_report
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Signals, all_missing
from spotsafe.core.wire import encode_answer, lengths
from spotsafe.testing.replies import CONFLICT, MALFORMED, MISMATCH, NOT_FOUND, TOO_LARGE, Reply


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

    @property
    def asked(self) -> Asked:
        return Asked(self.order.labels, lengths(self.order.request({}).content), self.order.digest)


class FakeJobs:
    """The jobs of one fake service, by id, open to tests.

    ``paused`` keeps complete jobs queued; ``spoil`` has one set aside as content on which every detector
    fails, ``mend`` undoes that; ``refuse`` has the next orders answered with a problem.
    """

    def __init__(self, signals: Callable[[DetectRequest], Signals]) -> None:
        self._signals = signals
        self._lock = Lock()
        self._jobs: dict[str, _Job] = {}
        self._refusals: list[Reply] = []
        self.paused = False
        self.orders = 0

    @property
    def ids(self) -> list[str]:
        """The jobs that were ordered, oldest first."""
        return list(self._jobs)

    def request(self, job_id: str) -> DetectRequest:
        """What a job has to check, as far as it arrived."""
        job = self._jobs[job_id]
        return job.order.request(job.media)

    def refuse(self, reply: Reply, *, times: int = 1) -> None:
        """Answer the next *times* orders with *reply* (see :mod:`spotsafe.testing.replies`)."""
        self._refusals.extend([reply] * times)

    def spoil(self, job_id: str) -> None:
        """Have the job set aside: nothing could be checked."""
        self._jobs[job_id].spoilt = True

    def mend(self, job_id: str) -> None:
        """Have the job tried again."""
        self._jobs[job_id].spoilt = False

    def forget(self, job_id: str) -> None:
        """Know nothing of the job any more."""
        self._jobs.pop(job_id, None)

    def order(self, body: object) -> Reply:
        """The answer to ``POST /v1/jobs``; WireError where *body* cannot be read."""
        wanted = decode_order(body)
        with self._lock:
            self.orders += 1
            if self._refusals:
                return self._refusals.pop(0)
            known = self._jobs.get(wanted.id)
            if known is None:
                self._jobs[wanted.id] = _Job(wanted)
            elif known.order.digest != wanted.digest or known.order.parts != wanted.parts:
                return CONFLICT
        return Reply(201 if known is None else 200, self.report(wanted.id))

    def receive(self, job_id: str, position: str, data: bytes) -> Reply:
        """The answer to the bytes of one part."""
        job = self._jobs.get(job_id)
        if job is None or not position.isdigit() or int(position) not in job.order.media:
            return NOT_FOUND
        number = int(position)
        size = job.order.parts[number].size
        if len(data) != size:
            return TOO_LARGE if len(data) > size else MALFORMED
        if not job.order.agrees(number, sha256(data).digest()):
            return MISMATCH
        job.media[number] = data
        return Reply(204)

    def report(self, job_id: str) -> dict[str, Any] | None:
        """The answer to ``GET /v1/jobs/{id}``, or None where there is no such job."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        if job.needs:
            return encode_report(job_id, JobState.RECEIVING, job.asked, needs=job.needs)
        if self.paused:
            return encode_report(job_id, JobState.QUEUED, job.asked)
        request = job.order.request(job.media)
        signals = self._signals(request)
        state = JobState.DONE
        if job.spoilt:
            state, signals = JobState.SET_ASIDE, all_missing(request.labels, Cause.ERROR, signals.engine)
        answer = encode_answer([("1", signals)], signals.engine)
        return encode_report(job_id, state, job.asked, answer=answer)

    def row(self, job_id: str) -> dict[str, Any]:
        """The job as operators see it."""
        job, report = self._jobs[job_id], self.report(job_id) or {}
        return {
            "job_id": job_id, "application": "local", "state": report["state"], "created_at": 0.0,
            "changed_at": 0.0, "failures": 3 * job.spoilt, "losses": 0, "parts": len(job.order.parts),
            "size": sum(map(len, job.media.values())), "version": None, "cause": None,
        }  # fmt: skip

    def listed(self, state: str) -> list[dict[str, Any]]:
        """The jobs in *state* as operators see them."""
        return [row for row in map(self.row, self.ids) if row["state"] == state]
