"""What the columns of a record mean: words, numbers, shares of a label, places in a text.

A value that is absent, null, NaN or an empty cell is *not there*: for a label that is "not annotated",
never 0. Faults name the column and the remedy, never the value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from spotsafe.core.signals import Span

Column = tuple[str, ...]
"""The way to a value: keys from the top of the record. One key with dots is tried as it stands first."""

MOST_WORD = 200
"""Characters of a slice, language, split or id. Longer ones are content in the wrong place."""

_ROUNDING = 1e-9
"""What arithmetic on a scale may leave outside of [0, 1]."""


class CellFault(Exception):
    """A value that does not fit its meaning. *problem* and *remedy* never hold the value."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")


def named(column: Column) -> str:
    """The column as errors name it."""
    return ".".join(column)


def cell(record: Mapping[str, Any], column: Column) -> Any:
    """The value at *column*; None where it is absent, null, NaN or an empty string."""
    value: Any = record
    keys: Sequence[str] = column
    if len(column) == 1 and column[0] not in record:
        keys = column[0].split(".")
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    if value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def word(value: Any, column: Column) -> str:
    """*value* as a short word. A list gives its entries in order, joined by ``|``. Raises CellFault."""
    text = words(value, column)
    if len(text) > MOST_WORD:
        raise CellFault(
            f"column {named(column)!r} holds {len(text)} characters",
            f"ids, slices and languages are words of at most {MOST_WORD}; is it the text's column?",
        )
    return text


def key(value: Any, column: Column) -> str:
    """*value* as something to compare by: a word, or the digest of what is longer. Raises CellFault."""
    text = words(value, column)
    return text if len(text) <= MOST_WORD else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def words(value: Any, column: Column) -> str:
    """*value* as text of any length, otherwise as :func:`word`."""
    if isinstance(value, list | tuple):
        text = "|".join(words(entry, column) for entry in value)
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    elif isinstance(value, str | int | float):
        text = str(value)
    else:
        raise CellFault(f"column {named(column)!r} holds no word", "name a column of strings or numbers")
    return text


def number(value: Any, column: Column) -> float:
    """*value* as a finite number; a string is read as one. Raises CellFault."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise CellFault(
            f"column {named(column)!r} holds what is no number", "give `values` that say what each word means"
        ) from None
    if not math.isfinite(found):
        raise CellFault(
            f"column {named(column)!r} holds a number that is not finite",
            "leave the cell empty where nobody annotated",
        )
    return found


def share(value: Any, column: Column, *, scale: Sequence[float] = (0.0, 1.0)) -> float:
    """*value* on *scale* as a share in [0, 1]. Raises CellFault where it lies outside."""
    low, high = scale
    found = (number(value, column) - low) / (high - low)
    if not -_ROUNDING <= found <= 1.0 + _ROUNDING:
        raise CellFault(
            f"column {named(column)!r} holds a number outside of {low:g} to {high:g}",
            "state its `scale: [lowest, highest]`, or `at_least:` for a threshold",
        )
    return min(max(found, 0.0), 1.0)


def spans(value: Any, column: Column, keys: tuple[str | int, str | int], length: int) -> tuple[Span, ...]:
    """Places in a text of *length* code points, sorted. Each entry of the list gives start and end (half
    open) under *keys*: positions of a list, or names of an object. A string is read as JSON. Raises
    CellFault.
    """
    found = []
    for entry in entries(value, column):
        start, end = (inner(entry, at) for at in keys)
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= length:
            raise CellFault(
                f"column {named(column)!r} holds a span that does not lie in the text",
                "spans are half-open ranges of code points; say with `start` and `end` where they stand",
            )
        found.append(Span(start, end))
    return tuple(sorted(found))


def entries(value: Any, column: Column) -> list[Any]:
    """*value* as a list; a string (a CSV cell) is read as JSON. Raises CellFault."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list):
        raise CellFault(f"column {named(column)!r} holds no list", "write spans as a list of [start, end]")
    return value


def inner(entry: Any, at: str | int) -> Any:
    """What stands at position or key *at* of *entry*; None where nothing does."""
    if isinstance(at, int):
        return entry[at] if isinstance(entry, list) and 0 <= at < len(entry) else None
    return entry.get(at) if isinstance(entry, Mapping) else None
