"""A small drawing board: scales, axes and marks as SVG that takes its colours from the page's style sheet.

No ``style`` attribute, script or reference to anything outside: a strict content security policy lets it
through, and light and dark follow the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

Point = tuple[float, float]
Scale = Callable[[float], float]

LEFT, RIGHT, TOP, BOTTOM = 44.0, 12.0, 10.0, 34.0
"""Room around a plot for its axes, in the drawing's units (about CSS pixels)."""


def linear(domain: tuple[float, float], span: tuple[float, float]) -> Scale:
    """Values of *domain* → places in *span*; a domain without width lies in the middle."""
    (a, b), (start, end) = domain, span
    if a == b:
        return lambda _: (start + end) / 2
    return lambda value: start + (value - a) / (b - a) * (end - start)


class Board:
    """A plot of *size* with values *across* and *up*; marks are added and :meth:`svg` gives the drawing."""

    def __init__(
        self,
        size: tuple[float, float],
        across: tuple[float, float] = (0.0, 1.0),
        up: tuple[float, float] = (0.0, 1.0),
        *,
        margins: tuple[float, float, float, float] = (LEFT, RIGHT, TOP, BOTTOM),
    ) -> None:
        self.width, self.height = size
        self.left, self.right, self.top, self.bottom = margins
        self.x = linear(across, (self.left, self.width - self.right))
        self.y = linear(up, (self.height - self.bottom, self.top))
        self._marks: list[str] = []

    def axes(
        self, across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]], *, titles: tuple[str, str]
    ) -> None:
        """Grid lines and their words at these values, and a title for each axis."""
        floor, end = self.height - self.bottom, self.width - self.right
        for value, word in across:
            x = self.x(value)
            self._line((x, self.top), (x, floor), "grid")
            self.text((x, floor + 14), word, "tick", anchor="middle")
        for value, word in up:
            y = self.y(value)
            self._line((self.left, y), (end, y), "grid")
            self.text((self.left - 6, y + 3.5), word, "tick", anchor="end")
        self.text(((self.left + end) / 2, self.height - 4), titles[0], "title", anchor="middle")
        x, y = 11.0, (self.top + floor) / 2
        self._marks.append(
            f'<text class="title" text-anchor="middle" transform="rotate(-90 {x:g} {_n(y)})" x="{x:g}" '
            f'y="{_n(y)}">{escape(titles[1])}</text>'
        )

    def line(self, points: Iterable[Point], name: str) -> None:
        """A line through values."""
        path = "L".join(f"{_n(self.x(x))} {_n(self.y(y))}" for x, y in points)
        if path:
            self._marks.append(f'<path class="{name}" d="M{path}" fill="none"/>')

    def band(self, lower: Sequence[Point], upper: Sequence[Point], name: str) -> None:
        """The area between two lines."""
        points = [*lower, *reversed(upper)]
        path = "L".join(f"{_n(self.x(x))} {_n(self.y(y))}" for x, y in points)
        if path:
            self._marks.append(f'<path class="{name}" d="M{path}Z"/>')

    def dot(self, at: Point, name: str, *, radius: float = 4.0, tip: str = "") -> None:
        """A point, with a word for who rests on it."""
        self._marks.append(
            f'<circle class="{name}" cx="{_n(self.x(at[0]))}" cy="{_n(self.y(at[1]))}" r="{radius:g}">'
            f"{_tip(tip)}</circle>"
        )

    def bar(self, low: Point, high: Point, name: str, *, tip: str = "") -> None:
        """A filled rectangle between two corners (values)."""
        x, y = self.x(min(low[0], high[0])), self.y(max(low[1], high[1]))
        width = abs(self.x(high[0]) - self.x(low[0]))
        height = abs(self.y(high[1]) - self.y(low[1]))
        self._marks.append(
            f'<rect class="{name}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}">'
            f"{_tip(tip)}</rect>"
        )

    def segment(self, start: Point, end: Point, name: str, *, tip: str = "") -> None:
        """A straight line between two values."""
        self._line((self.x(start[0]), self.y(start[1])), (self.x(end[0]), self.y(end[1])), name, tip=tip)

    def text(self, place: Point, words: str, name: str, *, anchor: str = "start") -> None:
        """Words at a *place* of the drawing (not a value)."""
        self._marks.append(
            f'<text class="{name}" x="{_n(place[0])}" y="{_n(place[1])}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )

    def _line(self, start: Point, end: Point, name: str, *, tip: str = "") -> None:
        self._marks.append(
            f'<line class="{name}" x1="{_n(start[0])}" y1="{_n(start[1])}" x2="{_n(end[0])}" '
            f'y2="{_n(end[1])}">{_tip(tip)}</line>'
        )

    def svg(self, about: str, name: str = "plot") -> str:
        """The drawing; *about* says in words what it shows, for who cannot see it."""
        return (
            f'<svg class="{name}" role="img" aria-label="{escape(about)}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" height="{self.height:g}">'
            f"{''.join(self._marks)}</svg>"
        )


def _tip(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""


def _n(value: float) -> str:
    """A coordinate to a tenth of a unit, without needless zeros."""
    return f"{value:.1f}".removesuffix(".0")


def percents(values: Sequence[float]) -> list[tuple[float, str]]:
    """Ticks at shares, as percent."""
    return [(value, f"{value * 100:g}%") for value in values]


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """About so many round values between two bounds: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / about
    power = 10.0 ** _floor_log10(raw)
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = int(-(-low // step))
    last = int(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def _floor_log10(value: float) -> int:
    from math import floor, log10

    return floor(log10(value))
