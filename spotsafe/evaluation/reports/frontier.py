"""The page of a tuned threshold: what can be reached, what was chosen, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spotsafe.evaluation.reports import cells
from spotsafe.evaluation.reports.cells import RAW
from spotsafe.evaluation.reports.page import frame
from spotsafe.evaluation.reports.plots import QUARTERS, TENTHS
from spotsafe.evaluation.reports.svg import Board, Point, nice_ticks

SIZE = (560.0, 320.0)
RATES = (("precision", "Precision"), ("recall", "Recall"), ("fpr", "False positives"), ("load", "Flagged"))

Tuned = Mapping[str, Any]
"""What :func:`spotsafe.evaluation.policies.tuning.to_json` gives."""


def frontier_page(tuned: Tuned) -> str:
    """The whole file: no script, no request, everything escaped."""
    targets = ", ".join(tuned["targets"]).replace(">=", "≥").replace("<=", "≤")
    title = f"{tuned['rule']}: {targets}"
    verdict = "certified" if tuned["threshold"] is not None else "not reached"
    style = "good" if tuned["threshold"] is not None else "bad"
    header = (
        f'<header><div><h1>{escape(title)}</h1><p><span class="badge {style}">{verdict}</span> '
        f'<span class="dim">{escape(_words(tuned))}</span></p></div></header>'
    )
    nav = "".join(f'<a href="#{anchor}"><span>{name}</span></a>' for anchor, name in NAV)
    body = _figures(tuned) + _drawings(tuned)
    return frame(title, nav=nav, header=header, body=body)


NAV = (("figures", "Now and then"), ("curves", "By threshold"), ("frontier", "Frontier"))


def _words(tuned: Tuned) -> str:
    if tuned["threshold"] is None:
        return str(tuned["why"])
    edit = tuned["edit"]
    chance = f"kept on new rows of this kind with {tuned['confidence']:.0%} confidence"
    same = edit and edit["before"] == edit["after"]
    words = "It is the present threshold." if same else edit["words"] if edit else ""
    return f"threshold {tuned['threshold']:g}, {chance}. {words}"


def _figures(tuned: Tuned) -> RAW:
    rows = []
    for name, title in RATES:
        now, then = tuned["now"].get(name), tuned["then"].get(name)
        rows.append(cells.text_cell(title) + _cell(name, now) + _cell(name, then))
    people = cells.text_cell("For people, under the whole policy")
    rows.append(people + _cell("load", tuned["people_now"]) + _cell("load", tuned["people_then"]))
    lead = (
        f"Over {cells.count(tuned['rows'])} rows with a score, {cells.count(tuned['known'])} of known truth."
    )
    heads = ("", "#at the present threshold", "#at the new one")
    return cells.section("figures", "Now and then", lead, cells.table(heads, rows))


def _cell(name: str, figure: Mapping[str, Any] | None) -> RAW:
    if figure is None:
        return '<td class="number">–</td>'
    return cells.figure_cell("flagged" if name == "load" else name, figure)


def _drawings(tuned: Tuned) -> RAW:
    points = tuned["frontier"]
    lead = "Bands are pointwise 95 % intervals. Shaded: thresholds at which all targets are certified."
    curves = cells.section("curves", "By threshold", lead, _by_threshold(points, tuned["threshold"]))
    lead = (
        "Each threshold is a point: its precision, and how many rows it flags. Coloured: certified. The line "
        "is the recall that so many flagged rows reach."
    )
    return curves + cells.section("frontier", "Frontier", lead, _trade(points, tuned["threshold"]))


def _by_threshold(points: Sequence[Mapping[str, Any]], chosen: float | None) -> RAW:
    board = Board(SIZE)
    board.axes(TENTHS, QUARTERS, titles=("threshold", "share"))
    for start, end in _stretches(points):
        board.bar((start, 0), (end, 1), "certified")
    for name, style in (("recall", "second"), ("precision", "")):
        low, high = (_line(points, f"{name}_{side}") for side in ("low", "high"))
        board.band(low, high, f"band {style}")
        board.line(_line(points, name), f"curve {style}")
    if chosen is not None:
        board.segment((chosen, 0), (chosen, 1), "cut", tip=f"chosen: {chosen:g}")
    keys = _key("curve", "precision") + _key("curve second", "recall")
    return f"<p>{keys}</p>{board.svg('Precision and recall by threshold', 'plot wide')}"


def _key(style: str, word: str) -> RAW:
    line = f'<line class="{style}" x1="0" y1="5" x2="18" y2="5"/>'
    return f'<span class="key"><svg class="line" width="18" height="10">{line}</svg>{word}</span>'


def _line(points: Sequence[Mapping[str, Any]], name: str) -> list[Point]:
    return [(point["threshold"], point[name]) for point in points if point[name] is not None]


def _stretches(points: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """From where to where thresholds are certified."""
    found: list[tuple[float, float]] = []
    previous = False
    for point in points:
        at = point["threshold"]
        if point["certified"]:
            found.append((found.pop()[0], at) if previous else (at, at))
        previous = point["certified"]
    return found


def _trade(points: Sequence[Mapping[str, Any]], chosen: float | None) -> RAW:
    """Precision over the share of rows that are flagged."""
    told = [p for p in points if p["precision"] is not None and p["load"] is not None]
    most = max((point["load"] for point in told), default=1.0) or 1.0
    board = Board(SIZE, across=(0.0, most))
    ticks = [(tick, f"{tick:.3g}") for tick in (share * 100 for share in nice_ticks(0, most, 5))]
    board.axes([(t / 100, f"{w}%") for t, w in ticks], QUARTERS, titles=("rows flagged", "share"))
    board.line([(point["load"], point["precision"]) for point in told], "thread")
    reached = [(p["load"], p["recall"]) for p in points if p["recall"] is not None and p["load"] is not None]
    board.line(reached, "curve second")
    for point in told:
        recall = "unknown" if point["recall"] is None else f"{point['recall']:.1%}"
        tip = f"at {point['threshold']:g}: precision {point['precision']:.1%}, recall {recall}"
        name, radius = ("gain", 3.0) if point["certified"] else ("even", 2.0)
        board.dot((point["load"], point["precision"]), name, radius=radius, tip=tip)
    for point in told:
        if point["threshold"] == chosen:
            tip = f"chosen: {chosen:g}"
            board.dot((point["load"], point["precision"]), "point", radius=6, tip=tip)
    dot = '<svg class="line" width="18" height="10"><circle class="even" cx="9" cy="5" r="3"/></svg>'
    keys = f'<span class="key">{dot}precision</span>' + _key("curve second", "recall")
    return f"<p>{keys}</p>{board.svg('Precision and recall over rows flagged', 'plot wide')}"
