"""Records out of files, one at a time: JSON lines, CSV and Parquet, the first two also under gzip.

Nothing is held but one line or one batch. A record comes with its place, the 1-based line (for Parquet, the
row), so that errors can name it; they never quote what stands there.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from spotsafe.core.errors import ConfigurationError, missing_extra
from spotsafe.evaluation.datasets.mapping import SUFFIXES

MOST_LINE = 64 << 20
"""Bytes of one line of JSON."""

BATCH = 1024
"""Rows of a Parquet file that are decoded at a time."""

_CHUNK = 1 << 20
_BROKEN = (gzip.BadGzipFile, zlib.error, EOFError)

Record = tuple[int, Mapping[str, Any]]


class Survey(NamedTuple):
    """What a first look at a file tells: rows where they can be counted without reading them, columns where
    the file names them."""

    rows: int | None
    columns: tuple[str, ...] | None


def format_of(path: Path, stated: str | None = None) -> str:
    """``jsonl``, ``csv`` or ``parquet``. Raises ConfigurationError for a suffix that is none of ours."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    found = stated or SUFFIXES.get(suffix)
    if found is None:
        raise ConfigurationError(
            f"{path}: suffix {suffix!r} is not known; use .jsonl, .csv, .tsv (all three also with .gz) or "
            f".parquet, or state `format:` in the mapping"
        )
    return found


def records(path: Path, *, stated: str | None = None, delimiter: str | None = None) -> Iterator[Record]:
    """Every record with its place. Raises ConfigurationError naming file and line."""
    match format_of(path, stated):
        case "jsonl":
            return _json_lines(path)
        case "csv":
            return _csv(path, delimiter or _delimiter(path))
        case _:
            return _parquet(path)


def survey(path: Path, *, stated: str | None = None, delimiter: str | None = None) -> Survey:
    """Rows and columns of *path*. Raises ConfigurationError where it cannot be read."""
    kind = format_of(path, stated)
    if kind == "parquet":
        with closing(_opened_parquet(path)) as file:
            return Survey(int(file.metadata.num_rows), tuple(file.schema_arrow.names))
    if kind == "csv":
        with closing(_csv(path, delimiter or _delimiter(path))) as found:
            first = next(found, None)
        return Survey(None, tuple(first[1]) if first else None)
    return Survey(_count(path), None)


def keys_of(path: Path, wanted: Iterable[str], *, stated: str | None = None) -> frozenset[str]:
    """The keys at the top of the records, read until all of *wanted* were met, so that a file that has them
    costs a line or two. Raises ConfigurationError as :func:`records`."""
    left, seen = set(wanted), set[str]()
    for _, record in records(path, stated=stated):
        seen.update(record)
        left.difference_update(record)
        if not left:
            break
    return frozenset(seen)


def digest(path: Path) -> str:
    """SHA-256 (hex) of the file as it stands. Raises ConfigurationError where it cannot be read."""
    whole = sha256()
    with _opened(path, plain=True) as handle:
        while piece := handle.read(_CHUNK):
            whole.update(piece)
    return whole.hexdigest()


def _count(path: Path) -> int:
    """Lines that are not empty."""
    with _opened(path) as handle:
        try:
            lines = iter(lambda: handle.readline(MOST_LINE), b"")
            return sum(1 for line in lines if line.strip())
        except _BROKEN:
            raise _torn(path) from None


def _opened(path: Path, *, plain: bool = False) -> IO[bytes]:
    try:
        if path.name.endswith(".gz") and not plain:
            return cast("IO[bytes]", gzip.open(path, "rb"))
        return path.open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}); give the path of a file"
        ) from None


def _torn(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path}: is no whole gzip file; fetch it again, or name it without .gz")


def _json_lines(path: Path) -> Iterator[Record]:
    with _opened(path) as handle:
        for number, line in _lines(handle, path):
            if line.strip():
                yield number, _object(line, path, number)


def _lines(handle: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    while True:
        try:
            line = handle.readline(MOST_LINE + 1)
        except _BROKEN:
            raise _torn(path) from None
        if not line:
            return
        number += 1
        if len(line) > MOST_LINE:
            raise ConfigurationError(f"{path}:{number}: a line of more than {MOST_LINE} bytes; split it")
        yield number, line


def _texts(handle: IO[bytes], path: Path) -> Iterator[str]:
    for number, line in _lines(handle, path):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise ConfigurationError(f"{path}:{number}: is not UTF-8; save the file as UTF-8") from None


def _object(line: bytes, path: Path, number: int) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}:{number}: is not UTF-8; save the file as UTF-8") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError(
            f"{path}:{number}: is no JSON object; each line holds one, in UTF-8 ({{...}} and a newline)"
        )
    return found


def _delimiter(path: Path) -> str:
    return "\t" if path.name.removesuffix(".gz").endswith(".tsv") else ","


def _csv(path: Path, delimiter: str) -> Generator[Record, None, None]:
    with _opened(path) as handle:
        rows = csv.reader(_texts(handle, path), delimiter=delimiter, strict=True)
        header = _next(rows, path)
        if header is None:
            return
        if len(set(header)) != len(header) or "" in header:
            raise ConfigurationError(f"{path}:1: a column without a name, or two of one name; name each once")
        while (cells := _next(rows, path)) is not None:
            if not cells:
                continue
            if len(cells) != len(header):
                raise ConfigurationError(
                    f"{path}:{rows.line_num}: {len(cells)} cells under {len(header)} columns; quote cells "
                    f"that hold the delimiter, or state `delimiter:` in the mapping"
                )
            yield rows.line_num, dict(zip(header, cells, strict=True))


def _next(rows: Any, path: Path) -> list[str] | None:
    try:
        found: list[str] | None = next(rows, None)
    except csv.Error:
        raise ConfigurationError(
            f"{path}:{rows.line_num}: is not readable as CSV: a quote is not closed, or a cell has "
            f"more than {csv.field_size_limit()} characters; long texts fit in JSON lines"
        ) from None
    return found


def _opened_parquet(path: Path) -> Any:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise missing_extra("eval", "reading Parquet files") from None
    try:
        return parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException):
        raise ConfigurationError(f"{path}: is no Parquet file that can be read; fetch it again") from None


def _parquet(path: Path) -> Iterator[Record]:
    with closing(_opened_parquet(path)) as file:
        import pyarrow

        number = 0
        batches = file.iter_batches(batch_size=BATCH)
        while True:
            try:
                batch = next(batches, None)
            except (OSError, pyarrow.ArrowException):
                raise ConfigurationError(
                    f"{path}:{number + 1}: is torn from this row on; fetch it again"
                ) from None
            if batch is None:
                return
            for record in batch.to_pylist():
                number += 1
                yield number, record
