"""Known texts as a detector: campaigns that were seen before, in text parts."""

from __future__ import annotations

from collections.abc import Sequence

from spotsafe.core.content import Part
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.detectors.match.views import KnownTexts

ID = "local.text.known"


class KnownTextDetector:
    """A :class:`~spotsafe.core.seams.Detector` for text parts: 1 for the labels of entries that a text is
    nearly the same as, 0 for the bank's other labels; all else is missing."""

    def __init__(self, known: KnownTexts) -> None:
        self._known = known

    @property
    def id(self) -> str:
        return ID

    @property
    def version(self) -> str:
        """Changes with every change of the banks."""
        return self._known.version

    def capabilities(self) -> Capabilities:
        """The labels of live entries, in any language."""
        return Capabilities({label: {"*": Calibration.UNCALIBRATED} for label in self._known.labels})

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals for each request; a look-up takes about a millisecond, so *timeout* is not needed."""
        reach, version = self.capabilities(), self.version
        return [self._answer(request, reach, version) for request in requests]

    def _answer(self, request: DetectRequest, reach: Capabilities, version: str) -> Signals:
        scores: list[Signal] = []
        missing: list[Missing] = []
        for part in request.content.parts:
            matched = self._matched(part)
            for label in request.labels:
                gap = reach.gap(label, part.kind, None)
                if gap is None:
                    score = 1.0 if label in matched else 0.0
                    severity = LABELS[label].severity if score else 0
                    scores.append(Signal(label, score, part.name, severity, ID, version))
                else:
                    missing.append(Missing(label, part.name, gap))
        if not request.content.parts:
            missing = [Missing(label, "", Cause.UNSUPPORTED) for label in request.labels]
        return Signals(scores, missing, ID)

    def _matched(self, part: Part) -> set[str]:
        if not isinstance(part.data, str):
            return set()
        found = (*self._known.match_bytes(part.digest), *self._known.match_text(part.data))
        return {match.label for match in found}
