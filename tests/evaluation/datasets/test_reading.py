"""Columns become rows: what is not annotated stays unknown, what does not fit is refused unquoted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotsafe.core.content import Image, Text
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Span
from spotsafe.evaluation.datasets.columns import CellFault
from spotsafe.evaluation.datasets.mapping import parse_mapping
from spotsafe.evaluation.datasets.opening import open_dataset
from spotsafe.evaluation.datasets.reading import RowReader
from spotsafe.evaluation.datasets.rows import Row

CANARY = "canary-text-never-shown"


def row(record: dict[str, Any], more: str = "", content: str = "{body: text}") -> Row:
    mapping = parse_mapping(f"mapping: 1\nname: mine\ncontent: {content}\n{more}", "m.yaml")
    found = RowReader(mapping, Path("data.jsonl"), None).row(7, record)
    assert found is not None
    return found


NUMBER = "labels: {tone.toxic: x}"
RANKED = "labels: {tone.toxic: {column: x, scale: [1, 5]}}"
THIRDS = "labels: {tone.toxic: {column: x, scale: [0, 0.3]}}"
CUT = "labels: {tone.toxic: {column: x, at_least: 3}}"
BAND = "labels: {tone.toxic: {column: x, at_least: 0.6, below: 0.4}}"
WORDS = "labels: {tone.toxic: {column: x, values: {bad: 1, good: 0, mixed: missing}, other: missing}}"
OPEN = "labels: {tone.toxic: {column: x, values: {bad: 1}, other: 0}}"
TRUTHS = "labels: {tone.toxic: {column: x, values: {'1': 0, '2': 1, 'true': 1}}}"


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (NUMBER, 0, 0.0), (NUMBER, 1, 1.0), (NUMBER, 0.25, 0.25), (NUMBER, "0.25", 0.25), (NUMBER, True, 1.0),
        (NUMBER, None, None), (NUMBER, "", None), (NUMBER, float("nan"), None), (NUMBER, ..., None),
        (RANKED, 1, 0.0), (RANKED, "4", 0.75), (RANKED, 5, 1.0), (THIRDS, 0.1 + 0.2, 1.0),
        (CUT, 3, 1.0), (CUT, 2.99, 0.0), (CUT, 1e9, 1.0), (CUT, "", None),
        (BAND, 0.6, 1.0), (BAND, 0.5, None), (BAND, 0.39, 0.0),
        (WORDS, "bad", 1.0), (WORDS, "good", 0.0), (WORDS, "mixed", None), (WORDS, "new", None),
        (WORDS, ["good", "bad"], 1.0), (WORDS, ["mixed", "good"], 0.0), (WORDS, [], None), (WORDS, "", None),
        (OPEN, "other", 0.0), (OPEN, [], 0.0), (OPEN, ["x", "bad"], 1.0),
        (TRUTHS, 1, 0.0), (TRUTHS, 2.0, 1.0), (TRUTHS, True, 1.0),
    ],
)  # fmt: skip
def test_what_a_label_column_says(rule: str, value: Any, expected: float | None) -> None:
    """A share, a threshold, a band, words: an absent, null, NaN or empty value is never a 0."""
    record = {"text": "t"} if value is ... else {"text": "t", "x": value}
    assert row(record, rule).labels.get("tone.toxic") == expected
    assert ("tone.toxic" in row(record, rule).labels) is (expected is not None)


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (NUMBER, CANARY, "no number"),
        (NUMBER, 1.5, "outside of 0 to 1"),
        (NUMBER, -0.1, "outside of 0 to 1"),
        (NUMBER, float("inf"), "not finite"),
        (NUMBER, "NaN", "not finite"),
        (NUMBER, [1], "no number"),
        (RANKED, 6, "outside of 1 to 5"),
        (TRUTHS, CANARY, "does not list"),
        (TRUTHS, {"a": 1}, "no word"),
        ("language: x", CANARY, "no language tag"),
        ("language: x", CANARY * 20, "is it the text's column?"),
        ("slices: {s: x}", CANARY * 20, "at most 200"),
        ("id: x", {"a": 1}, "no word"),
        ("inclusion: x", 0, "inclusion probability of 0"),
        ("spans: {tone.toxic: x}", CANARY, "no list"),
        ("spans: {tone.toxic: x}", [[0, 99]], "does not lie in the text"),
        ("spans: {tone.toxic: x}", [[2, 1]], "does not lie in the text"),
        ("spans: {tone.toxic: x}", [{"start": 0}], "does not lie in the text"),
    ],
)
def test_what_does_not_fit_is_refused_unquoted(rule: str, value: Any, expected: str) -> None:
    """The fault names the column and the remedy, never what stands in the cell."""
    with pytest.raises(CellFault) as caught:
        row({"text": "t", "x": value}, rule)
    assert expected in str(caught.value)
    assert CANARY not in str(caught.value)
    assert "'x'" in str(caught.value)


def test_everything_a_row_can_carry() -> None:
    """Parts, language, labels, places, slices, sampling, group, split and context have their columns."""
    more = """
id: meta.id
language: {column: lang, values: {pt-br: pt}}
labels:
  hate.speech: [a, {column: b, at_least: 2}]
  integrity.spam: {constant: 0}
spans:
  privacy.pii_exposure: {column: places, start: from, end: to, kind: what, kinds: [MAIL]}
slices: {target: meta.target, origin: {constant: forum}}
context: {thread: [before, earlier], market: market}
inclusion: p
stratum: s
group: [g, h]
split: part
"""
    record = {
        "text": "mail me@x.example", "meta": {"id": 12.0, "target": ["women", "men"]}, "lang": "pt-br",
        "a": 0.2, "b": 3, "p": 0.5, "s": "top", "g": "x" * 300, "h": 4, "part": "dev",
        "places": [{"from": 5, "to": 17, "what": "MAIL"}, {"from": 0, "to": 4, "what": "VERB"}],
        "before": "one", "earlier": ["two", "three"], "market": "br",
    }  # fmt: skip
    found = row(record, more)
    assert found.id == "12"
    assert found.language == "pt"
    assert found.content.languages == ("pt",)
    assert found.labels == {"hate.speech": 1.0, "integrity.spam": 0.0, "privacy.pii_exposure": 1.0}
    assert found.spans == {"privacy.pii_exposure": (Span(5, 17),)}
    assert found.slices == {"target": "women|men", "origin": "forum"}
    assert found.context == {"thread": ["one", "two", "three"], "market": "br"}
    assert (found.inclusion, found.stratum, found.split) == (0.5, "top", "dev")
    assert found.group is not None
    assert found.group.endswith("|4")
    assert len(found.group) < 100


def test_places_alone_say_whether_the_label_applies() -> None:
    """Where only places were annotated, an empty list is a no, and an absent one is unknown."""
    rule = "spans: {privacy.pii_exposure: x}"
    assert row({"text": "abc", "x": []}, rule).labels == {"privacy.pii_exposure": 0.0}
    assert row({"text": "abc", "x": []}, rule).spans == {"privacy.pii_exposure": ()}
    assert row({"text": "abc"}, rule).labels == {}
    assert row({"text": "abc", "x": "[[0, 2]]"}, rule).spans == {"privacy.pii_exposure": (Span(0, 2),)}


@pytest.mark.parametrize(
    ("tag", "language", "told"),
    [("en", "en", ("en",)), ("EN-us", "en", ("en",)), ("pt_BR", "pt", ("pt",)), ("hi-latn", "hi-Latn", ()),
     ("und", None, ()), ("", None, ()), ("zh-Hant-TW", "zh-Hant", ())],
)  # fmt: skip
def test_language_tags(tag: str, language: str | None, told: tuple[str, ...]) -> None:
    """Regions are dropped, scripts kept; what is not known, or is a script, is not told to detectors."""
    found = row({"text": "t", "l": tag}, "language: l")
    assert (found.language, found.content.languages) == (language, told)


def test_a_column_with_dots_in_its_name() -> None:
    """A name with dots is tried as it stands before it is taken as a way down; a list is always a way."""
    assert row({"text": "t", "a.b": 1, "a": {"b": 0}}, "labels: {tone.toxic: a.b}").labels == {
        "tone.toxic": 1.0
    }
    nested = row({"text": "t", "a": {"b.c": 0}}, "labels: {tone.toxic: {column: [a, b.c]}}")
    assert nested.labels == {"tone.toxic": 0.0}


def test_rows_never_show_their_content() -> None:
    """Neither ``repr`` nor ``str`` of a row holds text or context."""
    found = row({"text": CANARY, "t": CANARY}, "context: {thread: [t]}")
    assert CANARY not in repr(found)
    assert CANARY not in f"{found}"


def test_a_row_without_content(put: Callable[..., Path], mapped: Callable[..., Path]) -> None:
    """It is an error with the line, or left out where the mapping says so."""
    put("d.jsonl", [{"text": "a", "toxic": 1}, {"text": "", "toxic": 0}, {"toxic": 0}])
    with pytest.raises(ConfigurationError, match=r"d\.jsonl:2: no content in 'text'; .*skip_empty"):
        list(open_dataset(mapped("d.jsonl")))
    assert [found.id for found in open_dataset(mapped("d.jsonl", more="skip_empty: true"))] == ["d:1"]


PICTURE = "{body: text, cover: {column: file, kind: image}}"


def test_media_are_read_from_beside_the_data(put: Callable[..., Path]) -> None:
    """A column names a file relative to the data; its suffix gives the type; an empty cell is no part."""
    put("img/a.png", b"picture")
    put("d.jsonl", [{"text": "t", "file": "img/a.png"}, {"text": "u", "file": None}])
    put("m.yaml", f"mapping: 1\nname: mine\nfiles: d.jsonl\ncontent: {PICTURE}\n")
    first, second = open_dataset(
        put("m.yaml", f"mapping: 1\nname: mine\nfiles: d.jsonl\ncontent: {PICTURE}\n")
    )
    assert first.content.parts == (Text("t", "body"), Image(b"picture", "cover", mime="image/png"))
    assert second.content.parts == (Text("u", "body"),)


@pytest.mark.parametrize(
    "name", ["../outside.png", "/etc/hostname", "img/../../outside.png", "link.png", "a\0b"]
)
def test_media_never_leave_the_folder_of_the_data(
    put: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    """Paths up, absolute paths and links out are refused, and not repeated."""
    put("outside.png", b"secret")
    path = put("data/d.jsonl", [{"text": "t", "file": name}])
    (path.parent / "link.png").symlink_to(tmp_path / "outside.png")
    mapping = put("data/m.yaml", f"mapping: 1\nname: mine\nfiles: d.jsonl\ncontent: {PICTURE}\n")
    with pytest.raises(ConfigurationError, match=r"d\.jsonl:1: .*outside of the data's folder") as caught:
        list(open_dataset(mapping))
    assert "outside.png" not in str(caught.value)


def test_a_media_file_that_is_not_there(put: Callable[..., Path]) -> None:
    """The line is named, the name in the cell is not."""
    put("d.jsonl", [{"text": "t", "file": f"{CANARY}.png"}])
    mapping = put("m.yaml", f"mapping: 1\nname: mine\nfiles: d.jsonl\ncontent: {PICTURE}\n")
    with pytest.raises(ConfigurationError, match=r"d\.jsonl:1: .*not there") as caught:
        list(open_dataset(mapping))
    assert CANARY not in str(caught.value)


def test_bytes_in_the_record_itself() -> None:
    """Parquet files of pictures hold bytes, or an object with bytes and path."""
    content = "{cover: {column: image, kind: image}}"
    (part,) = row({"image": {"bytes": b"raw", "path": "x.jpg"}}, content=content).content
    assert (part.data, part.mime) == (b"raw", "image/jpeg")
    (part,) = row({"image": b"raw"}, content=content).content
    assert part.data == b"raw"
