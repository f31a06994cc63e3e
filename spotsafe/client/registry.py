"""The process-wide client: the only place with process-wide state, in one object.

A guarded call in a process that configured nothing gets a client whose surfaces are held, status
``unchecked``; ``faults.loud`` (the pytest plugin sets it) makes that a ConfigurationError instead.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.faults import FaultCounter

if TYPE_CHECKING:
    from spotsafe.client.client import Client

LOOPBACK = ("127.0.0.1", "localhost", "::1")

faults = FaultCounter()
"""Faults of spotsafe itself in this process, by place."""


class _Process:
    """What this process has configured and declared."""

    __slots__ = ("client", "declared", "live", "lock", "unconfigured")

    def __init__(self) -> None:
        self.lock = Lock()
        self.live = True
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


State = tuple["Client | None", tuple[str, ...], bool]
"""The configured client, the declared surfaces, and whether faults are loud."""


def state() -> State:
    """What :func:`restore` brings back: for tests, which must not see each other's client."""
    with _process.lock:
        return _process.client, tuple(_process.declared), faults.loud


def restore(state: State) -> None:
    """Bring back a process state. Surfaces declared since are kept: their modules stay imported."""
    with _process.lock:
        _process.client, names, faults.loud = state
        _process.unconfigured = None
        for name in names:
            _process.declared.setdefault(name)


def allow_live_calls(allowed: bool) -> bool:
    """Whether clients may open connections beyond this machine; returns what held before. For tests."""
    before, _process.live = _process.live, allowed
    return before


def require_live_calls(host: str) -> None:
    """ConfigurationError where *host* is another machine and live calls are not allowed."""
    if not _process.live and host not in LOOPBACK:
        raise ConfigurationError(
            f"a call to {host} under no_live_calls: give the client of this test a FakeDetector, or "
            "FakeService, which listens on loopback"
        )


def after_fork() -> None:
    """In a forked child: a lock that a thread of the parent held would never be released."""
    _process.lock = Lock()
