"""Curves behind the plots: precision over recall with its band, and how scores are spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.evaluation.metrics.columns import judged
from spotsafe.evaluation.metrics.estimate import CONFIDENCE
from spotsafe.evaluation.metrics.resample import cells, replicates
from spotsafe.evaluation.runs.run import Pairs

F64 = NDArray[np.float64]

GRID = np.linspace(0.01, 1.0, 100)
"""Recalls at which the curve is drawn."""

REPLICATES = 200
BINS = 25
"""Bars of a score histogram, of equal width over [0, 1]."""


def precision_recall(pairs: Pairs, *, seed: int = 0) -> dict[str, Any] | None:
    """Precision at each recall of :data:`GRID` with the pointwise 95 % band of a bootstrap, and the
    prevalence, which a ranking that knows nothing has throughout. None where a class is missing."""
    positives = int(pairs.truth.sum())
    if not 0 < positives < len(pairs.truth):
        return None
    rows = judged(pairs.truth, pairs.scores, pairs.weights)
    found = cells(rows)
    rng = np.random.default_rng(seed)
    up, down = replicates(found, rng, REPLICATES)
    drawn = np.array([_at_recalls(u, d) for u, d in zip(up, down, strict=True) if u.any()])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    value = _at_recalls(found.positives, found.negatives)
    weight = rows.weight()
    return {
        "recall": _listed(GRID),
        "precision": _listed(value),
        "low": _listed(np.minimum(low, value)),
        "high": _listed(np.maximum(high, value)),
        "prevalence": round(float(weight @ rows.truth / weight.sum()), 5),
    }


def operating_point(pairs: Pairs, at: float) -> dict[str, float] | None:
    """Precision and recall where scores are cut *at*; None where nothing is flagged or nothing positive."""
    weight = np.ones(len(pairs.truth)) if pairs.weights is None else pairs.weights
    flagged = pairs.scores >= at
    hits = float(weight @ (flagged & pairs.truth))
    taken, positive = float(weight @ flagged), float(weight @ pairs.truth)
    if not taken or not positive:
        return None
    return {"recall": round(hits / positive, 5), "precision": round(hits / taken, 5), "at": at}


def histogram(pairs: Pairs) -> dict[str, Any]:
    """Rows per score bin, positives and negatives apart."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    up, _ = np.histogram(pairs.scores[pairs.truth], edges)
    down, _ = np.histogram(pairs.scores[~pairs.truth], edges)
    return {"bins": BINS, "positive": up.tolist(), "negative": down.tolist()}


def _at_recalls(up: F64, down: F64) -> F64:
    """Precision at the first cell, from the top, by which each recall is reached."""
    hits = np.cumsum(up)
    precision = hits / np.maximum(hits + np.cumsum(down), 1e-12)
    place = np.searchsorted(hits, GRID * hits[-1] * (1 - 1e-9))
    return np.asarray(precision[np.minimum(place, len(hits) - 1)])


def _listed(values: F64) -> list[float]:
    return [round(float(value), 5) for value in values]
