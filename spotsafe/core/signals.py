"""Signals: what detectors say about content, and what they could not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple


class Cause(str, Enum):
    """Why a label has no score. The first four are about the detector's reach and lead to a rule's
    ``if_missing``; the last three are failures and lead to the surface's ``on_failure``."""

    UNSUPPORTED = "unsupported"
    LANGUAGE = "language"
    MODALITY = "modality"
    SIZE = "size"
    TIMEOUT = "timeout"
    ERROR = "error"
    STALE = "stale"

    @property
    def is_failure(self) -> bool:
        return self in _FAILURES


_FAILURES = frozenset({Cause.TIMEOUT, Cause.ERROR, Cause.STALE})


class Span(NamedTuple):
    """Half-open range of code points in the *original* text part."""

    start: int
    end: int


class Box(NamedTuple):
    """Rectangle in the upright image; coordinates in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float


class TimeRange(NamedTuple):
    """Half-open range in seconds."""

    start: float
    end: float


Evidence = Span | Box | TimeRange


class Signal(NamedTuple):
    """One score: *label* from the taxonomy, *score* in [0, 1], *severity* 0–4, where it was seen."""

    label: str
    score: float
    part: str
    severity: int = 0
    detector: str = ""
    version: str = ""
    evidence: tuple[Evidence, ...] = ()


class Missing(NamedTuple):
    """A label without a score for one part (*part* empty: for all parts), and why."""

    label: str
    part: str
    cause: Cause


class Signals:
    """All that is known about one content.

    *scores* hold at most one entry per (label, part) and detector; *missing* holds what could not be
    scored. A label in neither was not asked for.
    """

    __slots__ = ("_by_label", "_peaks", "engine", "missing", "scores")

    def __init__(
        self, scores: Iterable[Signal] = (), missing: Iterable[Missing] = (), engine: str = ""
    ) -> None:
        self.scores = tuple(scores)
        self.missing = tuple(missing)
        self.engine = engine
        self._by_label: dict[str, tuple[Signal, ...]] | None = None
        self._peaks: dict[str, float] | None = None

    @property
    def by_label(self) -> Mapping[str, tuple[Signal, ...]]:
        """Scores grouped by label; built once."""
        if self._by_label is None:
            grouped: dict[str, list[Signal]] = {}
            for signal in self.scores:
                grouped.setdefault(signal.label, []).append(signal)
            self._by_label = {label: tuple(found) for label, found in grouped.items()}
        return self._by_label

    @property
    def peaks(self) -> Mapping[str, float]:
        """Each scored label's maximum over the parts; built once. What is no number from 0 to 1 counts as
        1: a detector that is out of its mind has not found the content clean."""
        if self._peaks is None:
            peaks: dict[str, float] = {}
            for signal in self.scores:
                score = signal.score if 0.0 <= signal.score <= 1.0 else 1.0
                if score >= peaks.get(signal.label, 0.0):
                    peaks[signal.label] = score
            self._peaks = peaks
        return self._peaks

    def score(self, label: str) -> float | None:
        """The label's score: its maximum over the parts; None where it is missing."""
        return self.peaks.get(label)

    @property
    def has_failures(self) -> bool:
        """Whether a label is missing because something broke; such signals are never cached."""
        return any(entry.cause.is_failure for entry in self.missing)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Signals):
            return NotImplemented
        return (self.scores, self.missing, self.engine) == (other.scores, other.missing, other.engine)

    def __hash__(self) -> int:
        return hash((self.scores, self.missing, self.engine))

    def __repr__(self) -> str:
        return f"<Signals {len(self.scores)} scored, {len(self.missing)} missing, engine {self.engine!r}>"


def all_missing(labels: Iterable[str], cause: Cause, engine: str = "") -> Signals:
    """Signals that know nothing of *labels*, all for the same *cause*."""
    return Signals((), [Missing(label, "", cause) for label in labels], engine)
