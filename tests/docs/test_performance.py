"""The performance page shows the committed result, and the result is one that stands."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "tests" / "benchmarks"
REMEDY = "run `python -m tests.benchmarks.hot_path --write`"


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BENCHMARKS / "results" / "hot_path.json").read_text())
    return found


def loaded(name: str) -> ModuleType:
    """A module of the benchmark by its path: those that need no rival work without the extra."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def report() -> ModuleType:
    return loaded("report")


def test_the_page_is_written_from_the_committed_result(result: dict[str, Any], report: ModuleType) -> None:
    """A figure changed by hand, or a result without its page, shows here."""
    assert (ROOT / "docs" / "performance.md").read_text() == report.page(result), REMEDY


def test_every_budget_is_measured(result: dict[str, Any]) -> None:
    """Each target of the design's budgets that this benchmark answers for has a row with a target."""
    codes = {row["code"] for row in result["ratios"] if row["at_most"] or row["at_least"]}
    wanted = {"T1", "T2", "T3", "T6a", "T6b", "T12a", "T12b", "T13 sync", "T13 async", "T15", "T16", "T20"}
    assert codes == wanted, REMEDY


def test_what_was_counted_is_as_claimed(result: dict[str, Any]) -> None:
    """Hits cause no request, misses one each, identical misses one together, an open breaker none."""
    assert [check["what"] for check in result["checks"] if check["expected"] != check["found"]] == []
    assert any("identical" in check["what"] for check in result["checks"])


def test_no_ratio_misses_the_limit_with_room_for_noise(result: dict[str, Any]) -> None:
    """``met`` and ``gate_met`` say what the figures say, and every gate is kept."""
    for row in result["ratios"]:
        if row["gate"] is None:
            continue
        below = row["at_most"] is not None
        target = row["at_most"] if below else row["at_least"]
        assert row["met"] is (row["median"] <= target if below else row["median"] >= target)
        assert row["median"] <= row["gate"] if below else row["median"] >= row["gate"], row["title"]


def test_the_page_says_what_each_row_includes(result: dict[str, Any], report: ModuleType) -> None:
    """Every subject of a ratio is described on the page and in the table for people."""
    page, table = report.page(result), report.table(result)
    for item in result["items"]:
        assert item["about"] in page
        assert f"{item['name']}: {item['about']}" in table


def test_a_ratio_is_taken_within_its_round() -> None:
    """A round in which the machine was ten times slower gives the same ratio, by either clock."""
    rounds = loaded("rounds")
    quotient = rounds.Quotient("T", "a less b, over c", "a", "c", less="b")
    spent = {"a": (50.0, 30.0), "b": (10.0, 10.0), "c": (20.0, 10.0)}
    times = {name: [rounds.Spent(w, c), rounds.Spent(w * 10, c * 10)] for name, (w, c) in spent.items()}
    assert rounds.ratios(quotient, times, "cpu") == [2.0, 2.0]
    assert rounds.ratios(quotient, times, "wall") == [2.0, 2.0]
    assert rounds.spread([1.0, 2.0, 9.0]) == (2.0, 1.2, 7.6)
