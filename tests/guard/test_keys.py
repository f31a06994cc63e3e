"""The cache key: everything an answer depends on, and no two different contents under one key."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import PART_TYPES, PROVENANCES, Content, Text
from spotsafe.guard.keys import SurfaceKeys, declared, namespace

SECRET = b"secret"
LABELS = ("hate.speech", "integrity.spam")

words = st.text(st.sampled_from("ab\0\x01é\ud800"), max_size=4)
texts = st.builds(Text, words, words, mime=st.none() | words, provenance=st.sampled_from(PROVENANCES))
media = st.builds(
    lambda kind, data, name, mime: PART_TYPES[kind](data, name, mime=mime),
    st.sampled_from(["image", "audio", "video"]), st.binary(max_size=4), words, st.none() | words,
)  # fmt: skip
contents = st.builds(Content, st.lists(texts | media, min_size=1, max_size=3), st.lists(words, max_size=3))
values = st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from([0.0, 1.0]) | words
contexts = st.dictionaries(words, values, max_size=2)


def identity(content: Content, context: dict[str, object]) -> tuple[object, ...]:
    """What must be told apart, spelled out."""
    parts = tuple((p.kind, p.name, p.provenance, p.mime, p.data) for p in content)
    fields = tuple(sorted((name, type(value).__name__, repr(value)) for name, value in context.items()))
    return parts, content.languages, fields


@given(contents, contexts, contents, contexts)
def test_keys_are_equal_exactly_where_the_questions_are(
    one: Content, its: dict[str, object], other: Content, others: dict[str, object]
) -> None:
    """No collision by concatenation, and no difference that the detector does not see."""
    keys = SurfaceKeys(SECRET, LABELS, ("en",))
    same = identity(one, its) == identity(other, others)
    assert (keys.hash(one, its) == keys.hash(other, others)) is same


@given(words, words)
def test_the_hit_paths_key_is_the_general_one(name: str, text: str) -> None:
    """A lone text hashed by its prefix has the key that the miss path stores under."""
    keys = SurfaceKeys(SECRET, LABELS, ("en", "de"))
    content = Content([Text(text, name)], ("en", "de"))
    quick = sha256(keys.plain_text(name) + text.encode("utf-8", "surrogatepass")).digest()
    assert quick == keys.hash(content, {})


@pytest.mark.parametrize(
    ("secret", "labels", "languages"),
    [
        (b"other", LABELS, ("en",)),
        (SECRET, LABELS[:1], ("en",)),
        (SECRET, ("hate.speechintegrity.spam",), ("en",)),
        (SECRET, LABELS, ("de",)),
    ],
)
def test_secret_labels_and_languages_are_part_of_the_key(
    secret: bytes, labels: tuple[str, ...], languages: tuple[str, ...]
) -> None:
    """Another question about the same text is another key."""
    base = SurfaceKeys(SECRET, LABELS, ("en",)).hash(Content([Text("a", "b")], ("en",)), {})
    assert SurfaceKeys(secret, labels, languages).hash(Content([Text("a", "b")], languages), {}) != base


def test_a_version_has_a_namespace_of_its_own() -> None:
    """Detector id and version are length-prefixed as well."""
    spaces = {namespace("a", "bc"), namespace("ab", "c"), namespace("abc", ""), namespace("a", "bd")}
    assert len(spaces) == 4
    assert {len(space) for space in spaces} == {16}


def test_only_declared_context_enters_the_key() -> None:
    """What only rules read does not split the cache."""
    assert declared({"age": 3, "market": "se"}, ("market", "absent")) == {"market": "se"}
