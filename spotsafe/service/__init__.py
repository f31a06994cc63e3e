"""The central service: one ASGI app, its store, its limits and its pages (extra ``server``).

The public names load on first use, so that importing the room costs nothing and a missing extra is an
error with the install command rather than a ``ModuleNotFoundError``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spotsafe.service.app import create_app
    from spotsafe.service.background import running
    from spotsafe.service.keys import KeyRing
    from spotsafe.service.limits import Limits
    from spotsafe.service.serve import serve
    from spotsafe.service.store import Store

__all__ = ["KeyRing", "Limits", "Store", "create_app", "running", "serve"]

_HOMES = {
    "KeyRing": "keys",
    "Limits": "limits",
    "Store": "store",
    "create_app": "app",
    "running": "background",
    "serve": "serve",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if any(find_spec(module) is None for module in ("starlette", "uvicorn", "sqlalchemy")):
        from spotsafe.core.errors import missing_extra

        raise missing_extra("server", "the central service")
    return getattr(import_module(f"spotsafe.service.{_HOMES[name]}"), name)
