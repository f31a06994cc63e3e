"""The loader: YAML 1.2 booleans, nothing clever, limits, places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.errors import Fault
from spotsafe.policy.document import MAX_BYTES, read_document


def read(text: str | bytes) -> tuple[object, list[Fault]]:
    found: list[Fault] = []
    document = read_document("m.yaml", text, found)
    return (None if document is None else document.data), found


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("True", "True"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("010", 10),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-12-31", "2026-12-31"),
        ("0x1f", "0x1f"),
        ('"12"', "12"),
        ("'true'", "true"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    """Only true and false are booleans, so ``no`` stays a language; times, dates and hex stay text."""
    data, found = read(f"a: {written}\n")
    assert found == []
    assert data == {"a": value}
    assert type(data["a"]) is type(value)  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a: &x 1", (1, 4), "anchors"),
        ("a: 1\nb: *x", (2, 4), "aliases"),
        ("a: 1\n<<: {b: 2}", (2, 1), "merge keys"),
        ("a: !!str 1", (1, 4), "tags"),
        ("a: !python/object:os.system x", (1, 4), "tags"),
        ("a: 1\nb: 2\na: 3", (3, 1), "'a' is given twice"),
        ("x: {k: 1, k: 2}", (1, 11), "'k' is given twice"),
        ("? [a, b]\n: 1", (1, 3), "a key must be a plain word"),
        ("a: 1\n---\nb: 2", (2, 1), "second document"),
        ("a: 'x", (1, 6), "a quote is not closed"),
        ("a: b: c", (1, 5), "a ':' where no key can be"),
        ("a: [1, 2", (1, 9), "not closed"),
        ("a:\n\t- b", (2, 1), "a tab where spaces are needed"),
        ("- a\n- b", (1, 1), "not a mapping"),
        ("", (1, 1), "empty"),
        ("a: " + "[" * 25 + "]" * 25, (1, 23), "nested deeper than 20"),
    ],
)
def test_what_manifests_do_not_need_is_refused_with_its_place(
    text: str, place: tuple[int, int], says: str
) -> None:
    """Anchors, tags, duplicates and the like are faults at their line and column, each with a hint."""
    _, found = read(text)
    assert found, "expected a fault"
    assert says in found[0].message
    assert (found[0].line, found[0].column) == place
    assert found[0].hint


def test_all_faults_of_a_document_come_at_once() -> None:
    """A fault does not hide the ones after it."""
    _, found = read("a: &x 1\nb: *x\na: 2\nc: !t 3\nd: " + "[" * 22 + "]" * 22 + "\n<<: 1\n")
    assert len(found) == 6


def test_a_document_of_more_than_a_mebibyte_is_not_read() -> None:
    """The size limit comes before parsing."""
    data, found = read("a: " + "x" * MAX_BYTES)
    assert data is None
    assert "at most 1048576" in found[0].message


def test_bytes_that_are_not_utf8_are_a_fault_at_their_line() -> None:
    """The place of the first wrong byte is named, not its value."""
    _, found = read(b"a: 1\nb: \xff\n")
    assert (found[0].line, found[0].message) == (2, "is not UTF-8")


def test_a_byte_order_mark_is_ignored() -> None:
    """Editors that write one do no harm."""
    assert read(b"\xef\xbb\xbfa: 1")[0] == {"a": 1}


def test_depth_cannot_exhaust_the_stack() -> None:
    """A hundred thousand brackets are one fault, not a crash."""
    _, found = read("a: " + "[" * 100_000)
    assert found


SECRET = "canary-7f3a"


@pytest.mark.parametrize(
    "text",
    [f"a: 'x{SECRET}", f"a: {SECRET}: {SECRET}: b", f"a: [{SECRET}", f'a: "\\q{SECRET}"', f"a: @{SECRET}"],
)
def test_syntax_faults_never_repeat_values(text: str) -> None:
    """A manifest's examples are content: no error shows them."""
    _, found = read(text)
    assert found
    assert all(SECRET not in str(fault) for fault in found)


@given(st.text(max_size=300))
def test_any_text_gives_data_or_faults(text: str) -> None:
    """No text makes the loader raise; without data there is a fault, with its place in the document."""
    data, found = read(text)
    assert data is not None or found
    assert all(fault.line >= 1 and fault.column >= 1 for fault in found)
