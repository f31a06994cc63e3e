"""How long to wait before the next attempt."""

from __future__ import annotations

from random import Random

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0
LONGEST_TOLD_SECONDS = 3_600.0
"""A ``Retry-After`` beyond an hour is taken as an hour: a slip must not silence a process for days."""


class Backoff:
    """Full jitter over an exponential bound (M. Brooker, "Exponential Backoff And Jitter", AWS
    Architecture Blog, 2015), or what the service asked for plus up to a tenth, so that the processes it
    turned away do not come back as one."""

    __slots__ = ("_random", "told")

    def __init__(self, random: Random) -> None:
        self._random = random
        self.told = False

    def seconds(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after failed *attempt* (1-based); *retry_after* as the service named it."""
        self.told = retry_after is not None and retry_after > 0
        if retry_after is not None and retry_after > 0:
            return min(retry_after, LONGEST_TOLD_SECONDS) * self._random.uniform(1.0, 1.1)
        bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 16))
        return self._random.uniform(bound / 10, bound)
