"""What commands print: tables and lines for people (rich draws them), one JSON document for machines.

Without the extra ``cli`` tables come out tab-separated, so that every command works on a base install.
Progress goes to standard error and only to a terminal, so that pipes and logs stay clean.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from spotsafe.core.errors import Fault

STYLES = {"": "", "good": "green", "warn": "yellow", "bad": "red", "dim": "dim", "bold": "bold"}
"""The styles of :meth:`Output.line`, as rich names them."""

GAP = 3
"""Columns between two cells of a table."""

PIPE_WIDTH = 120
"""Columns of a table that does not go to a terminal."""


class Output:
    """Printer of one command. With *as_json* only :meth:`json` reaches standard output."""

    def __init__(
        self, *, as_json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._out = stdout or sys.stdout
        self._err = stderr or sys.stderr
        self._progress_shown = False
        self._written = False
        self._console: Any = None
        if not as_json and find_spec("rich") is not None:
            from rich.console import Console

            width = None if self._out.isatty() else PIPE_WIDTH
            self._console = Console(file=self._out, width=width, highlight=False, emoji=False, markup=False)

    def json(self, document: Any) -> None:
        """The command's result as one JSON document; silent unless ``--json`` was given."""
        if self.as_json:
            self._out.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        """One line for people; *style* is a key of :data:`STYLES`."""
        if self.as_json:
            return
        self._clear_progress()
        self._written = True
        if self._console is None:
            self._out.write(_printable(text) + "\n")
        else:
            self._console.print(_printable(text), style=STYLES[style], soft_wrap=True)

    def fault(self, fault: Fault, style: str, *, error: bool = False) -> None:
        """A fault of a manifest as place, message and, indented, hint; on standard error with *error*."""
        message = f"{fault.file}:{fault.line}:{fault.column}: {fault.message}"
        if error:
            self.error(f"{message}\n    {fault.hint}" if fault.hint else message)
            return
        self.line(message, style)
        if fault.hint:
            self.line(f"    {fault.hint}", "dim")

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A titled table, with a blank line before it where something stands above; nothing without rows.
        Columns that hold only numbers are right-aligned; ids (the first column) are never broken where half
        the width will do for them, other cells between words."""
        cells = [[_cell(value) for value in row] for row in rows]
        if self.as_json or not cells:
            return
        if self._written:
            self.line()
        self.line(title, "bold")
        if self._console is None:
            self._out.writelines("\t".join(row) + "\n" for row in [list(columns), *cells])
            return
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
        for index, (head, width) in enumerate(
            zip(columns, _widths([list(columns), *cells], self._console.width), strict=True)
        ):
            numeric = all(_numeric(row[index]) for row in cells)
            table.add_column(head, justify="right" if numeric else "left", overflow="fold", width=width)
        for row in cells:
            table.add_row(*row)
        self._console.print(table)

    @property
    def shows_pictures(self) -> bool:
        """Whether :meth:`picture` prints anything: on a terminal that shows colours."""
        console = self._console
        return console is not None and console.is_terminal and console.color_system is not None

    def picture(self, rows: Iterable[Sequence[tuple[tuple[int, int, int], tuple[int, int, int]]]]) -> None:
        """A small picture of half blocks, in each place the colours (red, green, blue) of its upper and its
        lower half; only on a terminal that shows colours."""
        if not self.shows_pictures:
            return
        from rich.text import Text

        self.line()
        for row in rows:
            line = Text()
            for upper, lower in row:
                line.append("▀", "rgb({},{},{}) on rgb({},{},{})".format(*upper, *lower))
            self._console.print(line)

    def error(self, text: str) -> None:
        """A message on standard error, also with ``--json``."""
        self._clear_progress()
        self._err.write(text + "\n")

    def progress(self, text: str) -> None:
        """A line that replaces itself on a terminal; nothing elsewhere."""
        if self._err.isatty():
            self._err.write("\r\x1b[2K" + _printable(text)[:100])
            self._err.flush()
            self._progress_shown = True

    def _clear_progress(self) -> None:
        if self._progress_shown:
            self._err.write("\r\x1b[2K")
            self._err.flush()
            self._progress_shown = False


def _widths(rows: Sequence[Sequence[str]], available: int) -> list[int | None]:
    """The width of each column so that words stay whole: the widest give way first, down to their longest
    word. None for each, which leaves it to rich, where *available* columns are too few even so."""
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    least = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    if widths[0] <= available // 2:
        least[0] = widths[0]
    room = available - GAP * (len(widths) - 1)
    while sum(widths) > room:
        able = [index for index, width in enumerate(widths) if width > least[index]]
        if not able:
            return [None] * len(widths)
        widths[max(able, key=widths.__getitem__)] -= 1
    return list(widths)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return _printable(str(value))


def _printable(text: str) -> str:
    """*text* without control characters, which could move the cursor or colour the screen."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _numeric(text: str) -> bool:
    bare = text.removesuffix("%").removesuffix(" ms").strip()
    return text == "–" or bare.replace(".", "", 1).replace("-", "", 1).isdigit()
