"""Refusing the wrong decorator order: a router that has already registered the bare function.

``@safe_surface`` above ``@app.post`` would leave the route open: FastAPI and Flask register the function
they are given and hand it back, so the guarded one is never called. Routers keep no list of themselves,
so what is looked at here are the ones that the decorating code can see: locals and globals of the frame
that decorates, and attributes of those. ``spotsafe.integrations`` looks at the whole application at
start-up and finds the rest.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

from spotsafe.core.errors import ConfigurationError


def refuse_registered(function: types.FunctionType, surface: str, frame: types.FrameType | None) -> None:
    """ConfigurationError where a router within sight of *frame* serves *function*."""
    kinds = _router_classes()
    if not kinds or frame is None:
        return
    for router in _in_sight(frame, kinds):
        if any(served is function for served in served_by(router)):
            raise wrong_order(function, surface)


def wrong_order(function: types.FunctionType, surface: str) -> ConfigurationError:
    """The error for a route that serves the bare function behind a guard."""
    return ConfigurationError(
        f"{surface}: a route already serves {function.__qualname__} without its guard: put @safe_surface "
        "directly above `def`, below the decorator of the router"
    )


def _router_classes() -> tuple[type, ...]:
    """The router classes of frameworks that this process has imported; none is imported for this."""
    found = []
    for module, name in (
        ("starlette.routing", "Router"),
        ("starlette.applications", "Starlette"),
        ("flask.sansio.scaffold", "Scaffold"),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type):
            found.append(kind)
    return tuple(found)


def _in_sight(frame: types.FrameType, kinds: tuple[type, ...]) -> Iterator[Any]:
    """Routers among the names of *frame* and its callers in the same module, and one attribute further."""
    near: dict[int, Any] = {}
    at: types.FrameType | None = frame
    while at is not None and at.f_globals is frame.f_globals:
        near.update((id(value), value) for value in at.f_locals.values())
        at = at.f_back
    near.update((id(value), value) for value in frame.f_globals.values())
    # By type, not isinstance: proxies such as flask.current_app answer for what they stand for. A module
    # has thousands of names, but few types: each is looked at once.
    is_router: dict[type, bool] = {}
    for value in near.values():
        yield from _routers((value,), kinds, is_router)
        if not is_router[type(value)] and (isinstance(value, types.ModuleType) or _is_plain(value)):
            inner = object.__getattribute__(value, "__dict__")
            yield from _routers(list(inner.values()), kinds, is_router)


def _routers(values: Iterable[Any], kinds: tuple[type, ...], is_router: dict[type, bool]) -> Iterator[Any]:
    for value in values:
        kind = type(value)
        if kind not in is_router:
            is_router[kind] = issubclass(kind, kinds)
        if is_router[kind]:
            yield value


def _is_plain(value: Any) -> bool:
    """Whether *value* is an ordinary object with attributes of its own (a proxy has none)."""
    return type(value).__dictoffset__ != 0 and not isinstance(value, (type, types.FunctionType))


def served_by(router: Any) -> Iterator[Any]:
    """The functions that *router* (Starlette, FastAPI or Flask) calls for its routes: included and
    mounted routers, and views that a blueprint still defers."""
    views = getattr(router, "view_functions", None)
    if isinstance(views, dict):
        yield from views.values()
        yield from _deferred(router)
        return
    for route in getattr(router, "routes", None) or ():
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            yield endpoint
            continue
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if inner is not None and inner is not router:
            yield from served_by(inner)


def _deferred(blueprint: Any) -> Iterator[Any]:
    """Views of a Flask blueprint that no application has registered yet: it keeps them in closures."""
    for step in getattr(blueprint, "deferred_functions", ()):
        for cell in getattr(step, "__closure__", None) or ():
            if isinstance(cell.cell_contents, types.FunctionType):
                yield cell.cell_contents
