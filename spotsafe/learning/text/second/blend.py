"""How the second tier's logits join those of the first, what one half means, and when it is asked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.text import calibrate
from spotsafe.learning.text.rows import Targets
from spotsafe.learning.text.second.readings import Stages

F32 = NDArray[np.float32]

STACK = (0.40, 0.15, 0.50)
WARY = (0.60, 0.25, 0.25)
"""Weights of the logits of heads, n-grams and transformer; the second for labels whose positives the
transformer knows from few kinds of text. Chosen on sets that were left out whole: fitted on held-out rows of
known sets they would trust the n-grams too much."""

WARY_LABELS = ("ai.prompt_attack", "integrity.spam", "sexual.explicit")

STACKS: F32 = np.array([WARY if label in WARY_LABELS else STACK for label in LABELS], dtype=np.float32)

MEAN_LOSS, MOST_LOSS = 0.0015, 0.004
"""AUPRC that a stage may lose to asking the next about everything: on average over labels, and by one. There
are two such steps."""

QUIET = 0.9
"""Share of benign rows in the mix whose cost is minimised: traffic is calmer than sets collected for harm."""

_LEAST = 30
"""Positives and negatives that a label needs; without them its bound stays at :data:`_CAUTIOUS`."""

_CAUTIOUS = 0.05
_GRID = (0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


class Blend(NamedTuple):
    """*calibration* [labels, 2] , *bounds* and *quiet* [labels], as the engine reads them."""

    calibration: F32
    bounds: F32
    quiet: F32

    def parameters(self, model: str) -> dict[str, Any]:
        """What ``second.json`` holds; *model* is the SHA-256 of the model file."""
        entries = {
            label: {
                "stack": [round(float(weight), 3) for weight in STACKS[column]],
                "calibration": [round(float(value), 5) for value in self.calibration[column]],
                "bound": round(float(self.bounds[column]), 3),
                "quiet": round(float(self.quiet[column]), 3),
            }
            for label, column in COLUMN.items()
        }
        return {"format": 1, "model": model, "labels": entries}


def together(stages: Stages) -> F32:
    """Both tiers' logits before calibration [texts, labels]."""
    by_head, by_ngrams, by_network = STACKS.T
    result: F32 = by_head * stages.heads + by_ngrams * stages.ngrams + by_network * stages.network
    return result


def calibration(stages: Stages, targets: Targets, sources: NDArray[np.str_]) -> F32:
    """Slope and offset [labels, 2] by Platt on held-out rows, no set above its share."""
    evened = calibrate.evened(targets, sources)
    (found,) = calibrate.table(together(stages), evened, sources, ("*",))
    result: F32 = found
    return result


def bounds(first: F32, both: F32, truth: Targets, benign: NDArray[np.bool_]) -> F32:
    """From which score of which label on a text goes to the next stage [labels].

    Starting with almost every text, one label's bound after the other is raised where that saves most, while
    AUPRC stays within :data:`MEAN_LOSS` and :data:`MOST_LOSS` of the next stage on everything.
    *first*, *both*: calibrated probabilities [texts, labels] without and with the next stage; *truth*:
    annotations; *benign*: texts known to be harmless.
    """
    measured = _Measured(first, both, truth)
    mix = np.where(benign, QUIET / max(1, benign.sum()), (1 - QUIET) / max(1, (~benign).sum()))
    grid = np.array(_GRID, dtype=np.float32)
    steps = np.full(first.shape[1], _GRID.index(_CAUTIOUS))
    steps[measured.columns] = 0
    while True:
        found = []
        for column in measured.columns[steps[measured.columns] + 1 < len(grid)]:
            raised = steps.copy()
            raised[column] += 1
            asked = np.any(first >= grid[raised], axis=1)
            if measured.is_kept(asked):
                found.append((float(mix[asked].sum()), int(column)))
        if not found:
            result: F32 = grid[steps]
            return result
        steps[min(found)[1]] += 1


class _Measured:
    """Labels with enough annotated texts, and their AUPRC with both tiers on everything."""

    def __init__(self, first: F32, both: F32, truth: Targets) -> None:
        self._first, self._both = first, both
        self._truth: list[tuple[int, NDArray[np.bool_], NDArray[np.bool_]]] = []
        for column in range(first.shape[1]):
            used = truth.weights[:, column] > 0
            positive = truth.values[used, column] >= 0.5
            if min(positive.sum(), (~positive).sum()) >= _LEAST:
                self._truth.append((column, used, positive))
        self.columns = np.array([column for column, _, _ in self._truth], dtype=np.int64)
        self._best = self._auprc(np.ones(len(first), dtype=bool))

    def is_kept(self, asked: NDArray[np.bool_]) -> bool:
        """Whether asking only about these texts costs no more than it may."""
        if not self._truth:
            return True
        lost = self._best - self._auprc(asked)
        return bool(lost.mean() <= MEAN_LOSS and lost.max() <= MOST_LOSS)

    def _auprc(self, asked: NDArray[np.bool_]) -> NDArray[np.float64]:
        scores = np.where(asked[:, None], self._both, self._first)
        return np.array([average_precision_score(p, scores[used, c]) for c, used, p in self._truth])
