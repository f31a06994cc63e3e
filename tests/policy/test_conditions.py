"""``when``: one conformance table over every installed backend, and our own name and type check."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.policy import conditions
from spotsafe.policy.cel_backends import Backend, installed
from spotsafe.policy.cel_syntax import CelError
from spotsafe.policy.conditions import compile_condition
from spotsafe.policy.surface import ContextField

FIELDS = {
    "age": ContextField("int"),
    "market": ContextField("string"),
    "tags": ContextField("strings"),
    "share": ContextField("double"),
    "trusted": ContextField("bool"),
}
CONTEXT: dict[str, Any] = {"age": -3, "market": "é🎉a'\n", "tags": ("a", "b"), "share": 2, "trusted": True}

CONFORMANCE: list[tuple[str, bool | None]] = [
    ("age < 7", True),
    ("age >= 7", False),
    ("-age == 3", True),
    ("age % 2 == -1", True),
    ("age / 2 == -1", True),
    ("age in [1, -3]", True),
    ("age + 4 * 2 == 5", True),
    ("(age + 4) * 2 == 2", True),
    ("age - 1 - 1 == -5", True),
    ("age / 0 > 1", None),
    ("age % 0 == 1", None),
    ("age - 9223372036854775807 > 0", None),
    ("age * 9223372036854775807 < 0", None),
    ("age + 9223372036854775807 > 0", True),
    ("share < 2.5", True),
    ("share == 2.0", True),
    ("share / 0.0 > 1.0", True),
    ("1e3 == 1000.0", True),
    ("market.startsWith('é') && market.endsWith('\\n')", True),
    ("market.contains('🎉')", True),
    ("market.matches('^é')", True),
    ("market.matches('a$')", False),
    ('market == "é🎉a\'\\n"', True),
    ("market in ['a', 'b']", False),
    ("market < 'z'", False),
    ("'x' + market == 'x'", False),
    ("r'\\d' == '\\\\d'", True),
    ("'\\u00e9' == 'é'", True),
    ("'a' in tags", True),
    ("'c' in tags", False),
    ("tags == ['a', 'b']", True),
    ("tags != ['a']", True),
    ("size(tags) == 2", True),
    ("tags.size() > 2", False),
    ("trusted", True),
    ("!trusted", False),
    ("!!trusted", True),
    ("trusted ? age < 0 : age > 0", True),
    ("trusted || age / 0 == 1", True),
    ("age / 0 == 1 || trusted", True),
    ("!trusted && age / 0 == 1", False),
    ("trusted && age / 0 == 1", None),
    ("false && age / 0 == 1", False),
    ("age < 7 ? true : age / 0 == 1", True),
    ("true", True),
    ("age < 0 == trusted", True),
    ("age < 0 || trusted && false", True),
]


@pytest.mark.parametrize("backend", installed(), ids=lambda backend: backend.name)
@pytest.mark.parametrize(("text", "expected"), CONFORMANCE)
def test_backends_agree(backend: Backend, text: str, expected: bool | None) -> None:
    """A condition means the same whichever library is installed; an error is None, never False."""
    assert compile_condition(text, FIELDS, backend=backend)(CONTEXT) is expected


def test_both_backends_are_under_test() -> None:
    """The table runs over two libraries here, so that neither rots."""
    assert [backend.name for backend in installed()] == ["cel-expr-python", "common-expression-language"]


@pytest.mark.parametrize(
    ("text", "offset", "says"),
    [
        ("aeg < 7", 0, "no field 'aeg'"),
        ("age < 7.0", 4, "int and double"),
        ("age < '7'", 4, "int and string"),
        ("age", 0, "this is int"),
        ("market && trusted", 7, "string and bool"),
        ("!age", 0, "int and bool"),
        ("'a' in market", 4, "string and string"),
        ("age in tags", 4, "int and list(string)"),
        ("trusted ? 1 : 2.0", 8, "int and double"),
        ("trusted < true", 8, "bool and"),
        ("-market == 'a'", 0, "string"),
        ("share % 2.0 == 0.0", 6, "double and int"),
        ("[1, 'a'] == [1]", 4, "cannot hold"),
        ("[] == tags", 0, "empty"),
        ("size(market) > 2", 0, "size() of a string"),
        ("market.size() > 2", 7, "size() of a string"),
        ("market.matches(market)", 7, "in quotes"),
        ("market.matches('(a')", 15, "regular expression"),
        ("market.matches('\\\\d')", 15, "not the same everywhere"),
        ("market.lower() == 'a'", 7, "no function"),
        ("tags.exists(t, t == 'a')", 12, "no field 't'"),
        ("market.length", 7, "cannot be read"),
        ("age <", 5, "missing"),
        ("(age < 7", 8, "')' is missing"),
        ("age < 7 8", 8, "left over"),
        ("market == 'x", 10, "not closed"),
        ("age # 7", 4, "not readable"),
        ("null == market", 0, "reserved"),
        ("age < 99999999999999999999", 6, "too large"),
        ("(" * 60 + "trusted" + ")" * 60, 40, "nested deeper"),
        ("trusted" + " " * 2000, 0, "longer than"),
    ],
)
def test_unknown_names_and_wrong_types_are_load_errors(text: str, offset: int, says: str) -> None:
    """Our own check names the place, in every backend alike."""
    with pytest.raises(CelError) as caught:
        compile_condition(text, FIELDS)
    assert says in caught.value.problem
    assert caught.value.offset == offset


def test_a_misspelt_field_is_guessed() -> None:
    """The hint names the nearest declared field."""
    with pytest.raises(CelError) as caught:
        compile_condition("markt == 'DE'", FIELDS)
    assert caught.value.hint == "did you mean 'market'?"


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("age < 7", {}),
        ("age < 7", {"age": "3"}),
        ("age < 7", {"age": True}),
        ("age < 7", {"age": 3.0}),
        ("age < 7", {"age": None}),
        ("age < 7", {"age": 2**63}),
        ("trusted", {"trusted": 1}),
        ("share > 1.0", {"share": float("nan")}),
        ("share > 1.0", {"share": True}),
        ("'a' in tags", {"tags": "a"}),
        ("'a' in tags", {"tags": ["a", 1]}),
        ("market == 'a'", {"market": b"a"}),
        ("trusted || age < 7", {"trusted": True}),
    ],
)
def test_an_absent_or_wrong_field_cannot_be_told(text: str, context: dict[str, object]) -> None:
    """A condition whose field is not passed, or is of another type, is unknown: neither true nor false."""
    assert compile_condition(text, FIELDS)(context) is None


def test_fields_that_are_not_read_may_be_absent() -> None:
    """Only what the condition reads is asked for."""
    assert compile_condition("age < 7", FIELDS)({"age": 3, "market": object()}) is True


def test_without_a_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that uses ``when`` without the extra does not load, and says what to install."""
    monkeypatch.setattr(conditions, "installed", lambda: ())
    with pytest.raises(CelError) as caught:
        compile_condition("age < 7", FIELDS)
    assert "spotsafe[cel]" in caught.value.hint


@pytest.mark.parametrize("backend", installed(), ids=lambda backend: backend.name)
def test_conditions_are_shared_between_threads(backend: Backend) -> None:
    """One compiled condition answers many threads at once."""
    condition = compile_condition("age < 7 && 'a' in tags", FIELDS, backend=backend)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda age: condition({"age": age, "tags": ["a"]}), range(400)))
    assert answers == [age < 7 for age in range(400)]


@given(st.text(max_size=80))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    """No text crashes the parser, and an error's place lies in the text."""
    try:
        compile_condition(text, FIELDS)
    except CelError as error:
        assert 0 <= error.offset <= len(text)
        assert error.problem
