"""Results of experiments, as files."""

from __future__ import annotations

import json
from datetime import date
from math import nan
from pathlib import Path

from tests.experiments.record import Table, read, sha256, write


def test_a_result_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Floats are rounded, NaN is null, and tables keep their order."""
    table = Table("speed", "Speed", ["what", "ms"], [["first", 0.123456], ["second", nan]])
    write("trial", {"auprc": 0.87654321}, data={"a.jsonl": "00"}, packages=["numpy", "no-such-package"],
          tables=[table], folder=tmp_path)  # fmt: skip
    found = read("trial", tmp_path)
    assert found["result"] == {"auprc": 0.8765}
    assert found["tables"][0]["rows"] == [["first", 0.1235], ["second", None]]
    assert found["about"]["packages"]["no-such-package"] == "absent"


def test_the_same_findings_give_the_same_bytes(tmp_path: Path) -> None:
    """Order of keys does not show in the file."""
    day = date(2026, 11, 22)
    one = write("one", {"b": 1, "a": {"y": 2, "x": 3}}, data={}, folder=tmp_path, today=day)
    two = write("two", {"a": {"x": 3, "y": 2}, "b": 1}, data={}, folder=tmp_path, today=day)
    assert one.read_bytes() == two.read_bytes()
    assert list(json.loads(one.read_text())) == ["about", "data", "result", "tables"]


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    """As any other tool would compute it."""
    path = tmp_path / "data"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
