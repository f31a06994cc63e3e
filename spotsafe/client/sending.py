"""Jobs on their way: content goes to the service on a background thread, and one that asks for time is asked
again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock

from spotsafe.client.jobs import PATIENCE, Jobs, Refusal
from spotsafe.client.workers import Workers
from spotsafe.core.jobs import JobReport
from spotsafe.core.seams import DetectRequest

POLL = 1.0
"""Seconds between two questions after a job that somebody waits for."""

MOST_WAITING = 256 * 1024 * 1024
"""Bytes of content that may wait in this process to be sent."""

ORDERS, LONGEST_WAIT = 3, 10.0
"""How often a job is ordered that the service has no room for at the moment, and for how many seconds at most
this waits each time. Whatever else is refused is ordered again by whoever resumes the receipt."""


class Sending:
    """Jobs on their way, on threads of *background*; *most* bytes of content may wait for one."""

    def __init__(self, background: Workers, most: int = MOST_WAITING) -> None:
        self._background = background
        self._most = most
        self._lock = Lock()
        self._waiting = 0

    def start(self, jobs: Jobs, job_id: str, request: DetectRequest, digest: str) -> bool:
        """Submit the job on another thread; False where too much waits. What was refused is submitted again
        when somebody resumes its receipt."""
        size = sum(len(part.data) for part in request.content)
        with self._lock:
            if self._waiting and self._waiting + size > self._most:
                return False
            self._waiting += size
        work = partial(self._run, partial(jobs.submit, job_id, request, digest), size)
        accepted = self._background.submit(work) is not None
        if not accepted:
            self._give(size)
        return accepted

    def _run(self, submit: Callable[[], Refusal | None], size: int) -> None:
        try:
            for left in reversed(range(ORDERS)):
                refused = submit()
                if refused is None or refused.retry_after is None or not left:
                    return
                if not self._background.pause(min(refused.retry_after, LONGEST_WAIT)):
                    return
        finally:
            self._give(size)

    def _give(self, size: int) -> None:
        with self._lock:
            self._waiting -= size


def finished(
    jobs: Jobs, job_id: str, request: DetectRequest, digest: str, pause: Callable[[float], bool]
) -> JobReport | None:
    """The report of a job that is submitted now, once it is over; None where it could not be had within
    :data:`PATIENCE` seconds of pauses. *pause* says whether to go on."""
    if jobs.submit(job_id, request, digest) is not None:
        return None
    for _ in range(int(PATIENCE / POLL)):
        report = jobs.report(job_id)
        if report is None or report.state.is_over:
            return report
        if not pause(POLL):
            return None
    return None
