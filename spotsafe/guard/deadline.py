"""One wall-clock deadline over all rungs, with a share kept for the last of them."""

from __future__ import annotations

from collections.abc import Callable

LOCAL_SHARE = 0.2
"""Share of the deadline that is kept for the local rung."""

LOCAL_LEAST = 0.010
"""Seconds kept for the local rung at least (or all of a shorter deadline)."""


class Deadline:
    """*seconds* from now on. *monotonic* is the clock, in seconds."""

    __slots__ = ("_monotonic", "end", "seconds")

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self.end = monotonic() + seconds

    def left(self) -> float:
        """Seconds left; negative when it has passed."""
        return self.end - self._monotonic()

    def again(self) -> Deadline:
        """The deadline of a second pass: what is left, and the local rung's share anew where less is. A first
        pass that was slow and yet accepted must not make the second fail for want of time."""
        floor = Deadline(self._kept(), self._monotonic)
        floor.seconds, floor.end = self.seconds, max(self.end, floor.end)
        return floor

    def _kept(self) -> float:
        return max(self.seconds * LOCAL_SHARE, LOCAL_LEAST)

    def for_primary(self, *, keep_local: bool) -> float:
        """Seconds the primary may take now: what is left, less what is kept for the local rung."""
        return self.left() - (self._kept() if keep_local else 0.0)
