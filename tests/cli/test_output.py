"""What commands print: for people with and without the extra ``cli``, and for machines."""

from __future__ import annotations

import io
import json

import pytest

from spotsafe.cli import output
from spotsafe.cli.output import Output

ROWS = [("comments.create", 0.5, None), ("a\x1b[2J\tb", True, 3)]


@pytest.fixture(params=["with rich", "without it"])
def printed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Output, io.StringIO]:
    if request.param == "without it":
        monkeypatch.setattr(output, "find_spec", lambda name: None)
    out = io.StringIO()
    return Output(stdout=out, stderr=io.StringIO()), out


def test_tables_are_readable_with_and_without_the_extra(printed: tuple[Output, io.StringIO]) -> None:
    """The base install prints the same cells, separated by tabs."""
    out, written = printed
    out.table("Surfaces", ("surface", "score", "seen"), ROWS)
    text = written.getvalue()
    assert all(word in text for word in ("Surfaces", "surface", "comments.create", "0.50", "–", "yes", "3"))


def test_a_blank_line_stands_only_between(printed: tuple[Output, io.StringIO]) -> None:
    """No table starts the output with one, and a table without rows prints nothing."""
    out, written = printed
    out.table("Nothing", ("a",), [])
    assert written.getvalue() == ""
    out.table("First", ("a",), [("x",)])
    out.table("Second", ("a",), [("y",)])
    assert written.getvalue().startswith("First\n")
    assert "\n\nSecond\n" in written.getvalue()


def test_tables_break_between_words_only() -> None:
    """Ids and labels stay whole where the width allows it."""
    out = io.StringIO()
    words = ["sexual.exploitation,", "illicit.trafficking,", "child.sexualization"]
    name = "baseline/public-ugc#self-harm-promotion"
    Output(stdout=out).table(
        "Rules", ("rule", "labels", "limits"), [(name, " ".join(words * 3), "person " * 30)]
    )
    assert out.getvalue().split().count("person") == 30
    assert all(out.getvalue().split().count(word) == 3 for word in words)
    assert name in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= output.PIPE_WIDTH


def test_nothing_printed_can_steer_a_terminal(printed: tuple[Output, io.StringIO]) -> None:
    """What somebody wrote is shown without the signs that move a cursor or colour a screen."""
    out, written = printed
    out.table("Surfaces", ("surface", "score", "seen"), ROWS)
    out.line("After redaction: \x1b]0;owned\x07 text\r")
    assert not set(written.getvalue()) & {"\x1b", "\x07", "\r"}


def test_with_json_only_the_document_reaches_standard_output() -> None:
    """Lines and tables are silent; errors go to standard error."""
    out, err = io.StringIO(), io.StringIO()
    found = Output(as_json=True, stdout=out, stderr=err)
    found.line("words")
    found.table("title", ("a",), [("b",)])
    found.progress("on the way")
    found.json({"number": 1})
    found.error("wrong")
    assert json.loads(out.getvalue()) == {"number": 1}
    assert err.getvalue() == "wrong\n"
