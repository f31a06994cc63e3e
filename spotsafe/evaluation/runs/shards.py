"""Shards: a few thousand scored rows at a time, each written whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Cause, Signals, Span
from spotsafe.evaluation.datasets.rows import Row
from spotsafe.evaluation.runs import layout

Columns = Mapping[str, Any]
"""The arrays of one shard by name, as in the joined folder but for ``words`` (JSON: category → values)."""


class _Taken(NamedTuple):
    row: Row
    signals: Signals


class ShardWriter:
    """Collects scored rows and writes them as ``shards/000000.npz`` … of *size* rows each."""

    def __init__(self, folder: Path, labels: Sequence[str], *, size: int) -> None:
        self._folder = folder
        self._labels = tuple(labels)
        self._size = size
        self._taken: list[_Taken] = []
        self._next = sum(1 for _ in shard_paths(folder))

    def add(self, row: Row, signals: Signals) -> None:
        """One row with what the detector said of it."""
        self._taken.append(_Taken(row, signals))
        if len(self._taken) >= self._size:
            self.flush()

    def flush(self) -> None:
        """Write what is collected."""
        if not self._taken:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        whole = self._folder / f"{self._next:06d}.npz"
        part = whole.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, **_columns(self._taken, self._labels))
            file.flush()
            os.fsync(file.fileno())
        part.replace(whole)
        self._next += 1
        self._taken.clear()


def shard_paths(folder: Path) -> Iterator[Path]:
    """The shards that are whole, in order; ends at the first gap."""
    number = 0
    while (path := folder / f"{number:06d}.npz").exists():
        yield path
        number += 1


def read_shard(path: Path) -> dict[str, Any]:
    """The arrays of one shard. Raises ConfigurationError for a file that is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        found["words"] = json.loads(found["words"].tobytes())
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
        raise ConfigurationError(f"{path}: damaged; delete the run's folder and score again") from None
    return found


def ids_of(shard: Columns) -> list[str]:
    """The ids of a shard's rows."""
    raw = shard[layout.IDS].tobytes()
    ends = shard[layout.ID_ENDS].tolist()
    return [raw[a:b].decode("utf-8", "replace") for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def _columns(taken: Sequence[_Taken], labels: Sequence[str]) -> dict[str, Any]:
    rows = [entry.row for entry in taken]
    truth = np.full((len(labels), len(rows)), np.nan, np.float32)
    scores = np.full((len(labels), len(rows)), np.nan, np.float32)
    causes = np.zeros((len(labels), len(rows)), np.uint8)
    place = {label: index for index, label in enumerate(labels)}
    for column, (row, signals) in enumerate(taken):
        for label, share in row.labels.items():
            if label in place:
                truth[place[label], column] = share
        for label, score in signals.peaks.items():
            if label in place:
                scores[place[label], column] = score
        for missing in signals.missing:
            if missing.label in place:
                causes[place[missing.label], column] = layout.CAUSE_CODES[missing.cause]
    # A label that was asked for and of which nothing was said is missing all the same.
    causes[np.isnan(scores) & (causes == 0)] = layout.CAUSE_CODES[Cause.ERROR]
    encoded = [row.id.encode("utf-8", "surrogatepass") for row in rows]
    codes, words = _categories(rows)
    return {
        layout.TRUTH: truth,
        layout.SCORES: scores,
        layout.CAUSES_FILE: causes,
        layout.IDS: np.frombuffer(b"".join(encoded), np.uint8),
        layout.ID_ENDS: np.cumsum([len(raw) for raw in encoded], dtype=np.int64),
        layout.INCLUSION: np.array([np.nan if r.inclusion is None else r.inclusion for r in rows]),
        layout.GROUPS: np.array([_group(row.group) for row in rows], np.int64),
        layout.SPANS: _spans(taken, place),
        layout.CATEGORIES: codes,
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
    }


def _group(name: str | None) -> int:
    """A number for a group: 63 bits of its digest, 0 for none."""
    if name is None:
        return 0
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1 or 1


def _categories(rows: Sequence[Row]) -> tuple[Any, dict[str, list[str]]]:
    """Codes ``[categories, rows]`` and the values that they stand for."""
    found: list[dict[str, str]] = []
    for row in rows:
        values = {layout.SLICE + name: value for name, value in row.slices.items()}
        values[layout.LANGUAGE] = row.language or next(iter(row.content.languages), "unknown")
        values[layout.MODALITY] = "+".join(sorted({part.kind for part in row.content})) or "nothing"
        if row.stratum is not None:
            values[layout.STRATUM] = row.stratum
        found.append(values)
    names = sorted({name for values in found for name in values})
    words: dict[str, dict[str, int]] = {name: {} for name in names}
    codes = np.full((len(names), len(rows)), -1, np.int32)
    for index, name in enumerate(names):
        known = words[name]
        for column, values in enumerate(found):
            if name in values:
                codes[index, column] = known.setdefault(values[name], len(known))
    return codes, {name: list(known) for name, known in words.items()}


def _spans(taken: Sequence[_Taken], place: Mapping[str, int]) -> Any:
    """Places of the labels whose places were annotated; *row* counts within the shard."""
    found: list[tuple[int, int, int, int, int, float]] = []
    for column, (row, signals) in enumerate(taken):
        for label, spans in row.spans.items():
            if label not in place:
                continue
            index = place[label]
            found.append((column, index, layout.ANNOTATED, 0, 0, 0.0))
            found += [(column, index, layout.TRUE_SPAN, span.start, span.end, 1.0) for span in spans]
            found += [
                (column, index, layout.FOUND_SPAN, place_.start, place_.end, signal.score)
                for signal in signals.by_label.get(label, ())
                for place_ in signal.evidence
                if isinstance(place_, Span)
            ]
    return np.array(found, layout.SPAN)
