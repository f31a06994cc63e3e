"""Media that a row names: files beside the data, never outside of their folder."""

from __future__ import annotations

from collections.abc import Mapping
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from spotsafe.evaluation.datasets.columns import CellFault, Column, named

MOST_MEDIA = 256 << 20
"""Bytes of one media file."""


def media(value: Any, column: Column, folder: Path) -> tuple[bytes, str | None]:
    """The bytes that *value* holds or names, and their media type where the file name tells it.

    *value* is a path relative to *folder*, bytes, or an object with ``bytes`` and ``path`` (as Parquet files
    of pictures have). Raises CellFault, whose text names the column only.
    """
    if isinstance(value, Mapping):
        inside, name = value.get("bytes"), value.get("path")
        if isinstance(inside, bytes):
            return inside, guess_type(name)[0] if isinstance(name, str) else None
        value = name
    if isinstance(value, bytes):
        return value, None
    if not isinstance(value, str):
        raise CellFault(f"column {named(column)!r} holds neither a path nor bytes", "name a file per row")
    return _read(_inside(value, column, folder), column), guess_type(value)[0]


def _inside(value: str, column: Column, folder: Path) -> Path:
    try:
        path = (folder / value).resolve()
        within = path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name with NUL, too long, or a loop of links
        within = False
    if not within:
        raise CellFault(
            f"column {named(column)!r} names a file outside of the data's folder",
            "paths are relative to the data file and stay in its folder, links included",
        )
    return path


def _read(path: Path, column: Column) -> bytes:
    try:
        size = path.stat().st_size
        if size <= MOST_MEDIA:
            return path.read_bytes()
    except OSError:
        raise CellFault(
            f"column {named(column)!r} names a file that is not there",
            "put it where the path says, relative to the data file",
        ) from None
    raise CellFault(
        f"column {named(column)!r} names a file of {size} bytes", f"at most {MOST_MEDIA} are read; cut it"
    )
