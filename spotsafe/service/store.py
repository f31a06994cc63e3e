"""The service's store: events once and only once, holds, feedback, running adoption figures.

SQLite embedded (write-ahead log, every commit on disk before it is acknowledged, so that neither
``kill -9`` nor a power cut takes back what a client was told); the statements are SQLAlchemy Core without
SQLite's own dialect except for ``ON CONFLICT DO NOTHING``, which PostgreSQL has alike.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    and_,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateColumn

from spotsafe.core.errors import ConfigurationError, SpotsafeError
from spotsafe.service import adoption_cells, holdings
from spotsafe.service.event_records import Event
from spotsafe.service.tables import LATER_COLUMNS, SCHEMA_VERSION, about, events, feedback, holds, metadata

FILE_NAME = "spotsafe.sqlite"


class StoreUnavailable(SpotsafeError):
    """The store could not be read or written; the message has no statement and no value."""


class StoreBusy(StoreUnavailable):
    """Another process writes, and did not end in the time that is waited for it."""


class Added(NamedTuple):
    """What became of a batch of events: *accepted* are new, *duplicate* were known before."""

    accepted: int
    duplicate: int


class Store:
    """Blocking; called from threads. Reads run side by side, writes one after another."""

    __slots__ = ("_engine", "_writing", "folder")

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self.folder = folder
        """Where files beside the database may lie."""
        self._writing = threading.Lock()
        with _translated(), engine.begin() as connection:
            _alone_unless_current(connection)
            metadata.create_all(connection)
            _check_schema(connection)

    @classmethod
    def open(cls, data_dir: Path | str) -> Store:
        """The store in *data_dir*, made with mode 0700 where it does not exist.
        ConfigurationError where it cannot be used."""
        folder = Path(data_dir)
        file = folder / FILE_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise ConfigurationError(
                f"the data directory {data_dir} cannot be used: {error.strerror}; "
                "name another with --data-dir"
            ) from None
        engine = sqlite_engine(file)
        try:
            return cls(engine, folder)
        except StoreBusy:
            raise ConfigurationError(
                f"{file} is locked: another process writes to it; try again, or end that process"
            ) from None
        except StoreUnavailable:
            raise ConfigurationError(
                f"{file} cannot be read as a store (damaged, or of something else): move it away, "
                "or name another folder with --data-dir"
            ) from None
        finally:
            # A pool that was used to look is made anew for use; where looking failed nothing stays open.
            engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for statements that change nothing. Raises :class:`StoreUnavailable`."""
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed at the end of the block. Raises :class:`StoreUnavailable`."""
        with _translated(), self._writing, self._engine.begin() as connection:
            yield connection

    def probe(self, now: float) -> None:
        """Write one fact: what readiness asks. Raises :class:`StoreUnavailable`."""
        with self.writing() as connection:
            _put_fact(connection, "probed", f"{now:.0f}")

    def add_events(self, batch: Sequence[Event], application: str, now: float) -> Added:
        """Keep those of *batch* that are new, with the holds and feedback they bring, in one transaction."""
        unique = {entry.event_id: entry for entry in batch}
        with self.writing() as connection:
            rows = [_event_row(entry, application, now) for entry in unique.values()]
            added = insert_new(connection, events, "event_id", rows)
            fresh = [unique[event_id] for event_id in added]
            opened = (holdings.row_for(entry, application, now) for entry in fresh)
            insert_new(connection, holds, "decision_id", [row for row in opened if row is not None])
            said = [_feedback_row(entry, application, now) for entry in fresh if entry.kind == "feedback"]
            insert_new(connection, feedback, "event_id", said)
            adoption_cells.add(connection, fresh, application, now)
        return Added(len(fresh), len(batch) - len(fresh))

    def sweep(self, now: float, retain: float, by_surface: Mapping[str, float], *, days: int) -> int:
        """Drop events that arrived more than *retain* seconds ago (*by_surface* where a manifest says
        less), holds and feedback as old, and adoption sums of more than *days* ago. Returns the number
        of events dropped."""
        dropped = 0
        with self.writing() as connection:
            old = events.c.received_at < now - retain
            ages = [
                and_(events.c.surface == surface, events.c.received_at < now - seconds)
                for surface, seconds in by_surface.items()
                if seconds < retain
            ]
            for condition in (old, *ages):
                dropped += connection.execute(delete(events).where(condition)).rowcount
            connection.execute(delete(holds).where(holds.c.expires < now - retain))
            connection.execute(delete(feedback).where(feedback.c.received_at < now - retain))
            adoption_cells.prune(connection, now, days)
        return dropped

    def close(self) -> None:
        """Close all connections; a write under way is waited for."""
        with self._writing:
            self._engine.dispose()


def sqlite_engine(file: Path, *, patience: float = 5.0) -> Engine:
    """An engine on one SQLite file: write-ahead log, full synchronisation, *patience* seconds for a lock."""
    url = URL.create("sqlite", database=str(file))
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": patience}, pool_size=8)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def insert_new(
    connection: Connection, table: Table, key: str, rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Insert those of *rows* whose *key* is not there yet; returns their keys."""
    if not rows:
        return []
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    column = table.c[key]
    statement = dialect.insert(table).values([dict(row) for row in rows])
    kept = statement.on_conflict_do_nothing(index_elements=[column]).returning(column)
    return list(connection.execute(kept).scalars())


def _event_row(entry: Event, application: str, now: float) -> dict[str, Any]:
    return {
        "event_id": entry.event_id,
        "kind": entry.kind,
        "at": entry.at,
        "received_at": now,
        "application": application,
        "surface": entry.surface,
        "environment": entry.environment,
        "record": entry.text,
    }


def _feedback_row(entry: Event, application: str, now: float) -> dict[str, Any]:
    fields = ("decision_id", "verdict", "label", "reporter")
    return {
        "event_id": entry.event_id,
        **{field: entry.record.get(field) for field in fields},
        "application": application,
        "at": entry.at,
        "received_at": now,
    }


def _alone_unless_current(connection: Connection) -> None:
    """Have processes that start at once make or bring up a store one after another. Where nothing is to be
    done none waits for a writer."""
    known = inspect(connection).has_table(about.name)
    if connection.dialect.name == "sqlite" and not (known and _schema(connection) == str(SCHEMA_VERSION)):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver begins none before tables are altered


def _schema(connection: Connection) -> str | None:
    return connection.execute(select(about.c.value).where(about.c.name == "schema")).scalar()


def _check_schema(connection: Connection) -> None:
    found = _schema(connection)
    if found is None:
        _put_fact(connection, "schema", str(SCHEMA_VERSION))
    elif found.isdigit() and 1 <= int(found) < SCHEMA_VERSION:
        _upgrade(connection, int(found))
        _put_fact(connection, "schema", str(SCHEMA_VERSION))
    elif found != str(SCHEMA_VERSION):
        raise ConfigurationError(
            f"the data directory was written by schema {found}, this version reads {SCHEMA_VERSION}: "
            "start the version that wrote it, or name another directory"
        )


def _upgrade(connection: Connection, found: int) -> None:
    """Add the columns that later versions of the schema have; a table that was made just now has them."""
    for version in range(found + 1, SCHEMA_VERSION + 1):
        for table, columns in LATER_COLUMNS[version].items():
            there = {column["name"] for column in inspect(connection).get_columns(table)}
            for name in columns:
                if name not in there:
                    column = CreateColumn(metadata.tables[table].c[name]).compile(connection)
                    connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column}"))


def _put_fact(connection: Connection, name: str, value: str) -> None:
    changed = connection.execute(update(about).where(about.c.name == name).values(value=value)).rowcount
    if not changed:
        connection.execute(insert(about).values(name=name, value=value))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
        # The low byte is the error, the others say more precisely which.
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreBusy("the store is busy: another process writes to it") from None
        raise StoreUnavailable(f"the store failed ({type(error).__name__})") from None
