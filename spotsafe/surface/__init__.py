"""``@safe_surface``: extraction, enforcement, streaming; and the same path as a block."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from spotsafe.surface.block import guarded as guarded
    from spotsafe.surface.context import decision as decision
    from spotsafe.surface.decorator import prepare as prepare
    from spotsafe.surface.decorator import safe_surface as safe_surface
    from spotsafe.surface.stream import Windowing as Windowing

_HOMES = {
    "Windowing": "spotsafe.surface.stream",
    "decision": "spotsafe.surface.context",
    "guarded": "spotsafe.surface.block",
    "prepare": "spotsafe.surface.decorator",
    "safe_surface": "spotsafe.surface.decorator",
}

__all__ = ["Windowing", "decision", "guarded", "prepare", "safe_surface"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'spotsafe.surface' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
