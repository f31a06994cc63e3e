"""From a text to calibrated scores: read it, run the stages, put them together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.encoder import Encoder
from spotsafe.detectors.text.features import counted, joined
from spotsafe.detectors.text.lexicon import Hit, Lexicon
from spotsafe.detectors.text.normalise import Normalised, normalise
from spotsafe.detectors.text.weights import TextModels
from spotsafe.detectors.text.windows import pooled, windows

F32 = NDArray[np.float32]

FIRST, WITH_ENCODER = 0, 1
"""The tiers: the first stage alone, or with the sentence encoder."""

MOST_ENCODED = 48
"""Windows of one text that the encoder reads. The first stage reads all; of a longer text the encoder reads
those that the first stage finds most suspicious of anything (about 15,000 characters in all)."""


class Reading(NamedTuple):
    """A text with what the first stage knows: the lexicon's *hits*, their *counts* [windows, lexicon
    features] and the n-gram model's *logits* [windows, labels]."""

    normal: Normalised
    windows: list[tuple[int, int]]
    hits: list[Hit]
    counts: F32
    logits: F32

    def window(self, index: int) -> str:
        start, end = self.windows[index]
        return self.normal.text[start:end]


def read(text: str, models: TextModels, lexicon: Lexicon, languages: Collection[str]) -> Reading:
    """Normalise *text*, find its terms and run the n-gram model over its windows. *languages*: what the text
    may be in; empty for any."""
    normal = normalise(text)
    found = windows(normal.text)
    hits = lexicon.find(normal, languages)
    counts = np.array([counted(_inside(hits, normal.span(*window)), lexicon) for window in found])
    logits = np.array(
        [
            models.ngrams.logits(normal.text[start:end], count)
            for (start, end), count in zip(found, counts, strict=True)
        ]
    )
    return Reading(normal, found, hits, counts, logits)


def _inside(hits: Sequence[Hit], whole: tuple[int, int]) -> list[Hit]:
    start, end = whole
    return [hit for hit in hits if start <= hit.start and hit.end <= end]


def worth_encoding(reading: Reading) -> list[int]:
    """Indices of the windows that the encoder reads, in order."""
    if len(reading.windows) <= MOST_ENCODED:
        return list(range(len(reading.windows)))
    suspicion = reading.logits.max(axis=1)
    return sorted(np.argsort(-suspicion, kind="stable")[:MOST_ENCODED].tolist())


def encoder_logits(readings: Sequence[Reading], models: TextModels, encoder: Encoder) -> list[dict[int, F32]]:
    """For each reading, window index → head logits [labels]; one pass over all windows."""
    chosen = [worth_encoding(reading) for reading in readings]
    texts = [
        reading.window(index) for reading, found in zip(readings, chosen, strict=True) for index in found
    ]
    if not texts:
        return [{} for _ in readings]
    counts = np.concatenate([reading.counts[found] for reading, found in zip(readings, chosen, strict=True)])
    rows = iter(models.heads.logits(joined(encoder.encode(texts), counts)))
    return [{index: next(rows) for index in found} for found in chosen]


def first_logits(reading: Reading, heads: dict[int, F32] | None, models: TextModels, language: str) -> F32:
    """Calibrated logits per window read [windows, labels]; *heads* None: of the first stage alone."""
    together, calibration = _stacked(reading, heads, models, language)
    return calibrated(together, calibration)


def calibrated(logits: F32, calibration: F32) -> F32:
    """*logits* [..., labels] with slope and offset of *calibration* [labels, 2]."""
    slope, offset = calibration.T
    result: F32 = slope * logits + offset
    return result


def scores(reading: Reading, heads: dict[int, F32] | None, models: TextModels, language: str) -> F32:
    """Calibrated probabilities [labels]; *heads* None: the first stage alone."""
    if not reading.normal.text.strip():
        return np.zeros(models.stack.shape[1], dtype=np.float32)
    together, calibration = _stacked(reading, heads, models, language)
    return sigmoid(calibrated(pooled(together), calibration))


def sigmoid(logits: F32) -> F32:
    """Probabilities of *logits*."""
    result: F32 = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return result


def _stacked(
    reading: Reading, heads: dict[int, F32] | None, models: TextModels, language: str
) -> tuple[F32, F32]:
    """Weighted logits [windows, labels] of a tier, and its calibration for *language* [labels, 2]."""
    tier = FIRST if heads is None else WITH_ENCODER
    by_head, by_ngrams = models.stack[tier].T
    if heads is None:
        together = by_ngrams * reading.logits
    else:
        used = list(heads)
        together = by_head * np.array([heads[index] for index in used]) + by_ngrams * reading.logits[used]
    place = models.languages.index(language) if language in models.languages else 0
    return together, models.calibration[tier, place]
