"""What each stage says of training rows: the logits that are blended, calibrated and measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.encoder import Encoder
from spotsafe.detectors.text.lexicon import Lexicon
from spotsafe.detectors.text.scoring import WITH_ENCODER, encoder_logits, read
from spotsafe.detectors.text.weights import TextModels
from spotsafe.detectors.text.windows import pooled
from spotsafe.learning.text.fit_ngrams import sigmoid
from spotsafe.learning.text.progress import Progress

F32 = NDArray[np.float32]

Network = Callable[[Sequence[str]], F32]
"""Normalised texts → logits [texts, labels]."""

_AT_ONCE = 64


class Stages(NamedTuple):
    """Logits [texts, labels] of the heads, the n-gram model and the transformer."""

    heads: F32
    ngrams: F32
    network: F32

    def part(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Stages:
        """Those of *rows*."""
        return Stages(*(stage[rows] for stage in self))


def first_scores(found: Stages, models: TextModels, tier: int = WITH_ENCODER) -> F32:
    """The first tier's calibrated probabilities in English, or those of its n-grams alone (*tier* 0)."""
    by_head, by_ngrams = models.stack[tier].T
    place = models.languages.index("en") if "en" in models.languages else 0
    slope, offset = models.calibration[tier, place].T
    return sigmoid(slope * (by_head * found.heads + by_ngrams * found.ngrams) + offset)


def stages(
    texts: Sequence[str],
    *,
    models: TextModels,
    lexicon: Lexicon,
    encoder: Encoder,
    network: Network | None,
    progress: Progress,
) -> Stages:
    """Each stage's logits for raw English *texts*; of a text of several windows, their soft maximum. Without
    a *network* its logits are 0."""
    found = []
    for start in progress.over(range(0, len(texts), _AT_ONCE), "stages"):
        readings = [read(text, models, lexicon, ("en",)) for text in texts[start : start + _AT_ONCE]]
        for reading, heads in zip(readings, encoder_logits(readings, models, encoder), strict=True):
            used = list(heads)
            by_head = np.stack([heads[index] for index in used])
            seen = network([reading.window(index) for index in used]) if network else 0 * by_head
            found.append([pooled(stage) for stage in (by_head, reading.logits[used], seen)])
    return Stages(*(np.stack(stage) for stage in zip(*found, strict=True)))
