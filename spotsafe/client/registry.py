"""The process-wide client: the only place with process-wide state, in one object.

A guarded call in a process that configured nothing gets a client whose surfaces are held, status
``unchecked``; ``faults.loud`` (the pytest plugin sets it) makes that a ConfigurationError instead.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from spotsafe.core.faults import FaultCounter

if TYPE_CHECKING:
    from spotsafe.client.client import Client

faults = FaultCounter()
"""Faults of spotsafe itself in this process, by place."""


class _Process:
    """What this process has configured and declared."""

    __slots__ = ("client", "declared", "lock", "unconfigured")

    def __init__(self) -> None:
        self.lock = Lock()
        self.client: Client | None = None
        self.unconfigured: Client | None = None
        self.declared: dict[str, None] = {}


_process = _Process()


def configure(client: Client | None) -> None:
    """Make *client* the one that guarded surfaces use from now on; None takes it away again.
    The client that was configured before is not closed."""
    with _process.lock:
        _process.client = client
        names = tuple(_process.declared)
    if client is not None:
        for name in names:
            client.declare(name)


def current() -> Client:
    """The configured client; without one, a client that holds everything as unchecked."""
    client = _process.client
    return client if client is not None else _unconfigured()


def _unconfigured() -> Client:
    with _process.lock:
        if _process.unconfigured is None:
            from spotsafe.client.client import Client

            _process.unconfigured = Client.unconfigured()
        return _process.unconfigured


def declare(surface: str) -> None:
    """Remember that the code of this process guards *surface*; told to the client, now or later."""
    with _process.lock:
        _process.declared.setdefault(surface)
        client = _process.client
    if client is not None:
        client.declare(surface)


def declared() -> tuple[str, ...]:
    """The surfaces that the code of this process guards, in the order of their declaration."""
    return tuple(_process.declared)


def after_fork() -> None:
    """In a forked child: a lock that a thread of the parent held would never be released."""
    _process.lock = Lock()
