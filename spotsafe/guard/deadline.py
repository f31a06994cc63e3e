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

    def for_primary(self, *, keep_local: bool) -> float:
        """Seconds the primary may take now: what is left, less what is kept for the local rung."""
        kept = max(self.seconds * LOCAL_SHARE, LOCAL_LEAST) if keep_local else 0.0
        return self.left() - kept
