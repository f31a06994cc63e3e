"""What commands print: tables and lines for people, one JSON document for machines.

Progress goes to standard error and only to a terminal, so that pipes and logs stay clean.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO
from unicodedata import combining, east_asian_width

_STYLES = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}


class Output:
    """Printer of one command. With *as_json* only :meth:`json` reaches standard output."""

    def __init__(
        self, *, as_json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None,
        width: int | None = None,
    ) -> None:  # fmt: skip
        self.as_json = as_json
        self._out = stdout or sys.stdout
        self._err = stderr or sys.stderr
        self._width = width or shutil.get_terminal_size((110, 24)).columns
        self._progress_shown = False

    @property
    def is_terminal(self) -> bool:
        return self._out.isatty()

    def json(self, document: Any) -> None:
        """The command's result as one JSON document; silent unless ``--json`` was given."""
        if self.as_json:
            self._out.write(json.dumps(document, ensure_ascii=False, indent=2, sort_keys=False) + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        """One line for people; *style* is one of good, warn, bad, dim, bold."""
        if not self.as_json:
            self._clear_progress()
            self._out.write(self._styled(text, style) + "\n")

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A titled table; columns that hold only numbers are right-aligned, wide cells are cut."""
        if self.as_json:
            return
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max([_width(head), *(_width(row[i]) for row in cells)]) for i, head in enumerate(columns)]
        self._shrink(widths)
        right = [bool(cells) and all(_numeric(row[i]) for row in cells) for i in range(len(columns))]
        self.line()
        if title:
            self.line(title, "bold")
        self.line(self._row(columns, widths, right), "dim")
        self.line("  ".join("─" * width for width in widths), "dim")
        for row in cells:
            self.line(self._row(row, widths, right))

    def error(self, text: str) -> None:
        """A message on standard error, also with ``--json``."""
        self._clear_progress()
        self._err.write(text + "\n")

    def progress(self, text: str) -> None:
        """A line that replaces itself on a terminal; nothing elsewhere."""
        if self._err.isatty():
            self._err.write("\r\x1b[2K" + _cut(text, self._width - 1))
            self._err.flush()
            self._progress_shown = True

    def _clear_progress(self) -> None:
        if self._progress_shown:
            self._err.write("\r\x1b[2K")
            self._err.flush()
            self._progress_shown = False

    def _shrink(self, widths: list[int]) -> None:
        # The widest columns give way until the table fits; 12 cells stay readable.
        while sum(widths) + 2 * (len(widths) - 1) > self._width and max(widths, default=0) > 12:
            widths[widths.index(max(widths))] -= 1

    @staticmethod
    def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
        padded = []
        for text, width, to_right in zip(cells, widths, right, strict=True):
            shown = _cut(text, width)
            gap = " " * (width - _width(shown))
            padded.append(gap + shown if to_right else shown + gap)
        return "  ".join(padded).rstrip()

    def _styled(self, text: str, style: str) -> str:
        if not style or not self._out.isatty():
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    # Control characters in a cell could move the cursor or colour the screen.
    return "".join(c if c.isprintable() else " " for c in str(value))


def _numeric(text: str) -> bool:
    return text == "–" or text.removesuffix("%").removesuffix(" ms").replace(".", "", 1).replace("-", "", 1).isdigit()


def _width(text: str) -> int:
    """Cells that *text* takes on a terminal: wide East Asian characters take two, combining marks none."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept, used = [], 0
    for c in text:
        used += _width(c)
        if used > width - 1:
            break
        kept.append(c)
    return "".join(kept) + "…"
