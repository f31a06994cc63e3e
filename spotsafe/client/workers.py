"""A bounded pool of daemon threads: full means refused, and nothing keeps the interpreter from exiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Event, Thread
from time import monotonic
from typing import TypeVar
from weakref import WeakSet

from spotsafe.core.errors import ConfigurationError, DetectorError, Failure, SpotsafeError
from spotsafe.core.faults import FaultCounter, contained

T = TypeVar("T")


_pools: WeakSet[Workers] = WeakSet()


def after_fork() -> None:
    """In a forked child: the parent's pools have no threads here, and locks that nobody may hold."""
    _pools.clear()


def wind_up(seconds: float) -> None:
    """End all pools of the process, within *seconds* together."""
    end = monotonic() + seconds
    for pool in list(_pools):
        pool.wind_up(max(0.0, end - monotonic()))


class Workers:
    """At most *threads* daemon threads, started when needed, over a queue of at most *waiting* jobs."""

    def __init__(self, name: str, threads: int, waiting: int, faults: FaultCounter) -> None:
        self.name = name
        self._faults = faults
        self._closing = Event()
        self._most = threads
        self._waiting = waiting
        self._jobs: deque[tuple[Future[object], Callable[[], object]]] = deque()
        self._ready = Condition()
        self._started = 0
        self._idle = 0
        self._busy = 0
        self._closed = False
        self.refused = 0
        _pools.add(self)

    def submit(self, job: Callable[[], T]) -> Future[T] | None:
        """Run *job* on a worker; None where the queue is full, the pool closed, or the interpreter is
        going down and lends no thread."""
        future: Future[T] = Future()
        with self._ready:
            if self._closed or len(self._jobs) >= self._waiting or not self._staffed():
                self.refused += 1
                return None
            self._jobs.append((future, job))  # type: ignore[arg-type] # the pair agrees with itself
            self._ready.notify()
        return future

    def _staffed(self) -> bool:
        """Whether a thread will take one more job; starts one where all are busy."""
        if self._idle > len(self._jobs) or self._started >= self._most:
            return True
        try:
            Thread(target=self._work, name=f"{self.name}-{self._started}", daemon=True).start()
        except RuntimeError:  # "can't start new thread": limits, or interpreter shutdown
            return self._started > 0
        self._started += 1
        return True

    def _work(self) -> None:
        try:
            while self._next():
                pass
        finally:  # also where a job took the thread down with it
            with self._ready:
                self._started -= 1

    def _next(self) -> bool:
        with self._ready:
            self._idle += 1
            while not self._jobs and not self._closed:
                self._ready.wait()
            self._idle -= 1
            if not self._jobs:
                return False
            future, job = self._jobs.popleft()
            self._busy += 1
        try:
            if future.set_running_or_notify_cancel():
                self._run(future, job)
        finally:
            with self._ready:
                self._busy -= 1
                self._ready.notify_all()
        return True

    def _run(self, future: Future[object], job: Callable[[], object]) -> None:
        try:
            with contained(f"{self.name}.worker", self._faults):
                future.set_result(job())
        except SpotsafeError as error:
            future.set_exception(error)
        finally:
            if not future.done():
                future.set_exception(self._internal())

    def _internal(self) -> SpotsafeError:
        """What the caller learns of a job that broke: a failure to get along with or, where faults are
        loud, an error; the traceback is the worker's."""
        if self._faults.loud:
            return ConfigurationError(
                f"internal fault on a thread of {self.name}: its traceback is shown there"
            )
        return DetectorError(Failure.INTERNAL)

    def pause(self, seconds: float) -> bool:
        """Wait *seconds* on the calling thread, or until the pool closes; whether it is still open. Who
        pauses in a loop has to end it then: no further pause takes any time."""
        return not self._closing.wait(seconds)

    def drain(self, timeout: float) -> bool:
        """Wait until nothing is queued or running, at most *timeout* seconds; whether that was reached."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._jobs and not self._busy, timeout)

    def wind_up(self, seconds: float) -> bool:
        """At the end of the interpreter: drop what waits, and wait at most *seconds* for what runs; whether
        it ended. A thread that comes back from native code after that takes the process down with it."""
        with self._ready:
            waiting, self._closed = list(self._jobs), True
            self._jobs.clear()
            self._ready.notify_all()
        for future, _ in waiting:
            future.cancel()
        return self.drain(seconds)

    def close(self) -> None:
        """Take no more jobs; the threads end when the queue is empty. Does not wait."""
        self._closing.set()
        with self._ready:
            self._closed = True
            self._ready.notify_all()
