"""Known media as detectors: campaigns seen before, in text parts; the very files, in parts of any kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from spotsafe.core.content import Part
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.detectors.match.entries import Match
from spotsafe.detectors.match.views import KnownFiles, KnownMedia, KnownTexts


class KnownDetector(ABC):
    """A :class:`~spotsafe.core.seams.Detector` for parts of one *kind*: 1 for the labels of entries that a
    part matches, 0 for the other labels of *known*; all else is missing. *worth* is what its scores are."""

    worth = Calibration.UNCALIBRATED

    def __init__(self, known: KnownMedia, kind: str, *, detector_id: str) -> None:
        self._known = known
        self._kind = kind
        self._id = detector_id

    @property
    def id(self) -> str:
        return self._id

    @property
    def version(self) -> str:
        """Changes with every change of the banks."""
        return self._known.version

    def capabilities(self) -> Capabilities:
        """The labels of live entries, in any language."""
        return Capabilities({label: {"*": self.worth} for label in self._known.labels}, (self._kind,))

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals for each request; a look-up takes about a millisecond, so *timeout* is not needed."""
        reach, version = self.capabilities(), self.version
        return [self._answer(request, reach, version) for request in requests]

    @abstractmethod
    def matches(self, part: Part) -> Iterable[Match]:
        """The entries that *part*, of this kind, matches."""

    def _answer(self, request: DetectRequest, reach: Capabilities, version: str) -> Signals:
        scores: list[Signal] = []
        missing: list[Missing] = []
        for part in request.content:
            ours = part.kind == self._kind
            matched = {match.label for match in self.matches(part)} if ours else set()
            for label in request.labels:
                gap = reach.gap(label, part.kind, None)
                if gap is not None:
                    missing.append(Missing(label, part.name, gap))
                    continue
                score = 1.0 if label in matched else 0.0
                severity = LABELS[label].severity if score else 0
                scores.append(Signal(label, score, part.name, severity, self._id, version))
        if not len(request.content):
            missing = [Missing(label, "", Cause.UNSUPPORTED) for label in request.labels]
        return Signals(scores, missing, version)


class KnownTextDetector(KnownDetector):
    """Texts that are nearly the same as a known one, or the very same bytes."""

    def __init__(self, known: KnownTexts) -> None:
        super().__init__(known, "text", detector_id="local.text.known")
        self._texts = known

    def matches(self, part: Part) -> Iterable[Match]:
        """Entries of the bank of texts and of that of exact files."""
        return (*self._texts.match_bytes(part.digest), *self._texts.match_text(str(part.data)))


class KnownFileDetector(KnownDetector):
    """Parts of *kind* that are, byte for byte, a known file."""

    worth = Calibration.LEXICON

    def __init__(self, known: KnownFiles, kind: str) -> None:
        super().__init__(known, kind, detector_id=f"local.{kind}.file")

    def matches(self, part: Part) -> Iterable[Match]:
        """Entries of the bank of exact files."""
        return self._known.match_bytes(part.digest)
