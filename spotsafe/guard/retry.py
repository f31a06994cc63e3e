"""Whether a failed request may be sent once more, and when no request may be sent at all."""

from __future__ import annotations

from threading import Lock

from spotsafe.core.errors import Failure
from spotsafe.guard.breaker import Breaker
from spotsafe.guard.steps import Answered, Failed, Reply

RETRYABLE = frozenset({Failure.CONNECT, Failure.OVERLOADED, Failure.SERVER})
"""Failures after which a second request can help. A time-out is not among them: the time is gone."""

BACKOFF = 0.050
"""Seconds: the longest random pause before a retry for which the server named no time."""

MOST_RETRY_AFTER = 300.0
"""Seconds: what a server may ask for; more is cut, so that a wrong header cannot silence a client."""

MEANINGFUL = 0.020
"""Seconds: a time-out after less says nothing about the service and does not count against it."""


class RetryBudget:
    """A token bucket: a retry costs one token, *answers* answered requests earn one.

    In an outage the retries of one client add at most a tenth to its requests.
    """

    __slots__ = ("_answers", "_parts", "capacity")

    def __init__(self, capacity: int = 10, answers: int = 10) -> None:
        self.capacity = capacity
        self._answers = answers
        self._parts = capacity * answers  # whole numbers: tenths of a token would not add up to one

    @property
    def tokens(self) -> float:
        """Retries that may be made now."""
        return self._parts / self._answers

    @property
    def full(self) -> bool:
        """Whether another answered request would earn nothing."""
        return self._parts == self.capacity * self._answers

    def spend(self) -> bool:
        """Take one token; False when there is none."""
        if self._parts < self._answers:
            return False
        self._parts -= self._answers
        return True

    def reward(self) -> None:
        """Count one answered request."""
        self._parts = min(self.capacity * self._answers, self._parts + 1)


class Gate:
    """Admission of requests to one service: breaker, back-off and retry budget under one lock.

    All times are monotonic seconds given by the caller.
    """

    __slots__ = ("_lock", "breaker", "budget", "silent_until")

    def __init__(self, breaker: Breaker | None = None, budget: RetryBudget | None = None) -> None:
        self.breaker = breaker or Breaker()
        self.budget = budget or RetryBudget()
        self.silent_until = 0.0
        self._lock = Lock()

    def admit(self, now: float) -> Failure | None:
        """None where a request may be sent (a half-open breaker lends its one probe), else why not."""
        if now >= self.silent_until and self.breaker.open_until is None:
            return None  # the usual case lends nothing, so it needs no lock
        with self._lock:
            if now < self.silent_until:
                return Failure.BACKING_OFF
            return None if self.breaker.admit(now) else Failure.BREAKER_OPEN

    def blocked(self, now: float) -> Failure | None:
        """As :meth:`admit`, without lending anything: a cheap look before any work is done."""
        if now < self.silent_until:
            return Failure.BACKING_OFF
        return Failure.BREAKER_OPEN if self.breaker.blocks(now) else None

    def note(self, reply: Reply, now: float, timeout: float) -> None:
        """Record what came of an admitted request that had *timeout* seconds."""
        if isinstance(reply, Answered) and self.breaker.untroubled and self.budget.full:
            return  # the usual case changes nothing
        with self._lock:
            if isinstance(reply, Answered):
                self.breaker.succeeded()
                self.budget.reward()
            elif isinstance(reply, Failed):
                self._note_failure(reply, now, timeout)

    def _note_failure(self, failed: Failed, now: float, timeout: float) -> None:
        if failed.failure is Failure.REJECTED:
            self.breaker.succeeded()  # it is alive; it did not want this one
        elif failed.failure is Failure.CLOSED or (failed.failure is Failure.TIMEOUT and timeout < MEANINGFUL):
            self.breaker.released()
        else:
            self.breaker.failed(now)

    def released(self) -> None:
        """An admitted request was given up by its caller: no verdict on the service."""
        with self._lock:
            self.breaker.released()

    def retry_in(self, failed: Failed, left: float, now: float, jitter: float) -> float | None:
        """Seconds to wait before one retry, or None where there must be none.

        *left* is the rest of the budget in seconds, *jitter* in [0, 1). A ``Retry-After`` beyond the
        rest silences the client until then.
        """
        if failed.failure not in RETRYABLE:
            return None
        with self._lock:
            wait = jitter * min(BACKOFF, left / 4)
            if failed.retry_after is not None:
                wait = min(max(failed.retry_after, 0.0), MOST_RETRY_AFTER)
                if wait >= left:
                    self.silent_until = max(self.silent_until, now + wait)
                    return None
            if wait >= left or self.breaker.blocks(now) or not self.budget.spend():
                return None
            return wait

    def silence(self, failed: Failed, now: float) -> None:
        """After a second refusal that named a time: no request until then."""
        if failed.retry_after is not None and failed.failure is Failure.OVERLOADED:
            with self._lock:
                wait = min(max(failed.retry_after, 0.0), MOST_RETRY_AFTER)
                self.silent_until = max(self.silent_until, now + wait)
