"""The result of an experiment as a file: what was measured, on which bytes, with which packages.

``results/NAME.json`` holds ``about`` (date, machine, packages), ``data`` (name → SHA-256 of what was read),
``result`` (whatever the experiment found) and ``tables``: rows ready for a page, each table with a ``name``
that a page asks for. Keys are sorted and floats rounded, so that a second run differs only where the
findings do.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"

DIGITS = 4


class Table(NamedTuple):
    """Rows for a page: *name* is what the page asks for, *columns* the headings, *rows* one list of cells
    (text or numbers) per line, *note* a sentence below."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


def write(
    name: str,
    result: Mapping[str, Any],
    *,
    data: Mapping[str, str],
    packages: Iterable[str] = (),
    tables: Sequence[Table] = (),
    folder: Path = RESULTS,
    today: date | None = None,
) -> Path:
    """Write ``NAME.json`` and return its path. *data*: what was read → its SHA-256 (see :func:`sha256`);
    *packages*: those whose version matters to the figures."""
    whole = {
        "about": {
            "date": (today or datetime.now(UTC).date()).isoformat(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "packages": {package: _version(package) for package in sorted(packages)},
        },
        "data": dict(data),
        "result": result,
        "tables": [table._asdict() for table in tables],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    text = json.dumps(rounded(whole), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return path


def read(name: str, folder: Path = RESULTS) -> dict[str, Any]:
    """What :func:`write` wrote."""
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rounded(value: Any) -> Any:
    """*value* as JSON can hold it: floats with :data:`DIGITS` digits, NaN and infinity as null, NumPy numbers
    as plain ones."""
    if isinstance(value, Mapping):
        return {str(key): rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry) for entry in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, DIGITS) if isfinite(value) else None
    return value


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
