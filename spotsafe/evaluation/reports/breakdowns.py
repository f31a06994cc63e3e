"""Figures across labels and rows: functional tests, identity subgroups, confusion between labels, places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spotsafe.evaluation.metrics import confusion as confused
from spotsafe.evaluation.metrics.estimate import Estimate
from spotsafe.evaluation.metrics.fairness import gaps, subgroup_aucs
from spotsafe.evaluation.metrics.functional import functional_tests
from spotsafe.evaluation.metrics.intervals import proportion
from spotsafe.evaluation.metrics.spans import span_figures
from spotsafe.evaluation.reports import breakdowns_sampled
from spotsafe.evaluation.runs.run import Category, Mask, ScoredRun

if TYPE_CHECKING:
    from spotsafe.evaluation.reports.document import Options

NOBODY = frozenset({"none", "no", "other", "unknown", "", "-"})
"""Values of the subgroup slice that name no group; their rows are background alone."""

TOGETHER = "|"
"""Between the groups of a row that mentions several, as columns of lists are read."""

MAX_GROUPS = 30
FAMILIES_FROM = 16
"""Labels from which confusion is told by family."""

Told = dict[str, Any]


def breakdowns(run: ScoredRun, options: Options) -> Told:
    """``functional``, ``subgroups``, ``confusion`` and ``spans``; each empty where the data have none.
    *refused* says why for those that such data cannot have."""
    sampled = run.meta.sampled
    by = breakdowns_sampled if sampled else None
    refused = {}
    if sampled and run.span_labels():
        refused["spans"] = "rows were sampled by score, and places have no weighted figures"
    return {
        "functional": list(by.functional(run, options) if by else _functional(run, options)),
        "subgroups": list(_subgroups(run, options)),
        "confusion": _confusion(run, options),
        "spans": [] if sampled else _spans(run, options),
        "refused": refused,
    }


def _functional(run: ScoredRun, options: Options) -> Iterator[Told]:
    if options.functional not in run.slices:
        return
    category = run.category(options.functional)
    for label in run.labels:
        pairs = run.pairs(label)
        codes = category.codes[pairs.rows]
        for test in functional_tests(pairs.truth, pairs.scores, options.cut(label), codes, category.values):
            yield functionality(test.name, label, test.expected, test.figure)


def functionality(name: str, label: str, expected: str, figure: Estimate) -> Told:
    """One functional test as the document has it."""
    return {"functionality": name, "label": label, "expected": expected, "figure": figure.to_json()}


def _subgroups(run: ScoredRun, options: Options) -> Iterator[Told]:
    if options.subgroups not in run.slices:
        return
    members = groups_of(run.category(options.subgroups))
    codes = run.category(options.subgroups).codes
    for label in run.labels:
        pairs = run.pairs(label)
        if not members or not 0 < pairs.truth.sum() < len(pairs.truth):
            continue
        here = codes[pairs.rows]
        groups = {name: np.isin(here, known) for name, known in members.items()}
        groups = {name: inside for name, inside in groups.items() if inside.any()}
        if run.meta.sampled:
            whole = {name: np.isin(codes, members[name]) for name in groups}
            figures = breakdowns_sampled.subgroups(run, label, options, whole)
        else:
            figures = _figures_of_groups(run, label, options, groups)
        for name, told in figures.items():
            count = len(pairs.rows) if name is None else int(groups[name].sum())
            yield {"label": label, "group": name, "rows": count, "figures": told}


def _figures_of_groups(
    run: ScoredRun, label: str, options: Options, groups: Mapping[str, Mask]
) -> dict[str | None, Told]:
    pairs = run.pairs(label)
    aucs = subgroup_aucs(pairs.truth, pairs.scores, groups)
    rates = gaps(pairs.truth, pairs.scores, options.cut(label), groups)
    found: dict[str | None, Told] = {
        name: plain({**aucs.groups[name]._asdict(), **rates[name]._asdict()}) for name in groups
    }
    found[None] = plain(aucs.mean._asdict())
    return found


def plain(figures: Mapping[str, Estimate]) -> Told:
    """Figures by name, JSON-ready."""
    return {kind: figure.to_json() for kind, figure in figures.items()}


def groups_of(category: Category) -> dict[str, list[int]]:
    """Group → the codes of the values that name it, most rows first. A row may mention several groups."""
    rows: dict[str, int] = {}
    codes: dict[str, list[int]] = {}
    for value, count in category.counts().items():
        for name in dict.fromkeys(part.strip() for part in value.split(TOGETHER)):
            if name.lower() not in NOBODY:
                rows[name] = rows.get(name, 0) + count
                codes.setdefault(name, []).append(category.values.index(value))
    most = sorted(rows, key=lambda name: -rows[name])[:MAX_GROUPS]
    return {name: codes[name] for name in most}


def _confusion(run: ScoredRun, options: Options) -> Told | None:
    if len(run.labels) < 2:
        return None
    families = len(run.labels) >= FAMILIES_FROM
    if run.meta.sampled:
        return breakdowns_sampled.confusion(run, options, families=families)
    table = confused.confusion(
        run.labels,
        [run.truth(label) for label in run.labels],
        [run.scores(label) for label in run.labels],
        [options.cut(label) for label in run.labels],
        families=families,
    )
    rows = [
        line(
            None if index == len(table.labels) else table.labels[index],
            int(table.rows[index]),
            [_cell(*counts) for counts in zip(table.flagged[index], table.scored[index], strict=True)],
            _cell(table.silent[index], table.told[index]),
            [int(count) for count in table.wrong[index]],
        )
        for index in range(len(table.rows))
        if table.rows[index]
    ]
    return {"columns": list(table.labels), "rows": rows}


def _cell(top: float, bottom: float) -> Estimate:
    return proportion(float(top), float(bottom), what="rows with a score")


def line(
    label: str | None, rows: int, flagged: Iterable[Estimate], silent: Estimate, wrong: Sequence[int] | None
) -> Told:
    """One line of the confusion table: shares with their intervals, and how many of the flagged rows are
    known to be wrong (None: not counted)."""
    told = [(_rounded(cell.value), [_rounded(cell.low), _rounded(cell.high)], cell.n) for cell in flagged]
    return {
        "label": label,
        "rows": rows,
        "flagged": [value for value, _, _ in told],
        "bounds": [bounds for _, bounds, _ in told],
        "of": [n for _, _, n in told],
        "wrong": wrong,
        "silent": _rounded(silent.value),
        "silent_bounds": [_rounded(silent.low), _rounded(silent.high)],
        "silent_of": silent.n,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _spans(run: ScoredRun, options: Options) -> list[Told]:
    found = []
    for label in run.span_labels():
        listed = [(right, seen) for _, right, seen in run.spans(label, options.cut(label))]
        for counting, figures in span_figures(listed).items():
            told = {name: getattr(figures, name).to_json() for name in ("precision", "recall", "f1")}
            found.append({"label": label, "counting": counting, "rows": figures.rows, "figures": told})
    return found
