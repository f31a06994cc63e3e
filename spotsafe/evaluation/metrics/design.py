"""Sampling design: which rows of a scored stream to label, so that rates can be estimated from few labels.

Strata cut the stream by score, finer where the label is uncertain, and at every operating threshold; each row
keeps its chance of being chosen, without which the labels could only mislead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.intervals import F64
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels

FLOOR = 0.15
"""Share of the labels that is spread evenly over the strata, whatever the scores say: scores are wrong
somewhere, and only rows that they rate low can show it."""

_CERTAIN = 1e-4
"""Probabilities are kept this far from 0 and 1: a stratum that claims to know is still looked into."""


class Draw(NamedTuple):
    """Rows to label: *rows* their positions in the stream, ascending, *inclusion* and *strata* of each."""

    rows: NDArray[np.int64]
    inclusion: F64
    strata: NDArray[np.str_]


class Design(NamedTuple):
    """*cuts* ascending: stratum h holds scores in ``[cuts[h], cuts[h+1])``; per stratum its *sizes* in the
    stream, its rows' *means* of score and its *labels* to be drawn."""

    cuts: F64
    sizes: NDArray[np.int64]
    means: F64
    labels: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """The strata as they are stored with labels."""
        return tuple(f"s{index:02d}" for index in range(len(self.sizes)))

    @property
    def frame(self) -> Mapping[str, int]:
        """Stratum → rows of the stream, as :class:`SampledLabels` takes it."""
        return dict(zip(self.names, self.sizes.tolist(), strict=True))

    def strata(self, scores: ArrayLike) -> NDArray[np.int64]:
        """The stratum of each score, counted from 0."""
        place = np.searchsorted(self.cuts, np.asarray(scores, np.float64), side="right") - 1
        return np.clip(place, 0, len(self.sizes) - 1).astype(np.int64)

    def draw(self, scores: ArrayLike, rng: np.random.Generator) -> Draw:
        """Simple random samples without replacement, one per stratum, of the stream that was planned for."""
        strata = self.strata(scores)
        if (np.bincount(strata, minlength=len(self.sizes)) != self.sizes).any():
            raise ConfigurationError("these are not the scores that the design was made for")
        chosen = [
            rng.choice(np.flatnonzero(strata == index), int(count), replace=False)
            for index, count in enumerate(self.labels)
        ]
        rows = np.sort(np.concatenate(chosen)).astype(np.int64)
        chance = self.labels / self.sizes
        return Draw(rows, chance[strata[rows]], np.array(self.names)[strata[rows]])

    def judged(self, drawn: Draw, truth: ArrayLike) -> SampledLabels:
        """The labels of a draw: *truth* is in the order of its rows, NaN where no label came."""
        expected = dict(zip(self.names, self.means.tolist(), strict=True))
        return SampledLabels(truth, drawn.inclusion, strata=drawn.strata, frame=self.frame, expected=expected)


def plan(
    scores: ArrayLike,
    budget: int,
    *,
    thresholds: Sequence[float] = (),
    strata: int = 10,
    floor: float = FLOOR,
) -> Design:
    """A design of *budget* labels over a stream with *scores* (probabilities from 0 to 1).

    About *strata* strata have equal shares of ``Σ sqrt(p(1-p))``, the cumulated root-frequency rule (Dalenius
    and Hodges, JASA 54, 1959) with the model's own standard deviation; *thresholds* are cuts as well. A share
    *floor* of the budget goes evenly to the strata, the rest by Neyman's ``N_h S_h`` (JRSS 97, 1934).
    ConfigurationError for a budget that cannot give two labels to each stratum.
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ConfigurationError("scores must be a column of probabilities from 0 to 1, without gaps")
    ordered = np.sort(values)
    sure = np.clip(ordered, _CERTAIN, 1 - _CERTAIN)
    spread = np.sqrt(sure * (1 - sure))
    cumulated = np.cumsum(spread)
    steps = np.arange(1, strata) * (cumulated[-1] / strata)
    inner = ordered[np.minimum(np.searchsorted(cumulated, steps), len(ordered) - 1)]
    cuts = np.unique(np.concatenate([[0.0], inner, np.asarray(thresholds, np.float64)]))
    starts = np.searchsorted(ordered, cuts)
    sizes = np.diff(np.append(starts, len(ordered)))
    cuts, starts, sizes = cuts[sizes > 0], starts[sizes > 0], sizes[sizes > 0]
    cuts[0] = 0.0
    if budget < 2 * len(sizes):
        raise ConfigurationError(
            f"{budget} labels cannot give two to each of {len(sizes)} strata; ask for fewer strata"
        )
    means = np.add.reduceat(ordered, starts) / sizes
    certain = np.clip(means, _CERTAIN, 1 - _CERTAIN)
    labels = _allocate(sizes, sizes * np.sqrt(certain * (1 - certain)), budget, floor)
    return Design(cuts, sizes.astype(np.int64), means, labels)


def _allocate(sizes: NDArray[np.intp], need: F64, budget: int, floor: float) -> NDArray[np.int64]:
    """Whole labels per stratum: the even floor (at least two) and the rest by *need*, none above its size;
    what a full stratum cannot take goes to the others."""
    even = np.minimum(max(2, int(budget * floor / len(sizes))), sizes)
    given = even.astype(np.float64)
    for _ in range(len(sizes)):
        left, room = budget - given.sum(), np.where(given < sizes, need, 0.0)
        if left <= 0 or not room.any():
            break
        given = np.minimum(given + left * room / room.sum(), sizes)
    whole = np.floor(given + 1e-9).astype(np.int64)
    order = np.argsort(whole - given, kind="stable")
    for index in order[: max(min(budget, int(sizes.sum())) - int(whole.sum()), 0)]:
        whole[index] += whole[index] < sizes[index]
    return whole
