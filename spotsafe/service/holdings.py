"""Holds: made from decision events, decided by people, ended by the clock."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from spotsafe.core.receipts import HoldState, OnExpiry
from spotsafe.policy.surface import HoldPolicy
from spotsafe.service.event_records import Event
from spotsafe.service.tables import holds

PENDING, RELEASED = HoldState.PENDING.value, HoldState.RELEASED.value
REJECTED, EXPIRED = HoldState.REJECTED.value, HoldState.EXPIRED.value
DEFAULT = HoldPolicy()
"""What holds for an event that does not say: the manifests' default."""
EXPIRY_NOTE = "released on expiry"


class Hold(NamedTuple):
    """One hold as it stands at one moment; times are Unix seconds, digests keyed and hex."""

    decision_id: str
    application: str
    environment: str
    team: str
    surface: str
    digest: str
    item: str
    reason: str
    on_expiry: str
    created_at: float
    expires: float
    state: str
    decided_at: float | None
    decided_by: str | None
    note: str | None
    rules: tuple[str, ...]

    def public(self) -> dict[str, Any]:
        """What a client that holds the receipt may know."""
        shown = ("decision_id", "surface", "digest", "state", "decided_at", "note", "expires", "reason")
        return {name: getattr(self, name) for name in shown}

    def for_reviewer(self) -> dict[str, Any]:
        """What the person who decides may know."""
        return {**self._asdict(), "rules": list(self.rules)}


def row_for(event: Event, application: str, now: float) -> dict[str, Any] | None:
    """The hold that a decision event opens, as a row; None where it opens none."""
    hold = event.record.get("hold")
    if event.kind != "decision" or hold is None:
        return None
    rules = list(dict.fromkeys(reason.get("rule", "") for reason in event.record.get("reasons", ())))
    return {
        "decision_id": event.event_id,
        "application": application,
        "environment": event.environment,
        "team": event.record.get("team", ""),
        "surface": event.surface,
        "digest": event.record.get("content", "")[:128],
        "item": event.record.get("item", "")[:128],
        "reason": hold.get("reason", "policy"),
        "on_expiry": hold.get("on_expiry", DEFAULT.on_expiry.value),
        "created_at": event.at,
        "expires": hold.get("expires", now + DEFAULT.ttl),
        "state": PENDING,
        "rules": json.dumps(rules),
    }


def as_of(row: Any, now: float) -> Hold:
    """The hold in *row* at *now*: a pending one past its end is expired, or released where its surface
    said ``on_expiry: release``."""
    fields = {**row, "rules": tuple(json.loads(row["rules"]))}
    if row["state"] == PENDING and row["expires"] <= now:
        released = row["on_expiry"] == OnExpiry.RELEASE
        fields["state"] = RELEASED if released else EXPIRED
        fields["decided_at"] = row["expires"]
        fields["note"] = EXPIRY_NOTE if released else None
    return Hold(**fields)


def find(connection: Connection, decision_id: str, now: float) -> Hold | None:
    """The hold of *decision_id*, or None."""
    row = connection.execute(select(holds).where(holds.c.decision_id == decision_id)).mappings().first()
    return None if row is None else as_of(row, now)


def listed(
    connection: Connection, now: float, *, state: str, limit: int, after: str | None = None
) -> list[Hold]:
    """At most *limit* holds in *state*, oldest first; *after* is the last decision id of the page before."""
    query = select(holds).where(_in_state(state, now)).order_by(holds.c.created_at, holds.c.decision_id)
    if after is not None:
        start = select(holds.c.created_at).where(holds.c.decision_id == after).scalar_subquery()
        later = holds.c.created_at > start
        query = query.where(or_(later, and_(holds.c.created_at == start, holds.c.decision_id > after)))
    return [as_of(row, now) for row in connection.execute(query.limit(limit)).mappings()]


def decide(
    connection: Connection, decision_id: str, state: str, *, note: str | None, by: str, now: float
) -> bool:
    """Release or reject a pending hold; False where it is not pending any more. One statement, so of two
    reviewers exactly one decides."""
    change = (
        update(holds)
        .where(holds.c.decision_id == decision_id, holds.c.state == PENDING, holds.c.expires > now)
        .values(state=state, note=note, decided_by=by, decided_at=now)
    )
    return bool(connection.execute(change).rowcount)


def counted(connection: Connection, now: float) -> dict[str, int]:
    """How many holds there are in each state."""
    states: Iterable[str] = (state.value for state in HoldState)
    return {
        state: connection.execute(select(func.count()).where(_in_state(state, now))).scalar_one()
        for state in states
    }


def _in_state(state: str, now: float) -> ColumnElement[bool]:
    over = and_(holds.c.state == PENDING, holds.c.expires <= now)
    if state == PENDING:
        return and_(holds.c.state == PENDING, holds.c.expires > now)
    if state == EXPIRED:
        return and_(over, holds.c.on_expiry != OnExpiry.RELEASE.value)
    if state == RELEASED:
        return or_(holds.c.state == RELEASED, and_(over, holds.c.on_expiry == OnExpiry.RELEASE.value))
    return holds.c.state == state
