"""Adoption as sums: events become rows that merge in any order, and a state that holds them.

A :class:`Row` is a key, a number and a latest value. Two rows of one key merge by adding the numbers and
keeping the later value, so states of any processes, days or stores add up, whatever the order. A store
keeps the rows as they are; its upsert is :func:`merged`::

    ON CONFLICT (key) DO UPDATE SET number = number + excluded.number,
      at = …, text = … of the greater (at, text)

Fold each event once: exactness is the event store's (by ``event_id``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from spotsafe.core.decision import Disposition, Mode, Status
from spotsafe.core.records import Record
from spotsafe.telemetry.histogram import bucket_of

ALIVE_SECONDS = 7 * 86_400.0
"""A process that was heard of within these seconds is alive, and what it declares counts."""
MAX_TEXT = 200
_LATEST_SANE = 32_503_680_000.0  # the year 3000; beyond it a time is a slip, not a time

STATUSES = tuple(status.word for status in Status)
DISPOSITIONS = tuple(disposition.word for disposition in Disposition)
MODES = tuple(mode.value for mode in Mode)


class Key(NamedTuple):
    """Where a row belongs. *day* (``2026-11-22``, UTC) is empty for rows of a process; *team*,
    *surface* and *instance* are empty where they do not apply; *name* says what is counted."""

    day: str
    app: str
    environment: str
    team: str
    surface: str
    instance: str
    name: str


class Row(NamedTuple):
    """*number* adds up; *text* is the value at the latest *at* (Unix seconds)."""

    key: Key
    number: int = 0
    at: float = 0.0
    text: str = ""


ROW_NAMES = {
    "traffic": "decisions; at: the last one",
    "status.<status>": "decisions by status",
    "disposition.<disposition>": "decisions by disposition",
    "would.<disposition>": "what shadow or canary held back, by disposition",
    "queued": "decisions that were queued for review",
    "failed_open": "failures that let the content through",
    "bypassed": "decisions under a kill switch; text: the last switch",
    "held": "decisions that the service holds",
    "waiver.<rule>": "decisions that a waiver loosened",
    "latency.<bucket>": "decisions by bucket of the latency that the guard added",
    "mode": "text: the last mode",
    "sdk.<version>": "decisions by client version",
    "alive": "of an instance; at: when it was last heard of, text: client version",
    "register.<chunk>": "of an instance; text: digest of what it declares",
    "declares.<digest>": "of an application; text: what such instances declare, as JSON",
    "drops.<reason>": "of an application; events lost",
    "feedback.<verdict>": "of an application; feedback on decisions",
}
"""Every name a row can have, and what its fields mean there."""


def day_of(at: float) -> str:
    """The day in UTC of an instant in Unix seconds, as rows name it; the first of all for one before 1970."""
    return datetime.fromtimestamp(max(0.0, at), UTC).strftime("%Y-%m-%d")


def merged(row: Row, other: Row) -> Row:
    """The row that stands for both; they have one key."""
    at, text = max((row.at, row.text), (other.at, other.text))
    return Row(row.key, row.number + other.number, at, text)


def fold(record: Record, *, received: float | None = None) -> list[Row]:
    """The rows that *record* adds. Total: what it does not understand adds nothing or ``other``.
    *received* (Unix seconds) bounds the record's time, so that a process whose clock is ahead does not
    stay alive for ever."""
    at = _number(record.get("at"))
    if received is not None:
        at = min(at, received)
    scope = _Scope(record, at)
    kind = record.get("kind")
    if kind == "decision":
        return [*_decision_rows(record, scope), scope.alive()]
    if kind == "register":
        return [*_register_rows(record, scope), scope.alive()]
    if kind == "drops":
        drops = record.get("drops")
        counts = drops.items() if isinstance(drops, Mapping) else ()
        return [scope.row(f"drops.{_word(reason)}", count=_count(count)) for reason, count in counts]
    if kind == "feedback":
        return [scope.row(f"feedback.{_word(record.get('verdict'))}", count=1)]
    return []


class _Scope:
    """The part of the key that all rows of one record share."""

    __slots__ = ("app", "at", "environment", "instance", "sdk", "surface", "team")

    def __init__(self, record: Record, at: float) -> None:
        self.at = at
        self.app = _word(record.get("app"))
        self.environment = _word(record.get("environment"))
        self.instance = _word(record.get("instance"))
        self.sdk = _word(record.get("sdk"))
        of_surface = record.get("kind") == "decision"
        self.team = _word(record.get("team")) if of_surface else ""
        self.surface = _word(record.get("surface")) if of_surface else ""

    def row(self, name: str, *, count: int = 0, text: str = "") -> Row:
        key = Key(day_of(self.at), self.app, self.environment, self.team, self.surface, "", name)
        return Row(key, count, self.at, text)

    def process_row(self, name: str, *, instance: str = "", text: str = "") -> Row:
        return Row(Key("", self.app, self.environment, "", "", instance, name), 0, self.at, text)

    def alive(self) -> Row:
        return self.process_row("alive", instance=self.instance, text=self.sdk)


def _decision_rows(record: Record, scope: _Scope) -> Iterator[Row]:
    yield scope.row("traffic", count=1)
    yield scope.row(f"status.{_one_of(record.get('status'), STATUSES)}", count=1)
    yield scope.row(f"disposition.{_one_of(record.get('disposition'), DISPOSITIONS)}", count=1)
    yield scope.row("mode", text=_one_of(record.get("mode"), MODES))
    yield scope.row(f"sdk.{scope.sdk}", count=1)
    yield scope.row(f"latency.{bucket_of(_number(record.get('latency_ms')))}", count=1)
    would = record.get("would")
    if isinstance(would, Mapping):
        yield scope.row(f"would.{_one_of(would.get('disposition'), DISPOSITIONS)}", count=1)
    if record.get("queued") is True:
        yield scope.row("queued", count=1)
    if record.get("failed_open") is True:
        yield scope.row("failed_open", count=1)
    if isinstance(record.get("hold"), Mapping):
        yield scope.row("held", count=1)
    if isinstance(record.get("kill_switch"), str):
        yield scope.row("bypassed", count=1, text=_word(record["kill_switch"]))
    waivers = record.get("waivers")
    for waiver in waivers if isinstance(waivers, list | tuple) else ():
        yield scope.row(f"waiver.{_word(waiver)}", count=1)


def _register_rows(record: Record, scope: _Scope) -> Iterator[Row]:
    surfaces = record.get("surfaces")
    switches = record.get("kill_switches")
    declares = {
        "surfaces": [_declared(s) for s in surfaces if isinstance(s, Mapping)]
        if isinstance(surfaces, list | tuple) else [],
        "kill_switches": sorted(_word(s) for s in switches) if isinstance(switches, list | tuple) else [],
    }  # fmt: skip
    text = json.dumps(declares, sort_keys=True, separators=(",", ":"))
    digest = sha256(text.encode()).hexdigest()[:16]
    chunk = _count(record.get("chunk", 0))
    yield scope.process_row(f"register.{chunk}", instance=scope.instance, text=digest)
    yield scope.process_row(f"declares.{digest}", text=text)


def _declared(surface: Mapping[str, Any]) -> dict[str, Any]:
    waivers, unsupported = surface.get("waivers"), surface.get("unsupported")
    return {
        "surface": _word(surface.get("surface")),
        "team": _word(surface.get("team")),
        "declared": surface.get("declared") is True,
        "decorated": surface.get("decorated") is True,
        "mode": _one_of(surface.get("mode"), MODES),
        "waivers": [
            {"rule": _word(w.get("rule")), "ends": _number(w.get("ends")), "owner": _word(w.get("owner"))}
            for w in (waivers if isinstance(waivers, list | tuple) else ())
            if isinstance(w, Mapping)
        ],
        "unsupported": sorted(_word(label) for label in unsupported)
        if isinstance(unsupported, list | tuple) else [],
    }  # fmt: skip


class AdoptionState:
    """Rows by key. ``add``, ``absorb`` and ``merge`` commute and associate; nothing depends on now."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[Key, Row] = {}
        self.absorb(rows)

    def add(self, record: Record, *, received: float | None = None) -> None:
        """Fold one event in; see :func:`fold`."""
        self.absorb(fold(record, received=received))

    def absorb(self, rows: Iterable[Row]) -> None:
        """Merge *rows* in."""
        for row in rows:
            found = self._rows.get(row.key)
            self._rows[row.key] = row if found is None else merged(found, row)

    def merge(self, other: AdoptionState) -> AdoptionState:
        """A new state that stands for both; their events must be disjoint."""
        both = AdoptionState(self._rows.values())
        both.absorb(other._rows.values())
        return both

    def rows(self) -> list[Row]:
        """Every row, sorted by key."""
        return sorted(self._rows.values())

    def prune(self, now: float, *, days: int) -> None:
        """Forget days before the last *days*, and processes that are no longer alive with what only they
        declare. A living process keeps its registration, however old."""
        first = day_of(now - days * 86_400.0)
        alive = {key[1:6] for key, row in self._rows.items()
                 if key.name == "alive" and row.at >= now - ALIVE_SECONDS}  # fmt: skip
        declared = {(key.app, key.environment, f"declares.{row.text}") for key, row in self._rows.items()
                    if key.name.startswith("register.") and key[1:6] in alive}  # fmt: skip
        self._rows = {
            key: row
            for key, row in self._rows.items()
            if (key.day >= first if key.day
                else key[1:6] in alive or (key.app, key.environment, key.name) in declared)
        }  # fmt: skip

    def to_json(self) -> list[list[Any]]:
        """JSON: one array per row, the key's fields first."""
        return [[*row.key, row.number, row.at, row.text] for row in self.rows()]

    @classmethod
    def from_json(cls, rows: Iterable[Iterable[Any]]) -> AdoptionState:
        """The state that :meth:`to_json` wrote. ValueError where a row has another shape."""
        state = cls()
        for fields in rows:
            day, app, environment, team, surface, instance, name, number, at, text = fields
            key = Key(day, app, environment, team, surface, instance, name)
            state.absorb([Row(key, int(number), float(at), text)])
        return state

    def __eq__(self, other: object) -> bool:
        return self._rows == other._rows if isinstance(other, AdoptionState) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # mutable, and mypy has no word for "unhashable"

    def __repr__(self) -> str:
        return f"<AdoptionState {len(self._rows)} rows>"


def _word(value: object) -> str:
    return value[:MAX_TEXT].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _one_of(value: object, words: tuple[str, ...]) -> str:
    return value if isinstance(value, str) and value in words else "other"


def _number(value: object) -> float:
    """A finite number from nought to the year 3000; anything else is nought."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value <= _LATEST_SANE else 0.0


def _count(value: object) -> int:
    return int(_number(value))
