"""Names and types of a condition, checked against the declared context; the same for every backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from spotsafe.policy.cel_syntax import Call, CelError, Listed, Literal, Name, Node, Operation
from spotsafe.policy.wording import nearest, shown

TYPES = {"string": "string", "int": "int", "double": "double", "bool": "bool", "strings": "list(string)"}
"""Context types as types of CEL."""

_MAX_INT = 2**63 - 1
_NUMBERS = ("int", "double")
_TEXT_METHODS = ("startsWith", "endsWith", "contains", "matches")


def type_of(node: Node, names: Mapping[str, str]) -> str:
    """The type of *node* where *names* maps context fields to their types. Raises CelError."""
    if isinstance(node, Literal):
        if node.type == "int" and int(node.text) > _MAX_INT:
            raise CelError(node.offset, "the number is too large", "at most 9223372036854775807")
        return node.type
    if isinstance(node, Name):
        return _name(node, names)
    if isinstance(node, Listed):
        return _listed(node, names)
    if isinstance(node, Call):
        return _call(node, names)
    return _operation(node, [type_of(operand, names) for operand in node.operands])


def names_in(node: Node) -> tuple[str, ...]:
    """The context fields that *node* reads, without repeats, in order of appearance."""
    return tuple(dict.fromkeys(found.name for found in _nodes(node) if isinstance(found, Name)))


def patterns_in(node: Node) -> tuple[Literal, ...]:
    """The regular expressions given to ``matches`` in *node*."""
    calls = (found for found in _nodes(node) if isinstance(found, Call) and found.function == "matches")
    return tuple(
        pattern
        for call in calls
        for pattern in call.arguments[1:2]
        if len(call.arguments) == 2 and isinstance(pattern, Literal)
    )


def _nodes(node: Node) -> Iterator[Node]:
    """*node* and everything in it, in order of appearance."""
    yield node
    inner: tuple[Node, ...] = ()
    if isinstance(node, Listed):
        inner = node.items
    elif isinstance(node, Operation):
        inner = node.operands
    elif isinstance(node, Call):
        inner = node.arguments
    for entry in inner:
        yield from _nodes(entry)


def _name(node: Name, names: Mapping[str, str]) -> str:
    if node.name in names:
        return names[node.name]
    known = f"declared are {', '.join(names)}" if names else "declare it under 'context'"
    hint = nearest(node.name, list(names)) or known
    raise CelError(node.offset, f"the context has no field {shown(node.name)}", hint)


def _listed(node: Listed, names: Mapping[str, str]) -> str:
    types = [type_of(item, names) for item in node.items]
    if not types:
        raise CelError(node.offset, "the list is empty", "put in what is to be compared with")
    for item, kind in zip(node.items, types, strict=True):
        if kind != types[0] or kind.startswith("list"):
            raise CelError(item.offset, f"a list of {types[0]} cannot hold {_a(kind)}", "one type per list")
    return f"list({types[0]})"


def _call(node: Call, names: Mapping[str, str]) -> str:
    types = [type_of(argument, names) for argument in node.arguments]
    if node.function == "size" and len(types) == 1:
        if types[0].startswith("list"):
            return "int"
        # Libraries count a string's characters or its bytes: a policy must not depend on which.
        raise CelError(node.offset, f"size() of {_a(types[0])}", "it takes a list")
    if node.function in _TEXT_METHODS and node.method:
        if types != ["string", "string"]:
            raise CelError(node.offset, f"{node.function}() takes one string, of a string", "")
        if node.function == "matches" and not isinstance(node.arguments[1], Literal):
            raise CelError(node.offset, "matches() takes a pattern in quotes", "write it out")
        return "bool"
    known = ", ".join(f"x.{method}('…')" for method in _TEXT_METHODS)
    raise CelError(node.offset, f"no function {node.function[:40]!r} here", f"there are size(x), {known}")


def _operation(node: Operation, types: list[str]) -> str:
    operator = node.operator
    if operator in ("&&", "||", "not"):
        return _all(node, types, ("bool",), "bool")
    if operator == "negative":
        return _all(node, types, _NUMBERS, types[0])
    if operator == "?":
        return _same(node, types[1:], types[1]) if types[0] == "bool" else _refused(node, types[0], "bool")
    if operator == "in":
        return "bool" if types[1] == f"list({types[0]})" else _refused(node, *types)
    if operator in ("==", "!="):
        return _same(node, types, "bool")
    return _ordered(node, types)


def _ordered(node: Operation, types: list[str]) -> str:
    """Comparisons and arithmetic: both sides of one type that has them."""
    kind = _same(node, types, types[0])
    if node.operator in ("<", "<=", ">", ">="):
        return _all(node, types, (*_NUMBERS, "string"), "bool")
    allowed = {"+": (*_NUMBERS, "string"), "%": ("int",)}.get(node.operator, _NUMBERS)
    return _all(node, types, allowed, kind)


def _all(node: Operation, types: list[str], allowed: tuple[str, ...], result: str) -> str:
    for kind in types:
        if kind not in allowed:
            _refused(node, kind, " or ".join(allowed))
    return result


def _same(node: Operation, types: list[str], result: str) -> str:
    if len(set(types)) > 1:
        _refused(node, *types[:2])
    return result


def _refused(node: Operation, left: str, right: str) -> NoReturn:
    sign = {"not": "!", "negative": "-"}.get(node.operator, node.operator)
    raise CelError(
        node.offset, f"{sign!r} does not go with {left} and {right}", _type_hint(sign, left, right)
    )


def _type_hint(sign: str, left: str, right: str) -> str:
    if {left, right} == set(_NUMBERS):
        return "write 7.0 for a double, 7 for an int"
    if sign == "in":
        return f"write x in [a, b], with a list of {left}"
    if sign in ("!", "&&", "||", "?"):
        return "compare it first: conditions are joined, e.g. age < 7 && market == 'de'"
    if {left, right} == {"string", "int"} or {left, right} == {"string", "double"}:
        return "numbers stand without quotes, strings in them; or change the field's type under 'context'"
    return "compare values of one type; 'context' states the fields' types"


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
