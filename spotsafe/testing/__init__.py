"""Fakes that ship as product: test guarded code without a network, a model or a clock.

Names are resolved on first use, so that a test process pays only for what it touches.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from spotsafe.testing.capture import Captured as Captured
    from spotsafe.testing.capture import capture_decisions as capture_decisions
    from spotsafe.testing.clock import ManualClock as ManualClock
    from spotsafe.testing.detector import FakeDetector as FakeDetector
    from spotsafe.testing.live import no_live_calls as no_live_calls
    from spotsafe.testing.service import FakeService as FakeService

_HOMES = {
    "Captured": "spotsafe.testing.capture",
    "FakeDetector": "spotsafe.testing.detector",
    "FakeService": "spotsafe.testing.service",
    "ManualClock": "spotsafe.testing.clock",
    "capture_decisions": "spotsafe.testing.capture",
    "no_live_calls": "spotsafe.testing.live",
}

__all__ = ["Captured", "FakeDetector", "FakeService", "ManualClock", "capture_decisions", "no_live_calls"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'spotsafe.testing' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
