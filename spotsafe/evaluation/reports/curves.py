"""Curves behind the plots: precision over recall with its band, and how scores are spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.evaluation.metrics.columns import judged
from spotsafe.evaluation.metrics.counted import BINS, Tally
from spotsafe.evaluation.metrics.estimate import CONFIDENCE
from spotsafe.evaluation.metrics.resample import Cells, cells, replicates
from spotsafe.evaluation.runs.run import Pairs

F64 = NDArray[np.float64]

GRID = np.linspace(0.01, 1.0, 100)
"""Recalls at which the curve is drawn."""

REPLICATES = 200


def precision_recall(pairs: Pairs, *, seed: int = 0) -> dict[str, Any] | None:
    """Precision at each recall of :data:`GRID` with the pointwise 95 % band of a bootstrap, and the
    prevalence, which a ranking that knows nothing has throughout. None where a class is missing."""
    positives = int(pairs.truth.sum())
    if not 0 < positives < len(pairs.truth):
        return None
    rows = judged(pairs.truth, pairs.scores, pairs.weights)
    weight = rows.weight()
    return curve_of(cells(rows), float(weight @ rows.truth / weight.sum()), seed=seed)


def curve_of(found: Cells, prevalence: float, *, seed: int = 0) -> dict[str, Any]:
    """The same curve from cells, highest scores first."""
    rng = np.random.default_rng(seed)
    up, down = replicates(found, rng, REPLICATES)
    drawn = np.array([_at_recalls(u, d) for u, d in zip(up, down, strict=True) if u.any()])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    value = _at_recalls(found.positives, found.negatives)
    return {
        "recall": _listed(GRID),
        "precision": _listed(value),
        "low": _listed(np.minimum(low, value)),
        "high": _listed(np.maximum(high, value)),
        "prevalence": round(prevalence, 5),
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


def point_of(found: Tally) -> dict[str, float] | None:
    """As :func:`operating_point`, from counts."""
    (_, alarms), (misses, hits) = found.table.tolist()
    if not hits + alarms or not hits + misses:
        return None
    recall, precision = hits / (hits + misses), hits / (hits + alarms)
    return {"recall": round(recall, 5), "precision": round(precision, 5), "at": found.at}


def histogram(pairs: Pairs) -> dict[str, Any]:
    """Rows per score bin, positives and negatives apart."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    weight = np.ones(len(pairs.truth)) if pairs.weights is None else pairs.weights
    up, down = (
        np.histogram(pairs.scores[side], edges, weights=weight[side])[0]
        for side in (pairs.truth, ~pairs.truth)
    )
    return spread(np.stack([down, up]).round().astype(np.int64))


def spread(counts: NDArray[np.int64]) -> dict[str, Any]:
    """The histogram from *counts* [2, bins]: of negatives, then of positives."""
    return {"bins": BINS, "positive": counts[1].tolist(), "negative": counts[0].tolist()}


def _at_recalls(up: F64, down: F64) -> F64:
    """Precision at the first cell, from the top, by which each recall is reached."""
    hits = np.cumsum(up)
    precision = hits / np.maximum(hits + np.cumsum(down), 1e-12)
    place = np.searchsorted(hits, GRID * hits[-1] * (1 - 1e-9))
    return np.asarray(precision[np.minimum(place, len(hits) - 1)])


def _listed(values: F64) -> list[float]:
    return [round(float(value), 5) for value in values]
