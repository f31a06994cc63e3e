"""The ladder below a fresh cache hit: primary, stale cache, local engine, and then ``on_failure``.

A generator without I/O, so that one set of decisions serves the sync and the async driver, and tests
walk it with neither.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Sequence

from spotsafe.core.decision import Status
from spotsafe.core.errors import Failure
from spotsafe.core.signals import Cause, Missing, Signals
from spotsafe.guard.blend import aged, filled
from spotsafe.guard.deadline import Deadline
from spotsafe.guard.steps import Answered, AskFallback, AskPrimary, Failed, LookStale, Outcome, Reply, Step


def ladder(
    labels: Sequence[str],
    parts: Sequence[str],
    deadline: Deadline,
    *,
    has_fallback: bool,
    may_stale: bool,
    inline: bool = False,
    beyond: Container[str] = (),
) -> Generator[Step, Reply, Outcome]:
    """What is known about one content after all rungs that were needed.

    *labels* are the codes asked for, *parts* the names of the content's parts; *beyond* are labels that
    the primary is known not to give. *inline* is a primary that runs on this thread: nothing could cut it
    off, so it is asked whatever the clock says. A lower rung is tried only for labels that *failed* above,
    and gives nothing for the others.
    """
    timeout = deadline.for_primary(keep_local=has_fallback)
    reply = (yield AskPrimary(timeout)) if timeout > 0 or inline else Failed(Failure.TIMEOUT)
    known, failure = _read(reply, labels, beyond)
    origin, earlier, rungs = Status.CHECKED, None, ["primary"]
    if known.has_failures and may_stale:
        rungs.append("stale")
        reply = yield LookStale()
        if isinstance(reply, Answered):
            earlier = reply.signals
            known, used = filled(known, aged(reply.signals), parts)
            origin = max(origin, Status.STALE) if used else origin
    if known.has_failures and has_fallback:
        rungs.append("fallback")
        reply = yield AskFallback(deadline.left())
        if isinstance(reply, Answered):
            known, used = filled(known, reply.signals, parts)
            origin = max(origin, Status.LOCAL) if used else origin
    return Outcome(known, origin, earlier, failure, tuple(rungs))


def _read(reply: Reply, labels: Sequence[str], beyond: Container[str]) -> tuple[Signals, Failure | None]:
    if isinstance(reply, Answered):
        return reply.signals, None
    failed = reply if isinstance(reply, Failed) else Failed(Failure.INTERNAL)
    # What the primary never gives did not fail with it.
    missing = [Missing(code, "", Cause.UNSUPPORTED if code in beyond else failed.cause) for code in labels]
    return Signals((), missing), failed.failure
