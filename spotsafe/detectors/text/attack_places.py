"""Where in a text an attack on an assistant stands: the sentences that carry the score."""

from __future__ import annotations

import re

import numpy as np

from spotsafe.core.signals import Span
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.scoring import Reading
from spotsafe.detectors.text.weights import TextModels

LABEL = "ai.prompt_attack"

FROM = 0.5
"""The score from which places are named: below it there is nothing to show."""

MOST = 3
"""Places named, at most: windows with the highest logit, one run of sentences in each."""

_LESS = 1.0
"""How far below the loudest window or sentence another may stay and still carry the score, in logits."""

_ENDS = ".!?\\n\u061f\u06d4\u0964\u3002\uff01\uff1f\uff61"
"""Of sentences, in any script."""

_SENTENCE = re.compile(f"[^{_ENDS}]+[{_ENDS}]*")


def places(reading: Reading, models: TextModels) -> tuple[Span, ...]:
    """Spans of the original text, in its order, of the sentences that the n-gram model finds loudest in the
    loudest windows. They point; they do not prove that the rest is harmless."""
    column = COLUMN[LABEL]
    logits = reading.logits[:, column]
    order = np.argsort(-logits, kind="stable")[:MOST]
    loud = [index for index in order.tolist() if logits[index] >= logits[order[0]] - _LESS]
    found = {_run(reading, index, models) for index in loud}
    return tuple(Span(start, end) for start, end in sorted(found) if end > start)


def _run(reading: Reading, index: int, models: TextModels) -> tuple[int, int]:
    """First to last loud sentence of one window, as code points of the original text."""
    start, end = reading.windows[index]
    text = reading.normal.text[start:end]
    sentences = [match.span() for match in _SENTENCE.finditer(text) if match.group().strip()]
    if not sentences:
        return reading.normal.span(start, end)
    without = np.zeros(reading.counts.shape[1], dtype=np.float32)
    scores = [models.ngrams.logits(text[low:high], without)[COLUMN[LABEL]] for low, high in sentences]
    loud = [place for place, score in zip(sentences, scores, strict=True) if score >= max(scores) - _LESS]
    low, high = loud[0][0], loud[-1][1]
    trimmed = text[low:high]
    low += len(trimmed) - len(trimmed.lstrip())
    high -= len(trimmed) - len(trimmed.rstrip())
    return reading.normal.span(start + low, start + high)
