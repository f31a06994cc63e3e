"""Two detectors for the same parts: a model and a bank of what is known."""

from __future__ import annotations

from collections.abc import Sequence

from spotsafe.core.seams import Capabilities, Detector, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signals
from spotsafe.detectors import loading
from spotsafe.detectors.engine import joined
from spotsafe.detectors.fusion.senses import Perceived, perceived


class Beside:
    """Answers as *first*, with what *second* has a score for. A label is missing where neither has one; the
    cause is that of *first*, unless it is no more than that the label is not its own."""

    def __init__(self, first: Detector, second: Detector) -> None:
        self._first = first
        self._second = second

    @property
    def id(self) -> str:
        return self._first.id

    @property
    def version(self) -> str:
        return f"{self._first.version}~{self._second.version}"

    def capabilities(self) -> Capabilities:
        """Those of both."""
        both = joined({"first": self._first.capabilities(), "second": self._second.capabilities()})
        first = self._first.capabilities()
        return Capabilities(both.labels, ("text",) if first is None else first.kinds, both.context_fields)

    def warm(self) -> None:
        """Load both."""
        loading.warm(self._first, self._second)

    def close(self) -> None:
        """Close both."""
        loading.close(self._first, self._second)

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals of both. Raises DetectorError where one of them does."""
        return [one.signals for one in self.perceive(requests, timeout=timeout)]

    def perceive(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Perceived]:
        """As :meth:`detect`, with the words that the first hands out."""
        firsts = perceived(self._first, requests, timeout=timeout)
        seconds = self._second.detect(requests, timeout=timeout)
        version = self.version
        return [
            first._replace(signals=_both(first.signals, second, version))
            for first, second in zip(firsts, seconds, strict=True)
        ]


def _both(first: Signals, second: Signals, version: str) -> Signals:
    scores = (*first.scores, *second.scores)
    scored = {(signal.label, signal.part) for signal in scores}
    missing: dict[tuple[str, str], Missing] = {}
    for entry in (*first.missing, *second.missing):
        place = (entry.label, entry.part)
        known = missing.get(place)
        # A score that another gave does not heal a failure: what could not be looked at may be worse.
        if place in scored and not entry.cause.is_failure:
            continue
        if known is None or known.cause is Cause.UNSUPPORTED:
            missing[place] = entry
    return Signals(scores, missing.values(), version)
