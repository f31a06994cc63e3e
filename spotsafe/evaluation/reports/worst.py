"""Worst errors: the clean rows that score highest and the positive rows that score lowest.

Rows are named by their ids. Their content is shown only where somebody asked for it, and is then read from
the data set again, because runs keep none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Content
from spotsafe.evaluation.datasets.rows import DataSet
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.run import BLOCK, POSITIVE_FROM, ScoredRun

KEPT = 12
"""Rows of each kind of error per label."""

LONGEST = 2000
"""Characters of a text that are shown."""

FALSE_ALARM, MISS = "false alarm", "miss"


def worst_errors(run: ScoredRun, label: str, at: float, *, kept: int = KEPT) -> list[dict[str, Any]]:
    """The worst false alarms (clean, scored *at* or above) and misses (positive, below), worst first."""
    truth, scores = run.truth(label), run.scores(label)
    picked: dict[str, Worst] = {kind: (np.zeros(0, np.int64), np.zeros(0)) for kind in (FALSE_ALARM, MISS)}
    for start in range(0, len(run), BLOCK):
        marks = np.asarray(truth[start : start + BLOCK], np.float64)
        values = np.asarray(scores[start : start + BLOCK], np.float64)
        with np.errstate(invalid="ignore"):
            alarms = (marks < POSITIVE_FROM) & (values >= at)
            misses = (marks >= POSITIVE_FROM) & (values < at)
        for kind, wrong, sign in ((FALSE_ALARM, alarms, -1.0), (MISS, misses, 1.0)):
            rows = np.append(picked[kind][0], np.flatnonzero(wrong) + start)
            apart = np.append(picked[kind][1], sign * values[wrong])
            order = np.argsort(apart, kind="stable")[:kept]
            picked[kind] = rows[order], apart[order]
    languages = run.category(layout.LANGUAGE)
    return [
        {
            "kind": kind,
            "row": int(row),
            "id": name,
            "score": round(abs(float(value)), 4),
            "language": languages.values[languages.codes[row]],
        }
        for kind, (rows, apart) in picked.items()
        for row, value, name in zip(rows, apart, run.ids(rows), strict=True)
    ]


Worst = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Rows, and how far each is wrong: ascending, worst first."""


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
