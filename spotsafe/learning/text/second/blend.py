"""How the second tier's logits join those of the first, what one half means, and when it is asked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.text import calibrate
from spotsafe.learning.text.fit_ngrams import sigmoid
from spotsafe.learning.text.rows import Targets
from spotsafe.learning.text.second.readings import Stages

F32 = NDArray[np.float32]

STACK = (0.30, 0.12, 0.55)
"""Weights of the logits of heads, n-grams and transformer, chosen on sets that were left out whole: fitted
on held-out rows of known sets they would trust the n-grams too much."""

TOLERANCE = 0.004
"""AUPRC that a label may lose to asking the second tier about everything."""

_LEAST = 30
_FLOOR, _CEILING = 0.02, 1.01
"""Bounds of a label with too few rows to measure them: only the clearest are left to the first tier."""

_CANDIDATES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


class Blend(NamedTuple):
    """*calibration* and *bounds* [labels, 2]; see :class:`~spotsafe.detectors.text.second.Parameters`."""

    calibration: F32
    bounds: F32

    def parameters(self, model: str) -> dict[str, Any]:
        """What ``second.json`` holds; *model* is the SHA-256 of the model file."""
        entries = {
            label: {
                "stack": list(STACK),
                "calibration": [round(float(value), 5) for value in self.calibration[column]],
                "bounds": [round(float(value), 3) for value in self.bounds[column]],
            }
            for label, column in COLUMN.items()
        }
        return {"format": 1, "model": model, "labels": entries}


def together(stages: Stages) -> F32:
    """Both tiers' logits before calibration [texts, labels]."""
    by_head, by_ngrams, by_network = STACK
    result: F32 = by_head * stages.heads + by_ngrams * stages.ngrams + by_network * stages.network
    return result.astype(np.float32)


def fit(stages: Stages, first: F32, targets: Targets, sources: NDArray[np.str_]) -> Blend:
    """Calibration (Platt, on held-out rows, no set above its share) and bounds. *first*: the first tier's
    calibrated probabilities of the same rows."""
    evened = calibrate.evened(targets, sources)
    logits = together(stages)
    (calibration,) = calibrate.table(logits, evened, sources, ("*",))
    both = sigmoid(logits * calibration[:, 0] + calibration[:, 1])
    limits = [
        bounds(first[:, c], both[:, c], targets.values[:, c], targets.weights[:, c])
        for c in range(len(LABELS))
    ]
    return Blend(calibration, np.array(limits, dtype=np.float32))


def bounds(first: F32, both: F32, values: F32, weights: F32) -> tuple[float, float]:
    """The widest zones at both ends of one label's first-tier score that can be left to the first tier at
    the cost of :data:`TOLERANCE` in AUPRC: first the lower, then the upper."""
    used = weights > 0
    truth = values[used] >= 0.5
    if min(truth.sum(), (~truth).sum()) < _LEAST:
        return _FLOOR, _CEILING
    first, both = first[used], both[used]
    least = average_precision_score(truth, both) - TOLERANCE
    low, high = _CANDIDATES[0], _CEILING
    for candidate in _CANDIDATES:
        if _precision(truth, first, both, candidate, high) >= least:
            low = candidate
    for candidate in (0.95, 0.97, 0.98, 0.99):
        if _precision(truth, first, both, low, candidate) >= least:
            high = candidate
            break
    return low, high


def _precision(truth: NDArray[np.bool_], first: F32, both: F32, low: float, high: float) -> float:
    scores = np.where((first >= low) & (first < high), both, first)
    return float(average_precision_score(truth, scores))
