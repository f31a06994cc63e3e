"""``when``: CEL conditions over a surface's declared context, behind one seam for two backends."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from spotsafe.policy.cel_backends import Backend, Program, installed
from spotsafe.policy.cel_syntax import CelError, parse
from spotsafe.policy.cel_types import TYPES, names_in, patterns_in, type_of
from spotsafe.policy.surface import Condition, ContextField

MAX_LENGTH = 2000

_INT64 = range(-(2**63), 2**63)
_DIFFERING = re.compile(r"\\[dDwWsSbB]")
_CONVERTED: Mapping[str, Callable[[Any], object]] = {"double": float, "strings": list}


def _as_is(value: object) -> object:
    return value


def compile_condition(
    text: str, fields: Mapping[str, ContextField], *, backend: Backend | None = None
) -> Condition:
    """A condition over context *fields*: context → True, False, or None where it cannot be told (a field
    is absent or of another type, or the evaluation fails). Raises CelError with place and hint: for
    unknown names, wrong types, and where no CEL library is installed."""
    if len(text) > MAX_LENGTH:
        raise CelError(0, f"longer than {MAX_LENGTH} characters", "split the rule")
    tree = parse(text)
    types = {name: TYPES[field.type] for name, field in fields.items()}
    found = type_of(tree, types)
    if found != "bool":
        raise CelError(0, f"a condition must be true or false, and this is {found}", "compare it")
    chosen = backend or _preferred()
    read = {name: fields[name].type for name in names_in(tree)}
    for pattern in patterns_in(tree):
        if _DIFFERING.search(pattern.text):
            hint = "classes such as \\d differ between CEL libraries; write [0-9]"
            raise CelError(pattern.offset, "a class that is not the same everywhere", hint)
        if _compiled(chosen, f"''.matches({pattern.text})", {})({}) is None:
            raise CelError(pattern.offset, "not a regular expression in RE2's syntax", "no look-around")
    return _condition(_compiled(chosen, text, {name: types[name] for name in read}), read)


def _preferred() -> Backend:
    backends = installed()
    if not backends:
        raise CelError(0, "'when' needs a CEL library, and none is installed", "pip install 'spotsafe[cel]'")
    return backends[0]


def _compiled(backend: Backend, text: str, types: Mapping[str, str]) -> Program:
    try:
        return backend.compiles(text, types)
    except ValueError:
        raise CelError(0, f"{backend.name} does not accept it", "write it in simpler terms") from None


def _condition(program: Program, read: Mapping[str, str]) -> Condition:
    items = tuple(read.items())

    def condition(context: Mapping[str, object]) -> bool | None:
        values = {}
        for name, kind in items:
            value = context.get(name)
            if not fits(kind, value):
                return None
            values[name] = _CONVERTED.get(kind, _as_is)(value)
        return program(values)

    return condition


def fits(kind: str, value: object) -> bool:
    """Whether a context *value* is of the declared type *kind* (``bool`` is no number)."""
    if kind == "string":
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool) and value in _INT64
    if kind == "double":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)
