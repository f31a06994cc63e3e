"""The local text engine: a Detector in this process, without network.

Two tiers: ``full`` (n-grams, lexicon and sentence encoder) and ``first`` (without the encoder, about ten
times faster and of lower quality). Both give a score or a cause for every label that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Part
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.detectors.text import lexicon, weights
from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.language import UNDETERMINED, language_identifier
from spotsafe.detectors.text.lexicon import Hit, Lexicon
from spotsafe.detectors.text.pii import PiiFinding, find_pii
from spotsafe.detectors.text.scoring import Reading, encoder_logits, read, scores

F32 = NDArray[np.float32]

ID = "local.text"
PII = "privacy.pii_exposure"
CODE_VERSION = "1"
"""Raised whenever the same weights would score differently; part of the engine's version."""

LONGEST = 200_000
"""Code points of a part; longer ones are missing with cause ``size``."""

DIGITS = 4
"""Scores are rounded, so that the order of a batch does not show in them."""


class Tier(str, Enum):
    """How much work a score is worth."""

    FIRST = "first"
    FULL = "full"


class _Read(NamedTuple):
    """One text part of one request on its way through the stages; *spoken*: its language where known and
    those that the request states."""

    request: int
    part: Part
    language: str
    spoken: tuple[str, ...]
    reading: Reading


class TextEngine:
    """Scores text parts; parts of other kinds are missing with cause ``modality``."""

    def __init__(self, folder: Path | None = None, *, tier: Tier = Tier.FULL) -> None:
        """Reads the table of capabilities and the digest of the weights; the weights themselves are loaded at
        the first detection, or by :meth:`warm`. Raises ConfigurationError where *folder* has none."""
        self._folder = folder or weights.shipped()
        self._tier = tier
        self._id = ID if tier is Tier.FULL else f"{ID}.{tier.value}"
        self._statuses = weights.capabilities(self._folder)
        self._version = f"{CODE_VERSION}-{weights.digest(self._folder)}"
        self._models: tuple[weights.TextModels, Lexicon] | None = None
        self._loading = Lock()

    @property
    def id(self) -> str:
        return self._id

    @property
    def version(self) -> str:
        return self._version

    def capabilities(self) -> Capabilities:
        """Label → language → calibration, from the table shipped beside the weights."""
        return Capabilities(self._statuses)

    def warm(self) -> None:
        """Load everything now rather than at the first detection. Raises ConfigurationError."""
        self._loaded()
        language_identifier()
        if self._tier is Tier.FULL:
            sentence_encoder()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals per request. All windows of all requests share encoder passes. *timeout* is not enforced: a
        text of 2,000 characters takes tens of milliseconds, and a pass cannot be interrupted."""
        models, terms = self._loaded()
        read_parts = []
        for index, request in enumerate(requests):
            for part in request.content:
                if part.kind == "text" and len(part.data) <= LONGEST:
                    text = str(part.data)
                    language = language_identifier().identify(text, request.content.languages)
                    spoken = () if language == UNDETERMINED else (language,)
                    stated = tuple(tag.split("-")[0].lower() for tag in request.content.languages)
                    reading = read(text, models, terms, spoken)
                    read_parts.append(_Read(index, part, language, (*spoken, *stated), reading))
        heads: list[dict[int, F32] | None] = [None] * len(read_parts)
        if self._tier is Tier.FULL:
            heads = list(encoder_logits([entry.reading for entry in read_parts], models, sentence_encoder()))
        found: list[list[Signal | Missing]] = [[] for _ in requests]
        for entry, head in zip(read_parts, heads, strict=True):
            values = scores(entry.reading, head, models, entry.language)
            found[entry.request] += self._part(entry, values, requests[entry.request].labels)
        for index, request in enumerate(requests):
            found[index] += _unreadable(request)
        return [_signals(entries, self._version) for entries in found]

    def _part(self, entry: _Read, values: F32, labels: Sequence[str]) -> list[Signal | Missing]:
        found: list[Signal | Missing] = []
        probabilities = values.tolist()
        hits: dict[str, list[Hit]] = {}
        for hit in entry.reading.hits:
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

    def _loaded(self) -> tuple[weights.TextModels, Lexicon]:
        if self._models is None:
            with self._loading:
                if self._models is None:
                    self._models = (weights.load(self._folder), lexicon.load())
        return self._models


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
