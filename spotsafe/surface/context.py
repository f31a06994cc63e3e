"""The decision of the guarded call that is running, for code below the handler.

Held in a context variable: each thread and each asyncio task sees its own.
"""

from __future__ import annotations

from contextvars import ContextVar

from spotsafe.core.decision import Decision

_running: ContextVar[Decision | None] = ContextVar("spotsafe_decision", default=None)
enter = _running.set
leave = _running.reset


def decision() -> Decision | None:
    """The decision on the input of the innermost guarded call that is running, or None outside of one
    (and in a call whose input is not checked)."""
    return _running.get()
