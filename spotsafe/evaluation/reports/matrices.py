"""The page's tables across labels: languages, functional tests, subgroups, confusion, spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from spotsafe.evaluation.reports import cells, plots
from spotsafe.evaluation.reports.cells import RAW

Document = Mapping[str, Any]


def languages_section(document: Document) -> RAW:
    """AUPRC per label and language; empty with fewer than two languages."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    rows_of: dict[str, int] = {}
    for entry in document["labels"]:
        for part in entry["slices"]:
            if part["category"] == "language":
                found.setdefault(entry["label"], {})[part["value"]] = part["figures"]["auprc"]
                rows_of[part["value"]] = rows_of.get(part["value"], 0) + part["rows"]
    if not found:
        return ""
    languages = sorted(rows_of, key=lambda name: -rows_of[name])
    rows = [
        cells.text_cell(label, "name mono") + "".join(_heat_cell(by.get(name)) for name in languages)
        for label, by in found.items()
    ]
    lead = "AUPRC. A dash: not annotated; n/a: too few rows for a figure with an interval."
    body = _matrix(["", *languages], rows)
    return cells.section("languages", "Languages", lead, body)


def _heat_cell(figure: Mapping[str, Any] | None) -> RAW:
    if figure is None:
        return '<td class="heat none">–</td>'
    if figure["value"] is None:
        why = escape(figure.get("refused") or "")
        return f'<td class="heat none"><span class="refused" title="{why}">n/a</span></td>'
    tip = (
        f"{figure['low']:.3f} to {figure['high']:.3f}, {figure['n']:,} rows, {figure['positives']:,} positive"
    )
    return f'<td class="heat {cells.heat(figure["value"])}" title="{tip}">{figure["value"]:.2f}</td>'


TURNED = 8
"""Columns beyond which their heads stand upright."""


def _matrix(heads: Sequence[str], rows: Sequence[RAW]) -> RAW:
    style = "up turned" if len(heads) > TURNED else "up"
    head = f"<th>{escape(heads[0])}</th>" + "".join(
        f'<th class="{style}"><span>{escape(name)}</span></th>' for name in heads[1:]
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="heat"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def functional_section(found: Sequence[Mapping[str, Any]]) -> RAW:
    """Functional tests: each functionality's share of right rows, hardest first."""
    rows = [
        cells.text_cell(entry["functionality"], "name")
        + cells.text_cell(entry["label"], "mono")
        + cells.text_cell(entry["expected"])
        + cells.number_cell(entry["figure"]["n"])
        + cells.raw_cell(plots.interval_plot(entry["figure"], chance=0.5))
        + cells.figure_cell("accuracy", entry["figure"])
        for entry in sorted(found, key=lambda entry: entry["figure"]["value"] or 0.0)
    ]
    heads = ("Functionality", "Label", "Expected", "#rows", "Right", "")
    lead = "Each functionality is a way of writing that a detector must get right; hardest first."
    return cells.section("functional", "Functional tests", lead, cells.table(heads, rows))


def subgroups_section(found: Sequence[Mapping[str, Any]]) -> RAW:
    """Subgroup AUC, BPSN and BNSP per identity, and the false-positive rate."""
    rows = []
    for label, entries in groupby(found, key=lambda entry: str(entry["label"])):
        listed = list(entries)
        told = [entry for entry in listed if any(f["value"] is not None for f in entry["figures"].values())]
        rows += [_group_row(entry) for entry in told]
        few = [f"{e['group']} ({e['rows']})" for e in listed if e["group"] is not None and e not in told]
        if few:
            words = f"too few rows: {', '.join(few)}"
            rows.append(
                cells.text_cell(label, "name mono")
                + f'<td class="dim small" colspan="7">{escape(words)}</td>'
            )
    heads = ("Label", "Group", "#rows", *SUBGROUP.values(), "#False positives", "#Gap")
    lead = (
        "Subgroup: ranking among rows that mention the group. BPSN: clean rows that mention it against "
        "positive ones that do not (low: mentions alone raise scores). BNSP: the other way round. The gap is "
        "the group's false-positive rate less that of all other rows. A row may mention several groups."
    )
    return cells.section("subgroups", "Identity subgroups", lead, cells.table(heads, rows, style="heat"))


def _group_row(entry: Mapping[str, Any]) -> RAW:
    return (
        cells.text_cell(entry["label"], "name mono")
        + cells.text_cell(entry["group"] or "mean, power −5", "name" if entry["group"] else "name dim")
        + cells.number_cell(entry["rows"])
        + "".join(_bias_cell(entry["figures"][name]) for name in SUBGROUP)
        + "".join(_gap_cell(name, entry["figures"].get(name)) for name in ("fpr", "fpr_gap"))
    )


SUBGROUP = {"subgroup": "Subgroup", "bpsn": "BPSN", "bnsp": "BNSP"}


def _gap_cell(name: str, figure: Mapping[str, Any] | None) -> RAW:
    """A rate, or a difference of two in points; the line of means has neither."""
    if figure is None:
        return "<td></td>"
    if name == "fpr" or figure["value"] is None:
        return cells.figure_cell("fpr", figure)
    value, low, high = (f"{figure[side] * 100:+.1f}" for side in ("value", "low", "high"))
    return f'<td class="number">{value}<small>{low} … {high}</small></td>'


def _bias_cell(figure: Mapping[str, Any]) -> RAW:
    if figure["value"] is None:
        why = escape(figure.get("refused") or "")
        return f'<td class="heat none"><span class="refused" title="{why}">n/a</span></td>'
    tip = f"{figure['low']:.3f} to {figure['high']:.3f}, {figure['n']:,} rows"
    style = cells.heat(figure["value"], 0.5, 1.0)
    return f'<td class="heat {style}" title="{tip}">{figure["value"]:.3f}</td>'


def confusion_section(found: Mapping[str, Any]) -> RAW:
    """What is flagged where each label is right."""
    rows = []
    for entry in found["rows"]:
        name = "name dim" if entry["label"] is None else "name mono"
        head = cells.text_cell(entry["label"] or "no label is right", name) + cells.number_cell(entry["rows"])
        wrong = entry["wrong"] or [None] * len(entry["flagged"])
        told = zip(entry["flagged"], entry["bounds"], entry["of"], wrong, strict=True)
        silent = _share_cell(entry["silent"], entry["silent_bounds"], entry["silent_of"], None)
        rows.append(head + "".join(_share_cell(*cell) for cell in told) + silent)
    heads = ["right: down, flagged: across", "rows", *found["columns"], "nothing"]
    lead = (
        "Of the rows for which a label is right and that have a score, the percentage in which each label is "
        "flagged. Point at a cell for its interval, and for how many are known to be wrong."
    )
    return cells.section("confusion", "Confusion by taxonomy", lead, _matrix(heads, rows))


def _share_cell(share: float | None, bounds: Sequence[float | None], of: int, wrong: int | None) -> RAW:
    if share is None:
        return '<td class="heat none">–</td>'
    low, high = (cells.figure_words("flagged", bound) for bound in bounds)
    tip = f"{low} to {high}, of {of:,} rows" + ("" if wrong is None else f", {wrong:,} known to be wrong")
    word = cells.figure_words("flagged", share).removesuffix("%")
    return f'<td class="heat {cells.heat(share)}" title="{escape(tip)}">{word}</td>'


def spans_section(found: Sequence[Mapping[str, Any]], refused: str = "") -> RAW:
    """How well places in the text were found, or why that is *refused*."""
    names = ("precision", "recall", "f1")
    rows = [
        cells.text_cell(entry["label"], "name mono")
        + cells.text_cell(entry["counting"])
        + cells.number_cell(entry["rows"])
        + "".join(cells.figure_cell(name, entry["figures"][name]) for name in names)
        for entry in found
    ]
    heads = ("Label", "Counted", "#rows", "#Precision", "#Recall", "#F1")
    body = f'<p class="dim">{escape(refused)}</p>' if refused else cells.table(heads, rows)
    return cells.section("spans", "Places in the text", "", body)
