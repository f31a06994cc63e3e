"""Texts in, calibrated scores out: the stages of one engine, put together for a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text import identity
from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.detectors.text.identity_terms import PANEL
from spotsafe.detectors.text.lexicon import Lexicon
from spotsafe.detectors.text.scoring import Reading, encoder_logits, read, scores, sigmoid
from spotsafe.detectors.text.second import LANGUAGE, SecondTier, Windows
from spotsafe.detectors.text.weights import TextModels
from spotsafe.detectors.text.windows import pooled

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
        asked: dict[int, Windows] = {}
        for index, heads in zip(loud, self._heads([readings[index] for index in loud]), strict=True):
            given, reading = texts[index], readings[index]
            first = Judgement(reading, scores(reading, heads, self.models, given.language), True)
            if self._second is not None and self._is_asked(self._second, given, first):
                asked[index] = self._second.read(reading, heads, self.models)
            else:
                found[index] = first
        if self._second is not None:
            self._even(self._second, {index: (readings[index], windows) for index, windows in asked.items()})
        for index, windows in asked.items():
            found[index] = Judgement(readings[index], sigmoid(pooled(windows.logits)), False)
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

    def _is_asked(self, second: SecondTier, given: Given, first: Judgement) -> bool:
        """Whether the second tier reads a text of which the whole first tier says *first*."""
        if given.language != LANGUAGE or not first.reading.normal.text.strip():
            return False
        return self._tier is Tier.SECOND or second.is_asked(first.scores)

    def _even(self, second: SecondTier, asked: Mapping[int, tuple[Reading, Windows]]) -> None:
        """Take off the windows' logits, in place, what they owe to the names in them. All swapped windows
        share an encoder pass."""
        found = [
            (windows.logits[row], texts)
            for reading, windows in asked.values()
            for row, texts in _swaps(reading, windows)
        ]
        readings = [read(text, self.models, self._terms, (LANGUAGE,)) for _, texts in found for text in texts]
        told = iter(
            pooled(second.read(reading, heads, self.models).logits)
            for reading, heads in zip(readings, self._heads(readings), strict=True)
        )
        for logits, texts in found:
            logits[:] = identity.evened(logits, np.stack([next(told) for _ in texts]))

    def _heads(self, readings: Sequence[Reading]) -> list[dict[int, F32]]:
        """What the sentence encoder's heads say of *readings*; it is not loaded for none."""
        return encoder_logits(readings, self.models, sentence_encoder()) if readings else []


def _swaps(reading: Reading, windows: Windows) -> list[tuple[int, list[str]]]:
    """Rows of *windows* worth swapping names in, each with its texts with other names; at most
    :data:`identity.MOST` texts."""
    loud = ((row, place) for row, place in windows.both if identity.is_loud(windows.logits[row]))
    found = ((row, identity.swapped(reading.window(place))) for row, place in loud)
    most = identity.MOST // len(PANEL)
    return list(islice(((row, texts) for row, texts in found if texts), most))
