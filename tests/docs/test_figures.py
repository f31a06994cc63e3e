"""Figures in the documentation are those of the committed results."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def loaded() -> ModuleType:
    """The module by its path: the folder of experiments is no package that is installed."""
    path = ROOT / "tests" / "experiments" / "tables.py"
    spec = importlib.util.spec_from_file_location("experiment_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = loaded()

TABLE = {
    "name": "left-out",
    "title": "Sets left out",
    "columns": ["set", "AUPRC", "rows", "a|b"],
    "rows": [["one|two", 0.81239, 1200, None], ["three", 0.5, 7, True]],
    "note": "Each set was left out of training.",
}


def made(folder: Path, page: str, *results: dict[str, object]) -> tuple[Path, Path]:
    """A folder of pages and one of results."""
    docs, kept = folder / "docs", folder / "results"
    docs.mkdir()
    kept.mkdir()
    (docs / "page.md").write_text(page, "utf-8")
    for number, result in enumerate(results):
        (kept / f"r{number}.json").write_text(json.dumps(result), "utf-8")
    return docs, kept


def result(**fields: object) -> dict[str, object]:
    return {"about": {"date": "2026-11-22"}, "tables": [{**TABLE, **fields}]}


def test_the_documentation_shows_the_committed_results() -> None:
    """A figure changed by hand, or a result without its pages, shows here."""
    assert tables.stale() == [], "run `python -m tests.experiments.tables --write`"


def test_a_block_is_filled_and_then_in_step(tmp_path: Path) -> None:
    """What stood between the marks is replaced, the rest of the page is kept, and again changes nothing."""
    page = "# Page\n\n<!-- figures:left-out -->\nold\n<!-- /figures -->\n\nend\n"
    docs, kept = made(tmp_path, page, result())
    assert tables.stale(docs, kept) == ["page.md"]
    assert (docs / "page.md").read_text("utf-8") == page
    assert tables.stale(docs, kept, write=True) == ["page.md"]
    text = (docs / "page.md").read_text("utf-8")
    assert "| one\\|two | 0.812 | 1200 | – |" in text
    assert "|---|---:|---:|---|" in text
    assert "old" not in text
    assert text.startswith("# Page\n")
    assert text.endswith("\n\nend\n")
    assert "r0.json`, 2026-11-22" in text
    assert tables.stale(docs, kept) == []


BAD = [
    ("<!-- figures:other -->\n<!-- /figures -->\n", [result()], "there are: left-out"),
    ("<!-- figures:left-out -->\n", [result()], "without a closing"),
    ("<!-- /figures -->\n", [result()], "without a closing"),
    (
        "<!-- figures:left-out -->\n<!-- figures:left-out -->\n<!-- /figures -->\n",
        [result()],
        "without a closing",
    ),
    ("no marks\n", [result(), result()], "stands in r0.json and in r1.json"),
]


@pytest.mark.parametrize(("page", "results", "told"), BAD, ids=[told for _, _, told in BAD])
def test_what_cannot_be_filled_is_an_error(
    tmp_path: Path, page: str, results: list[dict[str, object]], told: str
) -> None:
    """Unknown tables, marks that do not pair, and a name that two results claim."""
    docs, kept = made(tmp_path, page, *results)
    with pytest.raises(ValueError, match=told):
        tables.stale(docs, kept)


def test_the_cost_of_a_million_rows_is_the_measured_one() -> None:
    """The table of docs/evaluation.md is the committed result of the benchmark."""
    from tests.benchmarks.evaluation_rows import RESULT, table

    assert table(json.loads(RESULT.read_text("utf-8"))) in (ROOT / "docs" / "evaluation.md").read_text(
        "utf-8"
    )
