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
    *wanted*: whether any label of the models is asked for."""

    text: str
    language: str
    spoken: tuple[str, ...]
    wanted: bool

    def __repr__(self) -> str:
        """Without the text: what users wrote must not reach a log or a traceback."""
        return f"Given({len(self.text)} characters, {self.language})"


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
        """A judgement per text, in order; all windows of the texts that the encoder reads share passes."""
        readings = [read(given.text, self.models, self._terms, given.spoken) for given in texts]
        found = [self._settled(given, reading) for given, reading in zip(texts, readings, strict=True)]
        loud = [index for index, judgement in enumerate(found) if judgement is None]
        if loud:
            heads = encoder_logits([readings[index] for index in loud], self.models, sentence_encoder())
            for index, by_head in zip(loud, heads, strict=True):
                found[index] = self._beyond(texts[index], readings[index], by_head)
        return [judgement for judgement in found if judgement is not None]

    def _settled(self, given: Given, reading: Reading) -> Judgement | None:
        """What n-grams and lexicon say, where that is enough: always where nothing else is wanted, and for
        calm English texts, where it was measured. None where the encoder has to read the text."""
        alone = self._tier is Tier.FIRST or not given.wanted
        bounded = self._tier is Tier.FULL and given.language == LANGUAGE
        second = self._second if bounded else None
        if not alone and second is None:
            return None
        first = Judgement(reading, scores(reading, None, self.models, given.language), True)
        return first if alone or (second is not None and second.is_quiet(first.scores)) else None

    def _beyond(self, given: Given, reading: Reading, heads: dict[int, F32]) -> Judgement:
        """What the encoder says too, and the second tier where it is asked."""
        first = Judgement(reading, scores(reading, heads, self.models, given.language), True)
        second = self._second
        if second is None or given.language != LANGUAGE or not reading.normal.text.strip():
            return first
        if self._tier is Tier.FULL and not second.is_asked(first.scores):
            return first
        return Judgement(reading, second.scores(reading, heads, self.models, given.language), False)
