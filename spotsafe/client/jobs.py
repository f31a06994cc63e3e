"""Content that is checked after the request: by a worker in the service, or on a thread of this process.

Either way the decision's id is the job's: who holds the receipt can ask what came of it. And either way the
receipt's digest goes with the job and comes back with its answer: one about other content is not taken.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterable
from hmac import compare_digest
from threading import Lock
from typing import NamedTuple, Protocol

from spotsafe.client.http import Answer, Exchange
from spotsafe.client.remote import failure_of, parsed, retry_after
from spotsafe.core.content import LATER_KINDS, Content
from spotsafe.core.decision import Status
from spotsafe.core.errors import PROBLEM_TYPE, Failure, SpotsafeError
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.jobs import JobReport, JobState, decode_report, encode_order
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause, Signals, all_missing
from spotsafe.core.wire import lengths
from spotsafe.guard.blend import complete
from spotsafe.guard.steps import Failed, Outcome
from spotsafe.policy.surface import SurfacePolicy

JOBS = "v1/jobs"

ASKING = 10.0
"""Seconds for an order, or for a question after one."""

SLOWEST = 256 * 1024
"""Bytes a second that an upload may crawl at before it is given up."""

PATIENCE = 900.0
"""Seconds that the engine in this process may take for one job; the service's own bound."""

MOST_REPORTS = 1_000
"""Answers of the engine in this process that are kept for whoever asks."""

UPLOADS = 2
"""How often the bytes of a part are sent, where they did not arrive or arrived altered."""

_PASSING = (404, 408, 429)
"""Refusals that say nothing against the order: the job is gone meanwhile, it was slow, too much at once."""

_SLUG = re.compile(r"[a-z-]{1,40}\Z")


class Refusal(NamedTuple):
    """Why a job is not under way: *reason* is the kind of problem that the service named, or a
    :class:`~spotsafe.core.errors.Failure` in one word; *status* is its HTTP status, None where there was no
    answer; *retry_after* are the seconds that it asked to wait, None where it did not ask for that."""

    reason: str
    status: int | None = None
    retry_after: float | None = None

    @property
    def lasting(self) -> bool:
        """Whether the same order would be refused again: the service read it, knows what it is about, and did
        not ask to wait."""
        if self.status is None or self.retry_after is not None:
            return False
        return 400 <= self.status < 500 and self.status not in _PASSING


class Jobs(Protocol):
    """Where content goes that is checked after the request. Both methods may block; neither raises for what
    a detector or a network does."""

    def submit(self, job_id: str, request: DetectRequest, digest: str) -> Refusal | None:
        """Have *request* checked as *job_id*, for the receipt of that *digest*: None once that is under way
        or done, else why it is not. May be repeated."""
        ...

    def report(self, job_id: str) -> JobReport | None:
        """Where the job stands; None where nothing is known of it."""
        ...


class RemoteJobs:
    """Jobs in the service."""

    def __init__(self, exchange: Exchange, faults: FaultCounter) -> None:
        self._exchange = exchange
        self._faults = faults

    def submit(self, job_id: str, request: DetectRequest, digest: str) -> Refusal | None:
        """Order the job and send what it needs."""
        with contained("client.jobs", self._faults):
            order = encode_order(job_id, request, digest)
            body = json.dumps(order, ensure_ascii=False).encode("utf-8", "replace")
            answer = self._exchange.post(JOBS, body, ASKING)
            report = self._read(answer)
            if report is None:
                return _refusal(answer)
            for position in report.needs:
                refused = self._send(job_id, position, request.content)
                if refused is not None:
                    return refused
            return None
        return _BROKEN

    def _send(self, job_id: str, position: int, content: Content) -> Refusal | None:
        data = content.parts[position].data if position < len(content.parts) else b""
        if not isinstance(data, bytes):
            return _BROKEN  # it asks for a text, which the order had
        refused: Refusal | None = _BROKEN
        for _ in range(UPLOADS):
            answer = self._exchange.post(
                f"{JOBS}/{job_id}/parts/{position}", data, ASKING + len(data) / SLOWEST,
                {"content-type": "application/octet-stream"}, method="PUT",
            )  # fmt: skip
            if isinstance(answer, Answer) and answer.status == 204:
                return None
            refused = _refusal(answer)
            if refused.reason == Failure.CLOSED.value or (refused.lasting and refused.reason not in _ALTERED):
                break
        return refused

    def report(self, job_id: str) -> JobReport | None:
        """Ask once."""
        with contained("client.jobs", self._faults):
            return self._read(self._exchange.post(f"{JOBS}/{job_id}", b"", ASKING, method="GET"))
        return None

    def _read(self, answer: object) -> JobReport | None:
        if not isinstance(answer, Answer) or answer.status not in (200, 201):
            return None
        return decode_report(parsed(answer.body))


_BROKEN = Refusal(Failure.INTERNAL.value)
_ALTERED = ("content-mismatch", "malformed-body")
"""Problems with an upload that may be the network's: another try can do."""


def _refusal(answer: Answer | Failed) -> Refusal:
    """What the service answered instead of taking the job, without any of its texts."""
    if isinstance(answer, Failed):
        return Refusal(answer.failure.value, None, answer.retry_after)
    failed = failure_of(answer) or Failed(Failure.MALFORMED)
    problem = parsed(answer.body)
    kind = problem.get("type") if isinstance(problem, dict) else None
    slug = str(kind).removeprefix(PROBLEM_TYPE)
    named = _SLUG.match(slug) is not None
    return Refusal(slug if named else failed.failure.value, answer.status, retry_after(answer.headers))


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

    def submit(self, job_id: str, request: DetectRequest, digest: str) -> Refusal | None:
        """Check it now."""
        if not self._begun(job_id):
            return None
        version = self._detector.version
        signals = all_missing(request.labels, Cause.ERROR, version)
        try:
            signals = self._checked(request)
        finally:  # whatever comes: a job that stays running would never be tried again
            parts = lengths(request.content)
            report = JobReport(JobState.DONE, (), signals, request.labels, parts, version, digest)
            self._keep(job_id, report)
        return None

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


def is_about(report: JobReport, digest: str) -> bool:
    """Whether *report* is about the content of *digest* (that of a receipt). One that says no digest, or
    another one, is about nothing that was asked."""
    return compare_digest(report.digest.encode(), digest.encode())


def outcome_of(
    report: JobReport, policy: SurfacePolicy, content: Content | None, digest: str
) -> Outcome | None:
    """What a job that is over says about the labels of *policy*, as an outcome of the primary detector; None
    where it is not over, or is not about the content of *digest*.

    *content* is what was set aside, None where only its receipt is at hand. A report that speaks of other
    parts says nothing of them: without the content there is no outcome; with it every label is missing, and
    what was found stands besides."""
    known = report.signals
    if not report.state.is_over or known is None or not is_about(report, digest):
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
