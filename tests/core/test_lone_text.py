"""Content of one text: cheaper to make than other content, and otherwise the same."""

from __future__ import annotations

import copy
import pickle

from spotsafe.core.content import Content, LoneText, Text
from spotsafe.guard.keys import SurfaceKeys


def test_it_is_equal_to_content_of_one_text() -> None:
    """Equality, hash, digest and parts are those of the content it stands for."""
    lone, plain = LoneText("hello", "body", ("en",)), Content((Text("hello", "body"),), ("en",))
    assert lone == plain
    assert plain == lone
    assert hash(lone) == hash(plain)
    assert lone.digest() == plain.digest()
    assert [part.name for part in lone] == ["body"]
    assert lone.part("body") is lone.parts[0]
    assert len(lone) == 1
    assert LoneText("hello", "title", ("en",)) != plain


def test_it_has_the_same_cache_key() -> None:
    """An answer that was kept for one is found by the other."""
    keys = SurfaceKeys(b"secret", ("hate.speech",), ("en",))
    lone, plain = LoneText("hello", "body", ("en",)), Content((Text("hello", "body"),), ("en",))
    assert keys.hash(lone, {}) == keys.hash(plain, {})


def test_copies_are_plain_content() -> None:
    """Copied and pickled it is content like any other."""
    lone = LoneText("hello", "body", ("en",))
    assert pickle.loads(pickle.dumps(lone)) == lone
    assert copy.deepcopy(lone) == lone


def test_its_repr_shows_no_content() -> None:
    """As with every content."""
    assert "secret" not in repr(LoneText("secret words", "body", ()))
