"""Texts in, calibrated scores out: the stages of one engine, put together for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.detectors.text.lexicon import Lexicon
from spotsafe.detectors.text.scoring import Reading, encoder_logits, read, scores
from spotsafe.detectors.text.second import LANGUAGE, SecondTier
from spotsafe.detectors.text.weights import TextModels

F32 = NDArray[np.float32]


class Tier(str, Enum):
    """How much work a score is worth: n-grams and lexicon alone; the whole first tier, with the sentence
    encoder; both tiers, the second where the first is unsure; the second on every English text."""

    FIRST = "first"
    ENCODER = "encoder"
    FULL = "full"
    SECOND = "second"


class Given(NamedTuple):
    """One text to score. *language*: what it is in, as far as known; *spoken*: what else it may be in;
    *wanted*: mask of the labels that are asked for [labels]."""

    text: str
    language: str
    spoken: tuple[str, ...]
    wanted: NDArray[np.bool_]


class Judgement(NamedTuple):
    """What the first stage read, the scores [labels], and whether the second tier was asked."""

    reading: Reading
    scores: F32
    settled: bool


class Judge:
    """The stages of *tier*; *second* is None where no second tier is installed."""

    def __init__(self, models: TextModels, terms: Lexicon, second: SecondTier | None, tier: Tier) -> None:
        self.models = models
        self._terms = terms
        self._second = second
        self._tier = tier

    def judge(self, texts: Sequence[Given]) -> list[Judgement]:
        """A judgement per text, in order; all windows of all texts share encoder passes."""
        readings = [read(given.text, self.models, self._terms, given.spoken) for given in texts]
        if self._tier is Tier.FIRST:
            return [self._first(given, reading, None) for given, reading in zip(texts, readings, strict=True)]
        heads = encoder_logits(readings, self.models, sentence_encoder())
        return [
            self._both(given, reading, found)
            for given, reading, found in zip(texts, readings, heads, strict=True)
        ]

    def _first(self, given: Given, reading: Reading, heads: dict[int, F32] | None) -> Judgement:
        return Judgement(reading, scores(reading, heads, self.models, given.language), True)

    def _both(self, given: Given, reading: Reading, heads: dict[int, F32]) -> Judgement:
        first = self._first(given, reading, heads)
        second = self._second
        if second is None or given.language != LANGUAGE or not reading.normal.text.strip():
            return first
        if self._tier is Tier.SECOND:
            return Judgement(reading, second.scores(reading, heads, self.models, given.language), False)
        unsure = second.unsure(first.scores)
        if self._tier is Tier.ENCODER or not (unsure & given.wanted).any():
            return first
        told = second.scores(reading, heads, self.models, given.language)
        return Judgement(reading, np.where(unsure, told, first.scores), False)
