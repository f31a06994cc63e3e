"""Calibration: one slope and one offset per tier, language and label (Platt 1999), on held-out rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spotsafe.learning.text.fit_ngrams import sigmoid
from spotsafe.learning.text.rows import Targets

F32 = NDArray[np.float32]

ENOUGH = 200
"""Held-out positives, and negatives, that a language needs for a calibration of its own."""

ENOUGH_OVERALL = 30
"""Positives that a label needs over all languages together; below that its logits stay as they are."""

MOST_PER_SET = 250.0

_PRIOR = 2.0
_STEPS = 50


def platt(logits: F32, values: F32, weights: F32) -> tuple[float, float]:
    """Slope and offset that minimise the weighted cross-entropy of sigmoid(slope · logit + offset), by
    Newton's method. A slight pull towards slope 1 and offset 0 keeps it finite on separable data."""
    slope, offset = 1.0, 0.0
    for _ in range(_STEPS):
        predicted = sigmoid(slope * logits + offset).astype(np.float64)
        error = weights * (predicted - values)
        curve = weights * predicted * (1 - predicted)
        gradient = np.array([(error * logits).sum() + _PRIOR * (slope - 1), error.sum() + 0.1 * offset])
        cross = (curve * logits).sum()
        hessian = np.array([[(curve * logits * logits).sum() + _PRIOR, cross], [cross, curve.sum() + 0.1]])
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope - step[0], offset - step[1]
        if np.abs(step).max() < 1e-7:
            break
    return max(slope, 0.05), offset


def evened(targets: Targets, sources: NDArray[np.str_]) -> Targets:
    """*targets* with no set weighing more than :data:`MOST_PER_SET` rows in any label: else the largest set's
    idea of a label decides what one half means."""
    weights = targets.weights.copy()
    for source in sorted(set(sources)):
        rows = sources == source
        total = weights[rows].sum(axis=0)
        weights[rows] *= np.minimum(1.0, MOST_PER_SET / np.maximum(total, 1e-6))
    return Targets(targets.values, weights)


def table(logits: F32, targets: Targets, languages: NDArray[np.str_], kept: tuple[str, ...]) -> F32:
    """Slope and offset [languages, labels, 2] for *kept* languages, the first of which is ``*``."""
    labels = logits.shape[1]
    result = np.zeros((len(kept), labels, 2), dtype=np.float32)
    result[:, :, 0] = 1.0
    for column in range(labels):
        for index, language in enumerate(kept):
            used = targets.weights[:, column] > 0
            if language != "*":
                used &= languages == language
            values = targets.values[used, column]
            least = ENOUGH_OVERALL if language == "*" else ENOUGH
            if min((values >= 0.5).sum(), (values < 0.5).sum()) >= least:
                result[index, column] = platt(logits[used, column], values, targets.weights[used, column])
            elif index:
                result[index, column] = result[0, column]
    return result
