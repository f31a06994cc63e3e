"""A detector that says what a test scripts: scores, missing labels and failures, by text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from spotsafe.core.content import KINDS, Part
from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.labels import LABELS, expand
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span


class _Line(NamedTuple):
    """One line of the script: what is said of parts that contain *text*."""

    text: str | bytes
    scores: Mapping[str, float]
    missing: Mapping[str, Cause]
    spans: Mapping[str, tuple[Span, ...]]


class FakeDetector:
    """Scores each requested label 0.0, but where the script says otherwise.

    *script* maps a piece of text to scores by label: every part that contains it gets them, with the
    piece's place as evidence. *labels* (patterns) limits what it can score at all; *kinds* the parts.

    >>> fake = FakeDetector({"go away": {"harass.bullying": 0.99}})
    >>> fake
    <FakeDetector fake 1 lines, 0 requests>
    """

    def __init__(
        self,
        script: Mapping[str, Mapping[str, float]] | None = None,
        *,
        labels: Iterable[str] = ("*",),
        kinds: Sequence[str] = KINDS,
        id: str = "fake",  # noqa: A002 - the seam's name
        version: str = "1",
        context_fields: Sequence[str] = (),
    ) -> None:
        self.id = id
        self.version = version
        self.requests: list[DetectRequest] = []
        """Every request that was answered or failed, oldest first."""
        self._labels = frozenset(expand(labels))
        self._capabilities = Capabilities(
            {label: {"*": Calibration.CALIBRATED} for label in self._labels}, kinds, context_fields
        )
        self._script: list[_Line] = []
        self._failures: list[tuple[Failure, float | None, str | bytes | None]] = []
        self._failing: tuple[Failure, float | None] | None = None
        for text, scores in (script or {}).items():
            self.say(text, scores)

    # ── the script ──────────────────────────────────────────────────────────────────────────────

    def say(
        self,
        text: str | bytes,
        scores: Mapping[str, float],
        *,
        spans: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    ) -> None:
        """Give *scores* to every part that contains *text* (media: bytes). Evidence is where *text*
        stands, or *spans* by label, in code points."""
        _check_labels([*scores, *(spans or {})])
        if out := [label for label, score in scores.items() if not 0.0 <= score <= 1.0]:
            raise ConfigurationError(f"the score of {out[0]} must be between 0 and 1")
        placed = {label: tuple(Span(*span) for span in given) for label, given in (spans or {}).items()}
        self._script.append(_Line(text, dict(scores), {}, placed))

    def miss(self, text: str | bytes, missing: Mapping[str, Cause | str]) -> None:
        """Have no score for labels (patterns) of parts that contain *text*, and why."""
        causes = {label: Cause(cause) for pattern, cause in missing.items() for label in _covered(pattern)}
        self._script.append(_Line(text, {}, causes, {}))

    def fail(
        self,
        failure: Failure | str = Failure.SERVER,
        *,
        times: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Raise DetectorError from now on: for the next *times* requests, or (None) until
        :meth:`recover`. ConfigurationError for a word that is no :class:`~spotsafe.core.errors.Failure`."""
        cause = _failure(failure)
        if times is None:
            self._failing = (cause, retry_after)
        else:
            self._failures.extend([(cause, retry_after, None)] * times)

    def fail_on(self, text: str | bytes, failure: Failure | str) -> None:
        """Raise DetectorError once, for the next request with a part that contains *text*."""
        self._failures.append((_failure(failure), None, text))

    def recover(self) -> None:
        """Stop failing."""
        self._failing = None
        self._failures.clear()

    # ── the seam ────────────────────────────────────────────────────────────────────────────────

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        self.requests.extend(requests)
        self._raise_if_scripted(requests)
        return [self._signals(request) for request in requests]

    async def adetect(
        self, requests: Sequence[DetectRequest], *, timeout: float | None = None
    ) -> list[Signals]:
        return self.detect(requests, timeout=timeout)

    def _raise_if_scripted(self, requests: Sequence[DetectRequest]) -> None:
        if self._failing is not None:
            failure, retry_after = self._failing
            raise DetectorError(failure, detector=self.id, retry_after=retry_after)
        for entry in self._failures:
            failure, retry_after, text = entry
            if text is None or any(_contains(p, text) for r in requests for p in r.content):
                self._failures.remove(entry)
                raise DetectorError(failure, detector=self.id, retry_after=retry_after)

    def _signals(self, request: DetectRequest) -> Signals:
        scores: list[Signal] = []
        missing: list[Missing] = []
        for part in request.content:
            lines = [line for line in self._script if _contains(part, line.text)]
            for label in request.labels:
                said = self._said(label, part, lines)
                if isinstance(said, Missing):
                    missing.append(said)
                else:
                    scores.append(said)
        return Signals(scores, missing, f"{self.id} {self.version}")

    def _said(self, label: str, part: Part, lines: Sequence[_Line]) -> Signal | Missing:
        gap = self._capabilities.gap(label, part.kind, None)
        if gap is not None:
            return Missing(label, part.name, gap)
        for line in lines:
            if label in line.missing:
                return Missing(label, part.name, line.missing[label])
        scoring = [line for line in lines if label in line.scores]
        score = max((line.scores[label] for line in scoring), default=0.0)
        evidence = tuple(span for line in scoring for span in _places(part, label, line))
        return Signal(label, score, part.name, LABELS[label].severity, self.id, self.version, evidence)

    def __repr__(self) -> str:
        return f"<FakeDetector {self.id} {len(self._script)} lines, {len(self.requests)} requests>"


def _places(part: Part, label: str, line: _Line) -> Iterable[Span]:
    """The spans that *line* gives for *label*, else where its text stands in the part."""
    if label in line.spans:
        return line.spans[label]
    if not isinstance(part.data, str) or not isinstance(line.text, str) or not line.text:
        return ()
    start = part.data.find(line.text)
    return (Span(start, start + len(line.text)),)


def _contains(part: Part, text: str | bytes) -> bool:
    if isinstance(part.data, str):
        return isinstance(text, str) and text in part.data
    return isinstance(text, bytes) and text in part.data


def _failure(word: Failure | str) -> Failure:
    try:
        return Failure(word)
    except ValueError:
        known = ", ".join(failure.value for failure in Failure)
        raise ConfigurationError(f"{word!r} is no way to fail; there are: {known}") from None


def _covered(pattern: str) -> tuple[str, ...]:
    covered = expand([pattern])
    if not covered:
        raise ConfigurationError(
            f"{pattern!r} covers no label of the taxonomy: `spotsafe.core.labels.LABELS`"
        )
    return covered


def _check_labels(labels: Iterable[str]) -> None:
    for label in labels:
        if label not in LABELS:
            raise ConfigurationError(f"{label!r} is no label: `spotsafe.core.labels.LABELS` has them all")
