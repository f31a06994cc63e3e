"""Arguments of a guarded call: read by position or keyword without binding the whole signature.

``inspect.Signature.bind`` costs about sixty times what an index costs, so each parameter is compiled
to a closure once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from spotsafe.core.errors import ConfigurationError

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "<absent>"})()
"""An argument that was neither passed nor has a default: the call is malformed."""

Getter = Callable[[tuple[Any, ...], dict[str, Any]], Any]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Argument:
    """One parameter of a callable. *index* is its position, or -1 where it is passed by keyword only;
    *get* takes ``(args, kwargs)`` of a call and returns what the parameter will be."""

    __slots__ = ("default", "get", "index", "kind", "name", "others")

    def __init__(self, parameter: inspect.Parameter, index: int, others: Sequence[str] = ()) -> None:
        self.name = parameter.name
        self.kind = parameter.kind
        self.index = index
        self.default = ABSENT if parameter.default is inspect.Parameter.empty else parameter.default
        self.others = frozenset(others)
        self.get: Getter = self._getter()

    def _getter(self) -> Getter:
        name, index, default, others = self.name, self.index, self.default, self.others
        if self.kind is inspect.Parameter.VAR_POSITIONAL:
            return lambda args, kwargs: args[index:]
        if self.kind is inspect.Parameter.VAR_KEYWORD:
            return lambda args, kwargs: {k: v for k, v in kwargs.items() if k not in others}
        if self.kind is inspect.Parameter.KEYWORD_ONLY:
            return lambda args, kwargs: kwargs.get(name, default)
        if self.kind is inspect.Parameter.POSITIONAL_ONLY:
            return lambda args, kwargs: args[index] if len(args) > index else default
        return lambda args, kwargs: args[index] if len(args) > index else kwargs.get(name, default)

    def put(self, args: list[Any], kwargs: dict[str, Any], value: Any) -> None:
        """Make *value* what the parameter will be in this call; *args* and *kwargs* are the call's own."""
        if self.kind is inspect.Parameter.VAR_POSITIONAL:
            args[self.index :] = value
        elif self.kind is inspect.Parameter.VAR_KEYWORD:
            kwargs.update(value)
        elif self.kind in _POSITIONAL and len(args) > self.index:
            args[self.index] = value
        elif self.kind is not inspect.Parameter.POSITIONAL_ONLY:
            kwargs[self.name] = value
        elif len(args) == self.index:
            args.append(value)
        else:
            raise ConfigurationError(
                f"parameter {self.name!r} is positional-only behind others that were left out, so its edited "
                "default cannot be passed: pass it, or make it a keyword parameter"
            )


def arguments_of(signature: inspect.Signature) -> dict[str, Argument]:
    """Every parameter of *signature* by name."""
    parameters = list(signature.parameters.values())
    # A positional-only name can come by keyword too, and then belongs to the variadic keywords.
    not_keywords = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    named = [p.name for p in parameters if p.kind not in not_keywords]
    arguments = {}
    position = 0
    for parameter in parameters:
        is_placed = parameter.kind in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL)
        arguments[parameter.name] = Argument(parameter, position if is_placed else -1, named)
        position += parameter.kind in _POSITIONAL
    return arguments


def path_getter(option: str, path: str, arguments: dict[str, Argument], where: str) -> Getter:
    """Reads ``author.id`` (a parameter, then fields) in a call; None anywhere on the way gives None.

    ConfigurationError now where the parameter does not exist, and in a call where a field does not.
    """
    first, *fields = path.split(".")
    argument = arguments.get(first)
    if argument is None or not all(fields):
        known = ", ".join(arguments) or "none"
        raise ConfigurationError(
            f"{where}: {option}={path!r} does not name a parameter of the handler: it has {known}; "
            "write parameter or parameter.field"
        )
    if not fields:
        get = argument.get
        return lambda args, kwargs: None if (value := get(args, kwargs)) is ABSENT else value
    return _fields_getter(argument.get, fields, f"{where}: {option}={path!r}")


def _fields_getter(get: Getter, fields: Sequence[str], where: str) -> Getter:
    quick = attrgetter(".".join(fields))

    def walk(value: Any) -> Any:
        from spotsafe.surface.shapes import field_of

        for field in fields:
            if value is None or value is ABSENT:
                return None
            value = field_of(value, field, where)
        return value

    def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = get(args, kwargs)
        try:
            return quick(value)
        except AttributeError:
            pass  # outside of this clause, so that no message of ours drags the caller's object along
        return walk(value)

    return read


def subject_getter(option: str, path: str, arguments: dict[str, Argument], where: str) -> Getter:
    """As :func:`path_getter`, for ``item`` and ``actor``: the value as ``str``, or None."""
    read = path_getter(option, path, arguments, where)
    argument = arguments[path.partition(".")[0]]
    if "." not in path and argument.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return _plain_subject(argument)

    def subject(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        value = read(args, kwargs)
        return value if value is None or type(value) is str else str(value)

    return subject


def _plain_subject(argument: Argument) -> Getter:
    """An ordinary parameter as ``str``: the usual case, read without a further call."""
    index, name, default = argument.index, argument.name, argument.default

    def subject(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        value = args[index] if len(args) > index else kwargs.get(name, default)
        if type(value) is str:
            return value
        return None if value is None or value is ABSENT else str(value)

    return subject
