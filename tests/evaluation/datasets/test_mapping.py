"""A mapping file says what columns mean; what is wrong with it is told with place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.datasets.mapping import parse_mapping, read_mapping

START = "mapping: 1\nname: mine\ncontent: {body: text}\n"


@pytest.mark.parametrize(
    ("more", "line", "expected"),
    [
        ("labels: {hate.spech: a}", 4, "did you mean 'hate.speech'?"),
        ("labels:\n  hate.speech: {column: a, value: {x: 1}}", 5, "unknown key 'value'"),
        ("labels:\n  hate.speech: {values: {x: 1}}", 5, "gives neither column nor constant"),
        ("labels:\n  hate.speech: {column: a, constant: 1}", 5, "or both"),
        ("labels:\n  hate.speech: {column: a, values: {x: 1.5}}", 5, "no share from 0 to 1"),
        ("labels:\n  hate.speech: {column: a, values: {x: 1}, at_least: 2}", 5, "words take `values`"),
        ("labels:\n  hate.speech: {column: a, below: 0.4}", 5, "without a higher `at_least`"),
        ("labels:\n  hate.speech: {column: a, at_least: 0.4, below: 0.6}", 5, "without a higher `at_least`"),
        ("labels:\n  hate.speech: {column: a, scale: [5, 1]}", 5, "scale that does not fit"),
        ("labels:\n  hate.speech: {column: a, other: 0}", 5, "`other` without `values`"),
        ("labels:\n  hate.speech: 3", 5, "not a column"),
        ("files: [1, 2]", 4, "not a file"),
        ("language: {column: a, constant: en}", 4, "or both"),
        ("lables: {}", 4, "did you mean 'labels'?"),
        ("sampled: yes", 4, "must be true or false"),
        ("content: {body: a}", 4, "given twice"),
        ("name: [", 4, "check indentation"),
    ],
)
def test_faults_have_a_line_and_a_remedy(more: str, line: int, expected: str) -> None:
    """Every fault of a mapping names file and line, and what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        parse_mapping(START + more, "m.yaml")
    assert f"m.yaml:{line}:" in str(caught.value) or "m.yaml:5:" in str(caught.value)
    assert expected in str(caught.value)


def test_all_faults_come_at_once() -> None:
    """Three mistakes, three lines: nobody mends a file one run at a time."""
    text = START + "sampled: 1\nlabels: {nope: a}\nslices: {s: {}}\n"
    with pytest.raises(ConfigurationError) as caught:
        parse_mapping(text, "m.yaml")
    assert [f"m.yaml:{line}:" in str(caught.value) for line in (4, 5, 6)] == [True] * 3


@pytest.mark.parametrize("text", ["", "[]", "- a", "mapping: 2\nname: x\ncontent: {a: b}", "mapping: 1"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    """An empty or foreign document is a ConfigurationError that leads to the format."""
    with pytest.raises(ConfigurationError, match=r"m\.yaml:1:"):
        parse_mapping(text, "m.yaml")


def test_an_absent_mapping_file_is_named(tmp_path: Path) -> None:
    """The path that was looked for stands in the message."""
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read"):
        read_mapping(tmp_path / "none.yaml")


@given(st.text(max_size=200))
def test_any_text_is_a_mapping_or_a_configuration_error(text: str) -> None:
    """No text makes the reader crash."""
    try:
        parse_mapping(text, "m.yaml")
    except ConfigurationError:
        pass


def test_short_forms_mean_the_long_ones() -> None:
    """``label: column`` is one rule over that column; a list holds several."""
    short = parse_mapping(START + "labels: {hate.speech: [a, {column: b}], tone.toxic: c}\nlanguage: l", "m")
    long = parse_mapping(
        START + "labels:\n  hate.speech: [{column: [a]}, {column: b}]\n  tone.toxic: [{column: c}]\n"
        "language: {column: [l]}",
        "m",
    )
    assert short == long
    assert short.labels["hate.speech"][1].column == ("b",)
