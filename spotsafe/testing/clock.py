"""A clock that stands still until it is told to move."""

from __future__ import annotations


class ManualClock:
    """Wall clock and monotonic clock for tests; *now* is Unix seconds. Moves by :meth:`advance` only."""

    __slots__ = ("_monotonic", "_now")

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks *seconds* ahead; ValueError for a step back."""
        if seconds < 0:
            raise ValueError("a monotonic clock cannot go back: use set() for the wall clock")
        self._now += seconds
        self._monotonic += seconds

    def set(self, now: float) -> None:
        """Set the wall clock to *now* (Unix seconds), as an administrator might; the monotonic clock
        does not notice."""
        self._now = now

    def __repr__(self) -> str:
        return f"<ManualClock {self._now:.3f}>"
