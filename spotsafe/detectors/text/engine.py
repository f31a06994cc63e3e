"""The local text engine: a Detector in this process, without network.

Two tiers: the first (lexicon, n-grams, sentence encoder) reads every text, the second (a small transformer,
English only) those about which the first is unsure. Every label that is asked for gets a score or a cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Part
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.detectors.text import attack_places, conversation, lexicon, second, weights
from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.detectors.text.judging import Given, Judge, Judgement, Tier
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.language import UNDETERMINED, language_identifier
from spotsafe.detectors.text.lexicon import Hit
from spotsafe.detectors.text.pii import PiiFinding, find_pii

F32 = NDArray[np.float32]

ID = "local.text"
PII = "privacy.pii_exposure"
CODE_VERSION = "5"
"""Raised whenever the same weights would score differently; part of the engine's version."""

LONGEST = 200_000
"""Code points of a part; longer ones are missing with cause ``size``."""

DIGITS = 4
"""Scores are rounded, so that the order of a batch does not show in them."""


class _Read(NamedTuple):
    """One text part of one request. *spoken*: its language where known and those that the request states;
    *given*: how many texts it gave to the judge (three where a thread informs it)."""

    request: int
    part: Part
    language: str
    spoken: tuple[str, ...]
    given: tuple[Given, ...]


class TextEngine:
    """Scores text parts; parts of other kinds are missing with cause ``modality``."""

    def __init__(self, folder: Path | None = None, *, tier: Tier = Tier.FULL) -> None:
        """Reads the tables beside the weights; the weights themselves are loaded at the first detection, or
        by :meth:`warm`. A *folder* without a second tier gives an engine of the first alone. Raises
        ConfigurationError where *folder* has no weights."""
        self._folder = folder or weights.shipped()
        self._tier = tier
        self._id = ID if tier is Tier.FULL else f"{ID}.{tier.value}"
        self._statuses = weights.capabilities(self._folder)
        both = tier in (Tier.FULL, Tier.SECOND)
        self._parameters = second.parameters(self._folder) if both else None
        beyond = f"{second.version(self._folder)}-" if self._parameters is not None else ""
        self._version = f"{CODE_VERSION}-{beyond}{weights.digest(self._folder)}"
        self._judge: Judge | None = None
        self._loading = Lock()

    @property
    def id(self) -> str:
        return self._id

    @property
    def version(self) -> str:
        return self._version

    def capabilities(self) -> Capabilities:
        """Label → language → calibration, from the table shipped beside the weights; the context field
        ``thread`` informs some labels."""
        return Capabilities(self._statuses, context_fields=(conversation.FIELD,))

    def warm(self) -> None:
        """Load everything now rather than at the first detection. Raises ConfigurationError."""
        self._loaded()
        language_identifier()
        if self._tier is not Tier.FIRST:
            sentence_encoder()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals per request. All windows of all requests share encoder passes. *timeout* is not enforced: a
        text of 2,000 characters takes tens of milliseconds, and a pass cannot be interrupted."""
        judge = self._loaded()
        parts = [
            _given(index, part, request)
            for index, request in enumerate(requests)
            for part in request.content
            if part.kind == "text" and len(part.data) <= LONGEST
        ]
        judged = iter(judge.judge([given for entry in parts for given in entry.given]))
        found: list[list[Signal | Missing]] = [[] for _ in requests]
        for entry in parts:
            judgements = [next(judged) for _ in entry.given]
            found[entry.request] += self._part(entry, judgements, judge, requests[entry.request].labels)
        for index, request in enumerate(requests):
            found[index] += _unreadable(request)
        return [_signals(entries, self._version) for entries in found]

    def _part(
        self, entry: _Read, judgements: Sequence[Judgement], judge: Judge, labels: Sequence[str]
    ) -> list[Signal | Missing]:
        found: list[Signal | Missing] = []
        probabilities = _informed(judgements)
        reading = judgements[0].reading
        hits: dict[str, list[Hit]] = {}
        for hit in reading.hits:
            hits.setdefault(hit.label, []).append(hit)
        name, detector, version = entry.part.name, self._id, self._version
        for label in labels:
            cause = self._gap(label, entry.language)
            if cause is not None:
                found.append(Missing(label, name, cause))
                continue
            if label == PII:
                score, evidence = _personal(entry)
            else:
                score, evidence = probabilities[COLUMN[label]], _spans(hits.get(label, ()))
                if self._statuses[label].get(entry.language) is Calibration.LEXICON:
                    score = max((hit.weight for hit in hits.get(label, ())), default=0.0)
                elif label == attack_places.LABEL and score >= attack_places.FROM:
                    evidence = attack_places.places(reading, judge.models)
            severity = LABELS[label].severity
            found.append(Signal(label, round(score, DIGITS), name, severity, detector, version, evidence))
        return found

    def _gap(self, label: str, language: str) -> Cause | None:
        languages = self._statuses.get(label)
        if languages is None:
            return Cause.UNSUPPORTED
        if language == UNDETERMINED or "*" in languages or language in languages:
            return None
        return Cause.LANGUAGE

    def _loaded(self) -> Judge:
        if self._judge is None:
            with self._loading:
                if self._judge is None:
                    beyond = self._parameters and second.load(self._folder, self._parameters)
                    self._judge = Judge(weights.load(self._folder), lexicon.load(), beyond, self._tier)
        return self._judge


def _given(index: int, part: Part, request: DetectRequest) -> _Read:
    """The texts to judge for one part: itself, and where a thread informs a label that is asked for, the
    thread with it and the thread alone."""
    text = str(part.data)
    stated = tuple(tag.split("-")[0].lower() for tag in request.content.languages)
    language = language_identifier().identify(text, request.content.languages)
    spoken = () if language == UNDETERMINED else (language,)
    texts: list[tuple[str, Sequence[str]]] = [(text, request.labels)]
    before = conversation.earlier(request.context)
    informed = [label for label in request.labels if label in conversation.LABELS]
    if before and informed and text.strip():
        texts += [(f"{before}\n{text}", informed), (before, informed)]
    given = tuple(
        Given(text, language, spoken, any(label in COLUMN for label in labels)) for text, labels in texts
    )
    return _Read(index, part, language, (*spoken, *stated), given)


def _informed(judgements: Sequence[Judgement]) -> list[float]:
    """Scores of the models' labels, with what the thread adds."""
    alone: list[float] = judgements[0].scores.tolist()
    if len(judgements) == 3:
        _, together, before = judgements
        for label in conversation.LABELS:
            column = COLUMN[label]
            alone[column] = conversation.informed(
                alone[column], float(together.scores[column]), float(before.scores[column])
            )
    return alone


def _personal(entry: _Read) -> tuple[float, tuple[Span, ...]]:
    """Score and places of personal data: by patterns and checksums, in the original text."""
    found = find_pii(str(entry.part.data), entry.spoken)
    return max((item.score for item in found), default=0.0), _spans(found)


def _spans(found: Sequence[Hit] | Sequence[PiiFinding]) -> tuple[Span, ...]:
    return tuple([Span(item.start, item.end) for item in found])


def _unreadable(request: DetectRequest) -> list[Missing]:
    """Parts that are no text, or too long, for every label asked for."""
    found = []
    for part in request.content:
        if part.kind != "text":
            found += [Missing(label, part.name, Cause.MODALITY) for label in request.labels]
        elif len(part.data) > LONGEST:
            found += [Missing(label, part.name, Cause.SIZE) for label in request.labels]
    return found


def _signals(entries: Sequence[Signal | Missing], version: str) -> Signals:
    scored = [entry for entry in entries if isinstance(entry, Signal)]
    missing = [entry for entry in entries if isinstance(entry, Missing)]
    return Signals(scored, missing, version)
