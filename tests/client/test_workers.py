"""The pool of daemon threads behind slow checks."""

from __future__ import annotations

from threading import Event

from spotsafe.client.workers import Workers
from spotsafe.core.faults import FaultCounter


def test_winding_up_drops_what_waits_and_says_whether_what_runs_has_ended() -> None:
    """Nothing new begins at the end of the interpreter; a job that is under way is waited for."""
    pool = Workers("test", 1, 8, FaultCounter())
    begun, go = Event(), Event()

    def job() -> None:
        begun.set()
        go.wait(20)

    running, waiting = pool.submit(job), pool.submit(job)
    assert running is not None
    assert waiting is not None
    assert begun.wait(20)
    assert pool.wind_up(0.0) is False
    assert waiting.cancelled()
    assert pool.submit(job) is None
    go.set()
    assert pool.wind_up(20.0) is True
    assert running.done()
