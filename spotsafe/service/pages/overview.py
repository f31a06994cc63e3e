"""``/``: the state of the service and the adoption table at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from spotsafe.telemetry.adoption import DISPOSITIONS, STATUSES
from spotsafe.telemetry.adoption_table import AdoptionTable, SurfaceRow

_WIDTH, _HEIGHT = 140, 12
_STATUS_ORDER = (*STATUSES, "other")
_DISPOSITION_ORDER = (*DISPOSITIONS, "other")
_HEADS = (
    "Team", "Surface", "Environment", "Linked", "Mode", "#Decisions", "Was it checked?", "What happened",
    "#Failed open", "#Bypassed", "#Waivers", "#Added p50", "#Added p95",
)  # fmt: skip


def overview(
    table: AdoptionTable, holds: Mapping[str, int], engine: str | None, registered: Mapping[str, str]
) -> str:
    """The page's body; *registered* is stage → version of text weights from a registry. Everything that
    came from a client is escaped."""
    engine_words = (
        f'<span class="good">ready</span> <code>{escape(engine)}</code>'
        if engine is not None
        else '<span class="bad">not loaded</span>'
    )
    if registered:
        stages = ", ".join(f"{stage} {version}" for stage, version in registered.items())
        engine_words += f" · registry: text {escape(stages)}"
    return "".join(
        (
            "<h1>Guarded surfaces</h1>",
            f'<p class="dim">Detection engine: {engine_words}</p>',
            _tiles(table, holds),
            _legend("Was it checked?", _STATUS_ORDER, "s"),
            _legend("What happened", _DISPOSITION_ORDER, "d"),
            "<h2>Adoption</h2>",
            _surfaces(
                table.rows, "No application has reported yet. Start one with <code>service=</code> this URL."
            ),
            "<h2>Apart: ci, test and demo</h2>",
            _surfaces(table.apart, "Nothing."),
            _drops(table.drops),
        )
    )


def _tiles(table: AdoptionTable, holds: Mapping[str, int]) -> str:
    rows = table.rows
    decisions = sum(row.traffic for row in rows)
    unchecked = sum(row.traffic * row.statuses.get("unchecked", 0.0) for row in rows)
    tiles = (
        ("surfaces", len(rows), ""),
        ("living processes", table.instances, ""),
        ("decisions", decisions, ""),
        ("unchecked", f"{unchecked / decisions:.1%}" if decisions else "–", "bad" if unchecked else ""),
        ("failures let through", sum(row.failed_open for row in rows), "bad"),
        ("unlinked surfaces", sum(bool(row.unlinked) for row in rows), "warn"),
        ("holds pending", holds.get("pending", 0), "warn"),
    )
    shown = (
        f'<div class="tile"><b class="{style if value else ""}">{value}</b>{name}</div>'
        for name, value, style in tiles
    )
    return f'<div class="tiles">{"".join(shown)}</div>'


def _surfaces(rows: Sequence[SurfaceRow], nothing: str) -> str:
    if not rows:
        return f'<p class="dim">{nothing}</p>'
    heads = "".join(
        f'<th class="number">{head[1:]}</th>' if head.startswith("#") else f"<th>{head}</th>"
        for head in _HEADS
    )
    body = "".join(map(_row, rows))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _row(row: SurfaceRow) -> str:
    cells = (
        escape(row.team) or "–",
        f'{escape(row.surface)}<br><span class="dim">{escape(", ".join(row.apps))}</span>',
        escape(row.environment) or "–",
        _linked(row),
        escape(row.mode) or "–",
    )
    numbers = (
        _alarm(row.failed_open, "bad"),
        _alarm(row.bypassed, "warn"),
        _alarm(len(row.waivers), "warn"),
        _milliseconds(row.p50_ms),
        _milliseconds(row.p95_ms),
    )
    bars = _bar(row.statuses, _STATUS_ORDER, "s"), _bar(row.dispositions, _DISPOSITION_ORDER, "d")
    return (
        "<tr>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + f'<td class="number">{row.traffic}</td>'
        + "".join(f"<td>{bar}</td>" for bar in bars)
        + "".join(f'<td class="number">{number}</td>' for number in numbers)
        + "</tr>"
    )


def _linked(row: SurfaceRow) -> str:
    if row.unlinked == "code":
        return '<span class="badge bad">no manifest</span>'
    if row.unlinked == "manifest":
        return '<span class="badge warn">no code</span>'
    return '<span class="badge good">linked</span>' + (
        "" if row.seen else ' <span class="dim">not seen</span>'
    )


def _alarm(count: int, style: str) -> str:
    return f'<span class="{style}">{count}</span>' if count else "0"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g} ms"


def _bar(shares: Mapping[str, float], order: Sequence[str], style: str) -> str:
    """A stacked bar; each piece says its word and share when pointed at."""
    left, pieces = 0.0, []
    for index, word in enumerate(order):
        share = shares.get(word, 0.0)
        if share:
            pieces.append(
                f'<rect class="{style}{index}" x="{left * _WIDTH:.2f}" width="{share * _WIDTH:.2f}" '
                f'height="{_HEIGHT}"><title>{word} {share:.1%}</title></rect>'
            )
            left += share
    words = ", ".join(f"{word} {shares[word]:.0%}" for word in order if word in shares)
    return (
        f'<svg class="bar" role="img" aria-label="{words or "nothing"}" width="{_WIDTH}" height="{_HEIGHT}">'
        f"{''.join(pieces)}</svg>"
    )


def _legend(title: str, order: Iterable[str], style: str) -> str:
    swatches = (
        '<span class="key"><svg width="10" height="10">'
        f'<rect class="{style}{index}" width="10" height="10"/></svg>{word}</span>'
        for index, word in enumerate(order)
    )
    return f'<p><span class="key">{title}</span>{"".join(swatches)}</p>'


def _drops(drops: Mapping[str, Mapping[str, int]]) -> str:
    if not drops:
        return ""
    rows = "".join(
        f'<tr><td>{escape(app) or "–"}</td><td>{escape(reason)}</td><td class="number">{count}</td></tr>'
        for app, reasons in sorted(drops.items())
        for reason, count in sorted(reasons.items())
    )
    head = '<thead><tr><th>Application</th><th>Reason</th><th class="number">Events</th></tr></thead>'
    return f"<h2>Events lost before they arrived</h2><table>{head}<tbody>{rows}</tbody></table>"
