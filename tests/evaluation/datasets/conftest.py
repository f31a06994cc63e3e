"""Small data sets made in the test."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

Records = Sequence[Mapping[str, Any]]


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """``put(name, text | bytes | records)``: a file in the test's folder; records become JSON lines."""

    def write(name: str, given: str | bytes | Records) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(given, bytes):
            raw = given
        elif isinstance(given, str):
            raw = given.encode("utf-8")
        else:
            raw = "".join(json.dumps(record) + "\n" for record in given).encode()
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") and not isinstance(given, bytes) else raw)
        return path

    return write


MAPPING = """\
mapping: 1
name: mine
files: {file}
content: {{body: text}}
labels: {labels}
{more}
"""


@pytest.fixture
def mapped(put: Callable[..., Path]) -> Callable[..., Path]:
    """``mapped(file, labels=…, more=…)``: a mapping file beside *file*."""

    def write(file: str, labels: str = "{tone.toxic: toxic}", more: str = "") -> Path:
        return put("mine.yaml", MAPPING.format(file=file, labels=labels, more=more))

    return write
