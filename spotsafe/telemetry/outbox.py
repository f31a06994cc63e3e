"""The outbox: events wait here, bounded, until the service has them.

Two stages. ``put`` is the hot path: one append of whatever was given, nothing built, no lock, no I/O.
The delivery thread then builds records, encodes them and commits them in batches to a store: this
process's memory, or a SQLite file that survives the process. What cannot be kept is dropped, counted
by reason, and reported as an event of its own.
"""

from __future__ import annotations

import json
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from spotsafe.core.clock import SystemClock
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.records import MAX_EVENT_BYTES, Record
from spotsafe.telemetry.store_access import StoreAccess
from spotsafe.telemetry.stores import Bounds, Entry

if TYPE_CHECKING:
    from spotsafe.core.seams import Clock

MEMORY_ITEMS, MEMORY_BYTES = 10_000, 16 * 2**20
FILE_ITEMS, FILE_BYTES = 200_000, 256 * 2**20
MAX_AGE = 7 * 86_400.0
LEASE_SECONDS = 60.0
MAX_PENDING = 8_192
"""How many calls may wait for the delivery thread to build their records."""
WAKE_EVERY = 256
"""The delivery thread is woken each time so many calls wait."""
LARGE_CONTENT = 16 * 1024
"""From this size on (see :meth:`Outbox.put`) a record is built at once, so that what waits never keeps
large contents in memory."""

BREATHE_EVERY = 16
"""After so many records the delivery thread lets others run: it would hold the interpreter for
milliseconds otherwise, and a request would wait for it."""
MAX_STAGED = 10_000
"""How many built events may wait in memory while the file cannot be written."""


class Batch(NamedTuple):
    """Events out for delivery. Call :meth:`ack` with what the service has, :meth:`release` with the
    rest; doing neither repeats them when the lease ends."""

    records: tuple[Record, ...]
    outbox: Outbox

    def ids(self) -> list[str]:
        return [record["event_id"] for record in self.records]

    def ack(self, records: Iterable[Record] | None = None) -> None:
        """These (default: all) are delivered."""
        self.outbox.settle("ack", self.ids() if records is None else [r["event_id"] for r in records])

    def release(self, records: Iterable[Record] | None = None, *, until: float = 0.0) -> None:
        """These (default: all) are free again, at once or from *until* (Unix seconds) on."""
        ids = self.ids() if records is None else [r["event_id"] for r in records]
        self.outbox.settle("release", ids, until)

    def set_aside(self, records: Iterable[Record]) -> None:
        """The service refuses these: they are kept apart and counted as ``rejected``."""
        ids = [r["event_id"] for r in records]
        self.outbox.settle("set_aside", ids)
        self.outbox.drop("rejected", len(ids))


class Outbox:
    """Bounded by items and bytes; *path* names a SQLite file, None keeps everything in memory.

    *build* turns what was put into a record, unless it is one (a mapping); *report* makes the ``drops`` event
    from ``{reason: count}``. *keep_newest*: when full the oldest give way, for an outbox that nothing
    delivers from and people read with ``spotsafe adoption --outbox``. No I/O happens before the first
    :meth:`drain`, :meth:`take` or :meth:`open`.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        *,
        max_items: int | None = None,
        max_bytes: int | None = None,
        max_age: float = MAX_AGE,
        clock: Clock | None = None,
        build: Callable[[Any], Record] | None = None,
        report: Callable[[Mapping[str, int]], Record] | None = None,
        faults: FaultCounter | None = None,
        keep_newest: bool = False,
    ) -> None:
        self.path = None if path is None else Path(path)
        items, size = (MEMORY_ITEMS, MEMORY_BYTES) if path is None else (FILE_ITEMS, FILE_BYTES)
        self._bounds = Bounds(max_items or items, max_bytes or size, max_age, LEASE_SECONDS, keep_newest)
        self._clock: Clock = clock or SystemClock()
        self._build = build
        self._report = report
        self._faults = faults or FaultCounter()
        self._limit = min(MAX_PENDING, max_items or MAX_PENDING)
        self._listener: Callable[[int], None] = _nobody
        self._store = StoreAccess(self.path, self._bounds, damaged=lambda lost: self.drop("corrupt", lost))
        self._reset()
        _live.add(self)

    def _reset(self) -> None:
        self._pending: deque[Any] = deque()
        self._staged: deque[Entry] = deque()
        self._dropped: dict[str, int] = {}
        self._unreported: dict[str, int] = {}
        self._work = threading.RLock()
        self._tally = threading.Lock()

    # ── the hot path ────────────────────────────────────────────────────────────────────────────

    def put(self, raw: Any, size: int = 0, urgent: bool = False) -> bool:
        """Accept one record (or what ``build`` makes one of) without blocking; False when it was dropped
        and counted. *size* is the content's size where *raw* refers to one; *urgent* (a hold, feedback)
        asks for delivery at once."""
        pending = self._pending
        waiting = len(pending)
        if waiting >= self._limit and not (urgent and waiting < self._limit * 1.1):
            self.drop("full")
            return False
        if size >= LARGE_CONTENT:
            raw = self._built(raw)
            if raw is None:
                return False
        pending.append(raw)
        if urgent:
            self._listener(WAKE_EVERY)
        elif not waiting % WAKE_EVERY:
            self._listener(waiting)
        return True

    def listen(self, listener: Callable[[int], None]) -> None:
        """Call *listener* with the number of waiting calls: with 0 when the first of them arrives, with
        a multiple of WAKE_EVERY when somebody should come and build records."""
        self._listener = listener

    # ── the delivery thread ─────────────────────────────────────────────────────────────────────

    def drain(self) -> int:
        """Build, encode and commit what was put; how many events were kept. Never raises: what the store
        cannot take now stays here and is tried again."""
        with self._work:
            self._encode_pending()
            if not self._staged and not self._unreported:
                return 0
            return self._commit()

    def _encode_pending(self) -> None:
        pending = self._pending
        for number in range(len(pending)):
            if number % BREATHE_EVERY == BREATHE_EVERY - 1:
                time.sleep(0)
            try:
                raw = pending.popleft()
            except IndexError:
                return
            record = self._built(raw)
            if record is None:
                continue
            if len(self._staged) >= min(MAX_STAGED, self._bounds.items):
                self.drop("full")
                continue
            entry = self._encoded(record)
            if entry is not None:
                self._staged.append(entry)

    def _built(self, raw: Any) -> Record | None:
        if isinstance(raw, Mapping) or self._build is None:
            record: Record = raw
            return record
        with contained("telemetry.build", self._faults, lambda: self.drop("rejected")):
            return self._build(raw)
        return None

    def _encoded(self, record: Record) -> Entry | None:
        with contained("telemetry.encode", self._faults, lambda: self.drop("rejected")):
            body = json.dumps(record, separators=(",", ":"), allow_nan=False)
            if len(body) <= MAX_EVENT_BYTES:
                return Entry(record["event_id"], record["kind"], record["at"], body, _is_urgent(record))
            self.drop("too_large")
        return None

    def _commit(self) -> int:
        kept = len(self._staged)
        drops = self._store.add(tuple(self._staged)) if kept else {}
        if drops is None:
            return 0
        self._staged.clear()
        self._count(drops)
        with self._tally:
            unreported, self._unreported = self._unreported, {}
        if unreported and not self._store.note_drops(unreported):
            with self._tally:
                _add(self._unreported, unreported)
        return kept - sum(drops.values())

    def take(self, n: int = 500, *, max_bytes: int = 2**20) -> Batch:
        """Lease up to *n* events of together *max_bytes* of JSON, oldest first, after a drain. Losses
        not yet reported come with it as a ``drops`` event. Empty where there is nothing to send."""
        with self._work:
            self.drain()
            self._store.claim_drops(self._drops_entry)
            entries, drops = self._store.lease(n, max_bytes, self._clock.now())
        self._count(drops)
        return Batch(tuple(self._decoded(entries)), self)

    def _drops_entry(self, drops: Mapping[str, int]) -> Entry | None:
        if self._report is None:
            return None
        record: Record | None = None
        with contained("telemetry.drops", self._faults):
            record = self._report(drops)
        return None if record is None else self._encoded(record)

    def _decoded(self, entries: Iterable[Entry]) -> Iterator[Record]:
        for entry in entries:
            try:
                yield json.loads(entry.body)
            except ValueError:
                self.settle("ack", [entry.event_id])
                self.drop("corrupt")

    def settle(self, act: str, ids: list[str], until: float = 0.0) -> None:
        """What :class:`Batch` does: ``ack``, ``release`` or ``set_aside`` of *ids*. Never raises: an
        acknowledgement that is lost repeats the event, which the service recognises."""
        if not ids:
            return
        if act == "ack":
            self._store.ack(ids)
        elif act == "release":
            self._store.release(ids, until)
        else:
            self._store.set_aside(ids)

    # ── figures and life cycle ──────────────────────────────────────────────────────────────────

    def drop(self, reason: str, count: int = 1) -> None:
        """Count *count* lost events under a key of :data:`spotsafe.telemetry.catalogue.DROPS`."""
        self._count({reason: count})

    def _count(self, drops: Mapping[str, int]) -> None:
        if drops:
            with self._tally:
                _add(self._dropped, drops)
                _add(self._unreported, drops)

    def drops(self) -> dict[str, int]:
        """Events lost in this process since it started, by reason."""
        with self._tally:
            return dict(self._dropped)

    def __len__(self) -> int:
        """Events that wait, whether built or not, leased ones included."""
        return self.waiting() + self._store.size()[0]

    def waiting(self) -> int:
        """Events that were put and are not yet in the store."""
        return len(self._pending) + len(self._staged)

    def deliverable(self) -> int:
        """Events that :meth:`take` could give now; what another process has leased does not count."""
        return self.waiting() + self._store.deliverable(self._clock.now())

    def stats(self) -> dict[str, Any]:
        """``items``, ``bytes``, ``set_aside`` and ``dropped`` by reason."""
        items, size = self._store.size()
        waiting = self.waiting()
        return {
            "items": waiting + items,
            "bytes": size,
            "set_aside": self._store.aside(),
            "dropped": self.drops(),
        }

    def open(self) -> None:
        """Open the file now. Raises ConfigurationError where it cannot be used; without this call an
        unusable file is a warning, and events are kept in memory."""
        self._store.open()

    def close(self) -> None:
        """Commit what was put and release the file. Idempotent; a later ``put`` opens it again."""
        self.drain()
        self._store.close()

    def after_fork(self) -> None:
        """In a forked child: the parent delivers what it has put, so the child starts empty."""
        self._reset()
        self._store.after_fork()


_live: weakref.WeakSet[Outbox] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for outbox in list(_live):
        outbox.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _nobody(waiting: int) -> None:
    return None


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for reason, count in more.items():
        counts[reason] = counts.get(reason, 0) + count


def _is_urgent(record: Record) -> bool:
    """What must not give way to ordinary traffic: holds wait for the service to know of them."""
    return record["kind"] != "decision" or record.get("hold") is not None
