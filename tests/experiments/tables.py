"""Tables of the documentation from results: ``python -m tests.experiments.tables [--write]``.

A page asks for a table between two marks; the table's name is unique among all results:

    <!-- figures:text-left-out -->
    <!-- /figures -->

Without ``--write`` the pages that are out of step are named, and the exit code is 1 where there are any.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RESULTS = Path(__file__).parent / "results"

BLOCK = re.compile(r"<!-- figures:(?P<name>[^\s>]+) -->\n.*?<!-- /figures -->", re.DOTALL)
OPENING = re.compile(r"<!-- figures:([^\s>]+) -->")
NUMBERS = (int, float, type(None))
CLOSING = "<!-- /figures -->"


class Sheet(NamedTuple):
    """A table of the result *source* (a file's name) with its date, as the result's file has it."""

    source: str
    date: str
    table: Mapping[str, Any]


def sheets(folder: Path = RESULTS) -> dict[str, Sheet]:
    """All tables by name. Raises ValueError where two results give one name."""
    found: dict[str, Sheet] = {}
    for path in sorted(folder.glob("*.json")):
        whole = json.loads(path.read_text("utf-8"))
        for table in whole.get("tables", ()):
            name = str(table.get("name") or table["title"])
            if name in found:
                raise ValueError(f"the table {name!r} stands in {found[name].source} and in {path.name}")
            found[name] = Sheet(path.name, whole.get("about", {}).get("date", ""), table)
    return found


def markdown(sheet: Sheet) -> str:
    """A table in Markdown, numbers to the right, with its note and where it comes from."""
    columns = [str(column) for column in sheet.table["columns"]]
    rows = [[cell(value) for value in row] for row in sheet.table["rows"]]
    numeric = [
        bool(rows)
        and all(isinstance(row[i], NUMBERS) and not isinstance(row[i], bool) for row in sheet.table["rows"])
        for i in range(len(columns))
    ]
    lines = [f"**{sheet.table['title']}**", ""] if sheet.table.get("title") else []
    lines.append(f"| {' | '.join(map(escaped, columns))} |")
    lines.append(f"|{'|'.join('---:' if right else '---' for right in numeric)}|")
    lines += [f"| {' | '.join(row)} |" for row in rows]
    told = " ".join(str(sheet.table.get("note") or "").split())
    source = f"`tests/experiments/results/{sheet.source}`" + (f", {sheet.date}" if sheet.date else "")
    return "\n".join([*lines, "", f"{told} ({source})".strip()])


def cell(value: object) -> str:
    """One cell: – for nothing, at most three digits after the point, no character that ends a cell."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
    return escaped(str(value))


def escaped(text: str) -> str:
    """*text* that stays in its cell."""
    return " ".join(text.replace("|", r"\|").split())


def filled(page: str, known: Mapping[str, Sheet], place: str) -> str:
    """*page* with every block filled. Raises ValueError naming *place* for marks that do not pair, or a table
    that no result has."""
    if len(OPENING.findall(page)) != page.count(CLOSING) or len(BLOCK.findall(page)) != page.count(CLOSING):
        raise ValueError(f"{place}: an opening mark without a closing one, or the other way round")

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ValueError(f"{place}: no result has a table {name!r}; there are: {listed}")
        return f"<!-- figures:{name} -->\n{markdown(known[name])}\n{CLOSING}"

    return BLOCK.sub(block, page)


def stale(docs: Path = DOCS, results: Path = RESULTS, *, write: bool = False) -> list[str]:
    """The pages under *docs* that are out of step with the results; written anew with *write*. Raises
    ValueError for what cannot be filled."""
    known, found = sheets(results), []
    for path in sorted(docs.rglob("*.md")):
        page = path.read_text("utf-8")
        new = filled(page, known, str(path.relative_to(docs)))
        if new != page:
            found.append(str(path.relative_to(docs)))
            if write:
                path.write_text(new, "utf-8")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """0 where all pages are in step or were written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the pages")
    write = parser.parse_args(argv).write
    found = stale(write=write)
    for name in found:
        print(f"docs/{name}: {'written' if write else 'out of step; run with --write'}")
    return 0 if write or not found else 1


if __name__ == "__main__":
    sys.exit(main())
