"""Content that is checked after the request: by a worker in the service, or on a thread of this process.

Either way the decision's id is the job's: who holds the receipt can ask what came of it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock
from typing import Protocol

from spotsafe.client.http import Answer, Exchange
from spotsafe.client.remote import parsed
from spotsafe.client.workers import Workers
from spotsafe.core.content import LATER_KINDS, Content
from spotsafe.core.decision import Status
from spotsafe.core.errors import SpotsafeError
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.jobs import JobReport, JobState, decode_report, encode_order
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause, Signals, all_missing
from spotsafe.core.wire import lengths
from spotsafe.guard.blend import complete
from spotsafe.guard.steps import Outcome
from spotsafe.policy.surface import SurfacePolicy

JOBS = "v1/jobs"

ASKING = 10.0
"""Seconds for an order, or for a question after one."""

SLOWEST = 256 * 1024
"""Bytes a second that an upload may crawl at before it is given up."""

PATIENCE = 900.0
"""Seconds that the engine in this process may take for one job; the service's own bound."""

POLL = 1.0
"""Seconds between two questions after a job that somebody waits for."""

MOST_WAITING = 256 * 1024 * 1024
"""Bytes of content that may wait in this process to be sent."""

MOST_REPORTS = 1_000
"""Answers of the engine in this process that are kept for whoever asks."""


class Jobs(Protocol):
    """Where content goes that is checked after the request. Both methods may block; neither raises for what
    a detector or a network does."""

    def submit(self, job_id: str, request: DetectRequest) -> bool:
        """Have *request* checked as *job_id*; whether that is under way or done. May be repeated."""
        ...

    def report(self, job_id: str) -> JobReport | None:
        """Where the job stands; None where nothing is known of it."""
        ...


class RemoteJobs:
    """Jobs in the service."""

    def __init__(self, exchange: Exchange, faults: FaultCounter) -> None:
        self._exchange = exchange
        self._faults = faults

    def submit(self, job_id: str, request: DetectRequest) -> bool:
        """Order the job and send what it needs."""
        with contained("client.jobs", self._faults):
            body = json.dumps(encode_order(job_id, request), ensure_ascii=False).encode("utf-8", "replace")
            report = self._read(self._exchange.post(JOBS, body, ASKING))
            if report is None:
                return False
            return all(self._sent(job_id, position, request.content) for position in report.needs)
        return False

    def _sent(self, job_id: str, position: int, content: Content) -> bool:
        data = content.parts[position].data if position < len(content.parts) else b""
        if not isinstance(data, bytes):
            return False  # it asks for a text, which the order had
        answer = self._exchange.post(
            f"{JOBS}/{job_id}/parts/{position}", data, ASKING + len(data) / SLOWEST,
            {"content-type": "application/octet-stream"}, method="PUT",
        )  # fmt: skip
        return isinstance(answer, Answer) and answer.status == 204

    def report(self, job_id: str) -> JobReport | None:
        """Ask once."""
        with contained("client.jobs", self._faults):
            return self._read(self._exchange.post(f"{JOBS}/{job_id}", b"", ASKING, method="GET"))
        return None

    def _read(self, answer: object) -> JobReport | None:
        if not isinstance(answer, Answer) or answer.status not in (200, 201):
            return None
        return decode_report(parsed(answer.body))


class LocalJobs:
    """Jobs on the calling thread, by the engine in this process; their answers are kept in memory."""

    def __init__(self, detector: Detector, faults: FaultCounter) -> None:
        self._detector = detector
        self._faults = faults
        self._lock = Lock()
        self._reports: OrderedDict[str, JobReport] = OrderedDict()

    def after_fork(self) -> None:
        """A lock that nobody holds; what the parent was working on is its own affair."""
        self._lock = Lock()
        self._reports = OrderedDict((k, r) for k, r in self._reports.items() if r.state.is_over)

    def submit(self, job_id: str, request: DetectRequest) -> bool:
        """Check it now."""
        if not self._begun(job_id):
            return True
        version = self._detector.version
        signals = all_missing(request.labels, Cause.ERROR, version)
        try:
            signals = self._checked(request)
        finally:  # whatever comes: a job that stays running would never be tried again
            parts = lengths(request.content)
            self._keep(job_id, JobReport(JobState.DONE, (), signals, request.labels, parts, version))
        return True

    def _begun(self, job_id: str) -> bool:
        with self._lock:
            known = self._reports.get(job_id)
            if known is not None and not (known.signals is not None and known.signals.has_failures):
                return False
            self._reports[job_id] = JobReport(JobState.RUNNING)
            return True

    def _checked(self, request: DetectRequest) -> Signals:
        found: list[Signals] = []
        detector = self._detector
        try:
            with contained("client.jobs", self._faults):
                found = detector.detect([request], timeout=PATIENCE)
        except SpotsafeError as error:
            self._faults.note("client.jobs", type(error).__name__)
        if len(found) != 1:
            return all_missing(request.labels, Cause.ERROR, detector.version)
        return complete(found[0], request.labels, tuple(part.name for part in request.content))

    def _keep(self, job_id: str, report: JobReport) -> None:
        with self._lock:
            self._reports[job_id] = report
            self._reports.move_to_end(job_id)
            while len(self._reports) > MOST_REPORTS:
                self._reports.popitem(last=False)

    def report(self, job_id: str) -> JobReport | None:
        """What this process knows."""
        with self._lock:
            return self._reports.get(job_id)


class Sending:
    """Jobs on their way, on threads of *background*; *most* bytes of content may wait for one."""

    def __init__(self, background: Workers, most: int = MOST_WAITING) -> None:
        self._background = background
        self._most = most
        self._lock = Lock()
        self._waiting = 0

    def start(self, jobs: Jobs, job_id: str, request: DetectRequest) -> bool:
        """Submit the job on another thread; False where too much waits. What was refused is submitted again
        when somebody resumes its receipt."""
        size = sum(len(part.data) for part in request.content)
        with self._lock:
            if self._waiting and self._waiting + size > self._most:
                return False
            self._waiting += size
        accepted = self._background.submit(partial(self._run, jobs, job_id, request, size)) is not None
        if not accepted:
            self._give(size)
        return accepted

    def _run(self, jobs: Jobs, job_id: str, request: DetectRequest, size: int) -> None:
        try:
            jobs.submit(job_id, request)
        finally:
            self._give(size)

    def _give(self, size: int) -> None:
        with self._lock:
            self._waiting -= size


def finished(
    jobs: Jobs, job_id: str, request: DetectRequest, pause: Callable[[float], None]
) -> JobReport | None:
    """The report of a job that is submitted now, once it is over; None where it could not be had within
    :data:`PATIENCE` seconds of pauses."""
    if not jobs.submit(job_id, request):
        return None
    for _ in range(int(PATIENCE / POLL)):
        report = jobs.report(job_id)
        if report is None or report.state.is_over:
            return report
        pause(POLL)
    return None


def outcome_of(report: JobReport, policy: SurfacePolicy, content: Content | None) -> Outcome | None:
    """What a job that is over says about the labels of *policy*, as an outcome of the primary detector.

    *content* is what was set aside, None where only its receipt is at hand. A report that speaks of other
    parts says nothing of them: without the content there is no outcome; with it every label is missing, and
    what was found stands besides."""
    known = report.signals
    if not report.state.is_over or known is None:
        return None
    if content is None:
        if not _covers(report.parts, policy):
            return None
    elif dict(report.parts) != lengths(content):
        gone = all_missing(policy.labels, Cause.ERROR).missing
        scores = [signal._replace(evidence=()) for signal in known.scores]
        known = Signals(scores, [*known.missing, *gone], known.engine)
    signals = complete(known, policy.labels, tuple(report.parts))
    return Outcome(signals, Status.CHECKED, rungs=("job",))


def _covers(parts: Iterable[str], policy: SurfacePolicy) -> bool:
    """Whether *parts* has something of each content that the surface cannot be without: under its name, or
    below it (``tracks[0]``, ``payload.tracks[0]``)."""
    names = tuple(parts)
    needed = (name for name, spec in policy.content.items() if not spec.optional)
    return bool(names) and all(
        any(part == name or part.startswith((f"{name}[", f"{name}.")) for part in names) for name in needed
    )


def is_later(content: Content) -> bool:
    """Whether *content* has parts that are never checked inside a request."""
    return any(part.kind in LATER_KINDS for part in content)
