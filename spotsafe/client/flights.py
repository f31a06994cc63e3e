"""Singleflight: of identical questions asked at the same time, one goes out.

Works between threads, between tasks, and between loops: what is shared is a
``concurrent.futures.Future`` that nobody who waits can cancel.
"""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock

from spotsafe.guard.steps import Reply

Flight = Future[Reply | None]
"""The outcome of one question; None where its leader gave up before there was one."""


class Flights:
    """The questions that are under way, by key."""

    __slots__ = ("_lock", "_open", "joins")

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[bytes, Flight] = {}
        self.joins = 0

    def join(self, key: bytes) -> tuple[Flight, bool]:
        """The flight for *key* and whether the caller leads it (and must :meth:`land` it)."""
        with self._lock:
            flight = self._open.get(key)
            if flight is not None:
                self.joins += 1
                return flight, False
            flight = self._open[key] = Future()
            flight.set_running_or_notify_cancel()  # from here on a waiter's cancellation has no effect
            return flight, True

    def forget(self, key: bytes, flight: Flight) -> None:
        """Let the next caller lead anew: a flight that outlived somebody's deadline may never land, since
        an event loop can be closed under its leader. Who waits for it still waits."""
        with self._lock:
            if self._open.get(key) is flight:
                del self._open[key]

    def land(self, key: bytes, flight: Flight, reply: Reply | None) -> None:
        """Give everyone who waits the same *reply*; None lets one of them lead anew."""
        with self._lock:
            if self._open.get(key) is flight:
                del self._open[key]
        if not flight.done():
            flight.set_result(reply)
