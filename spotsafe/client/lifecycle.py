"""Forks and the end of the interpreter: every living client is told, none is kept alive for it."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from typing import Protocol

from spotsafe.client import registry, workers

EXIT_SECONDS = 2.0
"""How long the end of the interpreter waits for events and for running checks, all clients together."""


class Living(Protocol):
    """What is told."""

    def _after_fork(self) -> None: ...

    def close(self, timeout: float = EXIT_SECONDS) -> bool: ...


_living: weakref.WeakSet[Living] = weakref.WeakSet()


def watch(client: Living) -> None:
    """Tell *client* of forks and of the end, for as long as it lives."""
    _living.add(client)


def _in_child() -> None:
    workers.after_fork()
    registry.after_fork()
    for client in list(_living):
        client._after_fork()


def _at_exit() -> None:
    end = time.monotonic() + EXIT_SECONDS
    for client in list(_living):
        client.close(max(0.0, end - time.monotonic()))
    workers.wind_up(max(0.0, end - time.monotonic()))


# Only ``after_in_child``: a ``before`` hook would run in, and could block, the parent.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
atexit.register(_at_exit)
