"""Adoption sums in the store: the rows of :mod:`spotsafe.telemetry.adoption`, added up by the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, and_, case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from spotsafe.service.event_records import Event
from spotsafe.service.tables import adoption
from spotsafe.telemetry.adoption import ALIVE_SECONDS, AdoptionState, Key, Row, day_of

_AT_ONCE = 500
"""Rows of one statement: 12 columns each stay below SQLite's 32,766 variables."""


def add(connection: Connection, events: Iterable[Event], application: str, now: float) -> None:
    """Add what *events* count for. Each event exactly once: the caller gives only new ones, in the
    transaction that keeps them."""
    state = AdoptionState()
    for entry in events:
        state.add(entry.record, received=now)
    rows = [_values(row, application) for row in state.rows()]
    for start in range(0, len(rows), _AT_ONCE):
        _upsert(connection, rows[start : start + _AT_ONCE])


def _values(row: Row, application: str) -> dict[str, Any]:
    cell = sha256(json.dumps([application, *row.key]).encode()).hexdigest()
    fields = {"cell": cell, "application": application, **row.key._asdict()}
    return {**fields, "number": row.number, "at": row.at, "text": row.text}


def _upsert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(adoption).values(list(rows))
    new = statement.excluded
    later = or_(new.at > adoption.c.at, and_(new.at == adoption.c.at, new.text > adoption.c.text))
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[adoption.c.cell],
            set_={
                "number": adoption.c.number + new.number,
                "at": case((later, new.at), else_=adoption.c.at),
                "text": case((later, new.text), else_=adoption.c.text),
            },
        )
    )


def rows(connection: Connection, *, application: str | None = None) -> list[Row]:
    """All sums, or those of what one *application* delivered."""
    query = select(adoption)
    if application is not None:
        query = query.where(adoption.c.application == application)
    return [_row(found) for found in connection.execute(query).mappings()]


def _row(found: Any) -> Row:
    key = Key(*(found[field] for field in Key._fields))
    return Row(key, int(found["number"]), float(found["at"]), found["text"])


def prune(connection: Connection, now: float, days: int) -> None:
    """Forget days before the last *days*, and processes not heard of for seven days with what they
    declare. A process that lives longer keeps what it declared at its start."""
    first = day_of(now - days * 86_400.0)
    connection.execute(delete(adoption).where(adoption.c.day != "", adoption.c.day < first))
    processes = [dict(found) for found in connection.execute(_PROCESS_ROWS).mappings()]
    alive = {
        _process(found)
        for found in processes
        if found["name"] == "alive" and found["at"] >= now - ALIVE_SECONDS
    }
    declared = {
        (*_process(found)[:3], found["text"])
        for found in processes
        if found["name"].startswith("register.") and _process(found) in alive
    }
    gone = [found["cell"] for found in processes if not _needed(found, alive, declared)]
    for start in range(0, len(gone), _AT_ONCE):
        connection.execute(delete(adoption).where(adoption.c.cell.in_(gone[start : start + _AT_ONCE])))


_PROCESS_ROWS = select(
    adoption.c.cell, adoption.c.application, adoption.c.app, adoption.c.environment, adoption.c.instance,
    adoption.c.name, adoption.c.at,
    # What an application declares can be long, and only its digest, in the name, is needed here.
    case((adoption.c.instance != "", adoption.c.text), else_="").label("text"),
).where(adoption.c.day == "")  # fmt: skip


def _process(found: dict[str, Any]) -> tuple[str, str, str, str]:
    return found["application"], found["app"], found["environment"], found["instance"]


def _needed(found: dict[str, Any], alive: set[Any], declared: set[Any]) -> bool:
    if found["name"].startswith("declares."):
        return (*_process(found)[:3], found["name"].partition(".")[2]) in declared
    return _process(found) in alive
