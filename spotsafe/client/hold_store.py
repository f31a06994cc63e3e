"""Holds that the client itself keeps: in memory, or in a file that ``spotsafe holds --outbox`` reads.

With ``hold: {keep: outbox}`` the content is kept too, encrypted (Fernet: AES-128-CBC and HMAC-SHA-256)
under a key derived from the tenant's. It is erased as soon as the hold is rejected or has expired.
"""

from __future__ import annotations

import json
import os
import sqlite3
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol

from spotsafe.client.options import Options
from spotsafe.core.content import PART_TYPES, Content, encoded
from spotsafe.core.errors import ConfigurationError, missing_extra
from spotsafe.core.receipts import HoldState, HoldVerdict, Keeper, OnExpiry, Receipt
from spotsafe.core.seams import Clock
from spotsafe.policy.surface import PolicySet

SUFFIX = ".holds"
"""Added to the name of the outbox file."""

_CALLERS_PATIENCE, _OPERATORS_PATIENCE = 0.25, 5.0
"""Seconds to wait for a file that another process has locked; a hold takes milliseconds to write."""

MOST_IN_MEMORY = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS holds (
  decision_id TEXT PRIMARY KEY, surface TEXT NOT NULL, item TEXT NOT NULL, digest TEXT NOT NULL,
  created REAL NOT NULL, expires REAL NOT NULL, reason TEXT NOT NULL, on_expiry TEXT NOT NULL,
  state TEXT NOT NULL, decided_at REAL, note TEXT, sealed BLOB)
"""


class Held(NamedTuple):
    """One hold as operators see it; times in Unix seconds."""

    decision_id: str
    surface: str
    reason: str
    state: str
    created: float
    expires: float
    note: str | None


class HoldStore(Protocol):
    """Where holds are kept."""

    def keep(self, receipt: Receipt, on_expiry: OnExpiry, content: Content | None) -> None:
        """Remember a hold; *content* only where the surface's policy keeps it here."""
        ...

    def verdict(self, receipt: Receipt) -> HoldVerdict:
        """Where it stands; pending where that is not known."""
        ...

    def content(self, receipt: Receipt) -> Content | None:
        """The kept content, or None."""
        ...

    def after_fork(self) -> None:
        """In a forked child: no lock of the parent's."""
        ...


class MemoryHolds:
    """Holds of this process; the oldest are forgotten first (and stay pending)."""

    def __init__(self, most: int = MOST_IN_MEMORY) -> None:
        self._most = most
        self._lock = Lock()
        self._held: dict[str, tuple[Receipt, HoldVerdict]] = {}

    def keep(self, receipt: Receipt, on_expiry: OnExpiry, content: Content | None) -> None:
        """Remember the hold, without content."""
        with self._lock:
            self._held.setdefault(receipt.decision_id, (receipt, HoldVerdict(HoldState.PENDING)))
            while len(self._held) > self._most:
                del self._held[next(iter(self._held))]

    def verdict(self, receipt: Receipt) -> HoldVerdict:
        """Where it stands."""
        with self._lock:
            held = self._held.get(receipt.decision_id)
        return held[1] if held is not None and held[0].digest == receipt.digest else _PENDING

    def content(self, receipt: Receipt) -> Content | None:
        """None: nothing is kept in memory."""
        return None

    def after_fork(self) -> None:
        """A lock that nobody holds."""
        self._lock = Lock()

    def decide(self, decision_id: str, state: HoldState, note: str | None, now: float) -> bool:
        """Release or reject a pending hold; whether there was one."""
        with self._lock:
            held = self._held.get(decision_id)
            if held is None or held[1].state is not HoldState.PENDING:
                return False
            self._held[decision_id] = (held[0], HoldVerdict(state, now, note))
            return True


class FileHolds:
    """Holds in a SQLite file. *key* is the tenant's, None for operators who decide without reading."""

    def __init__(self, path: Path, clock: Clock, key: bytes | None = None) -> None:
        self.path = path
        self._clock = clock
        self._key = key

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # SQLite would make the file with the process's umask; its companions take the rights of the file.
        with suppress(OSError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            os.chmod(self.path, 0o600)
        # A connection per use: holds are rare, and none is then shared between threads or forks.
        # A guarded call waits for this: an operator can wait longer for a locked file than a request can.
        patience = _OPERATORS_PATIENCE if self._key is None else _CALLERS_PATIENCE
        connection = sqlite3.connect(self.path, timeout=patience)
        try:
            with connection:
                connection.execute(_SCHEMA)
                yield connection
        finally:
            connection.close()

    def check(self) -> None:
        """Raise ConfigurationError where the file cannot be used."""
        try:
            with self._open():
                return
        except sqlite3.Error:
            pass
        raise ConfigurationError(f"the holds file {self.path} cannot be used; check its folder and rights")

    def keep(self, receipt: Receipt, on_expiry: OnExpiry, content: Content | None) -> None:
        """Remember the hold, with its content sealed where it is given."""
        sealed = None if content is None else _cipher(self._key).encrypt(_packed(content))
        now = self._clock.now()
        row = (*receipt[:4], now, receipt.expires, receipt.reason.value, on_expiry.value, "pending", sealed)
        with self._open() as db:
            db.execute("UPDATE holds SET sealed = NULL WHERE expires < ? OR state = 'rejected'", (now,))
            db.execute(
                "INSERT OR IGNORE INTO holds (decision_id, surface, item, digest, created, expires, reason,"
                " on_expiry, state, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def verdict(self, receipt: Receipt) -> HoldVerdict:
        """Where it stands, for exactly this content."""
        with self._open() as db:
            row = db.execute(
                "SELECT state, decided_at, note FROM holds"
                " WHERE decision_id = ? AND surface = ? AND digest = ?",
                (receipt.decision_id, receipt.surface, receipt.digest),
            ).fetchone()
        return _PENDING if row is None else HoldVerdict(HoldState(row[0]), row[1], row[2])

    def content(self, receipt: Receipt) -> Content | None:
        """The kept content, opened; None where none is kept or it was sealed under another key."""
        with self._open() as db:
            row = db.execute(
                "SELECT sealed FROM holds WHERE decision_id = ?", (receipt.decision_id,)
            ).fetchone()
        if row is None or row[0] is None:
            return None
        return _opened(_cipher(self._key), row[0])

    def after_fork(self) -> None:
        """Nothing is open between two uses."""

    def listed(self, state: str | None = "pending") -> list[Held]:
        """The holds in *state* (None: all), oldest first."""
        where, values = ("WHERE state = ?", (state,)) if state else ("", ())
        with self._open() as db:
            rows = db.execute(
                f"SELECT decision_id, surface, reason, state, created, expires, note FROM holds {where}"  # noqa: S608
                " ORDER BY created",
                values,
            ).fetchall()
        return [Held(*row) for row in rows]

    def decide(self, decision_id: str, state: HoldState, note: str | None, now: float) -> bool:
        """Release or reject a pending hold; whether there was one. A rejected content is erased."""
        with self._open() as db:
            changed = db.execute(
                "UPDATE holds SET state = ?, decided_at = ?, note = ?,"
                " sealed = CASE WHEN ? = 'rejected' THEN NULL ELSE sealed END"
                " WHERE decision_id = ? AND state = 'pending' AND expires > ?",
                (state.value, now, note, state.value, decision_id, now),
            ).rowcount
        return changed == 1


_PENDING = HoldVerdict(HoldState.PENDING)


def holds_path(outbox: Path) -> Path:
    """The holds file beside an outbox file."""
    return outbox.with_name(outbox.name + SUFFIX)


def hold_store(options: Options, policies: PolicySet, clock: Clock) -> HoldStore:
    """The store that a client with *options* uses. Raises ConfigurationError where a surface keeps held
    content in the outbox and that cannot be done."""
    keeping = sorted(p.name for p in policies.surfaces.values() if p.hold.keep is Keeper.OUTBOX)
    if keeping:
        if options.outbox is None or not options.lasting_key:
            raise ConfigurationError(
                f"surface {keeping[0]!r} keeps held content (hold.keep: outbox); give the client an outbox "
                "file and a tenant key: Client(outbox='spotsafe.outbox', tenant_key=…)"
            )
        _cipher(options.tenant_key)
    if options.outbox is None:
        return MemoryHolds()
    store = FileHolds(holds_path(options.outbox), clock, options.tenant_key)
    if keeping or options.service is None:
        store.check()
    return store


def _cipher(key: bytes | None) -> Any:
    try:
        from cryptography.fernet import Fernet
    except ImportError:
        raise missing_extra("outbox", "keeping held content in the outbox") from None
    return Fernet(urlsafe_b64encode(sha256(b"held content\0" + (key or b"")).digest()))


def _packed(content: Content) -> bytes:
    parts = [
        [p.kind, p.name, p.mime, p.provenance, b64encode(encoded(p.data)).decode()] for p in content.parts
    ]
    return json.dumps({"languages": content.languages, "parts": parts}).encode()


def _opened(cipher: Any, sealed: bytes) -> Content | None:
    from cryptography.fernet import InvalidToken

    try:
        read = json.loads(cipher.decrypt(sealed))
    except InvalidToken:
        return None
    parts = []
    for kind, name, mime, provenance, data in read["parts"]:
        raw = b64decode(data)
        value = raw.decode("utf-8", "surrogatepass") if kind == "text" else raw
        parts.append(PART_TYPES[kind](value, name, mime=mime, provenance=provenance))
    return Content(parts, read["languages"])
