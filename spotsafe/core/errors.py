"""Every exception that spotsafe raises.

SpotsafeError
├── SurfaceBlocked      the content was refused
├── SurfaceHeld         the content waits for a check or a person; carries a receipt
├── ManifestError       faults in manifests, all at once, each with file:line:column and a hint
├── ConfigurationError  the product uses spotsafe wrongly; says where and the remedy
└── DetectorError       a detector failed; carries a closed cause, never content
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from spotsafe.core.receipts import Receipt


class SpotsafeError(Exception):
    """Base of all."""


class SurfaceBlocked(SpotsafeError):
    """The surface's policy refuses this content; the handler did not run (or its answer was withheld).

    ``notice`` is the text for the person who sent it, or None; ``remedy`` says what can be done.
    """

    def __init__(self, surface: str, decision_id: str, notice: str | None = None) -> None:
        self.surface = surface
        self.decision_id = decision_id
        self.notice = notice
        self.remedy = "Change the content and send it again, or appeal with the decision id."
        super().__init__(notice or f"This content cannot be published (decision {decision_id}).")

    def __reduce__(self) -> tuple[Any, ...]:  # the default would call the class with the message alone
        return type(self), (self.surface, self.decision_id, self.notice)


class SurfaceHeld(SpotsafeError):
    """The content is held; the handler has not run. ``receipt`` asks for the verdict later and resumes."""

    def __init__(self, surface: str, decision_id: str, receipt: Receipt, notice: str | None = None) -> None:
        self.surface = surface
        self.decision_id = decision_id
        self.receipt = receipt
        self.notice = notice
        self.remedy = "Keep the draft and ask for the verdict with the receipt."
        super().__init__(notice or f"This content is held for a check (decision {decision_id}).")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.surface, self.decision_id, self.receipt, self.notice)


class Fault(NamedTuple):
    """One fault in a manifest: where (1-based line and column), what, and what to do."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{text}\n    hint: {self.hint}" if self.hint else text


class ManifestError(SpotsafeError):
    """All faults of all manifests read together; ``faults`` is a tuple of :class:`Fault`."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        lines = "\n".join(str(fault) for fault in self.faults)
        super().__init__(f"{count} fault{'' if count == 1 else 's'} in the manifests\n{lines}")


class ConfigurationError(SpotsafeError):
    """spotsafe is used or set up wrongly; the message names the place and the remedy."""


class Failure(str, Enum):
    """How a detector failed; closed, so that callers branch on it and nothing else leaks."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    OVERLOADED = "overloaded"
    SERVER = "server"
    UNAUTHORIZED = "unauthorized"
    REJECTED = "rejected"
    MALFORMED = "malformed"
    BREAKER_OPEN = "breaker_open"
    BACKING_OFF = "backing_off"
    CLOSED = "closed"
    INTERNAL = "internal"


class DetectorError(SpotsafeError):
    """A detector gave no answer. ``retry_after`` is in seconds where the server named it."""

    def __init__(self, failure: Failure, *, detector: str = "", retry_after: float | None = None) -> None:
        self.failure = failure
        self.detector = detector
        self.retry_after = retry_after
        super().__init__(f"detector {detector or 'unnamed'} gave no answer: {failure.value}")


PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_TYPE = "urn:spotsafe:problem:"
"""Problem documents (RFC 9457) of every room: their media type, and what precedes the slug in ``type``."""


def missing_extra(extra: str, feature: str) -> ConfigurationError:
    """The error for a room whose optional dependencies are not installed."""
    return ConfigurationError(f"{feature} needs an optional dependency: pip install 'spotsafe[{extra}]'")
