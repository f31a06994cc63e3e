"""The plots of a report, each from its part of the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotsafe.evaluation.reports.svg import Board, percents

QUARTERS = percents((0, 0.25, 0.5, 0.75, 1))
TENTHS = [(value / 10, f".{value}" if 0 < value < 10 else str(value // 10)) for value in (0, 2, 4, 6, 8, 10)]

ROOTS = (0, 0.02, 0.1, 0.25, 0.5, 1)
"""Shares at which a histogram's height is told."""

SIZE = (340.0, 250.0)
RANGE = (150.0, 22.0)
"""An interval in a table's cell."""


def precision_recall_plot(entry: Mapping[str, Any]) -> str:
    """Precision over recall with its band, what chance gives, and where the threshold stands."""
    curve, point = entry["curve"], entry["point"]
    board = Board(SIZE)
    board.axes(QUARTERS, QUARTERS, titles=("recall", "precision"))
    across, chance = curve["recall"], curve["prevalence"]
    lower, upper = (list(zip(across, curve[side], strict=True)) for side in ("low", "high"))
    board.band(lower, upper, "band")
    board.segment((0, chance), (1, chance), "chance", tip="a ranking that knows nothing")
    board.line(zip(across, curve["precision"], strict=True), "curve")
    if point is not None:
        tip = f"at {point['at']:g}: precision {point['precision']:.1%}, recall {point['recall']:.1%}"
        board.dot((point["recall"], point["precision"]), "point", radius=5, tip=tip)
    return board.svg(f"Precision over recall of {entry['label']}")


def reliability_plot(entry: Mapping[str, Any]) -> str:
    """Share of positives over mean score per bin; on the diagonal a score means what it says."""
    board = Board(SIZE)
    board.axes(TENTHS, QUARTERS, titles=("mean score", "share positive"))
    board.segment((0, 0), (1, 1), "chance", tip="perfect calibration")
    bins = entry["reliability"]
    board.line([(found["score"], found["observed"]) for found in bins], "thread")
    for found in bins:
        tip = (
            f"score {found['score']:.2f}: {found['observed']:.1%} positive "
            f"({found['low']:.1%} to {found['high']:.1%}), {found['share']:.0%} of rows"
        )
        board.segment((found["score"], found["low"]), (found["score"], found["high"]), "whisker", tip=tip)
        board.dot((found["score"], found["observed"]), "mark", radius=2 + 6 * found["share"] ** 0.5, tip=tip)
    return board.svg(f"Reliability of {entry['label']}")


def histogram_plot(entry: Mapping[str, Any]) -> str:
    """How scores are spread: positives upwards, negatives downwards, each as shares of its own. Heights are
    square roots, so that a few rows at the wrong end can be seen beside thousands at the right one."""
    spread = entry["histogram"]
    up, down = spread["positive"], spread["negative"]
    shares = [[count / max(sum(counts), 1) for count in counts] for counts in (up, down)]
    tallest = max((*shares[0], *shares[1], 0.01)) ** 0.5
    board = Board(SIZE, up=(-tallest, tallest))
    marks = [share for share in ROOTS if share**0.5 <= tallest]
    ticks = [(sign * share**0.5, f"{share:.0%}") for share in marks for sign in ((1, -1) if share else (1,))]
    board.axes(TENTHS, ticks, titles=("score", "share of rows"))
    width = 1 / spread["bins"]
    for index, (high, low) in enumerate(zip(*shares, strict=True)):
        start, end = (index + 0.08) * width, (index + 0.92) * width
        between = f"score {index * width:.2f} to {(index + 1) * width:.2f}"
        if high:
            tip = f"{between}: {up[index]:,} positive rows ({high:.1%})"
            board.bar((start, 0), (end, high**0.5), "positive", tip=tip)
        if low:
            tip = f"{between}: {down[index]:,} negative rows ({low:.1%})"
            board.bar((start, -(low**0.5)), (end, 0), "negative", tip=tip)
    board.segment((0, 0), (1, 0), "axis")
    board.segment((entry["at"], -tallest), (entry["at"], tallest), "cut", tip=f"threshold {entry['at']:g}")
    return board.svg(f"Scores of {entry['label']}, positives above, negatives below")


def interval_plot(figure: Mapping[str, Any], *, chance: float | None = None, name: str = "mark") -> str:
    """An estimate on [0, 1] for a table's cell; *chance* is a tick."""
    board = Board(RANGE, margins=(6, 6, 2, 2))
    board.segment((0, 0.5), (1, 0.5), "track")
    if chance is not None:
        board.segment((chance, 0.12), (chance, 0.88), "tick-mark", tip=f"chance {chance:.3f}")
    if figure["value"] is not None:
        tip = f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}), {figure['n']:,} rows"
        board.segment((figure["low"], 0.5), (figure["high"], 0.5), f"reach {name}", tip=tip)
        board.dot((figure["value"], 0.5), name, radius=4.5, tip=tip)
    return board.svg("interval", "range")


def difference_plot(found: Mapping[str, Any], reach: float) -> str:
    """A difference with its interval on [-reach, reach], 0 in the middle."""
    board = Board(RANGE, across=(-reach, reach), margins=(6, 6, 2, 2))
    board.segment((-reach, 0.5), (reach, 0.5), "track")
    board.segment((0, 0.05), (0, 0.95), "tick-mark", tip="no difference")
    if found["difference"] is not None:
        low, high = max(found["low"], -reach), min(found["high"], reach)
        name = VERDICTS[found["verdict"]]
        tip = f"{found['difference']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
        board.segment((low, 0.5), (high, 0.5), f"reach {name}", tip=tip)
        board.dot((min(max(found["difference"], -reach), reach), 0.5), name, radius=4.5, tip=tip)
    return board.svg("difference", "range")


VERDICTS = {"better": "gain", "worse": "loss", "no difference": "even", "not compared": "even"}
"""Verdict → the class of its marks."""


def stacked_bar(shares: Sequence[tuple[str, float, str]], size: tuple[float, float] = (220.0, 14.0)) -> str:
    """A bar of parts: (class, share, tip)."""
    board = Board(size, margins=(0, 0, 0, 0))
    left = 0.0
    for name, share, tip in shares:
        if share > 0:
            board.bar((left, 0), (left + share, 1), name, tip=tip)
            left += share
    return board.svg(", ".join(tip for _, share, tip in shares if share > 0), "bar")
