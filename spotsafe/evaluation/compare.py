"""Two runs over the same rows, compared in pairs.

Both runs see every bootstrap draw of the rows, so what makes a row hard for both cancels out; the interval is
of the *difference*. It holds 0: "no difference" was shown. Intervals are not adjusted for how many labels are
compared; the mean over labels is there to be read first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.estimate import CONFIDENCE
from spotsafe.evaluation.paired import F64, Cells, Draws, Pair
from spotsafe.evaluation.runs.run import ScoredRun, stored

REPLICATES, REPLICATES_OF_MANY = 1000, 400
"""Bootstrap draws for up to :data:`MANY` rows, and beyond."""

MANY = 100_000


class Verdict(str, Enum):
    """What a comparison shows of the second run against the first."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no difference"
    REFUSED = "not compared"


class Difference(NamedTuple):
    """One label and metric: both values on the rows that both runs scored, their *difference* (second less
    first) with its 95 % interval, on how many rows; *only_first* and *only_second* were scored by one alone.
    *refused* says why there is none."""

    label: str
    metric: str
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    rows: int
    positives: int
    only_first: int
    only_second: int
    verdict: Verdict
    refused: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {**self._asdict(), "verdict": self.verdict.value}


class Comparison(NamedTuple):
    """All differences of two runs; *means* holds one per metric, over labels (its label is ``mean``)."""

    first: str
    second: str
    dataset: str
    rows: int
    differences: tuple[Difference, ...]
    means: tuple[Difference, ...]
    replicates: int

    def of(self, label: str, metric: str) -> Difference | None:
        """That label's difference, None where it was not compared."""
        found = (d for d in self.differences if (d.label, d.metric) == (label, metric))
        return next(found, None)

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        fields = self._asdict()
        fields["differences"] = [difference.to_json() for difference in self.differences]
        fields["means"] = [difference.to_json() for difference in self.means]
        return fields


METRICS = ("auprc", "auroc", "recall", "precision", "f1", "fpr", "accuracy", "brier")
"""What can be compared. Rates are at the label's threshold."""

LOWER_IS_BETTER = frozenset({"fpr", "brier"})


def compare(
    first: ScoredRun,
    second: ScoredRun,
    *,
    labels: Sequence[str] | None = None,
    metrics: Sequence[str] = ("auprc", "auroc"),
    thresholds: Mapping[str, float] | None = None,
    mask: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> Comparison:
    """The *second* run against the *first*, per label (patterns; default: all that both have) and metric.

    *thresholds* are by label (0.5 where none is given). Raises ConfigurationError where the runs are not over
    the same rows with the same annotations, or a metric is unknown.
    """
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise ConfigurationError(f"no metric {unknown[0]!r} to compare; there are: {', '.join(METRICS)}")
    _require_same_rows(first, second)
    shared = [label for label in first.wanted(labels or ("*",)) if label in second.labels]
    replicates = REPLICATES if len(first) <= MANY else REPLICATES_OF_MANY
    draw = Draws(first, seed, replicates)
    found: list[Difference] = []
    drawn: dict[str, list[F64]] = {metric: [] for metric in metrics}
    for label in shared:
        pair = Pair(first, second, label, mask)
        at = stored((thresholds or {}).get(label, 0.5))
        for metric, replicate in zip(metrics, _replicated(pair, metrics, at, draw), strict=True):
            found.append(_difference(pair, metric, at, replicate))
            if replicate is not None:
                drawn[metric].append(replicate)
    means = tuple(_mean(metric, found, drawn[metric]) for metric in metrics)
    return Comparison(
        first.name, second.name, first.meta.dataset, len(first), tuple(found), means, replicates
    )


def _require_same_rows(first: ScoredRun, second: ScoredRun) -> None:
    if first.meta.row_digest != second.meta.row_digest:
        raise ConfigurationError(
            f"the runs are over different rows ({len(first)} of {first.meta.dataset}, {len(second)} of "
            f"{second.meta.dataset}): score both engines over the same data with the same --limit"
        )
    for label in first.labels:
        if label in second.labels and not np.array_equal(
            first.truth(label), second.truth(label), equal_nan=True
        ):
            raise ConfigurationError(
                f"the runs disagree on what is right for {label}: score both with the same labels and mapping"
            )


def _replicated(pair: Pair, metrics: Sequence[str], at: float, draw: Draws) -> list[F64 | None]:
    """Per metric the differences in every draw, moved so that they centre on the exact difference."""
    if pair.refused is not None:
        return [None] * len(metrics)
    cells = [Cells(scores, pair.truth) for scores in pair.sides]

    def difference(weight: F64) -> F64:
        one, other = (side.figures(metrics, weight, at) for side in cells)
        return np.subtract(other, one)

    weight = pair.weight()
    drawn = [difference(draw.row_counts(replicate)[pair.rows] * weight) for replicate in range(draw.count)]
    ends = np.array([_exact(pair, metric, at) for metric in metrics])
    return list((np.array(drawn) + (ends[:, 1] - ends[:, 0] - difference(weight))).T)


def _exact(pair: Pair, metric: str, at: float) -> tuple[float, float]:
    """Both sides' figures with every distinct score apart."""
    apart = (Cells(side, pair.truth, len(side)) for side in pair.sides)
    one, other = (side.figures([metric], pair.weight(), at)[0] for side in apart)
    return one, other


def _difference(pair: Pair, metric: str, at: float, drawn: F64 | None) -> Difference:
    counted = (len(pair.rows), int(pair.truth.sum()), pair.only_first, pair.only_second)
    if drawn is None:
        nothing = (None,) * 5
        return Difference(pair.label, metric, *nothing, *counted, Verdict.REFUSED, pair.refused)
    one, other = _exact(pair, metric, at)
    value = other - one
    usable = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(usable) < draw_least(len(drawn)):
        why = f"{metric} at {at:g} has no rows to count over in one of the runs"
        return Difference(pair.label, metric, *(None,) * 5, *counted, Verdict.REFUSED, why)
    low, high = bounds(usable, value)
    return Difference(pair.label, metric, one, other, value, low, high, *counted, verdict(metric, low, high))


def draw_least(count: int) -> int:
    """Of *count* draws, how many must have the figure for an interval to be given."""
    return max(count * 9 // 10, 1)


def bounds(drawn: F64, value: float) -> tuple[float, float]:
    """The 95 % percentile interval of *drawn*, never without *value*."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(min(low, value)), float(max(high, value))


def verdict(metric: str, low: float, high: float) -> Verdict:
    """What an interval of differences says of the second run."""
    if low <= 0 <= high:
        return Verdict.SAME
    return Verdict.BETTER if (low > 0) is (metric not in LOWER_IS_BETTER) else Verdict.WORSE


def _mean(metric: str, found: Sequence[Difference], drawn: Sequence[F64]) -> Difference:
    """The unweighted mean over the labels that could be compared, with the interval of the mean's draws."""
    told = [d for d in found if d.metric == metric and d.difference is not None]
    if not told:
        why = "no label could be compared"
        return Difference("mean", metric, *(None,) * 5, 0, 0, 0, 0, Verdict.REFUSED, why)
    values = np.array([[d.first, d.second, d.difference] for d in told], np.float64).mean(axis=0)
    one, other, value = (float(v) for v in values)
    low, high = bounds(np.nanmean(np.stack(drawn), axis=0), value)
    return Difference(
        "mean", metric, one, other, value, low, high,
        max(d.rows for d in told), sum(d.positives for d in told), 0, 0, verdict(metric, low, high),
    )  # fmt: skip
