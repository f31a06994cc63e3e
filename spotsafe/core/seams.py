"""The seams: Protocols of one or two methods through which rooms meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

from spotsafe.core.content import Content
from spotsafe.core.signals import Cause, Signals


class Clock(Protocol):
    """Time as a parameter."""

    def now(self) -> float:
        """Unix time, seconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards."""
        ...


class Calibration(str, Enum):
    """What is known of a label's scores in one language. Only ``calibrated`` may block in a baseline."""

    CALIBRATED = "calibrated"
    UNCALIBRATED = "uncalibrated"
    TRANSFERRED = "transferred (not measured)"
    LEXICON = "lexicon only"


class Capabilities:
    """What a detector can say: label → language (``*`` for any) → calibration, per kind of part.

    *kinds* are the kinds of parts that it reads; *narrower* names, for labels that it cannot give for all of
    these, the kinds for which it can. *context_fields* are the context fields it reads; they enter the cache
    key.
    """

    __slots__ = ("context_fields", "kinds", "labels", "narrower")

    def __init__(
        self,
        labels: Mapping[str, Mapping[str, Calibration]],
        kinds: Sequence[str] = ("text",),
        context_fields: Sequence[str] = (),
        narrower: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.labels = {label: dict(languages) for label, languages in labels.items()}
        self.kinds = tuple(kinds)
        self.narrower = {label: tuple(those) for label, those in (narrower or {}).items()}
        self.context_fields = tuple(context_fields)

    def gap(self, label: str, kind: str, language: str | None) -> Cause | None:
        """Why the detector cannot score *label* on such a part, or None where it can.
        An unknown *language* (None) is not a gap: the detector decides when it sees the text."""
        languages = self.labels.get(label)
        if languages is None:
            return Cause.UNSUPPORTED
        if kind not in self.narrower.get(label, self.kinds):
            return Cause.MODALITY
        if language is None or "*" in languages or language in languages:
            return None
        return Cause.LANGUAGE


class DetectRequest(NamedTuple):
    """One content to score for *labels* (concrete codes, sorted). *context* holds only fields that the
    detector declared in its capabilities."""

    content: Content
    labels: tuple[str, ...]
    context: Mapping[str, object] = {}


@runtime_checkable
class Detector(Protocol):
    """Whatever yields Signals: the local engine, a service, a third party, a fake.

    For each request the answer holds, for each requested label, a score or an entry in ``missing``.
    """

    @property
    def id(self) -> str:
        """A stable name, e.g. ``local.text`` or ``service``."""
        ...

    @property
    def version(self) -> str:
        """The last version known; it may change between answers."""
        ...

    def capabilities(self) -> Capabilities | None:
        """What it can say; None where that is unknown before it answers (a remote service)."""
        ...

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals for each request, in order. *timeout* in seconds is a wall-clock bound where the
        detector can keep one. Raises :class:`~spotsafe.core.errors.DetectorError`."""
        ...


@runtime_checkable
class AsyncDetector(Detector, Protocol):
    """A detector that can also be awaited."""

    async def adetect(
        self, requests: Sequence[DetectRequest], *, timeout: float | None = None
    ) -> list[Signals]:
        """As :meth:`Detector.detect`."""
        ...
