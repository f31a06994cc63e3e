"""Subgroups: do mentions of a group raise or lower scores, and does a threshold treat groups alike?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import Bools, Judged, judged, scarce
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import logit_delta, newcombe, proportion
from spotsafe.evaluation.metrics.ranking import LEAST, Placements, area_estimate, placements, ranked

POWER = -5.0
"""Exponent of the generalised mean over subgroups: low values count most, so that no group is averaged away
(Borkan et al. 2019; the value is that of the Jigsaw "unintended bias" challenge)."""

MIN_GROUP = 50
"""Rows of a group below which a threshold-level gap is not shown: it would be noise, and could point at
persons."""


class SubgroupAuc(NamedTuple):
    """The three AUCs of one group (Borkan, Dixon, Sorensen, Thain and Vasserman, WWW companion 2019):
    *subgroup* within it; *bpsn*, background positive against subgroup negative: low where mentions alone
    raise scores; *bnsp*, background negative against subgroup positive: low where mentions lower them."""

    subgroup: Estimate
    bpsn: Estimate
    bnsp: Estimate


class BiasReport(NamedTuple):
    """*groups* by name; *mean* is the generalised mean of each AUC over the groups that have one."""

    groups: Mapping[str, SubgroupAuc]
    mean: SubgroupAuc


_SIDES: Mapping[str, Callable[[Bools, Bools], Bools]] = {
    "subgroup": lambda inside, truth: inside,
    "bpsn": lambda inside, truth: inside != truth,
    "bnsp": lambda inside, truth: inside == truth,
}
"""AUC → which rows it is over: BPSN takes subgroup negatives and background positives, BNSP the others."""


def subgroup_aucs(
    truth: ArrayLike, scores: ArrayLike, groups: Mapping[str, ArrayLike], *, least: int = LEAST
) -> BiasReport:
    """All three AUCs per group (boolean columns; they may overlap) with DeLong intervals, and their means.

    The background of a group is every row outside of it. The mean is ``((1/G) Σ auc^p)^(1/p)`` with p = -5;
    its interval is the delta method over DeLong's components, which see that all groups share rows. It is
    refused where no group has that AUC.
    """
    rows = judged(truth, scores)
    ranks, distinct = ranked(rows.scores)
    found: dict[str, dict[str, Estimate]] = {}
    parts: dict[str, list[_Part]] = {kind: [] for kind in _SIDES}
    for name, column in groups.items():
        inside = _member(column, rows)
        found[name] = {}
        for kind, chosen in _SIDES.items():
            of = chosen(inside, rows.truth)
            held = rows.truth[of]
            positives = int(held.sum())
            if (why := scarce(positives, len(held) - positives, max(least, 2))) is not None:
                found[name][kind] = refusal(why, n=len(held), positives=positives)
                continue
            places = placements(held, ranks[of], distinct)
            found[name][kind] = area_estimate(places, places.value)
            parts[kind].append(_Part(places.value, _influence(places, held, ranks[of]), of))
    return BiasReport(
        {name: SubgroupAuc(**aucs) for name, aucs in found.items()},
        SubgroupAuc(**{kind: _power_mean(rows, those) for kind, those in parts.items()}),
    )


class _Part(NamedTuple):
    """One group's AUC: its value, what each of its rows adds to its error, and which rows these are."""

    value: float
    influence: NDArray[np.float32]
    rows: Bools


def _member(column: ArrayLike, rows: Judged) -> Bools:
    inside = np.asarray(column)
    if inside.dtype != np.bool_ or inside.shape != rows.truth.shape:
        raise ConfigurationError("a group must be one boolean per row")
    return inside


def power_mean(values: ArrayLike, power: float = POWER) -> float:
    """``((1/n) Σ v^p)^(1/p)`` of values above 0; 0 where one is 0 and the power is negative."""
    given = np.asarray(values, np.float64)
    if power < 0 and (given <= 0).any():
        return 0.0
    return float(np.mean(given**power) ** (1 / power))


def _power_mean(rows: Judged, parts: Sequence[_Part]) -> Estimate:
    """The generalised mean of the AUCs, with the deviation of its influence function:
    ``dM/dauc_g = M^(1-p) auc_g^(p-1) / G``."""
    if not parts:
        return refusal("no group has enough rows on both sides", n=rows.n, positives=rows.positives)
    value = power_mean([part.value for part in parts])
    influence = np.zeros(rows.n)
    for part in parts if value else ():
        influence[part.rows] += part.influence * (value / part.value) ** (1 - POWER) / len(parts)
    low, high = logit_delta(value, float(influence @ influence) ** 0.5)
    method = f"delong, delta, power {POWER:g}"
    return Estimate(value, float(low), float(high), rows.n, rows.positives, method)


def _influence(places: Placements, truth: Bools, ranks: NDArray[np.intp]) -> NDArray[np.float32]:
    """What each row adds to the AUC's error: its placement around the mean, over the size of its class."""
    own = np.empty(len(truth), np.float32)
    for side, place in ((truth, places.positive), (~truth, places.negative)):
        size = int(side.sum())
        own[side] = (place[ranks[side]] - places.value) / np.sqrt(size * max(size - 1, 1))
    return own


class Gap(NamedTuple):
    """A group at the threshold: its false-positive and false-negative rate, and each minus that of all rows
    outside of the group."""

    fpr: Estimate
    fnr: Estimate
    fpr_gap: Estimate
    fnr_gap: Estimate


def gaps(
    truth: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    groups: Mapping[str, ArrayLike],
    *,
    least: int = MIN_GROUP,
) -> Mapping[str, Gap]:
    """Rates per group with Wilson intervals and their differences with Newcombe's. Each figure is refused
    where the group, or the rest, has fewer than *least* rows of the class that it counts over."""
    rows = judged(truth, scores)
    flagged = rows.scores >= threshold
    found = {}
    for name, column in groups.items():
        inside = _member(column, rows)
        fpr, fpr_gap = _gap(inside, ~rows.truth, flagged, least)
        fnr, fnr_gap = _gap(inside, rows.truth, ~flagged, least)
        found[name] = Gap(fpr, fnr, fpr_gap, fnr_gap)
    return found


def _gap(inside: Bools, of: Bools, wrong: Bools, least: int) -> tuple[Estimate, Estimate]:
    counts = [(int((wrong & of & side).sum()), int((of & side).sum())) for side in (inside, ~inside)]
    (k1, n1), (k2, n2) = counts
    if n1 < least:
        why = refusal(f"{n1} rows of the group; at least {least} are needed", n=n1)
        return why, why
    rate = proportion(k1, n1)
    if (why_not := scarce(n1, n2, least)) is not None:
        return rate, refusal(f"outside of the group: {why_not}", n=n2)
    low, high = newcombe(k1, n1, k2, n2)
    return rate, Estimate(k1 / n1 - k2 / n2, low, high, n1 + n2, k1 + k2, "newcombe")
