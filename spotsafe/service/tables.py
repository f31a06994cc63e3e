"""The store's tables. Types and constraints that SQLite and PostgreSQL both have; times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, String, Table, Text

SCHEMA_VERSION = 3

metadata = MetaData()

about = Table(
    "about",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
)
"""Facts on the store itself; ``schema`` holds the version of these tables."""

events = Table(
    "events",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("application", String(64), nullable=False),
    Column("surface", String(256), nullable=False),
    Column("environment", String(256), nullable=False),
    Column("record", Text, nullable=False),
    Index("events_by_arrival", "received_at"),
    Index("events_by_kind", "kind", "received_at"),
    Index("events_by_surface", "surface", "received_at"),
)
"""One row per event, ever once: ``event_id`` is the client's. ``record`` is JSON of known fields;
``application`` comes from the key, never from the event."""

holds = Table(
    "holds",
    metadata,
    Column("decision_id", String(36), primary_key=True),
    Column("application", String(64), nullable=False),
    Column("environment", String(256), nullable=False),
    Column("team", String(256), nullable=False),
    Column("surface", String(256), nullable=False),
    Column("digest", String(128), nullable=False),
    Column("item", String(128), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("on_expiry", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided_at", Float),
    Column("decided_by", String(64)),
    Column("note", String(1000)),
    Column("rules", Text, nullable=False),
    Index("holds_by_state", "state", "created_at"),
    Index("holds_by_expiry", "state", "expires"),
)
"""What waits for a person. ``state`` is pending, released or rejected; expiry is read from the clock."""

adoption = Table(
    "adoption",
    metadata,
    Column("cell", String(64), primary_key=True),
    Column("application", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Column("app", String(256), nullable=False),
    Column("environment", String(256), nullable=False),
    Column("team", String(256), nullable=False),
    Column("surface", String(256), nullable=False),
    Column("instance", String(256), nullable=False),
    Column("name", String(260), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("text", Text, nullable=False),
    Index("adoption_by_day", "day"),
)
"""Running sums (:mod:`spotsafe.telemetry.adoption`), which outlive the events that they were counted from.
``cell`` is a digest of the key columns: a key of eight long strings would not fit PostgreSQL's index."""

feedback = Table(
    "feedback",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("decision_id", String(36), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("label", String(64)),
    Column("reporter", String(256)),
    Column("application", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Index("feedback_by_decision", "decision_id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("application", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False, server_default="0"),
    Column("losses", BigInteger, nullable=False, server_default="0"),
    Column("size", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False, server_default=""),
    Column("labels", Text, nullable=False),
    Column("parts", Text, nullable=False),
    Column("answer", Text),
    Column("version", String(200)),
    Column("cause", String(16)),
    Index("jobs_by_turn", "state", "due_at"),
    Index("jobs_by_application", "application", "state"),
)
"""Content to be checked after the request. None of it stands here: it lies in the spool until the job is
over. ``due_at`` is when a queued job may be taken, and when the lease of a running one ends; ``attempts`` is
how often it was taken, ``failures`` and ``losses`` are how often that ended with an error and with a worker
that vanished; ``size`` is what its content takes in the spool; ``digest`` is the client's, under its tenant's
key; ``parts`` are the parts' names with the lengths that evidence must fit into; ``answer`` is JSON;
``cause`` is what was wrong with the last attempt."""

LATER_COLUMNS: dict[int, dict[str, tuple[str, ...]]] = {
    2: {"jobs": ("failures", "losses", "digest")},
    3: {"jobs": ("cause",)},
}
"""Schema version → table → columns that it added; each has a default or may be empty, so that older rows can
be read."""
