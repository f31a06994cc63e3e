"""The reference of names is generated from code and is never stale."""

from __future__ import annotations

import re
from pathlib import Path

from spotsafe.telemetry.adoption import DISPOSITIONS, STATUSES
from spotsafe.telemetry.catalogue import ATTRIBUTE_VALUES, DROPS, render, tables
from spotsafe.telemetry.catalogue import __file__ as catalogue_file

PAGE = Path(__file__).resolve().parents[2] / "docs" / "telemetry.md"


def test_the_page_shows_what_the_code_has() -> None:
    """Run ``python -m spotsafe.telemetry.catalogue docs/telemetry.md`` when this fails."""
    text = PAGE.read_text("utf-8")
    assert render(text) == text


def test_every_generated_table_is_on_the_page() -> None:
    """No name is documented nowhere."""
    text = PAGE.read_text("utf-8")
    for name, table in tables().items():
        assert f"<!-- table: {name} -->\n{table}\n<!-- end -->" in text


def test_a_stale_table_is_replaced() -> None:
    """Rendering puts the current tables between the marks and leaves the rest alone."""
    stale = "\n".join(
        f"kept above\n<!-- table: {name} -->\nstale words\n<!-- end -->\nkept below" for name in tables()
    )
    fresh = render(stale)
    assert "stale words" not in fresh
    assert fresh.count("kept above") == fresh.count("kept below") == len(tables())


def test_attribute_values_list_every_word() -> None:
    """The closed sets are shown in full."""
    assert ATTRIBUTE_VALUES["status"].split(", ") == list(STATUSES)
    assert ATTRIBUTE_VALUES["disposition"].split(", ") == list(DISPOSITIONS)


def test_every_reason_for_a_loss_is_in_the_catalogue() -> None:
    """What the room counts as lost, and nothing else, is explained."""
    folder = Path(catalogue_file).parent
    text = "\n".join(path.read_text("utf-8") for path in sorted(folder.glob("*.py")))
    counted = re.findall(r'\bdrop\("(\w+)"|{"(\w+)": [\w()]+} if ', text)
    assert {one or other for one, other in counted} == set(DROPS)
