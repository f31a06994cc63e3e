"""The document of a run for a terminal: the tables that a person decides by; the page has the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from spotsafe.evaluation.reports.cells import figure_words, reach_words
from spotsafe.evaluation.reports.overview import SAMPLED

Document = Mapping[str, Any]

WORST_SHOWN = 10
"""Functional tests that are shown, the hardest."""


class Printer(Protocol):
    """What a command prints with (:class:`spotsafe.cli.output.Output`)."""

    def line(self, text: str = "", style: str = "") -> None:
        """One line."""

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A titled table."""


def show(document: Document, out: Printer) -> None:
    """All tables of *document*."""
    run, data = document["run"], document["data"]
    out.line(f"{run['name']} over {data['name']}: {data['rows']} rows", "bold")
    if run.get("join"):
        out.line(f"Parts and senses: {run['join']}")
    if len(run["versions"]) > 1:
        out.line(f"The detector changed while it was asked: {', '.join(run['versions'])}", "warn")
    for caution in document.get("cautions", ()):
        out.line(caution, "warn")
    if data["sampled"]:
        out.line(SAMPLED, "dim")
    show_labels(document, out)
    show_missing(document, out)
    show_functional(document, out)
    if document.get("comparison"):
        show_comparison(document["comparison"], out)
    if document.get("gate"):
        show_gate(document["gate"], out)


def show_labels(document: Document, out: Printer) -> None:
    """One line per label."""
    out.table(
        "Labels, with 95 % intervals",
        ("label", "positives", "chance", "AUPRC", "at", "precision", "recall", "false positives"),
        [
            (
                entry["label"],
                f"{entry['positives']}/{entry['annotated']}",
                figure_words("auprc", entry["figures"]["prevalence"]["value"]),
                _figure("auprc", entry),
                f"{entry['at']:g}",
                _figure("precision", entry),
                _figure("recall", entry),
                _figure("fpr", entry),
            )
            for entry in document["labels"]
        ],
    )
    refused = {
        entry["label"]: entry["figures"]["auprc"].get("refused")
        for entry in document["labels"]
        if entry["figures"]["auprc"]["value"] is None
    }
    for label, why in refused.items():
        out.line(f"{label}: no AUPRC: {why}", "dim")


def _figure(name: str, entry: Mapping[str, Any]) -> str:
    return _words(name, entry["figures"][name])


def _words(name: str, figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "n/a"
    return f"{figure_words(name, figure['value'])} ({reach_words(name, figure)})"


def show_missing(document: Document, out: Printer) -> None:
    """What got no score, or one of a part of the row alone; nothing where everything got one."""
    for title, name in (("Missing scores", "missing"), ("Scored without some part of the row", "partly")):
        out.table(
            title,
            ("label", "cause", "rows"),
            [
                (entry["label"], cause, count)
                for entry in document["labels"]
                for cause, count in entry[name].items()
            ],
        )


def show_functional(document: Document, out: Printer) -> None:
    """The hardest functional tests."""
    found = sorted(document["functional"], key=lambda entry: entry["figure"]["value"] or 0.0)
    out.table(
        f"Functional tests, hardest first ({min(WORST_SHOWN, len(found))} of {len(found)})",
        ("functionality", "label", "expected", "rows", "right"),
        [
            (
                entry["functionality"],
                entry["label"],
                entry["expected"],
                entry["figure"]["n"],
                _words("accuracy", entry["figure"]),
            )
            for entry in found[:WORST_SHOWN]
        ],
    )


def show_comparison(found: Mapping[str, Any], out: Printer) -> None:
    """Paired differences, the mean of each metric first."""
    for metric in dict.fromkeys(entry["metric"] for entry in found["means"]):
        entries = [d for d in (*found["means"], *found["differences"]) if d["metric"] == metric]
        out.table(
            f"{found['second']} against {found['first']}: {metric}, paired",
            ("label", "before", "now", "difference", "95 % interval", "verdict"),
            [_difference(entry) for entry in entries],
        )


def _difference(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    label = "mean over labels" if entry["label"] == "mean" else entry["label"]
    if entry["difference"] is None:
        return label, None, None, None, None, f"{entry['verdict']}: {entry['refused']}"
    return (
        label,
        figure_words(entry["metric"], entry["first"]),
        figure_words(entry["metric"], entry["second"]),
        f"{entry['difference']:+.4f}",
        f"{entry['low']:+.4f} to {entry['high']:+.4f}",
        entry["verdict"],
    )


def show_gate(gate: Mapping[str, Any], out: Printer) -> None:
    """Every requirement, and whether the gate is passed."""
    out.table(
        f"Gate {gate['file']}",
        ("", "requirement", "label", "found", "wanted", "why"),
        [
            ("kept" if r["passed"] else "FAILED", r["requirement"], r["label"], r["found"], r["wanted"],
             f"{r['place']}: {r['reason']}" if r["reason"] else "")
            for r in sorted(gate["results"], key=lambda r: r["passed"])
        ],
    )  # fmt: skip
    failed = sum(not entry["passed"] for entry in gate["results"])
    if failed:
        out.line(f"gate failed: {failed} of {len(gate['results'])} requirements are not kept", "bad")
    else:
        out.line(f"gate passed: {len(gate['results'])} requirements kept", "good")
