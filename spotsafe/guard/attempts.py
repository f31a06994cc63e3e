"""One question to the primary detector, with at most one retry: a generator that does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Generator

from spotsafe.core.errors import Failure
from spotsafe.guard.retry import Gate
from spotsafe.guard.steps import Failed, Pause, Reply, Send


def attempts(
    gate: Gate, timeout: float, monotonic: Callable[[], float], jitter: Callable[[], float]
) -> Generator[Send | Pause, Reply, Reply]:
    """Yields :class:`Send` (to be answered with what came) and :class:`Pause`; returns the last reply.

    *timeout* bounds everything together, in seconds; *jitter* gives numbers in [0, 1).
    """
    now = monotonic()
    end = now + timeout
    last = False
    while True:
        reply: Reply | None = Failed(Failure.TIMEOUT)
        if now < end:
            refusal = gate.admit(now)
            reply = None if refusal is None else Failed(refusal)
        if reply is None:
            try:
                reply = yield Send(end - now)
            finally:
                if reply is None:  # the driver was cancelled: a probe it held must not be lost
                    gate.released()
            answered = monotonic()
            gate.note(reply, answered, end - now)
            now = answered
        if not isinstance(reply, Failed):
            return reply
        if last:
            gate.silence(reply, now)
            return reply
        wait = gate.retry_in(reply, end - now, now, jitter())
        if wait is None:
            return reply
        yield Pause(wait)
        now, last = monotonic(), True
