"""Reading JSON of others: a value of the wanted type, or a :class:`WireError` that names the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class WireError(ValueError):
    """A body that cannot be read; *pointer* is the JSON pointer of the place, never its content."""

    def __init__(self, pointer: str, problem: str) -> None:
        self.pointer = pointer
        self.problem = problem
        super().__init__(f"{pointer or '/'}: {problem}")


def mapping(value: object, at: str) -> Mapping[str, Any]:
    """*value* if it is an object."""
    if not isinstance(value, Mapping):
        raise WireError(at, "must be an object")
    return value


def sequence(value: object, at: str) -> Sequence[Any]:
    """*value* if it is an array."""
    if not isinstance(value, list):
        raise WireError(at, "must be an array")
    return value


def string(value: object, at: str) -> str:
    """*value* if it is a string."""
    if not isinstance(value, str):
        raise WireError(at, "must be a string")
    return value


def only(value: Mapping[str, Any], fields: set[str], at: str) -> None:
    """Refuse fields that nobody reads: a misspelt one would be lost in silence."""
    if unknown := [key for key in value if key not in fields]:
        # The key is the caller's; it could be content put in the wrong place, so it is only counted.
        raise WireError(at, f"has {len(unknown)} unknown field(s); known are {', '.join(sorted(fields))}")
