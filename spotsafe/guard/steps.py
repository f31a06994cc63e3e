"""The words between the ladder and its drivers: what to do next, and what came of it."""

from __future__ import annotations

from typing import NamedTuple

from spotsafe.core.decision import Status
from spotsafe.core.errors import Failure
from spotsafe.core.signals import Cause, Signals


class AskPrimary(NamedTuple):
    """Ask the configured primary detector (retries included) within *timeout* seconds."""

    timeout: float


class AskFallback(NamedTuple):
    """Ask the local engine within *timeout* seconds; zero or less leaves time only for an inline run."""

    timeout: float


class LookStale(NamedTuple):
    """Look for signals of this content that are past their ttl but not past ``stale``."""


class Send(NamedTuple):
    """Send one request; give up after *timeout* seconds."""

    timeout: float


class Pause(NamedTuple):
    """Wait *seconds* before the retry."""

    seconds: float


class Answered(NamedTuple):
    """A detector answered, perhaps only in part."""

    signals: Signals


class Failed(NamedTuple):
    """No answer, and why. *retry_after* is in seconds, where the server named it."""

    failure: Failure
    retry_after: float | None = None

    @property
    def cause(self) -> Cause:
        """The cause under which the labels are missing."""
        return Cause.TIMEOUT if self.failure is Failure.TIMEOUT else Cause.ERROR


class Nothing(NamedTuple):
    """There was nothing to be had: no stale entry."""


Step = AskPrimary | AskFallback | LookStale
Reply = Answered | Failed | Nothing


class Outcome(NamedTuple):
    """What the ladder ended with.

    *signals* are everything known; *origin* is the worst place a score came from; *earlier* are the
    cached signals behind a stale answer, in full: what they blocked stays blocked. *failure* is the
    primary's, None where it answered; *rungs* are the ones that were tried, in order.
    """

    signals: Signals
    origin: Status
    earlier: Signals | None = None
    failure: Failure | None = None
    rungs: tuple[str, ...] = ()
