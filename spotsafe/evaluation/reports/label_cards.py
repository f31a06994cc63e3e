"""One card per label: curves, figures, slices and the worst errors; folded until somebody opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from spotsafe.evaluation.reports import cells, plots
from spotsafe.evaluation.reports.cells import RAW
from spotsafe.evaluation.reports.worst import FALSE_ALARM, MISS
from spotsafe.evaluation.runs.measures import CATALOGUE

FIGURES = (
    "auprc", "auroc", "precision", "recall", "f1", "fpr", "recall_at_precision", "recall_at_fpr", "ece",
    "brier", "cost", "flagged", "coverage",
)  # fmt: skip

OF_SLICES = (
    "auprc", "auroc", "precision", "recall", "f1", "fpr", "recall_at_precision", "recall_at_fpr", "ece",
    "brier", "coverage",
)  # fmt: skip
"""What is shown of each slice; the JSON has all."""

FEW = 10
"""Rows of a slice's value below which it is only named."""


def label_card(entry: Mapping[str, Any], *, opened: bool) -> RAW:
    """The card of one label."""
    figures = entry["figures"]
    facts = "".join(
        f'<span class="fact">{title} <b>{cells.figure_words(name, figures[name]["value"])}</b></span>'
        for name, title in (("auprc", "AUPRC"), ("recall", "recall"), ("fpr", "false positives"))
    )
    state = " open" if opened else ""
    return (
        f'<details class="label"{state}><summary><h3 class="mono">{escape(entry["label"])}</h3>'
        f'{facts}<span class="fact">{cells.count(entry["positives"])} positive of '
        f"{cells.count(entry['annotated'])} rows</span></summary>"
        f'<div id="{cells.anchor(entry["label"])}">{_drawings(entry)}{_figures(entry)}'
        f"{_slices(entry['slices'])}{_errors(entry['worst'])}</div></details>"
    )


def _drawings(entry: Mapping[str, Any]) -> RAW:
    drawn = []
    if entry["curve"] is not None:
        drawn.append(cells.figure("Precision over recall", "band: 95 %", plots.precision_recall_plot(entry)))
    if entry["reliability"]:
        drawn.append(cells.figure("Reliability", "bins of equal mass", plots.reliability_plot(entry)))
    if sum(entry["histogram"]["positive"]) + sum(entry["histogram"]["negative"]):
        note = "positive above, negative below"
        drawn.append(cells.figure("Scores", note, plots.histogram_plot(entry)))
    if not drawn:
        return '<p class="dim">No row is both annotated and scored for this label.</p>'
    return f'<div class="plots">{"".join(drawn)}</div>'


def _figures(entry: Mapping[str, Any]) -> RAW:
    shown, costs = [], entry["costs"]
    for name in FIGURES:
        figure = entry["figures"][name]
        why = figure.get("refused") or f"{CATALOGUE[name].about}; interval: {figure['method']}"
        if name == "cost":
            why += f"; a false alarm costs {costs['alarm']:g}, a miss {costs['miss']:g}"
        told = figure["value"] is not None
        value = cells.figure_words(name, figure["value"]) if told else "n/a"
        reach = cells.reach_words(name, figure) if told else str(figure.get("refused") or "")
        shown.append(
            f'<div title="{escape(why)}"><span class="what">{escape(CATALOGUE[name].title)}</span>'
            f'<b>{value}</b><span class="span">{escape(reach)}</span></div>'
        )
    return f'<h3>Figures at threshold {entry["at"]:g}</h3><div class="figures">{"".join(shown)}</div>'


def _slices(slices: Sequence[Mapping[str, Any]]) -> RAW:
    rows = []
    for category, entries in groupby(slices, key=lambda entry: str(entry["category"])):
        listed = list(entries)
        rows.append(f'</tr><tr class="apart"><td colspan="{WIDTH}">by {escape(category)}</td>')
        rows += [_slice_row(entry) for entry in listed if entry["rows"] >= FEW]
        if few := [f"{entry['value']} ({entry['rows']})" for entry in listed if entry["rows"] < FEW]:
            words = f"fewer than {FEW} rows each: {', '.join(few)}"
            rows.append(f'<td class="dim small" colspan="{WIDTH}">{escape(words)}</td>')
    if not rows:
        return ""
    heads = ("", "#rows", "#positives", "AUPRC", *(f"#{CATALOGUE[name].title}" for name in OF_SLICES))
    return f"<h3>Slices</h3>{cells.table(heads, rows)}"


WIDTH = 4 + len(OF_SLICES)
"""Columns of the table of slices."""


def _slice_row(entry: Mapping[str, Any]) -> RAW:
    figures = entry["figures"]
    return (
        cells.text_cell(entry["value"], "name")
        + cells.number_cell(entry["rows"])
        + cells.number_cell(entry["positives"])
        + cells.raw_cell(plots.interval_plot(figures["auprc"], chance=figures["prevalence"]["value"]))
        + "".join(cells.figure_cell(name, figures[name]) for name in OF_SLICES)
    )


def _errors(errors: Sequence[Mapping[str, Any]]) -> RAW:
    columns = []
    for kind, title in ((FALSE_ALARM, "Worst false alarms"), (MISS, "Worst misses")):
        entries = [entry for entry in errors if entry["kind"] == kind]
        if entries:
            columns.append(f"<div><h3>{title}</h3>{''.join(map(_error, entries))}</div>")
    return f'<div class="columns">{"".join(columns)}</div>' if columns else ""


def _error(entry: Mapping[str, Any]) -> RAW:
    head = (
        f'<span class="mono">{escape(entry["id"])}</span> '
        f'<span class="dim">score {entry["score"]:.2f}, {escape(entry["language"])}</span>'
    )
    if "content" in entry:
        named = ((f"{part['part']}: " if part["part"] else "") + part["text"] for part in entry["content"])
        body = f"<pre>{escape(chr(10).join(named))}</pre>"
    else:
        body = f'<pre class="dim">{NO_CONTENT}</pre>'
    return f'<details class="error"><summary>{head}</summary>{body}</details>'


NO_CONTENT = "Reports carry no content unless they are made with --with-content; look the row up by its id."
