"""Cases: a file of what was read and heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.errors import ConfigurationError
from spotsafe.learning.fusion import cases
from spotsafe.learning.fusion.cases import Case

CANARY = "canary-7d21"
CASE = Case("split", "pictures", "picture", "g1", {"hate.speech": 1}, {"typed": "a", "read": "b"}, 0.25, 0.5)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(TEXTS, TEXTS, st.floats(0, 1))
def test_what_is_written_is_read_back(typed: str, read: str, music: float) -> None:
    """Whatever the words hold, line feeds and line separators too."""
    made = CASE._replace(words={"typed": typed, "read": read}, music=music)
    (line,) = cases.lines([made])
    assert cases.parsed(line, "place") == made


def test_a_folder_is_its_file(tmp_path: Path) -> None:
    """One case per line, empty lines aside."""
    cases.write(tmp_path / cases.FILE, [CASE, CASE._replace(words={"typed": "x\u2028y"})])
    with (tmp_path / cases.FILE).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert cases.read(tmp_path) == cases.read(tmp_path / cases.FILE)
    assert len(cases.read(tmp_path)) == 2


WHOLE = {"recipe": "a", "family": "b", "medium": "c", "group": CANARY, "truth": {}, "words": {}}


@pytest.mark.parametrize(
    "line",
    [
        CANARY,
        json.dumps([CANARY]),
        json.dumps({"recipe": CANARY}),
        json.dumps({**WHOLE, "words": {"felt": CANARY}}),
        json.dumps({**WHOLE, "truth": {"x": 2}}),
    ],
)
def test_a_line_that_is_no_case_is_named_without_its_words(line: str, tmp_path: Path) -> None:
    """File and line number are; neither message nor cause show content."""
    path = tmp_path / "some.jsonl"
    path.write_text(f"{next(iter(cases.lines([CASE])))}\n{line}\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"some\.jsonl:2: no case") as caught:
        cases.read(path)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_missing_file_says_what_makes_one(tmp_path: Path) -> None:
    """The remedy is named."""
    with pytest.raises(ConfigurationError, match="fusion_sense"):
        cases.read(tmp_path)


def test_the_words_do_not_show() -> None:
    """In a representation."""
    assert CANARY not in repr(CASE._replace(words={"typed": CANARY}))
