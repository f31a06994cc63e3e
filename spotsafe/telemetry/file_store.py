"""The outbox's SQLite file: survives restart and ``kill -9``, shared by the processes of one host.

Write-ahead log with ``synchronous=NORMAL``: what was committed survives the death of the process at
any instant; a power cut can take the last commits. Only the delivery thread, ``flush`` and ``close``
come here, never a request. A file that is damaged is set aside, with a warning and a count.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from spotsafe.core.errors import ConfigurationError
from spotsafe.telemetry.file_damage import is_damage, set_file_aside
from spotsafe.telemetry.stores import MAX_ASIDE, Bounds, Entry, StoreUnavailable

APPLICATION_ID = 0x53505346
"""``PRAGMA application_id`` of an outbox ("SPSF"), so that nobody else's database is written to."""
SCHEMA_VERSION = 1
BUSY_SECONDS = 2.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  at REAL NOT NULL, size INTEGER NOT NULL, urgent INTEGER NOT NULL, body TEXT NOT NULL,
  lease TEXT, ready_at REAL NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS events_at ON events(at);
CREATE INDEX IF NOT EXISTS events_ready ON events(ready_at);
CREATE INDEX IF NOT EXISTS events_drops ON events(kind) WHERE kind = 'drops';
CREATE TABLE IF NOT EXISTS aside(event_id TEXT PRIMARY KEY, at REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS drops(reason TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS totals(one INTEGER PRIMARY KEY CHECK (one = 1), items INTEGER, bytes INTEGER);
INSERT OR IGNORE INTO totals VALUES(1, 0, 0);
CREATE TRIGGER IF NOT EXISTS counted_in AFTER INSERT ON events BEGIN
  UPDATE totals SET items = items + 1, bytes = bytes + NEW.size; END;
CREATE TRIGGER IF NOT EXISTS counted_out AFTER DELETE ON events BEGIN
  UPDATE totals SET items = items - 1, bytes = bytes - OLD.size; END;
"""

_log = logging.getLogger("spotsafe.telemetry")
_abandoned: list[sqlite3.Connection] = []
"""Connections of a parent process. A child must not close them: that could truncate the parent's log."""


class FileStore:
    """As :class:`spotsafe.telemetry.stores.EventStore`, in the file at *path*.

    *damaged* is told how many events a damaged file took with it.
    """

    def __init__(self, path: Path, bounds: Bounds, *, damaged: Callable[[int], None]) -> None:
        self.path = path
        self._bounds = bounds
        self._damaged = damaged
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._known_items = 0
        self._lease = uuid4().hex

    # ── the file ────────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        with self._transaction():
            pass

    def _connection(self) -> sqlite3.Connection:
        if self._db is not None and not self._same_file():
            # Another process set the file aside, or somebody deleted it: what we write must be found.
            self.close()
        if self._db is None:
            self._db = self._connect()
        return self._db

    def _same_file(self) -> bool:
        try:
            return os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            status = os.fstat(handle)
        finally:
            os.close(handle)
        if status.st_mode & 0o077:
            # The log files beside it take the mode of the database file.
            os.chmod(self.path, 0o600)
        self._inode = status.st_ino
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        with ExitStack() as undo:
            undo.callback(db.close)
            _prepare(db, self.path)
            undo.pop_all()
        return db

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, under the lock; what goes wrong becomes StoreUnavailable, and a damaged file
        is set aside, so that the next call finds a fresh one."""
        with self._lock:
            try:
                yield self._connection()
            except sqlite3.Error as error:
                if is_damage(error):
                    self._set_file_aside()
                problem = getattr(error, "sqlite_errorname", None) or type(error).__name__
                raise StoreUnavailable(problem) from None
            except OSError as error:
                raise StoreUnavailable(error.strerror or type(error).__name__) from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._using() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def _set_file_aside(self) -> None:
        self.close()
        moved = set_file_aside(self.path, self._inode)
        if moved is None:
            return
        lost, self._known_items = max(1, self._known_items), 0
        _log.warning(
            "the outbox file %s is damaged: moved to %s, up to %d undelivered events are in it; "
            "a new file takes its place", self.path, moved.name, lost,
        )  # fmt: skip
        self._damaged(lost)

    def after_fork(self) -> None:
        if self._db is not None:
            _abandoned.append(self._db)
        self._db = None
        self._lock = threading.RLock()
        self._lease = uuid4().hex

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    # ── events ──────────────────────────────────────────────────────────────────────────────────

    def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        dropped = 0
        with self._transaction() as db:
            items, size = _totals(db)
            for entry in entries:
                most_items, most_bytes = self._bounds.room(entry.urgent)
                fits = items + 1 <= most_items and size + len(entry.body) <= most_bytes
                if not fits and not self._bounds.keep_newest:
                    dropped += 1
                    continue
                cursor = _insert(db, entry)
                items, size = items + cursor.rowcount, size + cursor.rowcount * len(entry.body)
            if self._bounds.keep_newest:
                dropped += self._evict(db)
            self._known_items = items
        return {"full": dropped} if dropped else {}

    def _evict(self, db: sqlite3.Connection) -> int:
        evicted = 0
        items, size = _totals(db)
        while items > self._bounds.items or size > self._bounds.bytes:
            # A little more than needed, so that a full file is not trimmed row by row at every commit.
            step = max(1, items - self._bounds.items, self._bounds.items // 100)
            gone = db.execute(
                "DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY urgent, seq LIMIT ?)",
                (step,),
            ).rowcount
            if not gone:
                break
            evicted += gone
            items, size = _totals(db)
        return evicted

    def note_drops(self, drops: Mapping[str, int]) -> None:
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO drops VALUES(?, ?) "
                "ON CONFLICT(reason) DO UPDATE SET count = count + excluded.count",
                list(drops.items()),
            )

    def claim_drops(self, build: Callable[[Mapping[str, int]], Entry | None]) -> bool:
        with self._transaction() as db:
            drops = dict(db.execute("SELECT reason, count FROM drops").fetchall())
            if not drops or db.execute("SELECT 1 FROM events WHERE kind = 'drops' LIMIT 1").fetchone():
                return False
            entry = build(drops)
            if entry is None:
                return False
            db.execute("DELETE FROM drops")
            _insert(db, entry)
            return True

    def lease(self, items: int, size: int, now: float) -> tuple[list[Entry], dict[str, int]]:
        with self._transaction() as db:
            expired = db.execute(
                "DELETE FROM events WHERE at < ? AND ready_at <= ?", (now - self._bounds.age, now)
            ).rowcount
            taken: list[Entry] = []
            # A lease that ends later than any lease given now would was made under a clock that was
            # ahead; it counts as ended, or a wrong clock would hold events for ever.
            for row in db.execute(
                "SELECT event_id, kind, at, body, urgent FROM events NOT INDEXED "
                "WHERE ready_at <= ? OR ready_at > ? ORDER BY seq LIMIT ?", (now, now + 86_400.0, items),
            ):  # fmt: skip
                size -= len(row[3])
                if taken and size < 0:
                    break
                taken.append(Entry(*row))
            until = now + self._bounds.lease
            db.executemany(
                "UPDATE events SET lease = ?, ready_at = ? WHERE event_id = ?",
                [(self._lease, until, entry.event_id) for entry in taken],
            )
            self._known_items = _totals(db)[0]
        return taken, {"expired": expired} if expired else {}

    def ack(self, ids: Iterable[str]) -> None:
        # Whoever holds the lease by now: the event was delivered, so nobody needs to send it again.
        with self._transaction() as db:
            db.executemany("DELETE FROM events WHERE event_id = ?", [(event_id,) for event_id in ids])

    def release(self, ids: Iterable[str], until: float = 0.0) -> None:
        with self._transaction() as db:
            db.executemany(
                "UPDATE events SET lease = NULL, ready_at = ? WHERE event_id = ? AND lease = ?",
                [(until, event_id, self._lease) for event_id in ids],
            )

    def set_aside(self, ids: Iterable[str]) -> None:
        with self._transaction() as db:
            for event_id in ids:
                db.execute("INSERT OR REPLACE INTO aside SELECT event_id, at, body FROM events "
                           "WHERE event_id = ?", (event_id,))  # fmt: skip
                db.execute("DELETE FROM events WHERE event_id = ?", (event_id,))
            db.execute("DELETE FROM aside WHERE event_id NOT IN "
                       "(SELECT event_id FROM aside ORDER BY rowid DESC LIMIT ?)", (MAX_ASIDE,))  # fmt: skip

    # ── figures ─────────────────────────────────────────────────────────────────────────────────

    def size(self) -> tuple[int, int]:
        items, size = self._read("SELECT items, bytes FROM totals", ())
        return int(items), int(size)

    def deliverable(self, now: float) -> int:
        (count,) = self._read(
            "SELECT (SELECT items FROM totals) - (SELECT count(*) FROM events WHERE ready_at > ?)", (now,)
        )
        return int(count)

    def aside(self) -> int:
        return int(self._read("SELECT count(*) FROM aside", ())[0])

    def _read(self, query: str, arguments: tuple[Any, ...]) -> Any:
        with self._using() as db:
            return db.execute(query, arguments).fetchone()


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    """Pragmas and schema; refuses a database that is not an outbox or is from a later version."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise ConfigurationError(f"outbox={str(path)!r} is the database of something else: name another file")
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"outbox={str(path)!r} was written by a later spotsafe (format {version}, this one reads "
            f"{SCHEMA_VERSION}): upgrade spotsafe or name another file"
        )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        damage = sqlite3.DatabaseError("quick_check failed")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    if version < SCHEMA_VERSION:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id={APPLICATION_ID}; "
                         f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")  # fmt: skip


def _insert(db: sqlite3.Connection, entry: Entry) -> sqlite3.Cursor:
    return db.execute(
        "INSERT OR IGNORE INTO events(event_id, kind, at, size, urgent, body) VALUES(?, ?, ?, ?, ?, ?)",
        (entry.event_id, entry.kind, entry.at, len(entry.body), entry.urgent, entry.body),
    )


def _totals(db: sqlite3.Connection) -> tuple[int, int]:
    items, size = db.execute("SELECT items, bytes FROM totals").fetchone()
    return int(items), int(size)


def read_bodies(path: Path) -> Iterator[str]:
    """The JSON of every event in the outbox at *path*, refused ones included, without changing it.
    Raises ``FileNotFoundError``, ``sqlite3.Error``."""
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        yield from _bodies(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        # A copy in a directory where the log's index cannot be made: nobody writes to it either.
        yield from _bodies(path, "mode=ro&immutable=1")


def _bodies(path: Path, how: str) -> Iterator[str]:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS)
    try:
        rows = db.execute("SELECT body FROM events UNION ALL SELECT body FROM aside")
        for (body,) in rows:
            yield str(body)
    finally:
        db.close()
