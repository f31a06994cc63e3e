"""Pieces of the page: figures in words, table cells, tables and sections. All text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

SHARES = frozenset(
    {"precision", "recall", "f1", "fpr", "fnr", "accuracy", "flagged", "prevalence", "coverage"}
    | {"recall_at_precision", "recall_at_fpr"}
)
"""Metrics that are shown in percent."""

RAW = str
"""HTML whose parts its maker has escaped."""


def figure_words(name: str, value: float | None) -> str:
    """A metric's value for people: percents for shares, three digits else, – where there is none."""
    if value is None:
        return "–"
    if name not in SHARES:
        return f"{value:.3f}"
    if 0 < value < 0.001:
        return "<0.1%"
    if 0.999 < value < 1:
        return ">99.9%"
    return f"{value:.1%}" if value < 1 else "100%"


def reach_words(name: str, figure: Mapping[str, Any]) -> str:
    """The interval in words; empty where there is none."""
    if figure["value"] is None:
        return ""
    low, high = (figure_words(name, figure[side]) for side in ("low", "high"))
    return f"{low.removesuffix('%')}–{high}" if name in SHARES else f"{low}–{high}"


def figure_cell(name: str, figure: Mapping[str, Any], style: str = "") -> RAW:
    """A table cell: the value above its interval; a refused figure says why when pointed at."""
    if figure["value"] is None:
        why = escape(figure.get("refused") or "no figure")
        return f'<td class="number"><span class="refused" title="{why}">n/a</span></td>'
    words = figure_words(name, figure["value"])
    return f'<td class="number {style}">{words}<small>{reach_words(name, figure)}</small></td>'


def count(value: int) -> str:
    """A whole number with thin groups."""
    return f"{value:,}".replace(",", " ")


def text_cell(words: object, style: str = "") -> RAW:
    """A cell of text."""
    return f'<td class="{style}">{escape(str(words))}</td>' if style else f"<td>{escape(str(words))}</td>"


def number_cell(value: int | None) -> RAW:
    """A cell of a whole number."""
    return f'<td class="number">{"–" if value is None else count(value)}</td>'


def raw_cell(content: RAW, style: str = "") -> RAW:
    """A cell of HTML."""
    return f'<td class="{style}">{content}</td>'


def table(heads: Sequence[str], rows: Iterable[RAW], *, style: str = "") -> RAW:
    """A table that scrolls sideways where it must. A head that begins with ``#`` stands over numbers."""
    cells = "".join(
        f'<th class="number">{escape(head[1:])}</th>' if head.startswith("#") else f"<th>{escape(head)}</th>"
        for head in heads
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="{style}"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def section(anchor: str, title: str, lead: str, body: RAW) -> RAW:
    """A part of the page; *title* and *lead* are plain text."""
    told = f'<p class="lead small">{escape(lead)}</p>' if lead else ""
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{told}{body}</section>'


def heat(value: float | None, low: float = 0.0, high: float = 1.0) -> str:
    """The class of a heat cell for a value between *low* and *high*."""
    if value is None:
        return "none"
    share = (value - low) / (high - low) if high > low else 0.0
    return f"h{min(max(int(share * 10), 0), 9)}"


def anchor(label: str) -> str:
    """A label as the name of a place on the page."""
    return "label-" + "".join(c if c.isalnum() else "-" for c in label)


def figure(title: str, note: str, drawing: RAW) -> RAW:
    """A drawing with its caption."""
    told = f" <span>{escape(note)}</span>" if note else ""
    return f"<figure><figcaption>{escape(title)}{told}</figcaption>{drawing}</figure>"
