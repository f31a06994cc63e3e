"""What can be loaded early, and closed late: optional for a detector, so it is asked for in one place."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Loadable(Protocol):
    """Has something to load before the first detection."""

    def warm(self) -> None:
        """Load it now. Raises ConfigurationError where something is absent."""
        ...


@runtime_checkable
class Closable(Protocol):
    """Holds processes, connections or threads."""

    def close(self) -> None:
        """Let go of them."""
        ...


def warm(*things: object) -> None:
    """Load what can be loaded of *things* (None and others are passed over). Raises ConfigurationError."""
    for thing in things:
        if isinstance(thing, Loadable):
            thing.warm()


def close(*things: object) -> None:
    """Close what can be closed of *things*."""
    for thing in things:
        if isinstance(thing, Closable):
            thing.close()
