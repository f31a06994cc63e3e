"""The document of a run: every figure that a report shows, as plain JSON values.

Terminal tables and the HTML page are drawn from it alone, so ``--json`` holds all that they show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spotsafe.core.labels import LABELS
from spotsafe.evaluation.metrics import calibration
from spotsafe.evaluation.metrics.counted import gathered
from spotsafe.evaluation.reports import curves, worst
from spotsafe.evaluation.reports.breakdowns import breakdowns
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.measures import (
    CATALOGUE,
    COSTS,
    THRESHOLD,
    Costs,
    Subject,
    is_long,
    measure,
    tallied,
)
from spotsafe.evaluation.runs.run import POSITIVE_FROM, Mask, ScoredRun, stored

FORMAT = 1
MAX_VALUES = 24
"""Values of a slice that are shown, the most frequent ones; the others are counted together."""

Progress = Callable[[str], None]


class Options(NamedTuple):
    """What a report is made with: *thresholds* by label (else 0.5), the slices that name *functional* tests
    and identity *subgroups*, the bootstrap's *seed*, how many *worst* errors of a kind are listed, and what
    errors cost by label (else 1 each)."""

    thresholds: Mapping[str, float] = {}
    functional: str = "functionality"
    subgroups: str = "target"
    seed: int = 0
    worst: int = worst.KEPT
    costs: Mapping[str, Costs] = {}

    def subject(self, run: ScoredRun, label: str, mask: Mask | None = None) -> Subject:
        """What is measured of a label, over the rows of *mask*."""
        return Subject(run, label, self.at(label), mask, self.seed, self.costs.get(label, COSTS))

    def at(self, label: str) -> float:
        """The label's threshold."""
        return self.thresholds.get(label, THRESHOLD)

    def cut(self, label: str) -> float:
        """The label's threshold as scores are stored, to compare them with."""
        return stored(self.at(label))


DEFAULTS = Options()


def document(run: ScoredRun, options: Options = DEFAULTS, progress: Progress | None = None) -> dict[str, Any]:
    """All figures of *run*. Raises ConfigurationError for a damaged run."""
    show = progress or _silent
    labels = []
    for number, label in enumerate(run.labels, 1):
        show(f"measuring {label} ({number} of {len(run.labels)})")
        labels.append(_label(run, label, options))
    show("measuring across labels")
    return {
        "format": FORMAT,
        "run": _run(run),
        "data": _data(run),
        "labels": labels,
        "summary": _summary(labels),
        "cautions": _cautions(run, labels),
        **breakdowns(run, options),
    }


def _cautions(run: ScoredRun, labels: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader must know before any figure."""
    found = []
    if not any(entry["annotated"] for entry in labels):
        found.append("No row is annotated for any of these labels: there are scores, and nothing to judge.")
    if not is_long(run) and (again := len(run) - len(set(run.ids(range(len(run)))))):
        found.append(f"{again} rows bear the id of another row; `spotsafe eval data check` lists them.")
    return found


def _silent(line: str) -> None:
    """Nobody is watching."""


def _run(run: ScoredRun) -> dict[str, Any]:
    meta = run.meta
    return {
        "name": run.name,
        "detector": meta.detector,
        "versions": list(meta.versions),
        "join": meta.join,
        "created": meta.created,
        "seconds": round(meta.seconds, 3),
        "rows_per_second": round(meta.rows / meta.seconds, 1) if meta.seconds else None,
        "product": meta.product,
    }


def _data(run: ScoredRun) -> dict[str, Any]:
    meta = run.meta
    shown = {}
    for name in meta.categories:
        counts = run.category(name).counts()
        shown[name.removeprefix(layout.SLICE)] = _most(counts)
    return {
        "name": meta.dataset,
        "digest": meta.digest,
        "rows": meta.rows,
        "row_digest": meta.row_digest,
        "limit": meta.limit,
        "sampled": meta.sampled,
        "source": dict(meta.source),
        "categories": shown,
        "left_out": list(meta.left_out),
    }


def _most(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent values, and how many rows the others have."""
    items = list(counts.items())
    shown = dict(items[:MAX_VALUES])
    if rest := sum(count for _, count in items[MAX_VALUES:]):
        shown[f"{len(items) - MAX_VALUES} others"] = rest
    return shown


def _label(run: ScoredRun, label: str, options: Options) -> dict[str, Any]:
    at, truth = options.at(label), run.truth(label)
    figures = measure(options.subject(run, label), list(CATALOGUE))
    return {
        "label": label,
        "severity": LABELS[label].severity,
        "at": at,
        "costs": options.costs.get(label, COSTS)._asdict(),
        "annotated": int(np.count_nonzero(~np.isnan(truth))),
        "positives": int(np.count_nonzero(truth >= POSITIVE_FROM)),
        "missing": {cause.value: count for cause, count in run.missing(label).items()},
        "partly": {cause.value: count for cause, count in run.partly(label).items()},
        "figures": {name: estimate.to_json() for name, estimate in figures.items()},
        **_drawn(options.subject(run, label), ranked=figures["auprc"].ok),
        "slices": _slices(run, label, options),
        "worst": worst.worst_errors(run, label, options.cut(label), kept=options.worst),
    }


def _drawn(subject: Subject, *, ranked: bool) -> dict[str, Any]:
    """What plots are drawn from: ``curve`` (None where rows are too few for its area), ``point``,
    ``reliability`` and ``histogram``."""
    run, seed = subject.run, subject.seed
    if is_long(run):
        found = tallied(subject)
        share = found.positives / max(found.n, 1)
        return {
            "curve": curves.curve_of(gathered(found), share, seed=seed) if ranked else None,
            "point": curves.point_of(found),
            "reliability": _reliability(calibration.reliability_of_sums(found.binned())) if found.n else None,
            "histogram": curves.spread(found.histogram),
        }
    pairs = run.pairs(subject.label)
    usable, plain = not run.meta.sampled or pairs.weights is not None, not run.meta.sampled
    bins = calibration.reliability(pairs.truth, pairs.scores) if plain and len(pairs.rows) else None
    return {
        "curve": curves.precision_recall(pairs, seed=seed) if usable and ranked else None,
        "point": curves.operating_point(pairs, stored(subject.at)) if usable else None,
        "reliability": None if bins is None else _reliability(bins),
        "histogram": curves.histogram(pairs),
    }


def _reliability(bins: Sequence[calibration.ReliabilityBin]) -> list[dict[str, float]]:
    return [
        {
            "score": round(found.score, 5),
            "observed": round(found.observed.value or 0.0, 5),
            "low": round(found.observed.low or 0.0, 5),
            "high": round(1.0 if found.observed.high is None else found.observed.high, 5),
            "share": round(found.share, 5),
        }
        for found in bins
    ]


def _slices(run: ScoredRun, label: str, options: Options) -> list[dict[str, Any]]:
    """Figures per value of each category: the most frequent ones among the rows annotated for *label*."""
    found = []
    annotated = ~np.isnan(run.truth(label))
    for name in run.meta.categories:
        short = name.removeprefix(layout.SLICE)
        if short in (options.functional, layout.STRATUM):
            continue
        category = run.category(name)
        codes = np.where(annotated, category.codes, -1)
        counts = np.bincount(codes[codes >= 0], minlength=len(category.values))
        order = [int(code) for code in np.argsort(-counts, kind="stable")[:MAX_VALUES] if counts[code]]
        if len(order) < 2:
            continue
        for code in order:
            found_here = measure(options.subject(run, label, codes == code), list(CATALOGUE))
            figures = {key: value.to_json() for key, value in found_here.items()}
            found.append(
                {
                    "category": short,
                    "value": category.values[code],
                    "rows": int(counts[code]),
                    "positives": figures["auprc"]["positives"],
                    "figures": figures,
                }
            )
    return found


def _summary(labels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Unweighted means over the labels that have the figure, and how many those are."""
    found: dict[str, Any] = {}
    for name in ("auprc", "auroc", "precision", "recall", "fpr", "ece", "prevalence"):
        values = [entry["figures"][name]["value"] for entry in labels]
        told = [value for value in values if value is not None]
        found[name] = {"mean": float(np.mean(told)) if told else None, "labels": len(told)}
    asked = sum(entry["annotated"] for entry in labels)
    scored = sum(entry["figures"]["coverage"]["n"] and round(_scored(entry)) for entry in labels)
    found["coverage"] = {"share": scored / asked if asked else None, "annotated": asked, "scored": scored}
    return found


def _scored(entry: Mapping[str, Any]) -> float:
    coverage = entry["figures"]["coverage"]
    return float(coverage["n"] * (coverage["value"] or 0.0))
