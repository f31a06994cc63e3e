"""Joining: shards → one file per column, a shard at a time, so that memory does not grow with the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.shards import read_shard


class _Column:
    """A ``.npy`` file that is written piece by piece; matrices are filled row-major, a stretch of each row
    at a time. Plain writes, not a writable map: pages that were written leave memory."""

    def __init__(self, folder: Path, name: str, dtype: Any, shape: tuple[int, ...]) -> None:
        self._whole = folder / f"{name}.npy"
        self._part = self._whole.with_suffix(".part")
        self._dtype = np.dtype(dtype)
        self._shape = shape
        self._file: IO[bytes] = self._part.open("wb")
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()

    def write(self, values: Any, at: int = 0) -> None:
        """A flat piece at index *at*, or the columns of a matrix from *at* on."""
        block = np.ascontiguousarray(values, self._dtype)
        if block.ndim == 1:
            self._put(at, block)
            return
        for index, row in enumerate(block):
            self._put(index * self._shape[1] + at, row)

    def _put(self, index: int, values: Any) -> None:
        self._file.seek(self._start + index * self._dtype.itemsize)
        self._file.write(values.tobytes())

    def close(self) -> None:
        """The file takes its name when it is whole."""
        self._file.truncate(self._start + int(np.prod(self._shape, dtype=np.int64)) * self._dtype.itemsize)
        self._file.close()
        self._part.replace(self._whole)


class Sizes(NamedTuple):
    """What the shards hold together: *rows*, *id_bytes*, *spans*; *words* (category → value → index) and
    *left_out*, the slices with too many values."""

    rows: int
    id_bytes: int
    spans: int
    words: dict[str, dict[str, int]]
    left_out: tuple[str, ...]


def sizes(paths: Sequence[Path]) -> Sizes:
    """One pass over the shards. Raises ConfigurationError."""
    rows = id_bytes = spans = 0
    words: dict[str, dict[str, int]] = {}
    left_out: set[str] = set()
    for path in paths:
        shard = read_shard(path)
        rows += len(shard[layout.ID_ENDS])
        id_bytes += len(shard[layout.IDS])
        spans += len(shard[layout.SPANS])
        for name, values in shard["words"].items():
            known = words.setdefault(name, {})
            if name in left_out:
                continue
            for value in values:
                known.setdefault(value, len(known))
            if len(known) > layout.MAX_VALUES:
                left_out.add(name)
                known.clear()
    kept = {name: words[name] for name in sorted(words) if name not in left_out}
    named = tuple(sorted(name.removeprefix(layout.SLICE) for name in left_out))
    return Sizes(rows, id_bytes, spans, kept, named)


def join(folder: Path, paths: Sequence[Path], meta: layout.Meta) -> layout.Meta:
    """Write the columns of *folder* from the shards at *paths*; gives *meta* with what they hold. The
    shards stay where they are. Raises ConfigurationError."""
    whole = sizes(paths)
    labels, rows = len(meta.labels), whole.rows
    columns = {
        layout.TRUTH: _Column(folder, layout.TRUTH, np.float32, (labels, rows)),
        layout.SCORES: _Column(folder, layout.SCORES, np.float32, (labels, rows)),
        layout.CAUSES_FILE: _Column(folder, layout.CAUSES_FILE, np.uint8, (labels, rows)),
        layout.CATEGORIES: _Column(folder, layout.CATEGORIES, np.int32, (len(whole.words), rows)),
        layout.IDS: _Column(folder, layout.IDS, np.uint8, (whole.id_bytes,)),
        layout.ID_ENDS: _Column(folder, layout.ID_ENDS, np.int64, (rows,)),
        layout.INCLUSION: _Column(folder, layout.INCLUSION, np.float64, (rows,)),
        layout.GROUPS: _Column(folder, layout.GROUPS, np.int64, (rows,)),
        layout.SPANS: _Column(folder, layout.SPANS, layout.SPAN, (whole.spans,)),
    }
    # Two digests, so that where a shard ends makes no difference.
    lengths, characters = sha256(), sha256()
    row = id_byte = span = 0
    for path in paths:
        shard = read_shard(path)
        count = len(shard[layout.ID_ENDS])
        for name in (layout.TRUTH, layout.SCORES, layout.CAUSES_FILE, layout.INCLUSION, layout.GROUPS):
            columns[name].write(shard[name], row)
        columns[layout.CATEGORIES].write(_recoded(shard, whole.words), row)
        columns[layout.IDS].write(shard[layout.IDS], id_byte)
        columns[layout.ID_ENDS].write(shard[layout.ID_ENDS] + id_byte, row)
        spans = shard[layout.SPANS].copy()
        spans["row"] += row
        columns[layout.SPANS].write(spans, span)
        lengths.update(np.diff(shard[layout.ID_ENDS], prepend=0).tobytes())
        characters.update(shard[layout.IDS].tobytes())
        row, id_byte, span = row + count, id_byte + len(shard[layout.IDS]), span + len(spans)
    for column in columns.values():
        column.close()
    return meta._replace(
        rows=rows,
        row_digest=sha256(lengths.digest() + characters.digest()).hexdigest(),
        categories={name: tuple(known) for name, known in whole.words.items()},
        left_out=whole.left_out,
    )


def _recoded(shard: Mapping[str, Any], words: Mapping[str, Mapping[str, int]]) -> Any:
    """A shard's categories with the codes of the whole run."""
    codes = shard[layout.CATEGORIES]
    found = np.full((len(words), codes.shape[1]), -1, np.int32)
    place = {name: index for index, name in enumerate(shard["words"])}
    for index, (name, known) in enumerate(words.items()):
        if name in place:
            # The last entry stands for -1, which indexes it.
            table = np.array([*(known[value] for value in shard["words"][name]), -1], np.int32)
            found[index] = table[codes[place[name]]]
    return found
