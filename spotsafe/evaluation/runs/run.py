"""A scored run: columns as memory maps, read a label at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import expand
from spotsafe.core.signals import Cause, Span
from spotsafe.evaluation.runs import layout

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

POSITIVE_FROM = 0.5
"""A row is positive for a label where at least this share of its annotation says so."""


BLOCK = 65_536
"""Rows that are read at a time where a column is too long to be held."""

SMALL = 4096
"""Bytes below which a column is read rather than mapped."""


def stored(at: float) -> float:
    """A threshold as scores are stored: 0.7 is not above a score of 0.7 that was kept in 32 bits."""
    return float(np.float32(at))


class Pairs(NamedTuple):
    """Rows of one label with annotation and score: *truth* (bool), *scores* (float64, no NaN) and *rows*,
    their indexes; *weights* are 1/inclusion where the labels were sampled, else None."""

    truth: NDArray[np.bool_]
    scores: NDArray[np.float64]
    rows: NDArray[np.int64]
    weights: NDArray[np.float64] | None


class Category(NamedTuple):
    """A way to divide rows: *codes* int32 ``[rows]`` index *values*; -1: in none."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    def mask(self, value: str) -> Mask:
        """Which rows have *value*."""
        if value not in self.values:
            return np.zeros(len(self.codes), bool)
        return np.asarray(self.codes == self.values.index(value))

    def counts(self) -> dict[str, int]:
        """Rows per value, most first."""
        found = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))
        order = np.argsort(-found, kind="stable")
        return {self.values[index]: int(found[index]) for index in order if found[index]}


class ScoredRun:
    """One detector's scores for one data set. Made by :func:`open_run`; nothing is read until asked for."""

    def __init__(self, folder: Path, meta: layout.Meta) -> None:
        self.folder = folder
        self.meta = meta

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that were asked for, in the order of the columns."""
        return self.meta.labels

    @property
    def name(self) -> str:
        """Detector and last version, for people."""
        return " ".join((self.meta.detector, *self.meta.versions[-1:]))

    def __len__(self) -> int:
        return self.meta.rows

    def __repr__(self) -> str:
        return f"<ScoredRun {self.name} over {self.meta.dataset}, {len(self)} rows>"

    def truth(self, label: str) -> Floats:
        """Annotations of *label*, float32 ``[rows]``, NaN where there is none. A map: read, never write."""
        return np.asarray(self._row(layout.TRUTH, label))

    def scores(self, label: str) -> Floats:
        """Scores of *label*, float32 ``[rows]``, NaN where missing."""
        return np.asarray(self._row(layout.SCORES, label))

    def causes(self, label: str) -> NDArray[np.uint8]:
        """Codes of :data:`~spotsafe.evaluation.runs.layout.CAUSES`, uint8 ``[rows]``: why a score of *label*
        is missing; 0 where nothing is. A row may have a score and a cause: part of it was unreadable."""
        return np.asarray(self._row(layout.CAUSES_FILE, label))

    def pairs(self, label: str, mask: Mask | None = None) -> Pairs:
        """The rows (of *mask*) that are annotated and scored for *label*."""
        truth, scores = self.truth(label), self.scores(label)
        usable = ~np.isnan(truth) & ~np.isnan(scores)
        if mask is not None:
            usable &= mask
        rows = np.flatnonzero(usable)
        weights = None
        if self.meta.sampled:
            inclusion = np.asarray(self._array(layout.INCLUSION)[rows], np.float64)
            weights = 1.0 / inclusion if len(rows) and not np.isnan(inclusion).any() else None
        return Pairs(truth[rows] >= POSITIVE_FROM, scores[rows].astype(np.float64), rows, weights)

    def blocks(self, label: str, mask: Mask | None = None) -> Iterator[tuple[Mask, Floats]]:
        """Truth and scores of the same rows, :data:`BLOCK` rows of the run at a time."""
        truth, scores = self._row(layout.TRUTH, label), self._row(layout.SCORES, label)
        for start in range(0, len(self), BLOCK):
            part = slice(start, start + BLOCK)
            marks, values = np.asarray(truth[part]), np.asarray(scores[part])
            usable = ~np.isnan(marks) & ~np.isnan(values)
            if mask is not None:
                usable &= mask[part]
            yield marks[usable] >= POSITIVE_FROM, values[usable]

    def missing(self, label: str) -> dict[Cause, int]:
        """How many rows have no score for *label*, by cause; only causes that occur."""
        codes = self._row(layout.CAUSES_FILE, label)[np.isnan(self.scores(label))]
        counts = np.bincount(codes, minlength=len(layout.CAUSES))
        return {cause: int(counts[code]) for cause, code in layout.CAUSE_CODES.items() if counts[code]}

    def partly(self, label: str) -> dict[Cause, int]:
        """How many rows have a score of *label* from some of their parts alone, by the cause that others
        lack theirs: a picture that was not readable beside a title that was."""
        codes = self._row(layout.CAUSES_FILE, label)[~np.isnan(self.scores(label))]
        counts = np.bincount(codes, minlength=len(layout.CAUSES))
        return {cause: int(counts[code]) for cause, code in layout.CAUSE_CODES.items() if counts[code]}

    @property
    def slices(self) -> tuple[str, ...]:
        """The data set's own slices, without ``language`` and ``modality``."""
        names = [name for name in self.meta.categories if name.startswith(layout.SLICE)]
        return tuple(name.removeprefix(layout.SLICE) for name in names)

    def category(self, name: str) -> Category:
        """``language``, ``modality``, ``stratum`` or one of :attr:`slices`. Raises ConfigurationError."""
        for known in (name, layout.SLICE + name):
            if known in self.meta.categories:
                index = list(self.meta.categories).index(known)
                return Category(self._array(layout.CATEGORIES)[index], self.meta.categories[known])
        known = ", ".join(
            (*(n for n in self.meta.categories if not n.startswith(layout.SLICE)), *self.slices)
        )
        raise ConfigurationError(f"{self.meta.dataset} has no slice {name!r}; there are: {known}")

    def select(self, where: Mapping[str, Sequence[str]]) -> Mask | None:
        """The rows whose categories have one of the values named; None where *where* is empty."""
        mask: Mask | None = None
        for name, values in where.items():
            category = self.category(name)
            found = np.zeros(len(self), bool)
            for value in values:
                found |= category.mask(value)
            mask = found if mask is None else mask & found
        return mask

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number per row, equal for rows that belong together; 0: alone."""
        return np.asarray(self._array(layout.GROUPS))

    @property
    def inclusion(self) -> NDArray[np.float64]:
        """Probability with which each row was drawn to be labelled; NaN: none given."""
        return np.asarray(self._array(layout.INCLUSION))

    def ids(self, rows: Iterable[int] | NDArray[np.int64]) -> list[str]:
        """The ids of these rows."""
        raw, ends = self._array(layout.IDS), self._array(layout.ID_ENDS)
        found = []
        for row in rows:
            start = int(ends[row - 1]) if row else 0
            found.append(raw[start : int(ends[row])].tobytes().decode("utf-8", "surrogatepass"))
        return found

    def span_labels(self) -> tuple[str, ...]:
        """The labels whose places were annotated in at least one row."""
        present = np.unique(self._array(layout.SPANS)["label"])
        return tuple(self.labels[index] for index in present)

    def spans(self, label: str, at: float) -> Iterator[tuple[int, tuple[Span, ...], tuple[Span, ...]]]:
        """For each row whose places were annotated for *label*: its index, the right places, and those that
        were found with a score of at least *at*."""
        table = self._array(layout.SPANS)
        table = table[table["label"] == self.labels.index(label)]
        edges = np.flatnonzero(np.diff(table["row"], prepend=-1))
        for entries in np.split(table, edges[1:]):
            if len(entries):
                right = entries[entries["kind"] == layout.TRUE_SPAN]
                found = entries[(entries["kind"] == layout.FOUND_SPAN) & (entries["score"] >= at)]
                yield int(entries["row"][0]), _spans(right), _spans(found)

    def wanted(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """The run's labels that any of *patterns* covers."""
        covered = set(expand(patterns))
        return tuple(label for label in self.labels if label in covered)

    def _row(self, name: str, label: str) -> Any:
        if label not in self.labels:
            raise ConfigurationError(
                f"{label} was not scored in {self.folder}; scored: {', '.join(self.labels)}"
            )
        return self._array(name)[self.labels.index(label)]

    def _array(self, name: str) -> Any:
        """The column as a map; opened each time, so that pages that are no longer used leave memory."""
        path = self.folder / f"{name}.npy"
        try:
            # What has no entries cannot be mapped, and small files need not be.
            small = path.stat().st_size < SMALL
            array = np.load(path, mmap_mode=None if small else "r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise ConfigurationError(f"{path}: damaged or gone; score the data again") from None
        return array


def _spans(entries: Any) -> tuple[Span, ...]:
    return tuple(Span(int(entry["start"]), int(entry["end"])) for entry in entries)


def open_run(folder: Path) -> ScoredRun:
    """The run in *folder*. Raises ConfigurationError where there is none or it is not whole."""
    meta = layout.read_meta(folder)
    if meta is None:
        begun = "begun but not whole: run its command again" if (folder / "begun.json").exists() else "no run"
        raise ConfigurationError(f"{folder}: {begun}; `spotsafe eval run --out {folder}` writes one")
    return ScoredRun(folder, meta)
