"""Delivers the outbox: one daemon thread per process, started by the first event.

At least once, in batches, for as long as it takes. What the service refuses is narrowed down by halves
until the events it refuses are known; those are set aside, the others go through. The thread dies with
a fork and is started again, fresh, by the child's first event.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from spotsafe.core.clock import SystemClock
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.records import Record
from spotsafe.telemetry.backoff import Backoff
from spotsafe.telemetry.dispatch import Dispatch

if TYPE_CHECKING:
    from spotsafe.core.seams import Clock
    from spotsafe.telemetry.outbox import Outbox

Send = Callable[[list[dict[str, Any]]], None]
"""Hands a batch to the service; returns when the service has it. Raises DetectorError: ``rejected``
where the service refuses the batch, anything else where it should be tried again."""

INTERVAL = 0.25
"""Seconds between rounds: how long an event may wait to be committed to the outbox's store."""
HEARTBEAT = 86_400.0
"""Seconds after which a living process registers again."""
EXIT_SECONDS = 2.0
"""How long the end of the interpreter waits for a last delivery."""

_log = logging.getLogger("spotsafe.telemetry")


class Delivery:
    """Moves events from *outbox* to *send* in the background.

    *send* None: events are only built and kept (a file that people read). *heartbeat* gives the
    registration of this process; it is asked for when the thread starts and once a day. *pause* (seconds
    → whether it was cut short) replaces waiting in tests.
    """

    def __init__(
        self,
        outbox: Outbox,
        send: Send | None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        heartbeat: Callable[[], Sequence[Record]] | None = None,
        faults: FaultCounter | None = None,
        pause: Callable[[float], bool] | None = None,
    ) -> None:
        self._outbox = outbox
        self._clock: Clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._heartbeat = heartbeat
        self._faults = faults or FaultCounter()
        self._pause = pause or self._wait
        self._dispatch = None if send is None else Dispatch(outbox, send, self._clock)
        self._closed = False
        self._reset()
        outbox.listen(self._noticed)
        _live.add(self)

    def _reset(self) -> None:
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._rounds = threading.Condition()
        self._one_at_a_time = threading.Lock()
        self._flushing = 0
        self._beat_at = 0.0
        self._backoff = Backoff(self._random)

    # ── life cycle ──────────────────────────────────────────────────────────────────────────────

    def start(self) -> bool:
        """Start the thread where it does not run; whether it does now (not while the interpreter ends)."""
        with self._starting:
            if self._closed:
                return False
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="spotsafe-delivery", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        return True

    def _noticed(self, waiting: int) -> None:
        if self._thread is None and not self._closed:
            self.start()
        if waiting:
            self._wake.set()

    def flush(self, timeout: float = 2.0) -> bool:
        """Deliver what was put, within *timeout* seconds; whether nothing is left to send. An event that
        another process has taken from a shared file is that process's to send."""
        if not self._idle() and not self.start():
            return self._finish_here(timeout)
        # Real time, whatever clock the client was given: this is about a thread that really waits.
        deadline = time.monotonic() + timeout
        with self._rounds:
            self._flushing += 1
            try:
                while not self._idle():
                    self._wake.set()
                    left = deadline - time.monotonic()
                    if left <= 0 or not self._rounds.wait(left):
                        return self._idle()
            finally:
                self._flushing -= 1
        return True

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, then end the thread and release the outbox, within *timeout* seconds. Idempotent. What is
        left in a file is delivered by the next process that opens it."""
        deadline = time.monotonic() + timeout
        done = self.flush(timeout) if not self._closed else self._idle()
        with self._starting:
            thread, self._thread, self._closed = self._thread, None, True
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            # A request on its way ends by its own deadline; the thread is a daemon and holds nobody up.
            thread.join(0.1)
        return self._released(deadline - time.monotonic()) and done

    def _released(self, left: float) -> bool:
        """Release the outbox, and wait for that *left* seconds: another process may have locked its file."""
        releasing = threading.Thread(target=self._outbox.close, name="spotsafe-release", daemon=True)
        try:
            releasing.start()
        except RuntimeError:  # the interpreter ends, and starts no threads any more
            self._outbox.close()
            return True
        releasing.join(max(left, 0.1))
        return not releasing.is_alive()

    def used(self) -> bool:
        """Whether this process has put or delivered anything, so that there is something to end."""
        return self._thread is not None or self._outbox.waiting() > 0

    def after_fork(self) -> None:
        """In a forked child: no thread, fresh locks, nothing inherited to deliver."""
        self._reset()
        if self._dispatch is not None:
            self._dispatch.reset()

    def stats(self) -> dict[str, Any]:
        """``delivered`` events and ``requests`` since the process started, ``failure`` of the last
        request or None, ``alive``: whether the thread runs."""
        sent = {} if self._dispatch is None else self._dispatch.stats()
        thread = self._thread
        return {"delivered": 0, "requests": 0, "failure": None, **sent,
                "alive": thread is not None and thread.is_alive()}  # fmt: skip

    # ── the thread ──────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        me = threading.current_thread()
        while not self._closed and self._thread in (me, None):
            with contained("telemetry.delivery", self._faults):
                self.round()
            self._announce()
            self._pause(INTERVAL)

    def round(self) -> None:
        """One round: register where it is due, commit what was put, deliver until nothing is left. Returns
        early when closed. Only tests and :meth:`close` call it from another thread."""
        with self._one_at_a_time:
            self._beat()
            self._outbox.drain()
            if self._dispatch is None:
                return
            while not self._closed and self._deliver(self._dispatch):
                self._announce()

    def _deliver(self, dispatch: Dispatch) -> bool:
        """One batch, tried until it is settled or the delivery is closed; whether more may be waiting."""
        from tenacity import RetryError, Retrying, retry_if_exception_type

        attempts = Retrying(
            retry=retry_if_exception_type(DetectorError),
            wait=self._seconds_to_wait,
            stop=lambda state: self._closed,
            sleep=self._sit_out,
        )
        try:
            return bool(attempts(dispatch.batch))
        except RetryError:
            return False

    def _seconds_to_wait(self, state: Any) -> float:
        error = state.outcome.exception()
        refused = isinstance(error, DetectorError) and error.failure is Failure.UNAUTHORIZED
        if refused and state.attempt_number == 1:
            _log.warning("the service does not accept this client's key for events; they wait in the outbox")
        return self._backoff.seconds(state.attempt_number, getattr(error, "retry_after", None))

    def _sit_out(self, seconds: float) -> None:
        """Wait between attempts, going on to commit what is put meanwhile. A flush cuts the wait short,
        unless the service itself named it."""
        until = self._clock.monotonic() + seconds
        self._announce()
        while not self._closed:
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            cut = self._pause(min(left, INTERVAL))
            self._outbox.drain()
            if cut and self._flushing and not self._backoff.told:
                # A flush tries again at once, but not faster than this.
                self._pause(min(left, 0.05))
                return

    def _wait(self, seconds: float) -> bool:
        cut = self._wake.wait(seconds)
        self._wake.clear()
        return cut

    def _beat(self) -> None:
        now = self._clock.now()
        if self._heartbeat is None or now < self._beat_at:
            return
        self._beat_at = now + HEARTBEAT
        with contained("telemetry.heartbeat", self._faults):
            for record in self._heartbeat():
                self._outbox.put(record, 0, True)

    def _announce(self) -> None:
        with self._rounds:
            self._rounds.notify_all()

    def _idle(self) -> bool:
        if self._dispatch is None:
            return self._outbox.waiting() == 0
        return self._outbox.deliverable() == 0 and not self._dispatch.busy

    def _finish_here(self, timeout: float) -> bool:
        """The interpreter is ending and starts no thread: deliver in this one, one attempt per batch."""
        deadline = time.monotonic() + timeout
        self._outbox.drain()
        try:
            while self._dispatch is not None and self._dispatch.batch():
                if time.monotonic() >= deadline:
                    break
        except DetectorError:
            return False
        return self._idle()


_live: weakref.WeakSet[Delivery] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for delivery in list(_live):
        delivery.after_fork()


def _at_exit() -> None:
    for delivery in list(_live):
        if delivery.used():
            delivery.close(EXIT_SECONDS)


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
