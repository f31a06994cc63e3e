"""The page's lower part: what got no score, what the data are, how it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from spotsafe.core.signals import Cause
from spotsafe.evaluation.reports import cells, plots
from spotsafe.evaluation.reports.cells import RAW

Document = Mapping[str, Any]


def coverage_section(document: Document) -> RAW:
    """Per label the share of rows with a score, and why the others have none."""
    total = document["data"]["rows"]
    rows = []
    for entry in document["labels"]:
        missing, partly = entry["missing"], sum(entry["partly"].values())
        scored = total - sum(missing.values())
        whole = scored - partly
        bar = plots.stacked_bar(
            [("c-scored", whole / total, f"scored {whole / total:.1%}")]
            + [("c-partly", partly / total, f"without some part {partly / total:.1%}")]
            + [(f"c-{name}", n / total, f"{name} {n / total:.1%}") for name, n in missing.items()]
        )
        told = ", ".join(f"{name} {cells.count(n)}" for name, n in missing.items()) or "–"
        parts = ", ".join(f"{name} {cells.count(n)}" for name, n in entry["partly"].items()) or "–"
        rows.append(
            cells.text_cell(entry["label"], "name mono")
            + cells.raw_cell(bar)
            + cells.number_cell(scored)
            + cells.text_cell(told, "dim")
            + cells.text_cell(parts, "dim")
        )
    used = {name for entry in document["labels"] for name in entry["missing"]}
    some = ("partly",) if any(entry["partly"] for entry in document["labels"]) else ()
    causes = ("scored", *some, *(cause.value for cause in Cause if cause.value in used))
    keys = "".join(
        f'<span class="key"><svg width="10" height="10"><rect class="c-{name}" width="10" height="10"/></svg>'
        f"{name}</span>"
        for name in causes
    )
    lead = (
        "A row without a score is missing, never clean: it counts in no other figure of this page. In part: "
        "scored by some of its parts, while another, such as a picture beside a title, has none."
    )
    body = f"<p>{keys}</p>" + cells.table(
        ("Label", "Share of all rows", "#scored", "Missing, by cause", "In part, by cause"), rows
    )
    return cells.section("coverage", "Coverage", lead, body)


def data_section(document: Document) -> RAW:
    """The data set's card."""
    data = document["data"]
    source = data["source"]
    facts: list[tuple[str, object]] = [
        ("Name", source.get("title") or data["name"]),
        ("Rows", cells.count(data["rows"]) + (f" (first {data['limit']})" if data["limit"] else "")),
        ("Licence", _licence(source)),
        ("Origin", source.get("origin")),
        ("Revision", source.get("revision")),
        ("Citation", source.get("citation")),
        ("SHA-256 of data and mapping", data["digest"]),
        ("SHA-256 of the rows' ids", data["row_digest"]),
        ("Sampled by score", "yes: rows are weighted by 1/inclusion" if data["sampled"] else "no"),
        ("Mind", "; ".join(source.get("cautions", ()))),
        ("Left out as slices (free text)", ", ".join(data["left_out"])),
    ]
    listed = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts if v)
    parts = []
    for name, counts in data["categories"].items():
        rows = [cells.text_cell(value) + cells.number_cell(n) for value, n in counts.items()]
        parts.append(f"<div><h3>{escape(name)}</h3>{cells.table(('', '#rows'), rows)}</div>")
    body = f'<dl class="card-grid">{listed}</dl><div class="columns">{"".join(parts)}</div>'
    return cells.section("data", "Data set", "", body)


def _licence(source: Mapping[str, Any]) -> str:
    named = source.get("licence") or ""
    kind = source.get("licence_class") or ""
    return f"{named} ({kind})" if named and kind and kind != "unknown" else named or kind


def method_section(document: Document) -> RAW:
    """How figures and intervals came about."""
    methods = sorted(
        {
            figure["method"]
            for entry in document["labels"]
            for figure in entry["figures"].values()
            if figure["value"] is not None
        }
    )
    body = (
        "<p>All intervals are two-sided at 95 %. A row is positive where at least half of its annotation "
        "says so, and flagged where its score reaches the label's threshold. Ranking figures over fewer than "
        "ten positive or ten negative rows are refused. Means over labels are unweighted.</p>"
        f'<p class="dim small">Kinds of intervals in this report: {escape("; ".join(methods))}.</p>'
    )
    return cells.section("method", "How this was measured", "", body)


def instant(seconds: float) -> str:
    """A Unix time as a date for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else "unknown"
