"""One attempt at a job: what the detector said, or why there is nothing, and whether trying again could help.

A file that no decoder can read stays so. Its labels are missing, cause ``error``, like those over which a
model failed, so the decoder is asked once more what it says of the file: only a file that is damaged, or of
no format that is decoded, ends a job that way.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from spotsafe.core.content import Part
from spotsafe.core.errors import ConfigurationError, DetectorError, SpotsafeError
from spotsafe.core.faults import contained
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause, Signals
from spotsafe.detectors.decode.decoder import DecodeError, Decoder
from spotsafe.detectors.decode.limits import Reason
from spotsafe.service import job_bounds
from spotsafe.service.fitting import fitted, with_missing
from spotsafe.service.job_table import Job

if TYPE_CHECKING:
    from spotsafe.service.state import Service


class JobCause(str, Enum):
    """Why an attempt at a job was not all that was asked for; closed. ``unreadable`` is final."""

    UNREADABLE = "unreadable"
    """A file is damaged, or of no format that is decoded."""
    ERROR = "error"
    """The detector answered, but something in it failed over some labels."""
    TIMEOUT = "timeout"
    """There was not time enough."""
    DETECTOR = "detector"
    """The detector raised an error, or gave nothing."""
    CONTENT = "content"
    """The order or a part was gone from the spool, or is not what was ordered."""
    WORKER = "worker"
    """Workers vanished over it as often as they may."""


class Attempt(NamedTuple):
    """What came of an attempt: *signals*, None where there are none, and what was wrong, None for nothing."""

    signals: Signals | None
    cause: JobCause | None

    @property
    def is_final(self) -> bool:
        """Whether another attempt would say the same."""
        return self.signals is not None and self.cause in (None, JobCause.UNREADABLE)


def attempted(service: Service, job: Job, detector: Detector) -> Attempt:
    """Read *job*'s content and have it checked; faults are counted, not raised. In a thread."""
    outcome = Attempt(None, JobCause.CONTENT)
    try:
        with contained("service.jobs", service.faults):
            order = service.spool.order(job.job_id)
            unread = job_bounds.unwanted(order, service.limits)
            # Parts that are too large are left where they are: their labels are missing, cause ``size``.
            missing = job_bounds.too_large(order, unread)
            request = service.spool.request(order, without=unread)
            outcome = Attempt(None, JobCause.DETECTOR)
            request, too_long = fitted(request, detector.capabilities(), service.limits.text_characters)
            if not len(request.content):
                return Attempt(Signals((), [*missing, *too_long], detector.version), None)
            found = detector.detect([request], timeout=service.limits.job_seconds)
            if len(found) == 1:
                outcome = Attempt(with_missing(found[0], [*missing, *too_long]), JobCause.ERROR)
                outcome = outcome._replace(cause=_cause(request, found[0]))
    except SpotsafeError as error:
        service.faults.note("service.jobs", type(error).__name__)
    return outcome


def _cause(request: DetectRequest, signals: Signals) -> JobCause | None:
    """What is wrong with an answer to *request*."""
    failures = [entry for entry in signals.missing if entry.cause.is_failure]
    if not failures:
        return None
    if any(entry.cause is Cause.TIMEOUT for entry in failures):
        return JobCause.TIMEOUT
    parts = {part.name: part for part in request.content if part.kind != "text"}
    blamed = {entry.part for entry in failures}
    if not blamed <= parts.keys() or any(entry.cause is not Cause.ERROR for entry in failures):
        return JobCause.ERROR
    return JobCause.UNREADABLE if _unreadable([parts[name] for name in blamed]) else JobCause.ERROR


def _unreadable(parts: list[Part]) -> bool:
    """Whether no decoder can read any of *parts*. A decoder that crashed, or had no time, says nothing."""
    from spotsafe.detectors.decode.worker import WorkerDecoder

    try:
        decoder = WorkerDecoder(processes=1)
    except ConfigurationError:  # the detector reads media elsewhere; nothing here can
        return False
    try:
        return all(_refused(decoder, part) for part in parts)
    finally:
        decoder.close()


def _refused(decoder: Decoder, part: Part) -> bool:
    ways = {"image": decoder.picture, "audio": decoder.sound, "video": decoder.movie}
    way = ways.get(part.kind)
    if way is None or not isinstance(part.data, bytes):
        return False
    try:
        way(part.data)
    except DecodeError as error:
        return error.reason is Reason.UNREADABLE
    except DetectorError:
        return False
    return False
