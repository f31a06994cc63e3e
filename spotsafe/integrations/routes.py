"""Looking at all routes of an application: none may serve the bare function behind a guard."""

from __future__ import annotations

import types
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from spotsafe.client import registry
from spotsafe.surface.decorator import bare_functions, guarding_of
from spotsafe.surface.guarding import Guarding
from spotsafe.surface.order import served_by, wrong_order


def verify(app: Any) -> None:
    """ConfigurationError where a route of *app* (Starlette, FastAPI or Flask) goes past a guard, or
    where a guarded handler does not fit its manifest: of the routes, and what their code names. Compiles the
    plans of the handlers it finds."""
    served = list(served_by(app))
    bare = bare_functions()
    for function in served:
        chain = list(_unwrapped(function))
        guardings = [guarding for inner in chain if (guarding := guarding_of(inner)) is not None]
        if not guardings and (open_to := [inner for inner in chain if inner in bare]):
            raise wrong_order(open_to[0], bare[open_to[0]])
        guardings += [guarding for inner in chain for guarding in _named_in(inner)]
        for guarding in guardings:
            guarding.prepare(registry.current())


def _named_in(function: types.FunctionType) -> Iterable[Guarding]:
    """The guards of callables that the code of *function* names: the generator behind a route's stream."""
    code, closure = function.__code__, function.__closure__ or ()
    near = {name: function.__globals__.get(name) for name in code.co_names}
    for name, cell in zip(code.co_freevars, closure, strict=True):
        with suppress(ValueError):  # not assigned yet
            near[name] = cell.cell_contents
    for value in near.values():
        if isinstance(value, types.FunctionType) and (guarding := guarding_of(value)) is not None:
            yield guarding


def _unwrapped(function: Any) -> Iterable[types.FunctionType]:
    """*function* and the functions it says it wraps, outermost first."""
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        bare = getattr(function, "__func__", function)
        if isinstance(bare, types.FunctionType):
            yield bare
        function = getattr(function, "__wrapped__", None)
