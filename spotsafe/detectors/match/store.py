"""The banks' SQLite file: entries, what they are recognised by, and a log of every change.

One file for all banks and any number of processes: write-ahead log, one writer at a time. Rows of the log
can be added but neither changed nor deleted (triggers refuse it); it outlives the entries it speaks of.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from spotsafe.detectors.match.entries import Bank, BankError, Entry

APPLICATION_ID = 0x53504B4D
"""``PRAGMA application_id`` ("SPKM"), so that nobody else's database is written to."""
SCHEMA_VERSION = 1
BUSY_SECONDS = 10.0
BLOCK = 50_000
"""Items read at a time."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries(
  key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, bank TEXT NOT NULL, label TEXT NOT NULL,
  source TEXT NOT NULL, added REAL NOT NULL, expires REAL, note TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_bank ON entries(bank, label, expires);
CREATE INDEX IF NOT EXISTS entries_expires ON entries(expires);
CREATE TABLE IF NOT EXISTS items(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, bank TEXT NOT NULL, value BLOB NOT NULL, how TEXT NOT NULL,
  entry INTEGER NOT NULL REFERENCES entries(key) ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS items_bank ON items(bank, seq);
CREATE INDEX IF NOT EXISTS items_entry ON items(entry);
CREATE INDEX IF NOT EXISTS items_exact ON items(value) WHERE bank = 'exact';
CREATE TABLE IF NOT EXISTS log(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  bank TEXT NOT NULL, entry TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS log_kept BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS log_fixed BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""


class Item(NamedTuple):
    """One thing by which an entry is recognised: *value* is a hash, a signature or a fingerprint."""

    seq: int
    value: bytes


class Version(NamedTuple):
    """The state of the file as one connection sees it: number of the connection, changes by others, own."""

    connection: int
    foreign: int
    own: int


class Change(NamedTuple):
    """One row of the log: who did what, when (Unix seconds), to which entry."""

    seq: int
    at: float
    actor: str
    action: str
    bank: str
    entry: str
    detail: str


_stores: weakref.WeakSet[Store] = weakref.WeakSet()


class Store:
    """The file at *path*; made where it is missing. Safe for threads and after a fork."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._pid = 0
        self._connections = 0
        self._left_behind: list[sqlite3.Connection] = []
        _stores.add(self)
        with self._using():
            pass

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    def entry(self, entry_id: str) -> Entry | None:
        """The entry of that id, or None."""
        rows = self._rows("SELECT * FROM entries WHERE id = ?", (entry_id,))
        return _entry(rows[0]) if rows else None

    def entries(self, bank: Bank | None = None, label: str = "", source: str = "") -> list[Entry]:
        """Entries, oldest first, of one bank, label or source where given."""
        rows = self._rows(
            "SELECT * FROM entries WHERE ?1 IN ('', bank) AND ?2 IN ('', label) AND ?3 IN ('', source)"
            " ORDER BY key",
            (bank.value if bank else "", label, source),
        )
        return [_entry(row) for row in rows]

    def counts(self) -> dict[Bank, tuple[int, int]]:
        """Per bank: entries, and items stored for them."""
        entries = dict(self._rows("SELECT bank, COUNT(*) FROM entries GROUP BY bank"))
        items = dict(self._rows("SELECT bank, COUNT(*) FROM items GROUP BY bank"))
        return {bank: (entries.get(bank.value, 0), items.get(bank.value, 0)) for bank in Bank}

    def blocks(self, bank: Bank, after: int = 0) -> Iterator[list[Item]]:
        """Items of *bank* with a number above *after*, in order, up to :data:`BLOCK` at a time."""
        while True:
            rows = self._rows(
                "SELECT seq, value FROM items WHERE bank = ? AND seq > ? ORDER BY seq LIMIT ?",
                (bank.value, after, BLOCK),
            )
            if not rows:
                return
            items = [Item(*row) for row in rows]
            after = items[-1].seq
            yield items

    def owner(self, seq: int) -> tuple[Entry, str] | None:
        """The entry of the item *seq*, and what of it the item is; None where it was removed."""
        rows = self._rows(
            "SELECT e.*, i.how FROM items i JOIN entries e ON e.key = i.entry WHERE i.seq = ?", (seq,)
        )
        return (_entry(rows[0][:-1]), rows[0][-1]) if rows else None

    def exact(self, value: bytes) -> list[Entry]:
        """Entries of the exact bank with that digest."""
        rows = self._rows(
            "SELECT e.* FROM items i JOIN entries e ON e.key = i.entry"
            " WHERE i.bank = 'exact' AND i.value = ?",
            (value,),
        )
        return [_entry(row) for row in rows]

    def labels(self, banks: Sequence[Bank], now: float) -> tuple[str, ...]:
        """The labels of entries of *banks* that have not expired at *now*, sorted."""
        marks = ", ".join("?" * len(banks))
        rows = self._rows(
            f"SELECT DISTINCT label FROM entries WHERE bank IN ({marks})"  # noqa: S608  # question marks alone
            " AND (expires IS NULL OR expires > ?) ORDER BY label",
            (*(bank.value for bank in banks), now),
        )
        return tuple(label for (label,) in rows)

    def last_change(self) -> int:
        """The number of the log's last row; 0 for none."""
        ((last,),) = self._rows("SELECT COALESCE(MAX(seq), 0) FROM log")
        return int(last)

    def last_expiry(self, now: float) -> float:
        """When, up to *now* (Unix seconds), an entry last expired; 0 for none."""
        ((last,),) = self._rows("SELECT COALESCE(MAX(expires), 0) FROM entries WHERE expires <= ?", (now,))
        return float(last)

    def changes(self, after: int = 0) -> list[Change]:
        """The log, oldest first, from the row after *after*."""
        return [Change(*row) for row in self._rows("SELECT * FROM log WHERE seq > ? ORDER BY seq", (after,))]

    def version(self) -> Version:
        """Differs whenever any process has changed the file; costs a few microseconds."""
        with self._using() as db:
            (foreign,) = db.execute("PRAGMA data_version").fetchone()
            return Version(self._connections, int(foreign), db.total_changes)

    # ── writing ─────────────────────────────────────────────────────────────────────────────────

    def add(self, entry: Entry, items: Sequence[tuple[bytes, str]], actor: str) -> bool:
        """Add *entry* with its *items* (value, how) and a row in the log, in one transaction. Where its bank
        has an entry of that id, what is said of it now counts (its note only where there is one), and items
        that it lacks are added; False where there were none. :class:`BankError` where another bank has it."""
        with self._transaction() as db:
            return _add(db, entry, items, actor)

    def add_many(self, rows: Iterable[tuple[Entry, Sequence[tuple[bytes, str]]]], actor: str) -> list[bool]:
        """As :meth:`add` for each of *rows*, in one transaction."""
        with self._transaction() as db:
            return [_add(db, entry, items, actor) for entry, items in rows]

    def remove(self, entry_id: str, *, actor: str, at: float, reason: str = "") -> bool:
        """Delete the entry and what it was recognised by; the log keeps that it was there. False where there
        is none."""
        with self._transaction() as db:
            row = db.execute("SELECT bank FROM entries WHERE id = ?", (entry_id,)).fetchone()
            if row is None:
                return False
            db.execute("DELETE FROM entries WHERE id = ?", (entry_id,))
            _log(db, at, actor, "remove", bank=row[0], entry=entry_id, detail=reason)
            return True

    def record(self, action: str, *, actor: str, at: float, bank: str = "", detail: str = "") -> None:
        """A row in the log about the banks as a whole, such as a rebuild."""
        with self._transaction() as db:
            _log(db, at, actor, action, bank=bank, entry="", detail=detail)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._db is not None and self._pid == os.getpid():
                self._db.close()
            self._db = None

    # ── the file ────────────────────────────────────────────────────────────────────────────────

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._using() as db:
            return db.execute(statement, values).fetchall()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db is not None and self._pid != os.getpid():
                # A child must not close its parent's connection: that could truncate the parent's log.
                self._left_behind.append(self._db)
                self._db = None
            try:
                if self._db is None:
                    self._db, self._pid = _connected(self.path), os.getpid()
                    self._connections += 1
                yield self._db
            except sqlite3.Error as error:
                problem = getattr(error, "sqlite_errorname", None) or type(error).__name__
                raise BankError(
                    f"{self.path}: {problem}; it must be a writable SQLite file of banks, not locked for long"
                ) from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # As a context the connection commits what was begun, or takes it back where the block raises.
        with self._using() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db


def _connected(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    with ExitStack() as opened:
        opened.callback(db.close)
        (owner,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        if owner != APPLICATION_ID and tables:
            raise BankError(f"{path} is another program's database; name a folder of banks or an empty one")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # an entry that was acknowledged survives a power cut
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")  # what was removed is written over, not only forgotten
        if not tables:
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.executescript(_SCHEMA)
        opened.pop_all()  # it is good: whoever asked for it closes it
    return db


def _add(db: sqlite3.Connection, entry: Entry, items: Sequence[tuple[bytes, str]], actor: str) -> bool:
    held = db.execute("SELECT * FROM entries WHERE id = ?", (entry.id,)).fetchone()
    if held is None:
        key = db.execute(
            "INSERT INTO entries(id, bank, label, source, added, expires, note) VALUES(?, ?, ?, ?, ?, ?, ?)",
            (entry.id, entry.bank.value, *entry[2:]),
        ).lastrowid
        known: set[bytes] = set()
    else:
        key = held[0]
        _restate(db, _entry(held), entry, actor)
        known = {value for (value,) in db.execute("SELECT value FROM items WHERE entry = ?", (key,))}
    lacking = [(entry.bank.value, value, how, key) for value, how in items if value not in known]
    if lacking:
        db.executemany("INSERT INTO items(bank, value, how, entry) VALUES(?, ?, ?, ?)", lacking)
        detail = f"{entry.label} from {entry.source}, {len(lacking)} stored"
        _log(db, entry.added, actor, "add", bank=entry.bank.value, entry=entry.id, detail=detail)
    return bool(lacking)


def _restate(db: sqlite3.Connection, held: Entry, said: Entry, actor: str) -> None:
    """Have *said* count of an entry that is there; when it was added stays."""
    if held.bank is not said.bank:
        raise BankError(
            f"the id {said.id} is taken by an entry of the {held.bank.value} bank; choose another"
        )
    now = said.added
    said = said._replace(added=held.added, note=said.note or held.note)
    if said == held:
        return
    db.execute(
        "UPDATE entries SET label = ?, source = ?, expires = ?, note = ? WHERE id = ?",
        (said.label, said.source, said.expires, said.note, said.id),
    )
    changed = [name for name in Entry._fields if getattr(said, name) != getattr(held, name)]
    detail = f"{', '.join(changed)} stated anew; {said.label} from {said.source}"
    _log(db, now, actor, "change", bank=said.bank.value, entry=said.id, detail=detail)


def _log(
    db: sqlite3.Connection, at: float, actor: str, action: str, *, bank: str, entry: str, detail: str
) -> None:
    db.execute(
        "INSERT INTO log(at, actor, action, bank, entry, detail) VALUES(?, ?, ?, ?, ?, ?)",
        (at, actor, action, bank, entry, detail),
    )


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(row[1], Bank(row[2]), *row[3:])


def _in_child() -> None:
    """Locks that nobody holds: a thread that held one in the parent is not here to let go of it."""
    for store in list(_stores):
        store._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
