"""Which thresholds keep a promise on new rows, and not on these rows alone.

A threshold picked because its precision here is 0.95 has less than that elsewhere: it was picked for its
luck. Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei, 2021) takes each threshold as a
hypothesis "the promise is not kept" with a p-value, and tests along a fixed sequence: from where the promise
is safest, as long as each is rejected. All thresholds so certified keep it together, with the confidence
asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics import sampled
from spotsafe.evaluation.metrics.columns import Bools
from spotsafe.evaluation.metrics.intervals import F64, special, wilson
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels

GRID: F64 = np.concatenate([np.arange(1, 200) / 200, [0.999]])
"""Thresholds that are tried, ascending; they are the same whatever the data, as the tests require."""

STARTS, STRIDE = 4, 3
"""Points from which a precision is tested: the strictest threshold flags too few rows to prove anything, and
where to begin is not known beforehand. Each has its share of the error that is allowed."""

KINDS = {"precision": ">=", "recall": ">=", "fpr": "<=", "load": "<="}
"""What can be promised, and in which direction: *load* is the share of all rows that the rule flags."""


class Target(NamedTuple):
    """A promise: ``precision`` or ``recall`` of at least *value*, ``fpr`` or ``load`` of at most that."""

    kind: str
    value: float

    def __str__(self) -> str:
        return f"{self.kind} {KINDS[self.kind]} {self.value:g}"


def parse_target(text: str) -> Target:
    """``precision>=0.95`` as a target. ConfigurationError says what can be written."""
    for kind, sign in KINDS.items():
        name, found, number = text.replace(" ", "").partition(sign)
        if found and name == kind:
            try:
                value = float(number)
            except ValueError:
                break
            if 0 < value < 1:
                return Target(kind, value)
    raise ConfigurationError(
        f"target {text[:40]!r}: write precision>=0.95, recall>=0.8, fpr<=0.01 or load<=0.02 "
        "(shares between 0 and 1)"
    )


class Counts(NamedTuple):
    """Per threshold of :data:`GRID`: *hits* of *over* rows, both for one rate: e.g. right ones of flagged
    ones. *bounds* are the 95 % interval at each threshold taken alone, *logit* the estimate's logit and its
    deviation where rows were sampled by score, else None."""

    hits: F64
    over: F64
    bounds: tuple[F64, F64]

    @property
    def share(self) -> F64:
        """The rate; NaN where nothing is counted over."""
        return np.asarray(
            np.divide(self.hits, self.over, out=np.full(len(GRID), np.nan), where=self.over > 0)
        )


class RuleRows(NamedTuple):
    """One rule's rows: *scores* (its labels' maximum, NaN: none), which are known *bad* and *clean*, and
    which are *settled*: annotated for all its labels (None: the bad and the clean ones). Precision counts
    only these: a row that one label shows to be bad may have had no chance to be clean."""

    scores: F64
    bad: Bools
    clean: Bools
    settled: Bools | None = None

    @property
    def known(self) -> Bools:
        """The rows over which a precision is counted."""
        return self.bad | self.clean if self.settled is None else self.settled


def levels(rows: RuleRows) -> NDArray[np.intp]:
    """How many thresholds of the grid each score reaches; -1 without a score."""
    found = np.searchsorted(GRID.astype(np.float32), rows.scores.astype(np.float32), side="right")
    return np.where(np.isnan(rows.scores), -1, found)


def counts(rows: RuleRows, kind: str, labels: SampledLabels | None = None) -> Counts:
    """The counts of a rate at each threshold. With *labels* (rows sampled by score; its truth is ignored) the
    rates are Hájek estimates."""
    level = levels(rows)
    base = {"precision": None, "recall": rows.bad, "fpr": rows.clean}.get(kind, level >= 0)
    hit = {"precision": rows.bad & rows.known, "recall": rows.bad, "fpr": rows.clean}.get(kind, level >= 0)
    known = rows.known if kind == "precision" else base
    if labels is not None:
        return _weighted(level, hit, known, labels, moving=base is None)
    hits, flagged = _reached(level, hit), _reached(level, known)
    over = flagged if base is None else np.full(len(GRID), float((base & (level >= 0)).sum()))
    return Counts(hits, over, wilson(hits, over))


def _reached(level: NDArray[np.intp], rows: Bools | None) -> F64:
    """How many of *rows* reach each threshold."""
    chosen = level[rows & (level >= 0)] if rows is not None else level[level >= 0]
    tally = np.bincount(chosen, minlength=len(GRID) + 1)
    return np.cumsum(tally[::-1])[::-1][1:].astype(np.float64)


def _weighted(
    level: NDArray[np.intp], hit: Bools, known: Bools | None, labels: SampledLabels, *, moving: bool
) -> Counts:
    """Hájek estimates one threshold at a time, each over as many rows as a simple random sample of equal
    variance would have, ``v(1-v)/sd²`` (Korn and Graubard, Survey Methodology 24, 1998), or Kish's number
    where that is less. Too few effective rows count as none."""
    inside = (level >= 0) if known is None else known & (level >= 0)
    value, rows = np.zeros((2, len(GRID)))
    for index in range(len(GRID)):
        flagged = level > index
        bottom = (inside & flagged if moving else inside).astype(np.float64)[labels.chosen]
        found = sampled.ratio(labels, (hit & flagged).astype(np.float64)[labels.chosen], bottom)
        value[index] = found.value
        if labels.reason is None and found.rows >= sampled.LEAST_EFFECTIVE:
            spread = found.value * (1 - found.value)
            equal = spread / found.deviation**2 if spread > 0 and found.deviation > 0 else found.rows
            rows[index] = min(equal, found.rows)
    return Counts(value * rows, rows, wilson(value * rows, rows))


def p_values(found: Counts, target: Target) -> F64:
    """Of the hypothesis that the promise is not kept, at each threshold: the exact binomial tail
    ``P(Bin(over, value) >= hits)`` (or ``<=``), as an incomplete beta function, which takes effective numbers
    too. 1 where nothing is counted over."""
    beta = special().betainc
    hits, misses = found.hits, found.over - found.hits
    least = KINDS[target.kind] == ">="
    good, bad, edge = (hits, misses, target.value) if least else (misses, hits, 1 - target.value)
    tail = np.where(good > 0, beta(np.where(good > 0, good, 1.0), bad + 1, edge), 1.0)
    return np.asarray(np.where(found.over > 0, tail, 1.0), np.float64)


def certified(found: Counts, target: Target, error: float) -> Bools:
    """Thresholds of the grid that keep *target*, all of them with probability ``1 - error``.

    ``recall`` is tested from the lowest threshold up, ``fpr`` and ``load`` from the highest down.
    ``precision`` goes down too, from :data:`STARTS` points: where the rule flags as many rows as could prove
    the promise if all were right, and at 3, 9 and 27 times that.
    """
    p = p_values(found, target)
    kept = np.zeros(len(GRID), np.bool_)
    if target.kind == "recall":
        kept[: _run(p, error)] = True
        return kept
    down, flagged = p[::-1], found.over[::-1]
    starts = [0]
    if target.kind == "precision":
        need = np.ceil(np.log(error / STARTS) / np.log(target.value))
        starts = [int(np.searchsorted(flagged, need * STRIDE**step)) for step in range(STARTS)]
    each = error / len(starts)
    for start in starts:
        kept[len(GRID) - start - _run(down[start:], each) : len(GRID) - start] = True
    return kept


def _run(p: F64, error: float) -> int:
    """How many hypotheses are rejected before the first that is not."""
    failed = np.flatnonzero(p > error)
    return int(failed[0]) if len(failed) else len(p)
