"""Metrics of a run: one catalogue from a metric's name to the figure for a label and some of its rows.

Reports and gates read figures through it, so that a name means the same in both. Labels that were sampled by
score are never measured unweighted: rates are Hájek estimates over strata, ranking figures weigh each row by
1/inclusion, and what has no weighted form is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics import calibration, ranking, sampled, sampled_ranking, threshold
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import proportion
from spotsafe.evaluation.metrics.sampled import LEAST_EFFECTIVE
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels, effective
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.run import Mask, Pairs, ScoredRun

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
    "coverage": Metric("Coverage", True, "of the annotated rows, the share that got a score"),
}
"""Metric → what it is. The rates are at the label's threshold."""

RATES = ("precision", "recall", "f1", "fpr", "fnr", "accuracy", "flagged", "prevalence")

BRIEF = ("auprc", "recall", "precision", "fpr", "coverage")
"""What is told of every slice."""


class Subject(NamedTuple):
    """What is measured: one *label* of a *run*, at a threshold (*at*), over the rows of *mask* (None: all);
    *seed* fixes the bootstrap."""

    run: ScoredRun
    label: str
    at: float = THRESHOLD
    mask: Mask | None = None
    seed: int = 0


def measure(subject: Subject, names: Sequence[str]) -> dict[str, Estimate]:
    """The figures named. Raises ConfigurationError for a name that is not in :data:`CATALOGUE`."""
    if unknown := [name for name in names if name not in CATALOGUE]:
        raise ConfigurationError(f"no metric {unknown[0]!r}; there are: {', '.join(CATALOGUE)}")
    pairs = subject.run.pairs(subject.label, subject.mask)
    found: dict[str, Estimate] = {}
    if any(name in RATES for name in names):
        found.update(_rates(subject, pairs).named())
    for name in names:
        if name == "coverage":
            found[name] = _coverage(subject, pairs)
        elif name not in RATES:
            found[name] = _graded(subject, pairs, name)
    return {name: found[name] for name in names}


def _coverage(subject: Subject, pairs: Pairs) -> Estimate:
    annotated = ~np.isnan(subject.run.truth(subject.label))
    if subject.mask is not None:
        annotated &= subject.mask
    return proportion(
        len(pairs.rows), int(annotated.sum()), positives=int(pairs.truth.sum()), what="annotated rows"
    )


def _rates(subject: Subject, pairs: Pairs) -> threshold.Rates:
    if not subject.run.meta.sampled:
        return threshold.rates(pairs.truth, pairs.scores, subject.at)
    if not _weighable(subject):
        return threshold.Rates(*[_unweighable(pairs)] * len(RATES))
    labels, scores = _design(subject)
    return sampled.rates(labels, scores, subject.at, domain=subject.mask)


def _design(subject: Subject) -> tuple[SampledLabels, NDArray[np.float64]]:
    """All labels of the design, a slice being a domain of it (strata are counted with all their labels), but
    for those without a score; and the scores of all rows."""
    run, strata = subject.run, None
    if layout.STRATUM in run.meta.categories:
        strata = run.category(layout.STRATUM).codes
    scores = run.scores(subject.label).astype(np.float64)
    labels = SampledLabels(run.truth(subject.label), run.inclusion, strata=strata)
    lost = labels.chosen & np.isnan(scores)
    return (labels.without(lost) if lost.any() else labels), scores


def _weighable(subject: Subject) -> bool:
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
    if subject.run.meta.sampled and not _weighable(subject):
        return _unweighable(pairs)
    if not len(pairs.rows):
        return refusal("no row is both annotated and scored")
    rng = np.random.default_rng(subject.seed)
    if pairs.weights is not None and name in _AREAS:
        return _AREAS[name](*_design(subject), rng, domain=subject.mask)
    if pairs.weights is not None and (found := effective(pairs.weights * pairs.truth)) < LEAST_EFFECTIVE:
        why = f"{found:.1f} effective positives; at least {LEAST_EFFECTIVE:g} are needed"
        return refusal(why, n=len(pairs.rows), positives=int(found))
    return _GRADED[name](pairs, rng)


_AREAS: Mapping[str, Callable[..., Estimate]] = {
    "auprc": sampled_ranking.auprc,
    "auroc": sampled_ranking.auroc,
}
"""Ranking figures of labels that were sampled by score."""


def _at_precision(pairs: Pairs, rng: np.random.Generator) -> Estimate:
    if pairs.weights is not None:
        return _weightless(pairs)
    return ranking.recall_at_precision(pairs.truth, pairs.scores, PRECISION_KEPT, rng).estimate


def _at_fpr(pairs: Pairs, rng: np.random.Generator) -> Estimate:
    if pairs.weights is not None:
        return _weightless(pairs)
    return ranking.recall_at_fpr(pairs.truth, pairs.scores, FPR_KEPT, rng).estimate


def _weightless(pairs: Pairs) -> Estimate:
    return refusal(
        "labels were sampled by score and this metric has no weighted form",
        n=len(pairs.rows),
        positives=int(pairs.truth.sum()),
    )


_GRADED: Mapping[str, Callable[[Pairs, np.random.Generator], Estimate]] = {
    "auprc": lambda p, rng: ranking.auprc(p.truth, p.scores, rng),
    "auroc": lambda p, rng: ranking.auroc(p.truth, p.scores, rng),
    "recall_at_precision": _at_precision,
    "recall_at_fpr": _at_fpr,
    "ece": lambda p, rng: calibration.ece(p.truth, p.scores, rng, weights=p.weights),
    "brier": lambda p, rng: calibration.brier(p.truth, p.scores, weights=p.weights),
}
