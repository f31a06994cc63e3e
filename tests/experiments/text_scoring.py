"""What the text experiments share: rows of whole sets, engines on a folder of weights, scores as arrays."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.text import second
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.detectors.text.judging import Tier
from spotsafe.detectors.text.labels import LABELS
from spotsafe.learning.text.rows import Row, load
from spotsafe.learning.text.sources import Source, shipped_registry

F32 = NDArray[np.float32]

LEAST = 20
"""Positives and negatives below which no figure is given."""

_BATCH = 64


class Scores(NamedTuple):
    """Probabilities [texts, labels] of the first tier, of both tiers on everything, and of the cascade;
    *quiet* [texts]: n-grams alone settled it; *settled* [texts]: the second tier was not asked."""

    first: F32
    both: F32
    cascade: F32
    quiet: NDArray[np.bool_]
    settled: NDArray[np.bool_]

    def part(self, rows: NDArray[np.bool_]) -> Scores:
        """Those of *rows*."""
        return Scores(*(column[rows] for column in self))


def registered() -> dict[str, Source]:
    """The shipped registry by name."""
    return {source.name: source for source in shipped_registry()}


def rows_of(folder: Path, names: Collection[str], *, most: int = 0) -> list[Row]:
    """All usable rows of the sets *names* (at most *most* of each; 0: all), whether held out or not."""
    sources = registered()
    return load(folder, [sources[name]._replace(cap=most) for name in sorted(names)])


def hashes(names: Collection[str]) -> dict[str, str]:
    """File → SHA-256 as registered (loading refuses other bytes)."""
    sources = registered()
    return {sources[name].file: sources[name].sha256 for name in sorted(names)}


def scored(folder: Path, texts: Sequence[str], language: str = "en") -> Scores:
    """Both tiers' scores of *texts*, stated to be in *language*, by the engine of the weights in *folder*."""
    first = _one(TextEngine(folder, tier=Tier.ENCODER), texts, language)
    both = _one(TextEngine(folder, tier=Tier.SECOND), texts, language)
    found = second.parameters(folder)
    if found is None or language != second.LANGUAGE:
        every = np.ones(len(texts), dtype=bool)
        return Scores(first, both, first, ~every, every)
    ngrams = _one(TextEngine(folder, tier=Tier.FIRST), texts, language)
    loud = np.any(ngrams >= found.quiet, axis=1)
    asked = loud & np.any(first >= found.bounds, axis=1)
    cascade = np.where(loud[:, None], np.where(asked[:, None], both, first), ngrams).astype(np.float32)
    return Scores(first, both, cascade, ~loud, ~asked)


def full(folder: Path, texts: Sequence[str], language: str = "en") -> F32:
    """Scores [texts, labels] of the cascade alone."""
    return _one(TextEngine(folder), texts, language)


def _one(engine: TextEngine, texts: Sequence[str], language: str) -> F32:
    found = []
    for start in shown(range(0, len(texts), _BATCH), engine.id):
        requests = [
            DetectRequest(Content([Text(text, "body")], (language,)), LABELS)
            for text in texts[start : start + _BATCH]
        ]
        for answer in engine.detect(requests):
            by_label = {signal.label: signal.score for signal in answer.scores}
            found.append([by_label.get(label, np.nan) for label in LABELS])
    return np.array(found, dtype=np.float32).reshape(-1, len(LABELS))


def shown(items: Sequence[int], what: str) -> Iterator[int]:
    """*items*, with a line of progress on a terminal."""
    for index, item in enumerate(items):
        if sys.stderr.isatty():
            print(f"\r{what} {index * 100 // len(items)} %", end="", file=sys.stderr)
        yield item


def auprc(truth: NDArray[np.bool_], scores: F32) -> float | None:
    """Average precision; None where a side has fewer than :data:`LEAST` rows. Rows without a score (the
    language is not offered) count with 0: nobody would have been told."""
    if min(truth.sum(), (~truth).sum()) < LEAST:
        return None
    return float(average_precision_score(truth, np.nan_to_num(scores)))
