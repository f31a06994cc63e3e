"""Copies of a caller's objects that differ in a few fields; the objects themselves are never altered."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def with_fields(value: Any, changes: Mapping[str, Any]) -> Any:
    """A shallow copy of *value* with *changes*; frozen and slotted classes included, no validation,
    no ``__init__`` or ``__post_init__``: the copy differs from the original in these fields only."""
    if isinstance(value, Mapping):
        return with_items(value, changes)
    if isinstance(value, tuple):
        return value._replace(**changes)  # type: ignore[attr-defined]  # only named tuples have fields
    copied = copy.copy(value)
    for field, new in changes.items():
        object.__setattr__(copied, field, new)
    return copied


def with_items(value: Mapping[Any, Any], changes: Mapping[Any, Any]) -> Any:
    """A copy of a mapping with *changes*, of the same class where that can be changed."""
    copied = copy.copy(value)
    if not hasattr(copied, "__setitem__"):
        return {**value, **changes}
    for key, new in changes.items():
        copied[key] = new
    return copied
