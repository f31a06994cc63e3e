"""What is read of a handler when it is decorated: its kind, its signature, and nothing else.

Type hints are resolved later (:meth:`Handler.hints`), when forward references exist.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from spotsafe.core.content import DIRECTIONS
from spotsafe.core.decision import Decision
from spotsafe.core.errors import ConfigurationError
from spotsafe.surface.arguments import Argument, Getter, arguments_of, path_getter, subject_getter

if TYPE_CHECKING:
    from spotsafe.surface.stream import Windowing


class Kind(Enum):
    """How a handler runs."""

    SYNC = "function"
    ASYNC = "coroutine function"
    GENERATOR = "generator function"
    ASYNC_GENERATOR = "async generator function"


class Options:
    """The options of one ``@safe_surface``; see :func:`spotsafe.surface.decorator.safe_surface`."""

    __slots__ = ("actor", "context", "direction", "item", "language", "surface", "windowing")

    def __init__(
        self,
        surface: str,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, str] | None = None,
        language: str | None = None,
        direction: str | None = None,
        windowing: Windowing | None = None,
    ) -> None:
        if not isinstance(surface, str) or not surface:
            raise ConfigurationError(
                '@safe_surface needs the surface\'s name: write @safe_surface("comments.create")'
            )
        if direction is not None and direction not in DIRECTIONS:
            raise ConfigurationError(
                f"{surface}: direction={direction!r} is not one of {', '.join(DIRECTIONS)}"
            )
        self.surface = surface
        self.item = item
        self.actor = actor
        self.context = dict(context or {})
        self.language = language
        self.direction = direction
        self.windowing = windowing


class Handler:
    """One decorated callable. *scope* are the local names that its annotations mention."""

    __slots__ = (
        "actor", "arguments", "context", "decision_index", "decision_parameter", "direction", "function",
        "item", "kind", "language", "name", "scope", "signature", "surface", "windowing",
    )  # fmt: skip

    def __init__(self, function: types.FunctionType, options: Options, scope: Mapping[str, Any]) -> None:
        self.function = function
        self.surface = options.surface
        self.direction = options.direction
        self.windowing = options.windowing
        self.name = function.__qualname__
        self.kind = kind_of(function)
        self.scope = scope
        whole = inspect.signature(function)
        self.decision_parameter = _decision_parameter(whole, function, scope, self.where)
        shown = [p for p in whole.parameters.values() if p.name != self.decision_parameter]
        self.signature = whole.replace(parameters=shown)
        if "fastapi" in sys.modules:
            # Before 0.123 it resolves annotations by the globals of what it is given: our wrapper's.
            self.signature = _spelled_out(self.signature, function, scope)
        self.arguments: dict[str, Argument] = arguments_of(self.signature)
        self.decision_index = _index_of(whole, self.decision_parameter)
        self._read_paths(options)

    def _read_paths(self, options: Options) -> None:
        self.item = self._subject("item", options.item)
        self.actor = self._subject("actor", options.actor)
        self.language = self._subject("language", options.language)
        self.context: dict[str, Getter] = {
            field: path_getter(f"context[{field!r}]", path, self.arguments, self.where)
            for field, path in options.context.items()
        }

    def _subject(self, option: str, path: str | None) -> Getter | None:
        return None if path is None else subject_getter(option, path, self.arguments, self.where)

    @property
    def where(self) -> str:
        """Surface and callable, as messages name them."""
        return f"{self.surface}: {self.name}"

    def hints(self) -> dict[str, Any]:
        """Parameter (and ``return``) → resolved hint. ConfigurationError names the parameter whose hint
        cannot be resolved: it could hide content."""
        from spotsafe.surface.hints import UNRESOLVED

        annotations = dict(getattr(self.function, "__annotations__", {}))
        annotations.pop(self.decision_parameter or "", None)
        hints: dict[str, Any] = {}
        unresolved = []
        for name, annotation in annotations.items():
            try:
                hints[name] = _resolved(annotation, self.function, self.scope)
            except (NameError, AttributeError, TypeError, SyntaxError):
                # What is returned may not be of interest; where it is, its shape cannot be compiled.
                hints[name] = annotation
                unresolved += [name] if name != "return" else []
        if unresolved:
            raise ConfigurationError(
                f"{self.where}: the type hint of parameter {unresolved[0]!r} cannot be resolved: {UNRESOLVED}"
            )
        return hints

    def injected(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], decision: Decision | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The call's arguments with *decision* where the handler wants it."""
        if self.decision_parameter is None:
            return args, kwargs
        index = self.decision_index
        if 0 <= index < len(args):
            return (*args[:index], decision, *args[index:]), kwargs
        return args, {**kwargs, self.decision_parameter: decision}


def kind_of(function: Callable[..., Any]) -> Kind:
    """How *function* runs, by its code flags."""
    if inspect.isasyncgenfunction(function):
        return Kind.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(function):
        return Kind.GENERATOR
    return Kind.ASYNC if inspect.iscoroutinefunction(function) else Kind.SYNC


def local_scope(function: types.FunctionType, frame: types.FrameType | None) -> dict[str, Any]:
    """The names that postponed annotations of a nested *function* mention, where the frame that defines
    it (or its closure) has them: resolving by module globals alone would miss local classes."""
    texts = [text for text in getattr(function, "__annotations__", {}).values() if isinstance(text, str)]
    if not texts or "<locals>" not in function.__qualname__:
        return {}
    names = {name for text in texts for name in _names_in(text)}
    found: dict[str, Any] = {}
    while frame is not None and frame.f_globals is function.__globals__:
        for name in names & frame.f_locals.keys():
            found.setdefault(name, frame.f_locals[name])
        frame = frame.f_back
    return found


def caller(depth: int) -> types.FrameType | None:
    """The frame *depth* calls above the caller of this function; None where there is none."""
    frame: types.FrameType | None = sys._getframe(1)
    for _ in range(depth):
        frame = frame.f_back if frame is not None else None
    return frame


def _names_in(text: str) -> tuple[str, ...]:
    try:
        return compile(text, "<annotation>", "eval").co_names
    except SyntaxError:
        return ()


def _resolved(annotation: Any, function: types.FunctionType, scope: Mapping[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(
        holder, globalns=function.__globals__, localns=dict(scope), include_extras=True
    )["it"]


def _spelled_out(
    signature: inspect.Signature, function: types.FunctionType, scope: Mapping[str, Any]
) -> inspect.Signature:
    """*signature* with postponed annotations resolved, where that can be done already."""

    def resolved(annotation: Any) -> Any:
        if not isinstance(annotation, str):
            return annotation
        try:
            return _resolved(annotation, function, scope)
        except (NameError, AttributeError, TypeError, SyntaxError):
            return annotation

    parameters = [p.replace(annotation=resolved(p.annotation)) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=resolved(signature.return_annotation))


def _decision_parameter(
    signature: inspect.Signature, function: types.FunctionType, scope: Mapping[str, Any], where: str
) -> str | None:
    """The name of the parameter annotated ``Decision``, which the guard fills in; None without one."""
    found = [p for p in signature.parameters.values() if _is_decision(p.annotation, function, scope)]
    if not found:
        return None
    if len(found) > 1:
        names = " and ".join(p.name for p in found)
        raise ConfigurationError(f"{where}: {names} are both annotated Decision: keep one")
    if found[0].kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        raise ConfigurationError(
            f"{where}: parameter {found[0].name!r} is annotated Decision and is passed by keyword: "
            "do not make it positional-only or variadic"
        )
    return found[0].name


def _index_of(signature: inspect.Signature, name: str | None) -> int:
    """Position of parameter *name*; -1 for none and for one that is passed by keyword only."""
    if name is None or signature.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY:
        return -1
    return list(signature.parameters).index(name)


def _is_decision(annotation: Any, function: types.FunctionType, scope: Mapping[str, Any]) -> bool:
    if isinstance(annotation, str):
        if "Decision" not in annotation:
            return False  # nothing else is evaluated at decoration: other names may not exist yet
        try:
            annotation = _resolved(annotation, function, scope)
        except (NameError, AttributeError, TypeError, SyntaxError):
            bare: str = annotation
            return bare.replace("spotsafe.", "").partition("|")[0].strip("'\" ") == "Decision"
    return annotation is Decision or Decision in typing.get_args(annotation)
