"""Known files as a detector: recordings and videos that are, byte for byte, in the bank of exact files."""

from __future__ import annotations

from collections.abc import Sequence

from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Missing, Signal, Signals
from spotsafe.detectors.match.entries import Bank
from spotsafe.detectors.match.views import KnownMedia


class KnownFiles(KnownMedia):
    """The bank of exact files alone."""

    kinds = (Bank.EXACT,)


class KnownFileDetector:
    """A :class:`~spotsafe.core.seams.Detector` for parts of one *kind*: 1 for the labels of entries that are
    the very same file, 0 for the bank's other labels; all else is missing."""

    def __init__(self, known: KnownFiles, kind: str) -> None:
        self._known = known
        self._kind = kind

    @property
    def id(self) -> str:
        return f"local.{self._kind}.file"

    @property
    def version(self) -> str:
        """Changes with every change of the banks."""
        return self._known.version

    def capabilities(self) -> Capabilities:
        """The labels of live entries."""
        labels = {label: {"*": Calibration.LEXICON} for label in self._known.labels}
        return Capabilities(labels, (self._kind,))

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals for each request; a look-up takes less than a millisecond, so *timeout* is not needed."""
        reach, version = self.capabilities(), self.version
        return [self._answer(request, reach, version) for request in requests]

    def _answer(self, request: DetectRequest, reach: Capabilities, version: str) -> Signals:
        scores: list[Signal] = []
        missing: list[Missing] = []
        for part in request.content:
            matched = {match.label for match in self._known.match_bytes(part.digest)}
            for label in request.labels:
                gap = reach.gap(label, part.kind, None)
                if gap is not None:
                    missing.append(Missing(label, part.name, gap))
                    continue
                score = 1.0 if label in matched else 0.0
                severity = LABELS[label].severity if score else 0
                scores.append(Signal(label, score, part.name, severity, self.id, version))
        return Signals(scores, missing, version)
