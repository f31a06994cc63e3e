"""A circuit breaker as plain state: closed, open, half-open with a single probe."""

from __future__ import annotations

from enum import Enum


class BreakerState(str, Enum):
    """Closed lets everything through, open nothing, half-open one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after *threshold* failures in a row, for *cooldown* seconds; each failed probe doubles the
    time up to *longest*. Not thread-safe by itself: its owner holds the lock.
    """

    __slots__ = (
        "_failures", "_pause", "_probing", "cooldown", "longest", "open_until", "opened", "threshold",
    )  # fmt: skip

    def __init__(self, threshold: int = 5, cooldown: float = 5.0, longest: float = 60.0) -> None:
        self.threshold = threshold
        self.cooldown = cooldown
        self.longest = longest
        self.opened = 0
        self.open_until: float | None = None
        self._failures = 0
        self._pause = cooldown
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """Where it stands at *now* (monotonic seconds)."""
        if self.open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until else BreakerState.HALF_OPEN

    @property
    def untroubled(self) -> bool:
        """Closed, and the last request was answered: another answer changes nothing."""
        return self.open_until is None and not self._failures

    def blocks(self, now: float) -> bool:
        """Whether a request asked for at *now* would be refused."""
        return self.open_until is not None and (now < self.open_until or self._probing)

    def admit(self, now: float) -> bool:
        """Whether a request may be sent; in half-open state the first caller gets the probe."""
        if self.blocks(now):
            return False
        if self.open_until is not None:
            self._probing = True
        return True

    def succeeded(self) -> None:
        """An admitted request was answered: closed again."""
        self._failures = 0
        self._pause = self.cooldown
        self._probing = False
        self.open_until = None

    def failed(self, now: float) -> None:
        """An admitted request failed."""
        self._failures += 1
        if self.open_until is not None:
            if not self._probing:
                return  # a straggler from before it opened
            self._pause = min(self._pause * 2, self.longest)
        elif self._failures < self.threshold:
            return
        self._probing = False
        self.opened += 1
        self.open_until = now + self._pause

    def released(self) -> None:
        """An admitted request ended without a verdict on the service; the probe can be lent again."""
        self._probing = False
