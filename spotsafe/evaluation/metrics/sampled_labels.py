"""Labels of rows that were chosen by score, kept from every metric that would count them as they come.

Review queues and active learning label what scores high. Unweighted figures over such labels are wrong, not
imprecise: on a stream with 0.19 % of violations an unweighted recall of 0.81 stood for a true one of 0.55.
So these labels come as :class:`SampledLabels`, which no other metric takes, and each row counts by the
inverse of its chance to be labelled.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import POSITIVE_FROM, Bools
from spotsafe.evaluation.metrics.intervals import F64

MAX_UNLABELLED = 0.01
"""Share of the frame that a stratum without any label may hold."""

UNWEIGHTED = (
    "these labels were sampled by score: unweighted figures over them are wrong; use the estimates of "
    "spotsafe.evaluation.metrics.sampled"
)


class SampledLabels:
    """Truth of rows that were chosen by score.

    *truth* holds 0..1 per row, NaN for rows that were not labelled; *inclusion* the chance in (0, 1] that the
    row was to be labelled (read for labelled rows alone); *strata* the stratum of each row (None: rows were
    chosen one by one); *frame* the number of rows that each stratum stands for, labelled or not. With a
    *frame* the labelled rows of a stratum stand for all of it, which makes up for labels that never came.
    *expected* is the mean score of each stratum's rows, where scores are probabilities.

    It is no array and does not become one: ``numpy.asarray`` of it raises, and so does every metric that
    takes arrays.
    """

    __slots__ = ("_given", "chosen", "expected", "inclusion", "reason", "sizes", "stratum", "truth", "weight")

    def __init__(
        self,
        truth: ArrayLike,
        inclusion: ArrayLike,
        *,
        strata: ArrayLike | None = None,
        frame: Mapping[str, int] | None = None,
        expected: Mapping[str, float] | None = None,
    ) -> None:
        if frame is not None and strata is None:
            raise ConfigurationError(
                "a frame gives the size of each stratum; give the strata of the rows too"
            )
        marks, chance = np.asarray(truth, np.float64), np.asarray(inclusion, np.float64)
        names = np.zeros(len(marks), dtype=np.int64) if strata is None else np.asarray(strata)
        if marks.shape != chance.shape or marks.shape != names.shape or marks.ndim != 1:
            raise ConfigurationError("truth, inclusion and strata must be columns of one length")
        self._given = (marks, chance, strata, frame, expected)
        self.chosen: Bools = ~np.isnan(marks)
        self.truth: F64 = (marks[self.chosen] >= POSITIVE_FROM).astype(np.float64)
        self.inclusion: F64 = chance[self.chosen]
        if not ((self.inclusion > 0) & (self.inclusion <= 1)).all():
            raise ConfigurationError("every labelled row needs an inclusion probability above 0 and up to 1")
        known, codes = np.unique(names.astype(np.str_), return_inverse=True)
        self.stratum: NDArray[np.int64] | None = None if strata is None else codes[self.chosen]
        self.weight, self.sizes = _weights(self, known, frame)
        self.expected: F64 | None = None
        if expected is not None:
            self.expected = np.array([float(expected.get(str(name), 0.0)) for name in known])
        self.reason = _unlabelled(self, known, codes, frame)

    def __array__(self, dtype: object = None, copy: object = None) -> NDArray[np.float64]:
        raise ConfigurationError(UNWEIGHTED)

    def __len__(self) -> int:
        """All rows, labelled or not."""
        return len(self.chosen)

    def without(self, rows: ArrayLike) -> SampledLabels:
        """The same design without the labels of *rows* (a boolean column), such as those without a score:
        where the frame is known, the others of their stratum stand for them."""
        marks, chance, strata, frame, expected = self._given
        left = np.where(np.asarray(rows, np.bool_), np.nan, marks)
        return SampledLabels(left, chance, strata=strata, frame=frame, expected=expected)

    @property
    def effective_positives(self) -> float:
        """Kish's effective number of positives, ``(Σ w y)²/Σ (w y)²``."""
        return effective(self.weight * self.truth)


def effective(weights: F64) -> float:
    """``(Σ w)²/Σ w²`` (Kish, Survey Sampling, 1965); 0 without weight."""
    square = float(weights @ weights)
    return float(weights.sum()) ** 2 / square if square else 0.0


def _weights(
    labels: SampledLabels, known: NDArray[np.str_], frame: Mapping[str, int] | None
) -> tuple[F64, F64]:
    """The weight of each labelled row and the size of each stratum. Where the frame is known, weights are
    scaled to it (post-stratification)."""
    weight = 1.0 / labels.inclusion
    if labels.stratum is None:
        return weight, np.array([float(weight.sum())])
    held = np.bincount(labels.stratum, weight, len(known)).astype(np.float64)
    if frame is None:
        return weight, held
    missing = sorted({str(known[code]) for code in labels.stratum} - set(frame))
    if missing:
        raise ConfigurationError(f"the frame does not give the size of the stratum {missing[0][:40]!r}")
    sizes = np.array([float(frame.get(str(name), 0)) for name in known])
    counts = np.bincount(labels.stratum, minlength=len(known))
    if (sizes < counts).any():
        short = str(known[int(np.argmax(counts - sizes))])[:40]
        raise ConfigurationError(f"the frame gives the stratum {short!r} fewer rows than were labelled")
    return weight * (sizes / np.where(held > 0, held, 1.0))[labels.stratum], sizes


def _unlabelled(
    labels: SampledLabels,
    known: NDArray[np.str_],
    codes: NDArray[np.int64],
    frame: Mapping[str, int] | None,
) -> str | None:
    """Why nothing can be estimated: a stratum of weight without any label."""
    if labels.stratum is None or not len(labels.truth):
        return None if len(labels.truth) else "no row is labelled"
    rows = np.bincount(codes, minlength=len(known))
    sizes = frame or {str(name): int(count) for name, count in zip(known, rows, strict=True)}
    labelled = {str(known[code]) for code in np.unique(labels.stratum)}
    whole = float(sum(sizes.values()))
    for name, size in sizes.items():
        if name not in labelled and size > MAX_UNLABELLED * whole:
            return (
                f"the stratum {name[:40]!r} holds {size / whole:.1%} of the frame and has no label; "
                "label rows of it"
            )
    return None
