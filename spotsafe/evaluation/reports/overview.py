"""The page's upper part: cards, the gate, the comparison, all labels at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spotsafe.evaluation.reports import cells, plots
from spotsafe.evaluation.reports.cells import RAW
from spotsafe.evaluation.runs.measures import CATALOGUE

Document = Mapping[str, Any]


def tiles(document: Document) -> RAW:
    """The cards at the top."""
    data, summary = document["data"], document["summary"]
    labels = document["labels"]
    shown = [
        (cells.count(data["rows"]), "rows", f"{len(labels)} label{'' if len(labels) == 1 else 's'}", ""),
        _mean_tile(summary, "auprc", f"mean AUPRC, chance {_words('auroc', summary['prevalence']['mean'])}"),
        _mean_tile(summary, "recall", "mean recall at the thresholds"),
        _alarm_tile(labels),
        _coverage_tile(summary),
    ]
    if (gate := document.get("gate")) is not None:
        shown.append(_gate_tile(gate))
    if (speed := document["run"]["rows_per_second"]) is not None:
        shown.append(
            (f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}", "rows per second", "detector alone", "")
        )
    drawn = (
        f'<div class="tile"><b class="{style}">{escape(value)}</b><span class="what">{escape(what)}</span>'
        f'<div class="note">{escape(note)}</div></div>'
        for value, what, note, style in shown
    )
    return f'<div class="tiles">{"".join(drawn)}</div>'


def _words(name: str, value: float | None) -> str:
    return cells.figure_words(name, value)


def _mean_tile(summary: Mapping[str, Any], name: str, note: str) -> tuple[str, str, str, str]:
    found = summary[name]
    of = f"over {found['labels']} label{'' if found['labels'] == 1 else 's'}"
    what, _, rest = note.partition(",")
    return _words(name, found["mean"]), what, f"{of}{',' if rest else ''}{rest}", ""


def _alarm_tile(labels: Sequence[Mapping[str, Any]]) -> tuple[str, str, str, str]:
    told = [
        (e["figures"]["fpr"]["value"], e["label"]) for e in labels if e["figures"]["fpr"]["value"] is not None
    ]
    if not told:
        return "–", "false positives", "no label has clean rows", ""
    rate, label = max(told)
    return _words("fpr", rate), "highest false-positive rate", label, ""


def _coverage_tile(summary: Mapping[str, Any]) -> tuple[str, str, str, str]:
    found = summary["coverage"]
    missing = found["annotated"] - found["scored"]
    style = "" if not missing else "warn"
    return _words("coverage", found["share"]), "coverage", f"{cells.count(missing)} scores missing", style


def _gate_tile(gate: Mapping[str, Any]) -> tuple[str, str, str, str]:
    passed = sum(entry["passed"] for entry in gate["results"])
    word, style = ("passed", "good") if gate["passed"] else ("failed", "bad")
    return word, "gate", f"{passed} of {len(gate['results'])} requirements kept", style


def gate_section(gate: Mapping[str, Any]) -> RAW:
    """Every requirement of the gate, failed ones first."""
    ordered = sorted(gate["results"], key=lambda entry: entry["passed"])
    rows = [
        cells.raw_cell(_badge(entry["passed"]))
        + cells.text_cell(entry["requirement"])
        + cells.text_cell(entry["label"], "mono")
        + cells.text_cell(entry["found"])
        + cells.text_cell(entry["wanted"])
        + cells.text_cell(entry["reason"], "dim")
        for entry in ordered
    ]
    heads = ("", "Requirement", "Label", "Found", "Wanted", "Why")
    lead = f"{gate['about']} ({gate['file']})" if gate.get("about") else gate["file"]
    return cells.section("gate", "Gate", lead, cells.table(heads, rows))


def _badge(passed: bool) -> RAW:
    return '<span class="badge good">kept</span>' if passed else '<span class="badge bad">failed</span>'


def comparison_section(found: Mapping[str, Any]) -> RAW:
    """What differs from another run, on the rows that both scored."""
    told = [d for d in (*found["means"], *found["differences"]) if d["difference"] is not None]
    reach = max((abs(d[side]) for d in told for side in ("low", "high")), default=0.0) * 1.08 or 0.01
    rows = []
    for name in dict.fromkeys(d["metric"] for d in found["means"]):
        title = CATALOGUE[name].title
        better = "" if CATALOGUE[name].higher_is_better else " (less is better)"
        rows.append(f'</tr><tr class="apart"><td colspan="7">{escape(title)}{better}</td>')
        entries = [d for d in (*found["means"], *found["differences"]) if d["metric"] == name]
        rows += [_difference_row(entry, reach) for entry in entries]
    lead = (
        f"{found['second']} against {found['first']}, paired: both runs see the same bootstrap draws of the "
        "same rows. Where the interval of the difference holds 0, no difference was shown."
    )
    heads = (
        "Label",
        "#before",
        "#now",
        "#difference",
        f"−{reach:.3f} … 0 … +{reach:.3f}",
        "Verdict",
        "#rows",
    )
    return cells.section("comparison", "Against the other run", lead, cells.table(heads, rows))


def _difference_row(entry: Mapping[str, Any], reach: float) -> RAW:
    name = entry["metric"]
    label = "mean over labels" if entry["label"] == "mean" else entry["label"]
    verdict = entry["verdict"]
    style = {"better": "good", "worse": "bad"}.get(verdict, "dim")
    if entry["difference"] is None:
        word = f'<span class="refused" title="{escape(entry["refused"] or "")}">{escape(verdict)}</span>'
        change = '<td class="number">–</td>'
    else:
        word = f'<span class="badge {style}">{escape(verdict)}</span>'
        change = (
            f'<td class="number {style}">{entry["difference"]:+.4f}'
            f"<small>{entry['low']:+.4f} … {entry['high']:+.4f}</small></td>"
        )
    return (
        cells.text_cell(label, "name" if entry["label"] == "mean" else "name mono")
        + f'<td class="number">{_words(name, entry["first"])}</td>'
        + f'<td class="number">{_words(name, entry["second"])}</td>'
        + change
        + cells.raw_cell(plots.difference_plot(entry, reach))
        + cells.raw_cell(word)
        + cells.number_cell(entry["rows"])
    )


SAMPLED = (
    "Rows were sampled by score: figures are estimates of all rows that they stand for; numbers of rows are "
    "those that were labelled."
)

SHOWN = ("auroc", "precision", "recall", "fpr", "coverage")


def labels_section(document: Document) -> RAW:
    """One line per label."""
    rows = [_label_row(entry) for entry in document["labels"]]
    heads = ("Label", "#positives", "AUPRC", "", *(f"#{CATALOGUE[name].title}" for name in SHOWN))
    lead = (
        "Figures with their 95 % intervals. The grey tick is the prevalence, which a ranking that knows "
        "nothing has as its AUPRC. Precision, recall and false positives are at each label's threshold. n/a "
        "says why when pointed at."
    )
    if document["data"]["sampled"]:
        lead += f" {SAMPLED}"
    return cells.section("labels", "Labels", lead, cells.table(heads, rows))


def _label_row(entry: Mapping[str, Any]) -> RAW:
    figures = entry["figures"]
    link = f'<a href="#{cells.anchor(entry["label"])}">{escape(entry["label"])}</a>'
    chance = figures["prevalence"]["value"]
    return (
        cells.raw_cell(link, "name mono") + f'<td class="number">{cells.count(entry["positives"])}'
        f"<small>of {cells.count(entry['annotated'])}</small></td>"
        + cells.raw_cell(plots.interval_plot(figures["auprc"], chance=chance))
        + cells.figure_cell("auprc", figures["auprc"])
        + "".join(cells.figure_cell(name, figures[name]) for name in SHOWN)
    )
