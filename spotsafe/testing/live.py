"""A switch for test suites: no client may call another machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_live_calls() -> Iterator[None]:
    """While the block runs, a client that would open a connection to another machine raises
    ConfigurationError instead, so that a forgotten fake is noticed. Loopback stays open; an ``httpx``
    transport that was given to the client is not a live call. Holds for the whole process."""
    from spotsafe.client import registry

    before = registry.allow_live_calls(False)
    try:
        yield
    finally:
        registry.allow_live_calls(before)
