"""The corpus: rows with their features and targets, ready for fitting and measuring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spotsafe.detectors.text import lexicon
from spotsafe.detectors.text.encoder import Encoder
from spotsafe.detectors.text.features import counted
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.normalise import normalise
from spotsafe.learning.text import fit_ngrams
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Row, Targets, arrays
from spotsafe.learning.text.teacher import OUTPUTS

F32 = NDArray[np.float32]

WEAK_NEGATIVE = 1.0
"""A benign row counts as a negative for every label with this share of its set's weight."""

TEACHER_WEIGHT = 0.5
"""A label filled by the teacher counts with this share of the row's weight."""

LEAST_SHARE = 0.08
MOST_RAISED = 8.0

_ENCODED_AT_ONCE = 512


class Scorer(Protocol):
    """Six Jigsaw probabilities per English text; see :class:`~spotsafe.learning.text.teacher.Teacher`."""

    def scores(self, texts: Sequence[str], progress: Progress) -> F32: ...


class Corpus(NamedTuple):
    """*truth* holds annotations only (for measuring); *targets* has weak negatives and the teacher's fillings
    too (for fitting). All arrays have one row per entry of *rows*."""

    rows: list[Row]
    embeddings: F32
    counts: F32
    ngrams: csr_matrix
    truth: Targets
    targets: Targets

    @property
    def held_out(self) -> NDArray[np.bool_]:
        return np.array([row.held_out for row in self.rows], dtype=bool)

    def column(self, name: str) -> NDArray[np.str_]:
        """One field of the rows (``source``, ``language``) as an array."""
        return np.array([getattr(row, name) for row in self.rows], dtype=str)


def build(rows: list[Row], *, encoder: Encoder, teacher: Scorer, progress: Progress) -> Corpus:
    """Features and targets of *rows*. The most expensive step: one encoder pass over every text."""
    normal = [normalise(row.text) for row in rows]
    texts = [entry.text for entry in normal]
    starts = range(0, len(texts), _ENCODED_AT_ONCE)
    embedded = [
        encoder.encode(texts[start : start + _ENCODED_AT_ONCE]) for start in progress.over(starts, "encoder")
    ]
    targets = filled(rows, arrays(rows, WEAK_NEGATIVE), teacher, progress)
    terms = lexicon.load()
    counts = np.stack(
        [
            counted(terms.find(entry, (row.language,) if len(row.language) == 2 else ()), terms)
            for entry, row in zip(progress.over(normal, "lexicon"), rows, strict=True)
        ]
    )
    ngrams = fit_ngrams.matrix(texts, progress)
    return Corpus(rows, np.concatenate(embedded), counts, ngrams, arrays(rows, 0.0), targets)


def filled(rows: Sequence[Row], targets: Targets, teacher: Scorer, progress: Progress) -> Targets:
    """*targets* with the teacher's soft scores where an English row has no annotation of its own.

    Own lines need none (they are annotated throughout), nor do weak negatives.
    """
    english = [
        index for index, row in enumerate(rows) if row.language == "en" and row.targets and not row.benign
    ]
    values, weights = targets.values.copy(), targets.weights.copy()
    if english:
        scores = teacher.scores([rows[index].text for index in english], progress)
        own = np.array([rows[index].weight for index in english], dtype=np.float32)
        where = np.array(english)
        for label, output in OUTPUTS.items():
            column = COLUMN[label]
            empty = weights[where, column] == 0
            values[where[empty], column] = scores[empty, output]
            weights[where[empty], column] = TEACHER_WEIGHT * own[empty]
    return Targets(values, weights)


def part(targets: Targets, chosen: NDArray[np.int64]) -> Targets:
    """Rows *chosen* of *targets*."""
    return Targets(targets.values[chosen], targets.weights[chosen])


def balanced(targets: Targets) -> Targets:
    """*targets* with the positives of rare labels raised, at most :data:`MOST_RAISED` times, until they weigh
    :data:`LEAST_SHARE` of the label's total."""
    positive = (targets.weights * targets.values).sum(axis=0)
    total = targets.weights.sum(axis=0)
    factor = np.clip(LEAST_SHARE * total / np.maximum(positive, 1e-6), 1.0, MOST_RAISED)
    return Targets(targets.values, targets.weights * (1 + (factor - 1) * targets.values))
