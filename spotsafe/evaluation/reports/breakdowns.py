"""Figures across labels and rows: functional tests, identity subgroups, confusion between labels, places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spotsafe.evaluation.metrics import confusion as confused
from spotsafe.evaluation.metrics.fairness import gaps, subgroup_aucs
from spotsafe.evaluation.metrics.functional import functional_tests
from spotsafe.evaluation.metrics.spans import span_figures
from spotsafe.evaluation.runs.run import ScoredRun

if TYPE_CHECKING:
    from spotsafe.evaluation.reports.document import Options

NOBODY = frozenset({"none", "no", "other", "unknown", "", "-"})
"""Values of the subgroup slice that name no group; their rows are background alone."""

MAX_GROUPS = 30
FAMILIES_FROM = 16
"""Labels from which confusion is told by family."""


def breakdowns(run: ScoredRun, options: Options) -> dict[str, Any]:
    """``functional``, ``subgroups``, ``confusion`` and ``spans``; each empty where the data have none.

    Counts over rows that were sampled by score would be wrong: for such labels there are none of these.
    """
    if run.meta.sampled:
        return {"functional": [], "subgroups": [], "confusion": None, "spans": []}
    return {
        "functional": _functional(run, options),
        "subgroups": _subgroups(run, options),
        "confusion": _confusion(run, options),
        "spans": _spans(run, options),
    }


def _functional(run: ScoredRun, options: Options) -> list[dict[str, Any]]:
    if options.functional not in run.slices:
        return []
    category = run.category(options.functional)
    found = []
    for label in run.labels:
        pairs = run.pairs(label)
        codes = category.codes[pairs.rows]
        for test in functional_tests(pairs.truth, pairs.scores, options.at(label), codes, category.values):
            found.append(
                {
                    "functionality": test.name,
                    "label": label,
                    "expected": test.expected,
                    "figure": test.figure.to_json(),
                }
            )
    return found


def _subgroups(run: ScoredRun, options: Options) -> list[dict[str, Any]]:
    if options.subgroups not in run.slices:
        return []
    category = run.category(options.subgroups)
    named = [name for name in category.counts() if name.lower() not in NOBODY][:MAX_GROUPS]
    found = []
    for label in run.labels:
        pairs = run.pairs(label)
        if not 0 < pairs.truth.sum() < len(pairs.truth):
            continue
        codes = category.codes[pairs.rows]
        groups = {name: np.asarray(codes == category.values.index(name)) for name in named}
        aucs = subgroup_aucs(pairs.truth, pairs.scores, groups)
        rates = gaps(pairs.truth, pairs.scores, options.at(label), groups)
        for name, inside in groups.items():
            if not inside.any():
                continue
            figures = {kind: figure.to_json() for kind, figure in aucs.groups[name]._asdict().items()}
            figures |= {kind: figure.to_json() for kind, figure in rates[name]._asdict().items()}
            found.append({"label": label, "group": name, "rows": int(inside.sum()), "figures": figures})
        means = {kind: figure.to_json() for kind, figure in aucs.mean._asdict().items()}
        if groups:
            found.append({"label": label, "group": None, "rows": len(pairs.rows), "figures": means})
    return found


def _confusion(run: ScoredRun, options: Options) -> dict[str, Any] | None:
    if len(run.labels) < 2:
        return None
    table = confused.confusion(
        run.labels,
        [run.truth(label) for label in run.labels],
        [run.scores(label) for label in run.labels],
        [options.at(label) for label in run.labels],
        families=len(run.labels) >= FAMILIES_FROM,
    )
    rows = [
        {"label": label, "rows": int(count), "flagged": _shares(line, count), "silent": _share(silent, count)}
        for label, count, line, silent in zip(
            table.labels, table.rows, table.flagged, table.silent, strict=True
        )
        if count
    ]
    clean = {
        "label": None,
        "rows": table.clean,
        "flagged": _shares(table.clean_flagged, table.clean),
        "silent": _share(table.clean_silent, table.clean),
    }
    return {"columns": list(table.labels), "rows": [*rows, clean] if table.clean else rows}


def _shares(counts: Sequence[int] | Any, total: int) -> list[float | None]:
    return [_share(count, total) for count in counts]


def _share(count: int, total: int) -> float | None:
    return round(float(count) / float(total), 5) if total else None


def _spans(run: ScoredRun, options: Options) -> list[dict[str, Any]]:
    found = []
    for label in run.span_labels():
        listed = [(right, seen) for _, right, seen in run.spans(label, options.at(label))]
        for counting, figures in span_figures(listed).items():
            told = {name: getattr(figures, name).to_json() for name in ("precision", "recall", "f1")}
            found.append({"label": label, "counting": counting, "rows": figures.rows, "figures": told})
    return found
