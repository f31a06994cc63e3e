"""Reading events: known fields only, bounded, so that what a client adds by mistake is not kept.

An unknown field or word of a newer client does not refuse its event, which must not be lost on an older
service: the field is left out, the word counts as "other". A field of the wrong type refuses the event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from spotsafe.core.receipts import HoldReason, OnExpiry
from spotsafe.core.records import EVENT_KINDS, FEEDBACK_VERDICTS

WORD = 256
"""Longest identifier, name or label in characters."""
MOST_ENTRIES = 500
"""Most entries of a list or map in one event."""

_INFINITE = 1e308
"""Numbers from here on are refused: an integer of any length is valid JSON, but no float."""

_CODE = re.compile(r"[a-z_]{1,40}")
_DIGEST = re.compile(r"[0-9a-f]{1,128}")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Event(NamedTuple):
    """One readable event: its identity and the JSON text of its known fields."""

    event_id: str
    kind: str
    at: float
    surface: str
    environment: str
    record: Mapping[str, Any]
    text: str


class Refused(ValueError):
    """An event that cannot be kept; *field* is the name of the place, *problem* fixed words."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


def is_identifier(value: object) -> bool:
    """Whether *value* is a lower-case UUID, as decision and event ids are."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def read_event(value: object, *, most: int) -> Event:
    """The event in *value*, at most *most* bytes as JSON. Raises :class:`Refused`."""
    if not isinstance(value, Mapping):
        raise Refused("", "must be an object")
    if not is_identifier(value.get("event_id")):
        raise Refused("event_id", "must be a lower-case UUID")
    kind = value.get("kind")
    if kind not in EVENT_KINDS:
        raise Refused("kind", f"must be one of {', '.join(EVENT_KINDS)}")
    record: dict[str, Any] = {"event_id": value["event_id"], "kind": kind}
    for field, read in {**_COMMON, **_BY_KIND[str(kind)]}.items():
        if value.get(field) is not None:
            record[field] = read(value[field], field)
    for field in ("at", *_REQUIRED[str(kind)]):
        if field not in record:
            raise Refused(field, "is missing")
    text = json.dumps(record, separators=(",", ":"), sort_keys=True)
    if len(text) > most:
        raise Refused("", f"is larger than {most} bytes")
    return Event(
        record["event_id"], record["kind"], record["at"],
        record.get("surface", ""), record.get("environment", ""), record, text,
    )  # fmt: skip


_Reader = Callable[[Any, str], Any]


def _word(value: Any, field: str) -> str:
    if not isinstance(value, str) or len(value) > WORD:
        raise Refused(field, f"must be a string of at most {WORD} characters")
    return value


def _number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _INFINITE:
        raise Refused(field, "must be a number")
    return float(value)


def _flag(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise Refused(field, "must be true or false")
    return value


def _one_of(words: tuple[str, ...]) -> _Reader:
    def read(value: Any, field: str) -> str:
        if value not in words:
            raise Refused(field, f"must be one of {', '.join(words)}")
        return str(value)

    return read


def _code(value: Any, field: str) -> str:
    """A word of a closed set that a newer client may have extended."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise Refused(field, "must be a word of lower-case letters")
    return value


def _digest(value: Any, field: str) -> str:
    """Actors, items and contents come as keyed digests; anything else would be the thing itself."""
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise Refused(field, "must be a digest in hexadecimal")
    return value


def _identifier(value: Any, field: str) -> str:
    if not is_identifier(value):
        raise Refused(field, "must be a lower-case UUID")
    return str(value)


def _list_of(read_one: _Reader) -> _Reader:
    def read(value: Any, field: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > MOST_ENTRIES:
            raise Refused(field, f"must be an array of at most {MOST_ENTRIES} entries")
        return [read_one(entry, field) for entry in value]

    return read


def _map_of(read_one: _Reader) -> _Reader:
    def read(value: Any, field: str) -> dict[str, Any]:
        if not isinstance(value, Mapping) or len(value) > MOST_ENTRIES:
            raise Refused(field, f"must be an object of at most {MOST_ENTRIES} members")
        return {_word(name, field): read_one(entry, field) for name, entry in value.items()}

    return read


def _object(**fields: _Reader) -> _Reader:
    def read(value: Any, field: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Refused(field, "must be an object")
        return {
            name: read_one(value[name], f"{field}/{name}")
            for name, read_one in fields.items()
            if value.get(name) is not None
        }

    return read


def _recorded(value: Any, field: str) -> Any:
    """A context value: a scalar, or the words of a field that the manifest calls ``strings``."""
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return _list_of(_word)(value, field)
    return _word(value, field) if isinstance(value, str) else _number(value, field)


_REASON = _object(
    rule=_word, label=_word, trigger=_word, cause=_word, score=_number, threshold=_number,
    disposition=_code, effects=_list_of(_code),
)  # fmt: skip
_WAIVER = _object(rule=_word, surface=_word, owner=_word, ends=_number)
_SURFACE = _object(
    surface=_word, team=_word, declared=_flag, decorated=_flag, mode=_word,
    waivers=_list_of(_WAIVER), unsupported=_list_of(_word),
)  # fmt: skip

_COMMON: dict[str, _Reader] = {
    "at": _number, "app": _word, "environment": _word, "instance": _word, "sdk": _word, "team": _word,
}  # fmt: skip
_BY_KIND: dict[str, dict[str, _Reader]] = {
    "decision": {
        "surface": _word, "service": _word, "direction": _word, "audience": _word,
        "policy_version": _word, "mode": _code,
        "disposition": _code, "effects": _list_of(_code), "status": _code,
        "queued": _flag, "would": _object(disposition=_code, effects=_list_of(_code)),
        "kill_switch": _word, "failed_open": _flag, "latency_ms": _number,
        "reasons": _list_of(_REASON), "waivers": _list_of(_word),
        "scores": _map_of(_number), "missing": _map_of(_word), "engine": _word,
        "actor": _digest, "item": _digest, "content": _digest, "context": _map_of(_recorded),
        "hold": _object(
            expires=_number, reason=_one_of(tuple(r.value for r in HoldReason)),
            on_expiry=_one_of(tuple(OnExpiry)),
        ),
        "trace_id": _word,
    },
    "register": {
        "surfaces": _list_of(_SURFACE), "kill_switches": _list_of(_word), "python": _word,
        "chunk": _number,
    },
    "drops": {"drops": _map_of(_number)},
    "feedback": {
        "decision_id": _identifier, "verdict": _one_of(FEEDBACK_VERDICTS), "label": _word,
        "reporter": _word,
    },
}  # fmt: skip
_REQUIRED = {
    "decision": ("surface", "disposition", "status"),
    "register": ("surfaces",),
    "drops": ("drops",),
    "feedback": ("decision_id", "verdict"),
}
