"""Metrics of a run: one catalogue from a metric's name to the figure for a label and some of its rows.

Reports and gates read figures through it, so that a name means the same in both. Labels that were sampled by
score are never measured unweighted: every figure is then a Hájek estimate with the design's variance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics import (
    calibration,
    counted,
    ranking,
    sampled,
    sampled_ranking,
    sampled_scores,
    threshold,
)
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import proportion
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.run import Mask, Pairs, ScoredRun, stored

PRECISION_KEPT, FPR_KEPT = 0.9, 0.01
"""The precision, and the false-positive rate, at which recall is reported."""

THRESHOLD = 0.5
"""Where a label's scores are cut when nothing else was said."""


class Metric(NamedTuple):
    """A metric's *title*, whether more of it is better, and what it says in a sentence."""

    title: str
    higher_is_better: bool
    about: str


CATALOGUE: Mapping[str, Metric] = {
    "auprc": Metric("AUPRC", True, "area under the precision-recall curve; chance is the prevalence"),
    "auroc": Metric("AUROC", True, "chance that a positive row scores above a negative one"),
    "precision": Metric("Precision", True, "of the flagged rows, the share that is positive"),
    "recall": Metric("Recall", True, "of the positive rows, the share that is flagged"),
    "f1": Metric("F1", True, "harmonic mean of precision and recall"),
    "fpr": Metric("False positives", False, "of the negative rows, the share that is flagged"),
    "fnr": Metric("Misses", False, "of the positive rows, the share that is not flagged"),
    "accuracy": Metric("Accuracy", True, "share of rows that are right; tells little of rare labels"),
    "flagged": Metric("Flagged", False, "share of rows that are flagged"),
    "prevalence": Metric("Prevalence", False, "share of rows that are positive"),
    "recall_at_precision": Metric(
        f"Recall at precision {PRECISION_KEPT:g}", True, "best recall while precision is kept"
    ),
    "recall_at_fpr": Metric(
        f"Recall at FPR {FPR_KEPT:g}", True, "best recall while the false-positive rate is kept"
    ),
    "ece": Metric("Calibration error", False, "mean gap between score and share of positives, equal mass"),
    "brier": Metric("Brier score", False, "mean squared difference of score and truth"),
    "cost": Metric("Cost per row", False, "mean cost of false alarms and misses, as they were priced"),
    "coverage": Metric("Coverage", True, "of the annotated rows, the share that got a score"),
}
"""Metric → what it is. The rates are at the label's threshold."""

RATES = ("precision", "recall", "f1", "fpr", "fnr", "accuracy", "flagged", "prevalence")


class Costs(NamedTuple):
    """What a flagged clean row (*alarm*) and a positive row that is not flagged (*miss*) cost."""

    alarm: float = 1.0
    miss: float = 1.0


COSTS = Costs()
"""Both errors cost 1 when nothing else was said."""


class Subject(NamedTuple):
    """What is measured: one *label* of a *run*, at a threshold (*at*), over the rows of *mask* (None: all);
    *seed* fixes the bootstrap, *costs* price the errors."""

    run: ScoredRun
    label: str
    at: float = THRESHOLD
    mask: Mask | None = None
    seed: int = 0
    costs: Costs = COSTS


def measure(subject: Subject, names: Sequence[str]) -> dict[str, Estimate]:
    """The figures named. Raises ConfigurationError for a name that is not in :data:`CATALOGUE`."""
    if unknown := [name for name in names if name not in CATALOGUE]:
        raise ConfigurationError(f"no metric {unknown[0]!r}; there are: {', '.join(CATALOGUE)}")
    subject = subject._replace(at=stored(subject.at))
    if is_long(subject.run):
        return _of_counts(subject, names)
    pairs = subject.run.pairs(subject.label, subject.mask)
    found: dict[str, Estimate] = {}
    if any(name in RATES for name in names):
        found.update(_rates(subject, pairs).named())
    for name in names:
        if name == "coverage":
            found[name] = _coverage(subject, len(pairs.rows), int(pairs.truth.sum()))
        elif name not in RATES:
            found[name] = _graded(subject, pairs, name)
    return {name: found[name] for name in names}


COUNTED_FROM = 50_000
"""Rows of a run from which figures are made from counts per score, so that memory no longer grows with them
(:mod:`spotsafe.evaluation.metrics.counted`)."""


def is_long(run: ScoredRun) -> bool:
    """Whether figures of *run* come from counts. Sampled labels are few and are always held."""
    return len(run) > COUNTED_FROM and not run.meta.sampled


def tallied(subject: Subject) -> counted.Tally:
    """The counts of the subject's rows."""
    return counted.tally(stored(subject.at), subject.run.blocks(subject.label, subject.mask))


def _of_counts(subject: Subject, names: Sequence[str]) -> dict[str, Estimate]:
    """The figures named, from one pass over the rows."""
    found = tallied(subject)
    rates = found.rates().named()
    return {name: rates[name] if name in rates else _counted(subject, found, name) for name in names}


def _counted(subject: Subject, found: counted.Tally, name: str) -> Estimate:
    if name == "coverage":
        return _coverage(subject, found.n, found.positives)
    if not found.n:
        return refusal(_why_no_rows(subject))
    return _COUNTED[name](found, subject, np.random.default_rng(subject.seed))


_COUNTED: Mapping[str, Callable[[counted.Tally, Subject, np.random.Generator], Estimate]] = {
    "auprc": lambda t, s, rng: counted.auprc(t, rng),
    "auroc": lambda t, s, rng: counted.auroc(t),
    "recall_at_precision": lambda t, s, rng: counted.recall_at_precision(t, PRECISION_KEPT, rng),
    "recall_at_fpr": lambda t, s, rng: counted.recall_at_fpr(t, FPR_KEPT, rng),
    "ece": lambda t, s, rng: counted.ece(t, rng),
    "brier": lambda t, s, rng: t.brier(),
    "cost": lambda t, s, rng: t.cost(s.costs.alarm, s.costs.miss),
}


def _coverage(subject: Subject, scored: int, positives: int) -> Estimate:
    annotated = ~np.isnan(subject.run.truth(subject.label))
    if subject.mask is not None:
        annotated &= subject.mask
    return proportion(scored, int(annotated.sum()), positives=positives, what="annotated rows")


def _rates(subject: Subject, pairs: Pairs) -> threshold.Rates:
    if not subject.run.meta.sampled:
        return threshold.rates(pairs.truth, pairs.scores, subject.at)
    if not weighable(subject):
        return threshold.Rates(*[_unweighable(pairs)] * len(RATES))
    labels, scores = design(subject)
    return sampled.rates(labels, scores, subject.at, domain=subject.mask)


def design(subject: Subject) -> tuple[SampledLabels, NDArray[np.float64]]:
    """All labels of the design, a slice being a domain of it (strata are counted with all their labels), but
    for those without a score; and the scores of all rows."""
    run = subject.run
    scores = run.scores(subject.label).astype(np.float64)
    labels = sampled_labels(run, run.truth(subject.label), scores)
    lost = labels.chosen & np.isnan(scores)
    return (labels.without(lost) if lost.any() else labels), scores


def sampled_labels(
    run: ScoredRun, truth: ArrayLike, scores: NDArray[np.float64] | None = None
) -> SampledLabels:
    """*truth* (0..1 per row, NaN: not labelled) as labels of the run's design. With *scores* (NaN: missing)
    the mean of each stratum's says what positives may hide in one where none was found. ConfigurationError
    where a labelled row lacks its inclusion probability."""
    if layout.STRATUM not in run.meta.categories:
        return SampledLabels(truth, run.inclusion)
    category = run.category(layout.STRATUM)
    codes, expected = np.asarray(category.codes), None
    if scores is not None:
        known = ~np.isnan(np.asarray(truth, np.float64)) & ~np.isnan(scores) & (codes >= 0)
        weight = 1.0 / run.inclusion[known]
        mass, total = (
            np.bincount(codes[known], column, len(category.values))
            for column in (weight, weight * scores[known])
        )
        expected = {str(code): total[code] / mass[code] for code in np.flatnonzero(mass)}
    return SampledLabels(truth, run.inclusion, strata=codes, expected=expected)


def weighable(subject: Subject) -> bool:
    """Whether every row that is annotated for the label, in the slice or not, has its inclusion."""
    annotated = ~np.isnan(subject.run.truth(subject.label))
    return not np.isnan(subject.run.inclusion[annotated]).any()


def _unweighable(pairs: Pairs) -> Estimate:
    return refusal(
        "labels were sampled by score and some rows lack their inclusion probability; map it (`inclusion`)",
        n=len(pairs.rows),
        positives=int(pairs.truth.sum()),
    )


def _graded(subject: Subject, pairs: Pairs, name: str) -> Estimate:
    """Metrics of the scores themselves."""
    if subject.run.meta.sampled and not weighable(subject):
        return _unweighable(pairs)
    if not len(pairs.rows):
        return refusal(_why_no_rows(subject))
    rng = np.random.default_rng(subject.seed)
    if subject.run.meta.sampled:
        labels, scores = design(subject)
        return _SAMPLED[name](labels, scores, subject, rng)
    return _GRADED[name](pairs, subject, rng)


def _why_no_rows(subject: Subject) -> str:
    annotated = ~np.isnan(subject.run.truth(subject.label))
    if subject.mask is not None:
        annotated &= subject.mask
    count = int(annotated.sum())
    return f"none of {count} annotated rows got a score" if count else "no row is annotated"


_GRADED: Mapping[str, Callable[[Pairs, Subject, np.random.Generator], Estimate]] = {
    "auprc": lambda p, s, rng: ranking.auprc(p.truth, p.scores, rng),
    "auroc": lambda p, s, rng: ranking.auroc(p.truth, p.scores, rng),
    "recall_at_precision": lambda p, s, rng: (
        ranking.recall_at_precision(p.truth, p.scores, PRECISION_KEPT, rng).estimate
    ),
    "recall_at_fpr": lambda p, s, rng: ranking.recall_at_fpr(p.truth, p.scores, FPR_KEPT, rng).estimate,
    "ece": lambda p, s, rng: calibration.ece(p.truth, p.scores, rng),
    "brier": lambda p, s, rng: calibration.brier(p.truth, p.scores),
    "cost": lambda p, s, rng: threshold.cost_loss(
        p.truth, p.scores, false_positive=s.costs.alarm, false_negative=s.costs.miss, threshold=s.at
    ),
}

_SAMPLED: Mapping[
    str, Callable[[SampledLabels, NDArray[np.float64], Subject, np.random.Generator], Estimate]
] = {
    "auprc": lambda d, v, s, rng: sampled_ranking.auprc(d, v, rng, domain=s.mask),
    "auroc": lambda d, v, s, rng: sampled_ranking.auroc(d, v, rng, domain=s.mask),
    "recall_at_precision": lambda d, v, s, rng: sampled_ranking.recall_at_precision(
        d, v, PRECISION_KEPT, rng, domain=s.mask
    ),
    "recall_at_fpr": lambda d, v, s, rng: sampled_ranking.recall_at_fpr(d, v, FPR_KEPT, rng, domain=s.mask),
    "ece": lambda d, v, s, rng: sampled_scores.ece(d, v, rng, domain=s.mask),
    "brier": lambda d, v, s, rng: sampled_scores.brier(d, v, domain=s.mask),
    "cost": lambda d, v, s, rng: sampled_scores.cost_loss(
        d, v, s.at, false_positive=s.costs.alarm, false_negative=s.costs.miss, domain=s.mask
    ),
}
"""The same over a design, with a score for each row that is labelled."""
