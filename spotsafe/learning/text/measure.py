"""Measuring: what the scores are worth, per label and language and on whole sets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from spotsafe.detectors.text.encoder import LANGUAGES
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.text.calibrate import ENOUGH
from spotsafe.learning.text.corpus import Corpus

F32 = NDArray[np.float32]

_LEAST = 20
"""Positives and negatives below which no figure is printed."""


class Figure(NamedTuple):
    """One label in one language or set."""

    label: str
    where: str
    positives: int
    negatives: int
    auroc: float | None
    auprc: float | None


def figure(label: str, where: str, scores: F32, truth: NDArray[np.bool_], least: int = _LEAST) -> Figure:
    """AUROC and AUPRC of *scores*; None where a side has fewer than *least* rows."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if min(positives, negatives) < least:
        return Figure(label, where, positives, negatives, None, None)
    auroc, auprc = roc_auc_score(truth, scores), average_precision_score(truth, scores)
    return Figure(label, where, positives, negatives, round(float(auroc), 3), round(float(auprc), 3))


def by_group(corpus: Corpus, scores: F32, groups: NDArray[np.str_], rows: NDArray[np.bool_]) -> list[Figure]:
    """A figure per label and group (language or source) over annotated *rows*."""
    found = []
    for label, column in COLUMN.items():
        annotated = rows & (corpus.truth.weights[:, column] > 0)
        for group in sorted(set(groups[annotated])):
            chosen = annotated & (groups == group)
            truth = corpus.truth.values[chosen, column] >= 0.5
            found.append(figure(label, str(group), scores[chosen, column], truth))
    return found


def false_alarms(corpus: Corpus, scores: F32, at: float = 0.5) -> dict[str, float]:
    """Per label, the share of held-out benign rows (weak: learner sentences, assistant requests, medical
    prose; not checked by hand) that score *at* least so much."""
    rows = np.array([row.benign and row.held_out for row in corpus.rows], dtype=bool)
    if not rows.any():
        return {}
    return {label: round(float((scores[rows, column] >= at).mean()), 4) for label, column in COLUMN.items()}


def capabilities(corpus: Corpus, held: list[Figure]) -> dict[str, Any]:
    """Label → language → status with the counts behind it.

    ``calibrated``: at least 200 positives and 200 negatives were held out; ``uncalibrated``: trained on some
    positives of that language; ``transferred (not measured)``: the encoder knows the language, no positives
    were seen; ``lexicon only``: only listed words, for profanity.
    """
    listed = {row.language for row in corpus.rows if _is_lexicon(row.source) and len(row.language) == 2}
    counts = {(entry.label, entry.where): entry for entry in held}
    trained = {
        (label, row.language)
        for row in corpus.rows
        if not row.held_out and not _is_lexicon(row.source)
        for label, value in row.targets.items()
        if value >= 0.5
    }
    # Patterns and checksums are not fitted: nothing was held out for them, in any language.
    table: dict[str, Any] = {
        "privacy.pii_exposure": {"*": {"status": "uncalibrated", "positives": 0, "negatives": 0}}
    }
    for label in LABELS:
        table[label] = {}
        known = LANGUAGES | {language for name, language in trained if name == label and len(language) == 2}
        for language in sorted(known | (listed if label == "tone.profanity" else set())):
            entry = counts.get((label, language))
            positives, negatives = (entry.positives, entry.negatives) if entry else (0, 0)
            if min(positives, negatives) >= ENOUGH:
                status = "calibrated"
            elif (label, language) in trained:
                status = "uncalibrated"
            else:
                status = "transferred (not measured)" if language in LANGUAGES else "lexicon only"
            table[label][language] = {"status": status, "positives": positives, "negatives": negatives}
    return table


def _is_lexicon(source: str) -> bool:
    return source.startswith("lexicon_")
