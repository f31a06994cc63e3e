"""Words of closed sets: manifests write them, policies hold the members of core's enums."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from types import SimpleNamespace

import pytest

from spotsafe.core.content import Destination
from spotsafe.core.receipts import Keeper, OnExpiry
from spotsafe.policy.schema import schema
from spotsafe.policy.surface import SurfacePolicy

Read = Callable[[SurfacePolicy], StrEnum]

FIELDS: list[tuple[str, str, type[StrEnum], Read]] = [
    ("hold", "keep", Keeper, lambda policy: policy.hold.keep),
    ("hold", "on_expiry", OnExpiry, lambda policy: policy.hold.on_expiry),
    ("privacy", "send", Destination, lambda policy: policy.privacy_send),
]


@pytest.mark.parametrize(("block", "field", "words", "read"), FIELDS)
def test_every_word_is_read_as_its_member(
    kit: SimpleNamespace, block: str, field: str, words: type[StrEnum], read: Read
) -> None:
    """Over the floor, which states none of them, each word of the set comes out as it was written."""
    for word in words:
        assert read(kit.policy({block: {field: word.value}})) is word


@pytest.mark.parametrize(("block", "field", "words", "read"), FIELDS)
def test_nothing_else_is_read(
    kit: SimpleNamespace, block: str, field: str, words: type[StrEnum], read: Read
) -> None:
    """Another word, or a member's name, is a fault at its place that lists the words."""
    (fault,) = kit.faults(kit.manifest({block: {field: next(iter(words)).name}}))
    assert "is not one of the words known here" in fault.message
    assert all(word.value in fault.hint for word in words)


@pytest.mark.parametrize("words", [Keeper, OnExpiry, Destination])
def test_editors_are_offered_the_same_words(words: type[StrEnum]) -> None:
    """The JSON Schema lists each set where its field is, as plain words."""
    assert json.dumps([word.value for word in words]) in json.dumps(schema())
