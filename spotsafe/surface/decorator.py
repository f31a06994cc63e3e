"""``@safe_surface``: puts a surface's guard around a handler.

At decoration only the callable's kind and signature are read. What it carries is worked out at the
first call (or by :func:`prepare`), when hints and manifest are both known.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from spotsafe.client import registry
from spotsafe.core.errors import ConfigurationError
from spotsafe.surface.guarding import Guarding, wrapper_of
from spotsafe.surface.handler import Handler, Options, caller, local_scope

if TYPE_CHECKING:
    from spotsafe.surface.seams import Guard
    from spotsafe.surface.stream import Windowing

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]")

_guarded: WeakKeyDictionary[Callable[..., Any], Guarding] = WeakKeyDictionary()
"""Every guarded callable of this process that is still alive."""

_bare: WeakKeyDictionary[types.FunctionType, str] = WeakKeyDictionary()
"""The functions behind them, and their surface: a route may keep one alive that serves it bare."""


def safe_surface(
    surface: str,
    *,
    actor: str | None = None,
    item: str | None = None,
    context: Mapping[str, str] | None = None,
    language: str | None = None,
    direction: str | None = None,
    windowing: Windowing | None = None,
) -> Callable[[F], F]:
    """Guard a handler as *surface*: what it carries is checked before it runs, or before it answers.

    The handler is a function, method, generator or async generator, or a coroutine function. *actor*,
    *item* and *language* (of notices) are paths into its parameters (``"author.id"``); *context* maps
    fields for ``when`` to such paths; *direction* (``input``, ``output``, ``both``, ``tool``) is the
    manifest's where not given; *windowing* cuts streamed output.

    A call raises SurfaceBlocked or SurfaceHeld in place of running the handler; ConfigurationError where
    handler and manifest do not fit. A parameter annotated ``Decision`` is filled in and is not part of
    the guarded signature.
    """
    options = Options(
        surface, item=item, actor=actor, context=context, language=language, direction=direction,
        windowing=windowing,
    )  # fmt: skip

    def decorate(handler: F) -> F:
        guarded: F = _decorated(handler, options, caller(1))
        return guarded

    return decorate


def _decorated(handler: Any, options: Options, frame: types.FrameType | None) -> Any:
    if isinstance(handler, (classmethod, staticmethod)):
        return type(handler)(_decorated(handler.__func__, options, frame))
    if isinstance(handler, types.MethodType):
        return types.MethodType(_decorated(handler.__func__, options, frame), handler.__self__)
    if not isinstance(handler, types.FunctionType):
        raise ConfigurationError(_refusal(handler, options.surface))
    if any(framework in sys.modules for framework in ("starlette", "flask")):
        from spotsafe.surface.order import refuse_registered

        refuse_registered(handler, options.surface, frame)
    guarding = Guarding(Handler(handler, options, local_scope(handler, frame)))
    guarded: Any = functools.wraps(handler)(wrapper_of(guarding))
    guarded.__signature__ = guarding.handler.signature
    guarded.__annotations__ = {
        name: hint
        for name, hint in guarded.__annotations__.items()
        if name != guarding.handler.decision_parameter
    }
    _guarded[guarded] = guarding
    _bare[handler] = options.surface
    registry.declare(options.surface)
    return guarded


def _refusal(handler: object, surface: str) -> str:
    kind = type(handler).__name__
    if isinstance(handler, type):
        return (
            f"{surface}: @safe_surface guards a function; decorate the method of {handler.__name__} that acts"
        )
    if isinstance(handler, (property, functools.partial)) or inspect.isbuiltin(handler):
        return f"{surface}: @safe_surface guards a function, not a {kind}: decorate the function itself"
    return (
        f"{surface}: @safe_surface guards a function, not a {kind}: put it directly above `def`, below the "
        "decorators of frameworks (@app.post, @app.task), so that they register the guarded function"
    )


def guarding_of(function: object) -> Guarding | None:
    """The guarding behind a guarded callable (bound methods included), or None."""
    function = getattr(function, "__func__", function)
    return _guarded.get(function) if isinstance(function, types.FunctionType) else None


def bare_functions() -> dict[types.FunctionType, str]:
    """The functions behind the guards of this process, with their surface: what no route may serve."""
    return dict(_bare)


def prepare(guard: Guard, *handlers: Callable[..., Any]) -> None:
    """Compile the plans of guarded *handlers* (none named: of all in this process) under the policies of
    *guard*, ahead of their first call. ConfigurationError names the first that does not fit its
    manifest, or that is not guarded."""
    for handler in handlers or list(_guarded):
        guarding = guarding_of(handler)
        if guarding is None:
            name = getattr(handler, "__qualname__", type(handler).__name__)
            raise ConfigurationError(f"{name} is not guarded: put @safe_surface on it")
        guarding.prepare(guard)
