"""The breakdowns of labels that were sampled by score: each a Hájek estimate over a domain of the design."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics import sampled, sampled_ranking
from spotsafe.evaluation.metrics.columns import POSITIVE_FROM
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels
from spotsafe.evaluation.runs.measures import design, sampled_labels, weighable
from spotsafe.evaluation.runs.run import Mask, ScoredRun

if TYPE_CHECKING:
    from spotsafe.evaluation.reports.document import Options

Told = dict[str, Any]
Floats = NDArray[np.float64]


def functional(run: ScoredRun, options: Options) -> Iterator[Told]:
    """Pass rates per functionality, as weighted shares."""
    from spotsafe.evaluation.reports.breakdowns import functionality

    if options.functional not in run.slices:
        return
    category = run.category(options.functional)
    for label in run.labels:
        if not weighable(options.subject(run, label)):
            continue
        labels, scores = design(options.subject(run, label))
        marks = np.asarray(run.truth(label))
        for code, name in enumerate(category.values):
            inside = category.codes == code
            known = marks[inside & labels.chosen] >= POSITIVE_FROM
            if not len(known):
                continue
            expected = "positive" if known.all() else "mixed" if known.any() else "negative"
            rates = sampled.rates(labels, scores, options.cut(label), domain=inside, positives=False)
            yield functionality(name, label, expected, rates.accuracy)


SIDES: Mapping[str, Callable[[Mask, Mask], Mask]] = {
    "subgroup": lambda inside, truth: inside,
    "bpsn": lambda inside, truth: inside != truth,
    "bnsp": lambda inside, truth: inside == truth,
}
"""AUC → its rows, as in :mod:`spotsafe.evaluation.metrics.fairness`."""


def subgroups(
    run: ScoredRun, label: str, options: Options, groups: Mapping[str, Mask]
) -> dict[str | None, Told]:
    """Areas, rates and gaps of each group (boolean columns over all rows)."""
    from spotsafe.evaluation.reports.breakdowns import plain

    subject = options.subject(run, label)
    if not weighable(subject):
        return {}
    labels, scores = design(subject)
    right = np.asarray(run.truth(label)) >= POSITIVE_FROM
    flagged = (np.nan_to_num(scores) >= options.cut(label))[labels.chosen].astype(np.float64)
    found: dict[str | None, Told] = {}
    for name, inside in groups.items():
        rng = np.random.default_rng(options.seed)
        figures: dict[str, Estimate] = {
            kind: sampled_ranking.auroc(labels, scores, rng, domain=side(inside, right))
            for kind, side in SIDES.items()
        }
        rates = sampled.rates(labels, scores, options.cut(label), domain=inside)
        figures |= {"fpr": rates.fpr, "fnr": rates.fnr}
        within = inside[labels.chosen].astype(np.float64)
        figures["fpr_gap"] = _gap(labels, flagged, within, of_positives=False)
        figures["fnr_gap"] = _gap(labels, 1 - flagged, within, of_positives=True)
        found[name] = plain(figures)
    why = refusal("means over groups have no interval where labels were sampled by score")
    found[None] = plain(dict.fromkeys(SIDES, why))
    return found


def _gap(labels: SampledLabels, wrong: Floats, within: Floats, *, of_positives: bool) -> Estimate:
    """A rate inside of a group less that outside."""

    def measure(side: Floats) -> sampled.Measure:
        def columns(truth: Floats) -> tuple[Floats, Floats]:
            of = (truth if of_positives else 1 - truth) * side
            return wrong * of, of

        return columns

    what = "positive rows" if of_positives else "negative rows"
    return sampled.gap(labels, measure(within), measure(1 - within), what)


def confusion(run: ScoredRun, options: Options, *, families: bool) -> Told | None:
    """The confusion table with weighted shares; None where inclusion probabilities are not known."""
    from spotsafe.evaluation.metrics.confusion import families_of
    from spotsafe.evaluation.reports.breakdowns import line

    groups = families_of(run.labels) if families else {label: [n] for n, label in enumerate(run.labels)}
    marks = {label: np.asarray(run.truth(label), np.float64) for label in run.labels}
    over = {name: _flagged(run, options, [run.labels[n] for n in held]) for name, held in groups.items()}
    nothing = np.stack(list(over.values()))
    quiet = np.where((nothing == 1).any(axis=0), 0.0, np.where(np.isnan(nothing).any(axis=0), np.nan, 1.0))
    lines: dict[str | None, Floats] = {
        name: _highest([marks[run.labels[n]] for n in held]) for name, held in groups.items()
    }
    worst = _highest(list(marks.values()))
    lines[None] = np.where(np.isnan(worst), np.nan, (worst < POSITIVE_FROM).astype(np.float64))
    rows = []
    for name, column in lines.items():
        count = int((column >= POSITIVE_FROM).sum())
        try:
            labels = sampled_labels(run, column)
        except ConfigurationError:
            return None
        if count:
            cells = [_share(labels, seen) for seen in over.values()]
            rows.append(line(name, count, cells, _share(labels, quiet), None))
    return {"columns": list(groups), "rows": rows}


def _flagged(run: ScoredRun, options: Options, labels: list[str]) -> Floats:
    """1 where one of *labels* is flagged, 0 where all are scored and none is, else NaN."""
    columns = []
    for label in labels:
        scores = np.asarray(run.scores(label), np.float64)
        columns.append(np.where(np.isnan(scores), np.nan, (scores >= options.cut(label)).astype(np.float64)))
    held = np.stack(columns)
    return np.where((held == 1).any(axis=0), 1.0, np.where(np.isnan(held).any(axis=0), np.nan, 0.0))


def _highest(columns: list[Floats]) -> Floats:
    """The highest of some columns row by row; NaN where all are."""
    found = columns[0]
    for column in columns[1:]:
        found = np.fmax(found, column)
    return found


def _share(labels: SampledLabels, seen: Floats) -> Estimate:
    """Of the rows that the design's truth says, the weighted share in which *seen* is 1; those without a
    score are left out."""
    here = seen[labels.chosen]
    scored = (~np.isnan(here)).astype(np.float64)
    held = np.nan_to_num(here)
    return sampled.share(
        labels, lambda truth: (truth * held, truth * scored), "rows with a score", positives_matter=False
    )
