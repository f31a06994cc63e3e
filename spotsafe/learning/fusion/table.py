"""Cases with what the text engine says of them: features, truth and scores as arrays, ready to be fitted and
measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.detectors.fusion.features import FEATURES, features
from spotsafe.detectors.fusion.senses import joined
from spotsafe.detectors.text.encoder import Encoder
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.fusion.cases import SENSES, Case
from spotsafe.learning.text.progress import Progress

F32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

UNKNOWN = -1
"""In the truth: not annotated."""

LANGUAGES = ("en",)

_AT_ONCE = 64


class Table(NamedTuple):
    """One row per case. *features* [rows, labels, features]; *truth* int8 [rows, labels], 0, 1 or
    :data:`UNKNOWN`; *scores* [rows, senses, labels] of each sense alone, 0 where it has no words; *together*
    [rows, labels]; *joint* [rows]: whether two senses have words, without which nothing is fused."""

    cases: list[Case]
    features: F32
    truth: NDArray[np.int8]
    scores: F32
    together: F32
    joint: Bools

    @property
    def highest(self) -> F32:
        """The highest score of the senses [rows, labels]: what counts without fusion."""
        found: F32 = self.scores.max(axis=1)
        return found

    def part(self, rows: Bools) -> Table:
        """Those of *rows*."""
        cases = [case for case, kept in zip(self.cases, rows, strict=True) if kept]
        return Table(
            cases,
            self.features[rows],
            self.truth[rows],
            self.scores[rows],
            self.together[rows],
            self.joint[rows],
        )

    def column(self, name: str) -> NDArray[np.str_]:
        """One field of the cases (``recipe``, ``family``, ``medium``, ``group``) as an array."""
        return np.array([getattr(case, name) for case in self.cases], dtype=str)


def build(cases: Sequence[Case], *, text: Detector, encoder: Encoder, progress: Progress) -> Table:
    """The table of *cases*: every distinct text is scored once by *text*, and once joined with the others of
    its case."""
    together = [joined(case.words) for case in cases]
    parts = {words for case in cases for words in case.words.values()}
    known = _scored(sorted(parts | set(together)), text, progress)
    vectors = _embedded(sorted(parts), encoder, progress)
    nothing = np.zeros(len(LABELS), np.float32)
    rows = np.zeros((len(cases), len(LABELS), len(FEATURES)), np.float32)
    scores = np.zeros((len(cases), len(SENSES), len(LABELS)), np.float32)
    for index, case in enumerate(progress.over(cases, "features")):
        own = {sense: known[words] for sense, words in case.words.items()}
        for place, sense in enumerate(SENSES):
            scores[index, place] = own.get(sense, nothing)
        found = features(
            {sense: dict(zip(LABELS, map(float, score), strict=True)) for sense, score in own.items()},
            dict(zip(LABELS, map(float, known[together[index]]), strict=True)),
            {sense: vectors[words] for sense, words in case.words.items()},
            case.words,
            case.music,
        )
        rows[index] = np.stack([found[label] for label in LABELS])
    joint = np.array([len(case.words) > 1 for case in cases], dtype=bool)
    return Table(list(cases), rows, _truth(cases), scores, np.stack([known[one] for one in together]), joint)


def _truth(cases: Sequence[Case]) -> NDArray[np.int8]:
    found = np.full((len(cases), len(LABELS)), UNKNOWN, np.int8)
    for index, case in enumerate(cases):
        for label, value in case.truth.items():
            if label in COLUMN:
                found[index, COLUMN[label]] = value
    return found


def _scored(texts: Sequence[str], engine: Detector, progress: Progress) -> dict[str, F32]:
    """Text → scores [labels]; 0 where a label is missing, as nobody would have been told."""
    found: dict[str, F32] = {}
    for start in progress.over(range(0, len(texts), _AT_ONCE), "text engine"):
        chosen = texts[start : start + _AT_ONCE]
        requests = [DetectRequest(Content([Text(text, "words")], LANGUAGES), LABELS) for text in chosen]
        for text, answer in zip(chosen, engine.detect(requests), strict=True):
            peaks = answer.peaks
            found[text] = np.array([peaks.get(label, 0.0) for label in LABELS], np.float32)
    return found


def _embedded(texts: Sequence[str], encoder: Encoder, progress: Progress) -> dict[str, F32]:
    found: dict[str, F32] = {}
    for start in progress.over(range(0, len(texts), _AT_ONCE), "sentence encoder"):
        chosen = texts[start : start + _AT_ONCE]
        found |= zip(chosen, encoder.encode(chosen), strict=True)
    return found
