"""Columns: what every metric takes, checked once, and the refusal of labels that were sampled by score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.intervals import F64

Bools = NDArray[np.bool_]

POSITIVE_FROM = 0.5
"""Truth is given from 0 to 1 (a share of annotators); from here on a row counts as positive."""


class Judged(NamedTuple):
    """One label's rows: *truth* as booleans, *scores*, and *weights* (None: all equal)."""

    truth: Bools
    scores: F64
    weights: F64 | None

    @property
    def n(self) -> int:
        return len(self.truth)

    @property
    def positives(self) -> int:
        return int(self.truth.sum())

    def weight(self) -> F64:
        """The weights, ones where none were given."""
        return np.ones(self.n) if self.weights is None else self.weights


def judged(
    truth: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None, *, unit: bool = False
) -> Judged:
    """The columns as metrics use them. *unit* asks for scores from 0 to 1.

    Raises ConfigurationError for lengths that differ, values that are no numbers, or labels that were sampled
    by score (:class:`~spotsafe.evaluation.metrics.sampled.SampledLabels` never become an array).
    """
    marks = np.asarray(truth)
    values = np.asarray(scores, np.float64)
    if marks.ndim != 1 or values.shape != marks.shape:
        raise ConfigurationError(
            f"truth and scores must be columns of one length, not {marks.shape} and {values.shape}"
        )
    if marks.dtype != np.bool_:
        marks = np.asarray(marks, np.float64)
        if np.isnan(marks).any():
            raise ConfigurationError("truth holds rows without annotation (NaN); leave them out first")
        marks = marks >= POSITIVE_FROM
    if not np.isfinite(values).all():
        raise ConfigurationError("scores hold missing rows (NaN); leave them out and count them first")
    if unit and len(values) and (values.min() < 0 or values.max() > 1):
        raise ConfigurationError("calibration needs scores from 0 to 1; map them before measuring")
    return Judged(marks, values, None if weights is None else _weights(weights, len(marks)))


def _weights(weights: ArrayLike, n: int) -> F64:
    found = np.asarray(weights, np.float64)
    if found.shape != (n,) or not np.isfinite(found).all() or (found < 0).any() or not found.any():
        raise ConfigurationError("weights must be one number ≥ 0 per row, not all zero")
    return found


def scarce(positives: int, negatives: int, least: int) -> str | None:
    """Why a figure over so few rows is refused; None where both sides have at least *least*."""
    if min(positives, negatives) >= least:
        return None
    side, count = ("positive", positives) if positives <= negatives else ("negative", negatives)
    return f"{count} {side} rows; at least {least} are needed"
