"""Figures per group of rows (language, modality, slice) over long columns, one label at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics import calibration, ranking, sampled, sampled_ranking
from spotsafe.evaluation.metrics.columns import POSITIVE_FROM
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.sampled_labels import UNWEIGHTED, SampledLabels
from spotsafe.evaluation.metrics.threshold import rates


class Group(NamedTuple):
    """One group: rows in all, rows *annotated*, of these rows whose score is *missing* (they are in no
    figure), and the figures by name."""

    name: str
    rows: int
    annotated: int
    missing: int
    figures: dict[str, Estimate]


def grouped(
    truth: ArrayLike | SampledLabels,
    scores: ArrayLike,
    codes: ArrayLike,
    names: Sequence[str],
    rng: np.random.Generator,
    *,
    threshold: float,
) -> Iterator[Group]:
    """Figures for each group with rows, in the order of *names*.

    *truth* (0..1, NaN: not annotated), *scores* (NaN: missing) and *codes* (indexes of *names*, negative: no
    group) are columns, memory-mapped ones too: what is held at once are the codes' sort order (8 bytes a row)
    and the rows of one group. Labels sampled by score give the rates as Hájek estimates of the group as a
    domain of the whole design, and areas likewise; calibration is refused.
    """
    values, group = np.asanyarray(scores), np.asanyarray(codes)
    if values.shape != group.shape or len(truth if isinstance(truth, SampledLabels) else values) != len(
        group
    ):
        raise ConfigurationError("truth, scores and codes must be columns of one length")
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group, np.arange(len(names) + 1), sorter=order)
    for index, name in enumerate(names):
        rows = order[edges[index] : edges[index + 1]]
        if not len(rows):
            continue
        if isinstance(truth, SampledLabels):
            yield _sampled(name, truth, values, rows, rng, threshold=threshold)
        else:
            yield _plain(name, np.asanyarray(truth), values, rows, rng, threshold=threshold)


def _plain(
    name: str,
    truth: NDArray[np.generic],
    scores: NDArray[np.generic],
    rows: NDArray[np.intp],
    rng: np.random.Generator,
    *,
    threshold: float,
) -> Group:
    rows = np.sort(rows)  # ascending reads are kind to a memory map
    marks, values = np.asarray(truth[rows], np.float64), np.asarray(scores[rows], np.float64)
    annotated = ~np.isnan(marks)
    usable = annotated & ~np.isnan(values)
    right, given = marks[usable] >= POSITIVE_FROM, values[usable]
    figures = {
        "auprc": ranking.auprc(right, given, rng),
        "auroc": ranking.auroc(right, given),
        **rates(right, given, threshold).named(),
        "ece": calibration.ece(right, given, rng),
        "brier": calibration.brier(right, given),
    }
    count = int(annotated.sum())
    return Group(name, len(rows), count, count - int(usable.sum()), figures)


def _sampled(
    name: str,
    labels: SampledLabels,
    scores: NDArray[np.generic],
    rows: NDArray[np.intp],
    rng: np.random.Generator,
    *,
    threshold: float,
) -> Group:
    domain = np.zeros(len(labels), np.bool_)
    domain[rows] = True
    values = np.asarray(scores, np.float64)
    lost = labels.chosen & np.isnan(values)
    annotated, missing = int((domain & labels.chosen).sum()), int((domain & lost).sum())
    unweighted = refusal(UNWEIGHTED, n=annotated)
    if lost.any():
        labels = labels.without(lost)
    figures = {
        "auprc": sampled_ranking.auprc(labels, values, rng, domain=domain),
        "auroc": sampled_ranking.auroc(labels, values, rng, domain=domain),
        "ece": unweighted,
        "brier": unweighted,
    }
    figures.update(sampled.rates(labels, values, threshold, domain=domain).named())
    return Group(name, len(rows), annotated, missing, figures)
