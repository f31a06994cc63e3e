"""Looking at all routes of an application: none may serve the bare function behind a guard."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

from spotsafe.client import registry
from spotsafe.surface.decorator import bare_functions, guarding_of
from spotsafe.surface.order import served_by, wrong_order


def verify(app: Any) -> None:
    """ConfigurationError where a route of *app* (Starlette, FastAPI or Flask) goes past a guard, or
    where a guarded handler does not fit its manifest. Compiles the plans of the handlers it finds."""
    served = list(served_by(app))
    bare = bare_functions()
    for function in served:
        chain = list(_unwrapped(function))
        guardings = [guarding for inner in chain if (guarding := guarding_of(inner)) is not None]
        if not guardings and (open_to := [inner for inner in chain if inner in bare]):
            raise wrong_order(open_to[0], bare[open_to[0]])
        for guarding in guardings:
            guarding.prepare(registry.current())


def _unwrapped(function: Any) -> Iterable[types.FunctionType]:
    """*function* and the functions it says it wraps, outermost first."""
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        bare = getattr(function, "__func__", function)
        if isinstance(bare, types.FunctionType):
            yield bare
        function = getattr(function, "__wrapped__", None)
