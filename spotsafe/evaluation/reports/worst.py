"""Worst errors: the clean rows that score highest and the positive rows that score lowest.

Rows are named by their ids. Their content is shown only where somebody asked for it, and is then read from
the data set again, because runs keep none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from spotsafe.core.content import Content
from spotsafe.evaluation.datasets.rows import DataSet
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.run import ScoredRun

KEPT = 12
"""Rows of each kind of error per label."""

LONGEST = 2000
"""Characters of a text that are shown."""

FALSE_ALARM, MISS = "false alarm", "miss"


def worst_errors(run: ScoredRun, label: str, at: float, *, kept: int = KEPT) -> list[dict[str, Any]]:
    """The worst false alarms (clean, scored *at* or above) and misses (positive, below), worst first."""
    pairs = run.pairs(label)
    alarms = np.flatnonzero(~pairs.truth & (pairs.scores >= at))
    misses = np.flatnonzero(pairs.truth & (pairs.scores < at))
    alarms = alarms[np.argsort(-pairs.scores[alarms], kind="stable")][:kept]
    misses = misses[np.argsort(pairs.scores[misses], kind="stable")][:kept]
    languages = run.category(layout.LANGUAGE)
    found = []
    for kind, picked in ((FALSE_ALARM, alarms), (MISS, misses)):
        rows = pairs.rows[picked]
        for place, row, name in zip(picked, rows, run.ids(rows), strict=True):
            found.append(
                {
                    "kind": kind,
                    "row": int(row),
                    "id": name,
                    "score": round(float(pairs.scores[place]), 4),
                    "language": languages.values[languages.codes[row]],
                }
            )
    return found


def contents(dataset: DataSet, rows: Iterable[int]) -> dict[int, list[dict[str, str]]]:
    """The content of these *rows* (indexes into the run), read in one pass that ends with the last."""
    wanted = set(rows)
    found: dict[int, list[dict[str, str]]] = {}
    if not wanted:
        return found
    last = max(wanted)
    for index, row in enumerate(dataset):
        if index in wanted:
            found[index] = _parts(row.content)
        if index >= last:
            break
    return found


def with_contents(
    errors: Sequence[dict[str, Any]], shown: Mapping[int, list[dict[str, str]]]
) -> list[dict[str, Any]]:
    """The errors with the content of their rows, where it is known."""
    return [{**error, "content": shown[error["row"]]} if error["row"] in shown else error for error in errors]


def _parts(content: Content) -> list[dict[str, str]]:
    """Texts as they are (cut), other parts as what and how large."""
    parts = []
    for part in content:
        if isinstance(part.data, str):
            text = part.data if len(part.data) <= LONGEST else part.data[:LONGEST] + " …"
        else:
            text = f"{part.kind}, {len(part.data):,} bytes"
        parts.append({"part": part.name, "kind": part.kind, "text": text})
    return parts
