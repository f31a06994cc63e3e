"""Rows: source records turned into texts with targets per label, weights and a held-out mark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.text.sources import Source, records

LONGEST = 300
"""Code points of a training text; the engine's window is of the same order."""

HELD_OUT_SHARE = 0.2
_MEASURING_SPLITS = ("dev", "test")


class Row(NamedTuple):
    """One text. *targets*: label → probability in [0, 1]; a label that is absent is *not annotated*, never 0.
    *benign* rows have no annotation at all and serve as weak negatives."""

    text: str
    language: str
    source: str
    targets: Mapping[str, float]
    weight: float
    held_out: bool
    benign: bool


def load(folder: Path, sources: Iterable[Source]) -> list[Row]:
    """Every usable row of *sources*, in an order that depends on nothing but their content."""
    return [row for source in sources for row in _rows(source, folder)]


def _rows(source: Source, folder: Path) -> list[Row]:
    found = list(records(source, folder))
    has_split = {"train"} < {str(record.get("split")) for record in found}
    kept = sorted(((_unit(record, "order"), index) for index, record in enumerate(found)))
    rows = []
    for _, index in kept[: source.cap or None]:
        record = found[index]
        text = excerpt(record)
        targets = targets_of(record, source)
        if text and (targets or source.benign):
            mark = _held_out(record, source, has_split)
            language = _language(record)
            rows.append(Row(text, language, source.name, targets, source.weight, mark, not targets))
    return rows


def excerpt(record: Mapping[str, Any]) -> str:
    """The part of a long text that its label speaks of: the end where an injected text was put at the end,
    nothing where it was put in the middle of a long one, else the beginning."""
    text = str(record["text"]).strip()
    position = _extra(record).get("position")
    if len(text) <= LONGEST or position not in ("middle", "end"):
        return text[:LONGEST]
    return text[-LONGEST:] if position == "end" else ""


def targets_of(record: Mapping[str, Any], source: Source) -> dict[str, float]:
    """Targets per label; where several of the set's labels map to one of ours, the highest."""
    targets: dict[str, float] = dict(source.constant)
    labels = record.get("labels") or {}
    for key, codes in source.labels.items():
        if key in labels:
            for code in codes:
                targets[code] = max(float(labels[key]), targets.get(code, 0.0))
    for category in _categories(record):
        for code, value in source.categories.get(category, {}).items():
            targets[code] = max(float(value), targets.get(code, 0.0))
    if targets.get("tone.toxic", 0.0) >= 0.5:
        for code in source.toxic_zero_unknown:
            if targets.get(code) == 0.0:
                del targets[code]
    return targets


def _categories(record: Mapping[str, Any]) -> tuple[str, ...]:
    extra = _extra(record)
    single = (
        extra.get("area"),
        extra.get("category"),
        extra.get("sub"),
        str(record.get("source", "")).split(" ")[0],
    )
    return tuple(str(item) for item in (*single, *extra.get("intents", ())) if item)


def _extra(record: Mapping[str, Any]) -> Mapping[str, Any]:
    extra = record.get("extra")
    return extra if isinstance(extra, Mapping) else {}


def _language(record: Mapping[str, Any]) -> str:
    return str(record.get("lang", "und"))


def _held_out(record: Mapping[str, Any], source: Source, has_split: bool) -> bool:
    """Dev and test splits where the set has them, else a fixed share by hash. Texts that belong together
    (pairs, one context with several attacks) fall on the same side."""
    if source.constant:
        return False
    if source.held_out is None and has_split:
        return record.get("split") in _MEASURING_SPLITS
    return _unit(record, "held out") < (HELD_OUT_SHARE if source.held_out is None else source.held_out)


def _unit(record: Mapping[str, Any], salt: str) -> float:
    extra = _extra(record)
    task = str(extra.get("task", ""))
    group = extra.get("rev_id") or (f"{task}{extra['context']}" if task else None) or record["text"]
    digest = hashlib.sha256(f"{salt}\0{group}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


class Targets(NamedTuple):
    """Rows as arrays: *values* and *weights* [rows, labels] float32; weight 0 means not annotated."""

    values: NDArray[np.float32]
    weights: NDArray[np.float32]


def arrays(rows: Iterable[Row], weak: float) -> Targets:
    """Targets of *rows*; a benign row counts as a negative for every label with *weak* times its weight."""
    listed = list(rows)
    values = np.zeros((len(listed), len(LABELS)), dtype=np.float32)
    weights = np.zeros_like(values)
    for index, row in enumerate(listed):
        if row.benign:
            weights[index] = row.weight * weak
        for label, value in row.targets.items():
            values[index, COLUMN[label]] = value
            weights[index, COLUMN[label]] = row.weight
    return Targets(values, weights)
