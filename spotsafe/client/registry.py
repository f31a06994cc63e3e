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


process = _Process()
"""What :func:`current` reads; guarded calls look at ``process.client`` themselves, where each call counts."""


def configure(client: Client | None) -> None:
    """Make *client* the one that guarded surfaces use from now on; None takes it away again.
    The client that was configured before is not closed."""
    with process.lock:
        process.client = client
        names = tuple(process.declared)
    if client is not None:
        for name in names:
            client.declare(name)


def current() -> Client:
    """The configured client; without one, a client that holds everything as unchecked."""
    client = process.client
    return client if client is not None else _unconfigured()


def _unconfigured() -> Client:
    with process.lock:
        if process.unconfigured is None:
            from spotsafe.client.client import Client

            process.unconfigured = Client.unconfigured()
        return process.unconfigured


def declare(surface: str) -> None:
    """Remember that the code of this process guards *surface*; told to the client, now or later."""
    with process.lock:
        process.declared.setdefault(surface)
        client = process.client
    if client is not None:
        client.declare(surface)


State = tuple["Client | None", tuple[str, ...], bool, dict[str, int]]
"""The configured client, the declared surfaces, whether faults are loud, and those counted so far."""


def state() -> State:
    """What :func:`restore` brings back: for tests, which must not see each other's client."""
    with process.lock:
        return process.client, tuple(process.declared), faults.loud, dict(faults.counts)


def restore(state: State) -> None:
    """Bring back a process state. Surfaces declared since are kept: their modules stay imported."""
    with process.lock:
        process.client, names, faults.loud, counts = state
        faults.counts.clear()
        faults.counts.update(counts)
        process.unconfigured = None
        for name in names:
            process.declared.setdefault(name)


def allow_live_calls(allowed: bool) -> bool:
    """Whether clients may open connections beyond this machine; returns what held before. For tests."""
    before, process.live = process.live, allowed
    return before


def require_live_calls(host: str) -> None:
    """ConfigurationError where *host* is another machine and live calls are not allowed."""
    if not process.live and host not in LOOPBACK:
        raise ConfigurationError(
            f"a call to {host} under no_live_calls: give the client of this test a FakeDetector, or "
            "FakeService, which listens on loopback"
        )


def after_fork() -> None:
    """In a forked child: a lock that a thread of the parent held would never be released."""
    process.lock = Lock()
