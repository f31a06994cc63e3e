"""Access to the store that never raises into its caller: opens late, degrades, says so once."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from spotsafe.core.errors import ConfigurationError
from spotsafe.telemetry.stores import Bounds, Entry, EventStore, MemoryStore, StoreUnavailable

_T = TypeVar("_T")

_log = logging.getLogger("spotsafe.telemetry")


class StoreAccess:
    """The memory store, or the file store behind a net.

    A file that cannot be used *now* (busy, disk full) makes a call answer "not done", and the caller
    keeps what it has; one that can never be used (another program's database) is replaced by memory.
    """

    def __init__(self, path: Path | None, bounds: Bounds, *, damaged: Callable[[int], None]) -> None:
        self._path = path
        self._bounds = bounds
        self._damaged = damaged
        self._store: EventStore | None = None
        self._finding = threading.Lock()
        self._said: set[str] = set()

    def open(self) -> None:
        """As :meth:`spotsafe.telemetry.outbox.Outbox.open`."""
        try:
            self._found().open()
        except StoreUnavailable as error:
            # A damaged file has been set aside by now, so that one more attempt tells the two apart.
            try:
                self._found().open()
            except StoreUnavailable:
                raise ConfigurationError(
                    f"outbox={str(self._path)!r} cannot be used ({error.problem}): name a file in a "
                    "directory that this process may write to"
                ) from None

    def add(self, entries: Sequence[Entry]) -> dict[str, int] | None:
        """The drops; None where nothing was kept."""
        return self._attempt(lambda store: store.add(entries), None)

    def note_drops(self, drops: Mapping[str, int]) -> bool:
        return self._do(lambda store: store.note_drops(drops))

    def claim_drops(self, build: Callable[[Mapping[str, int]], Entry | None]) -> bool:
        return self._attempt(lambda store: store.claim_drops(build), False)

    def lease(self, items: int, size: int, now: float) -> tuple[list[Entry], dict[str, int]]:
        nothing: tuple[list[Entry], dict[str, int]] = ([], {})
        return self._attempt(lambda store: store.lease(items, size, now), nothing)

    def ack(self, ids: Iterable[str]) -> bool:
        return self._do(lambda store: store.ack(ids))

    def release(self, ids: Iterable[str], until: float = 0.0) -> bool:
        return self._do(lambda store: store.release(ids, until))

    def set_aside(self, ids: Iterable[str]) -> bool:
        return self._do(lambda store: store.set_aside(ids))

    def size(self) -> tuple[int, int]:
        """Nought where there is no file yet: asking for figures is no reason to make one."""
        if self._is_nowhere():
            return (0, 0)
        return self._attempt(lambda store: store.size(), (0, 0))

    def deliverable(self, now: float) -> int:
        """As :meth:`size`."""
        if self._is_nowhere():
            return 0
        return self._attempt(lambda store: store.deliverable(now), 0)

    def aside(self) -> int:
        """As :meth:`size`."""
        if self._is_nowhere():
            return 0
        return self._attempt(lambda store: store.aside(), 0)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def after_fork(self) -> None:
        self._finding = threading.Lock()
        self._said = set()
        if self._store is not None:
            self._store.after_fork()

    def _is_nowhere(self) -> bool:
        return self._store is None and (self._path is None or not os.path.exists(self._path))

    def _found(self) -> EventStore:
        with self._finding:
            if self._store is None:
                self._store = self._made()
            return self._store

    def _made(self) -> EventStore:
        if self._path is None:
            return MemoryStore(self._bounds)
        from spotsafe.telemetry.file_store import FileStore

        return FileStore(self._path, self._bounds, damaged=self._damaged)

    def _do(self, work: Callable[[EventStore], None]) -> bool:
        def done(store: EventStore) -> bool:
            work(store)
            return True

        return self._attempt(done, False)

    def _attempt(self, work: Callable[[EventStore], _T], otherwise: _T) -> _T:
        try:
            return work(self._found())
        except StoreUnavailable as error:
            self._say(error.problem, "cannot be used just now; events wait in memory")
        except ConfigurationError as error:
            self._say(str(error), "cannot be used; events are kept in memory and end with the process")
            self._store = MemoryStore(self._bounds)
        return otherwise

    def _say(self, problem: str, consequence: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            _log.warning("the outbox file %s %s (%s)", self._path, consequence, problem)
