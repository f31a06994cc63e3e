"""The local engine as one Detector: each part goes to the engine of its kind, and the answers are joined.

A label's score is its maximum over parts, as everywhere, but for what a fusion model makes of it where
several senses meet. A kind without an engine is missing with cause ``modality``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from time import monotonic
from typing import NamedTuple, Protocol

from spotsafe.core.content import KINDS, Content, Part
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Calibration, Capabilities, Detector, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.detectors import loading
from spotsafe.detectors.fusion.senses import Perceived, Sensed, perceived, typed

ID = "local"


class _Share(NamedTuple):
    """The parts of one kind in one request."""

    place: int
    request: DetectRequest


class Fusing(Protocol):
    """Joins what was perceived; see :class:`~spotsafe.detectors.fusion.engine.Fusion`."""

    @property
    def version(self) -> str: ...

    def joined(
        self, requests: Sequence[DetectRequest], found: Sequence[Perceived], *, timeout: float | None = None
    ) -> list[Signals]: ...


class LocalEngine:
    """*text* and, per kind of media, the engine that reads it (a missing kind has none). *fusion* looks at
    what the senses of a request say together. *monotonic* is the clock for deadlines, in seconds."""

    def __init__(
        self,
        text: Detector,
        media: Mapping[str, Detector] | None = None,
        *,
        fusion: Fusing | None = None,
        name: str = ID,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        chosen = {"text": text, **(media or {})}
        # Cheap kinds first: a deadline then costs the expensive ones.
        self._engines = {kind: chosen[kind] for kind in KINDS if kind in chosen}
        self._fusion = fusion
        self._id = name
        self._now = monotonic

    @property
    def id(self) -> str:
        return self._id

    @property
    def version(self) -> str:
        """The text engine's version, a digest over those of the others, and, where what the senses say is
        fused rather than the highest score counted, ``fused.`` and the model's version: joined by ``+``."""
        text, *others = (engine.version for engine in self._engines.values())
        said = [text]
        if others:
            said.append(sha256(chr(0).join(others).encode()).hexdigest()[:8])
        if self._fusion is not None:
            said.append(f"fused.{self._fusion.version}")
        return "+".join(said)

    def capabilities(self) -> Capabilities:
        """All that the engines of the kinds can give together."""
        return joined({kind: engine.capabilities() for kind, engine in self._engines.items()})

    def warm(self) -> None:
        """Load the models for text now rather than with the first request. Raises ConfigurationError."""
        self.warm_for(("text",))

    def warm_for(self, kinds: Iterable[str]) -> None:
        """Load the models for parts of *kinds* now. Raises ConfigurationError."""
        wanted = [self._engines[kind] for kind in kinds if kind in self._engines]
        loading.warm(*wanted, self._fusion if any(kind != "text" for kind in kinds) else None)

    def close(self) -> None:
        """End the processes that decode media."""
        loading.close(*self._engines.values())

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals per request. *timeout* in seconds is shared by the kinds, text first; kinds that it does
        not reach are missing with cause ``timeout``, those whose engine fails with ``error``."""
        return [one.signals for one in self.perceive(requests, timeout=timeout)]

    def perceive(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Perceived]:
        """As :meth:`detect`, with the words of every part."""
        ends = None if timeout is None else self._now() + timeout
        scores: list[list[Signal]] = [[] for _ in requests]
        missing: list[list[Missing]] = [[] for _ in requests]
        words: list[tuple[Sensed, ...]] = [typed(request) for request in requests]
        for kind, engine in self._engines.items():
            shares = _shares(requests, kind)
            for share, found in zip(shares, self._answers(engine, shares, ends), strict=True):
                scores[share.place] += found.signals.scores
                missing[share.place] += found.signals.missing
                words[share.place] += found.sensed
        for index, request in enumerate(requests):
            missing[index] += _without_engine(request, self._engines)
        version = self.version
        answers = [
            Perceived(Signals(scored, lacking, version), sensed)
            for scored, lacking, sensed in zip(scores, missing, words, strict=True)
        ]
        if self._fusion is None:
            return answers
        left = None if ends is None else ends - self._now()
        fused = self._fusion.joined(requests, answers, timeout=left)
        return [one._replace(signals=signals) for one, signals in zip(answers, fused, strict=True)]

    def _answers(self, engine: Detector, shares: Sequence[_Share], ends: float | None) -> list[Perceived]:
        if not shares:
            return []
        left = None if ends is None else ends - self._now()
        if left is not None and left <= 0:
            return [Perceived(_lost(share.request, Cause.TIMEOUT)) for share in shares]
        try:
            return perceived(engine, [share.request for share in shares], timeout=left)
        except DetectorError as error:
            # What the other kinds found still counts: only this kind is lost.
            cause = Cause.TIMEOUT if error.failure is Failure.TIMEOUT else Cause.ERROR
            return [Perceived(_lost(share.request, cause)) for share in shares]


def joined(reach: Mapping[str, Capabilities | None]) -> Capabilities:
    """One table for the engines of several kinds: a label with all languages in which some kind has it (where
    kinds differ in how well, the first says), and, where not every kind has it, the kinds that do."""
    known = {kind: found for kind, found in reach.items() if found is not None}
    kinds = tuple(known)
    labels: dict[str, dict[str, Calibration]] = {}
    having: dict[str, list[str]] = {}
    for kind, found in known.items():
        for label, languages in found.labels.items():
            labels[label] = {**languages, **labels.get(label, {})}
            if found.gap(label, kind, None) is None:
                having.setdefault(label, []).append(kind)
    fields = tuple(dict.fromkeys(field for found in known.values() for field in found.context_fields))
    narrower = {label: those for label, those in having.items() if len(those) < len(kinds)}
    return Capabilities(labels, kinds, fields, narrower)


def _shares(requests: Sequence[DetectRequest], kind: str) -> list[_Share]:
    """What of *requests* one kind's engine has to read; a request of that kind alone goes as it is."""
    found = []
    for index, request in enumerate(requests):
        parts = [part for part in request.content if part.kind == kind]
        if parts and len(parts) == len(request.content):
            found.append(_Share(index, request))
        elif parts:
            found.append(_Share(index, _with(request, parts)))
    return found


def _with(request: DetectRequest, parts: Sequence[Part]) -> DetectRequest:
    return request._replace(content=Content(parts, request.content.languages))


def _lost(request: DetectRequest, cause: Cause) -> Signals:
    return Signals(
        (), [Missing(label, part.name, cause) for part in request.content for label in request.labels]
    )


def _without_engine(request: DetectRequest, engines: Mapping[str, Detector]) -> list[Missing]:
    return [
        Missing(label, part.name, Cause.MODALITY)
        for part in request.content
        if part.kind not in engines
        for label in request.labels
    ]
