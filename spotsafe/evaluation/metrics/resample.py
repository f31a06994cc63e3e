"""Bootstrap over cells of equal scores: a million rows cost what a few thousand cells cost.

In the Poisson bootstrap each row counts Poisson(1) times (Hanley and MacGibbon, Computer Methods and Programs
in Biomedicine 83, 2006; Chamandy et al., Google, 2012). The rows of one cell are alike, and the sum of n
Poisson(1) is Poisson(n), so one draw per cell and class does for all its rows. A weighted cell draws
``c Poisson(S/c)`` with ``S = Σw`` and ``c = Σw²/Σw``, which has the right mean and variance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import Judged
from spotsafe.evaluation.metrics.estimate import CONFIDENCE, Estimate
from spotsafe.evaluation.metrics.intervals import F64, clopper_pearson, logit_delta

REPLICATES = 200
"""Draws per interval where only a standard deviation is read off them."""

PERCENTILE_REPLICATES = 500
"""Draws per interval whose ends are read off them."""

FEW_LOST = 3.0
"""Positives' worth of loss, ``positives (1 - v)``, below which draws of the rows say too little of rows that
were not drawn: at none of them 3 may stand behind it (the rule of three). Of intervals of the bootstrap alone
two thirds to nine tenths held the truth there."""

ROUNDING = 1e-12
"""How far sums of precisions may end beside 1 where the ranking is perfect."""

MAX_CELLS = 2048


class Cells(NamedTuple):
    """Rows gathered by score, highest first: weight of positives and negatives per cell, and per cell the
    ``c`` of the module's docstring (1 without weights)."""

    positives: F64
    negatives: F64
    grain_positive: F64
    grain_negative: F64


def cut_scores(rows: Judged, limit: int = MAX_CELLS) -> F64:
    """Ascending scores at which cells begin. All distinct scores where they are at most *limit*; else half
    of them at equal steps through the positives, half ever finer towards the highest negatives, where
    precision and low false-positive rates are decided."""
    distinct = np.unique(rows.scores)
    if len(distinct) <= limit:
        return distinct
    up = np.sort(rows.scores[rows.truth])
    down = np.sort(rows.scores[~rows.truth])[::-1]
    even = np.linspace(0, max(len(up) - 1, 0), min(limit // 2, len(up))).astype(np.int64)
    ranks = np.geomspace(1, max(len(down), 1), limit // 2).astype(np.int64) - 1
    return np.unique(np.concatenate([up[even], down[ranks[ranks < len(down)]], distinct[:1]]))


def cells(rows: Judged, limit: int = MAX_CELLS) -> Cells:
    """The cells of *rows*, highest score first."""
    cuts = cut_scores(rows, limit)
    place = len(cuts) - np.searchsorted(cuts, rows.scores, side="right")
    weight = rows.weight()
    sums = []
    for side in (rows.truth, ~rows.truth):
        total = np.bincount(place[side], weight[side], len(cuts)).astype(np.float64)
        square = np.bincount(place[side], weight[side] ** 2, len(cuts)).astype(np.float64)
        sums.append((total, np.where(total > 0, square / np.where(total > 0, total, 1.0), 1.0)))
    (up, grain_up), (down, grain_down) = sums
    return Cells(up, down, grain_up, grain_down)


def replicates(found: Cells, rng: np.random.Generator, count: int) -> tuple[F64, F64]:
    """*count* draws of the cells' positives and negatives: two arrays [count, cells]."""
    up = poisson(found.positives / found.grain_positive, count, rng) * found.grain_positive
    down = poisson(found.negatives / found.grain_negative, count, rng) * found.grain_negative
    return up, down


def poisson(means: F64, count: int, rng: np.random.Generator) -> F64:
    """*count* Poisson draws of each of *means* [count, means]. Cells of one row, which most cells of small
    sets are, take a tenth of the time by a table."""
    drawn = np.zeros((count, len(means)))
    ones = np.flatnonzero(means == 1.0)
    rest = np.flatnonzero((means > 0) & (means != 1.0))
    drawn[:, ones] = POISSON_ONE[rng.integers(0, len(POISSON_ONE), (count, len(ones)), dtype=np.uint16)]
    drawn[:, rest] = rng.poisson(means[rest], (count, len(rest)))
    return drawn


def _poisson_table() -> NDArray[np.uint8]:
    """Poisson(1) by its inverse distribution on a grid of 2¹⁶: no probability is off by more than 2⁻¹⁶."""
    shares = [np.exp(-1.0)]
    for number in range(1, 9):
        shares.append(shares[-1] / number)
    grid = (np.arange(1 << 16) + 0.5) / (1 << 16)
    return np.searchsorted(np.cumsum(shares), grid).astype(np.uint8)


POISSON_ONE = _poisson_table()
"""A uniform number of 16 bits → a draw of Poisson(1)."""


Statistic = Callable[[F64, F64], F64]
"""Positives and negatives per cell [..., cells], highest score first → the figure [...]."""


class Sizes(NamedTuple):
    """How many rows there are and how many of them are positive, where the rows themselves are not held."""

    n: int
    positives: int


def logit_bootstrap(
    rows: Judged | Sizes,
    value: float,
    statistic: Statistic,
    rng: np.random.Generator,
    found: Cells | None = None,
) -> Estimate:
    """*value* with ``logit(v) ± z sd``, the deviation taken over bootstrap logits of the rows' cells. Where
    the value is 0 or 1 the bootstrap sees no variation; the exact bound of that many positives all found (or
    missed) is given. Close to 1 (:data:`FEW_LOST`) it sees too little, and the interval is at least as wide
    as that bound, so that it narrows into the one at 1 instead of being far tighter just before it."""
    method = f"logit, poisson bootstrap ({REPLICATES})"
    if value > 1 - ROUNDING:
        value = 1.0
    if not 0 < value < 1:
        least, most = clopper_pearson(rows.positives * value, rows.positives)
        return Estimate(value, float(least), float(most), rows.n, rows.positives, "clopper-pearson")
    drawn = statistic(*replicates(_held(rows, found), rng, REPLICATES))
    # An edge this side of the value would gather the draws there and take their spread away.
    edge = min(0.5 / (rows.n + 1), value / 2, (1 - value) / 2)
    drawn = np.clip(drawn[np.isfinite(drawn)], edge, 1 - edge)
    deviation = float(np.std(np.log(drawn / (1 - drawn)), ddof=1)) * value * (1 - value)
    bounds = logit_delta(value, deviation)
    low, high = float(bounds[0]), float(bounds[1])
    if rows.positives * (1 - value) < FEW_LOST:
        exact, _ = clopper_pearson(rows.positives * value, rows.positives)
        low, high, method = min(low, float(exact)), 1.0, f"{method}, at least clopper-pearson"
    return Estimate(value, low, high, rows.n, rows.positives, method)


def _held(rows: Judged | Sizes, found: Cells | None) -> Cells:
    """The cells that are given, or those of the rows."""
    if found is None:
        if isinstance(rows, Sizes):
            raise ConfigurationError("counts without rows are drawn by their cells: give them")
        return cells(rows)
    return found


def percentile_bootstrap(
    rows: Judged | Sizes,
    value: float,
    statistic: Statistic,
    rng: np.random.Generator,
    found: Cells | None = None,
) -> Estimate:
    """*value* with the percentiles of its bootstrap, moved by what gathering rows into cells changed."""
    found = _held(rows, found)
    drawn = statistic(*replicates(found, rng, PERCENTILE_REPLICATES))
    moved = drawn[np.isfinite(drawn)] + (value - float(statistic(found.positives, found.negatives)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.clip(np.quantile(moved, [tail, 1 - tail]), 0.0, 1.0)
    method = f"percentile, poisson bootstrap ({PERCENTILE_REPLICATES})"
    return Estimate(value, float(min(low, value)), float(max(high, value)), rows.n, rows.positives, method)
