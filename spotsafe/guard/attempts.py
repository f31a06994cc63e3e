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
    end = monotonic() + timeout
    reply = yield from _once(gate, end, monotonic)
    if not isinstance(reply, Failed):
        return reply
    now = monotonic()
    wait = gate.retry_in(reply, end - now, now, jitter())
    if wait is None:
        return reply
    yield Pause(wait)
    reply = yield from _once(gate, end, monotonic)
    if isinstance(reply, Failed):
        gate.silence(reply, monotonic())
    return reply


def _once(
    gate: Gate, end: float, monotonic: Callable[[], float]
) -> Generator[Send | Pause, Reply, Reply]:
    now = monotonic()
    left = end - now
    if left <= 0:
        return Failed(Failure.TIMEOUT)
    refusal = gate.admit(now)
    if refusal is not None:
        return Failed(refusal)
    noted = False
    try:
        reply = yield Send(left)
        gate.note(reply, monotonic(), left)
        noted = True
        return reply
    finally:
        if not noted:  # the driver was cancelled: a probe it held must not be lost
            gate.released()
