"""Field types of manifests: each checks one value and says what is wrong without repeating it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from spotsafe.core.labels import LABELS, matching
from spotsafe.policy.actions import ACTION_WORDS, Action, action
from spotsafe.policy.durations import ASYNC, DURATION_PATTERN, parse_duration, parse_instant
from spotsafe.policy.wording import nearest

SURFACE_NAME = r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*$"
RULE_ID = r"^[a-z0-9][a-z0-9_-]*$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"


def problem(message: str, hint: str) -> PydanticCustomError:
    """An error whose *message* and *hint* end up in a fault."""
    return PydanticCustomError("manifest", "{message}", {"message": message, "hint": hint})


def _duration(value: object) -> float:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            pass
    if value == 0 and not isinstance(value, bool):
        return 0.0
    raise problem("not a duration", "write a number with a unit: 150ms, 10s, 10m, 72h or 180d")


def _deadline(value: object) -> float:
    if value == "async":
        return ASYNC
    if (seconds := _duration(value)) <= 0:
        raise problem("a deadline must be longer than 0", "write e.g. 150ms, or async to hold at once")
    return seconds


def _instant(value: object) -> float:
    try:
        return parse_instant(value if isinstance(value, str) else "")
    except ValueError:
        raise problem("not an instant in UTC", "write e.g. 2026-12-31T00:00:00Z") from None


def _label(value: object) -> str:
    if not isinstance(value, str):
        raise problem("a label must be a string", "write a code such as hate.speech, or a pattern: hate.*")
    if not matching(value):
        raise problem("covers no label of the taxonomy", label_hint(value))
    return value


def label_hint(word: str) -> str:
    """What to write in place of *word*, which is no label: the nearest code, and the codes of its family."""
    family = word.partition(".")[0]
    codes = [code for code in LABELS if code.startswith(f"{family}.")]
    listed = f"labels of {family}: {', '.join(codes)}" if codes else "`spotsafe explain --labels` lists them"
    return "; ".join(filter(None, (nearest(word, codes or list(LABELS)), listed)))


def _labels(value: object) -> list[str]:
    found = [_label(entry) for entry in (value if isinstance(value, list) else [value])]
    if not found:
        raise problem("names no label", "write one label or pattern, or a list of them")
    return found


def _action(value: object) -> Action:
    words: list[Any] = value if isinstance(value, list) else [value]
    for word in words:
        if word not in ACTION_WORDS:
            raise problem("not an action", _action_hint(str(word)))
    if not words:
        raise problem("names no action", f"write one of {', '.join(ACTION_WORDS)}, or a list")
    return action(words)


_SYNONYMS = {
    "reject": "block", "deny": "block", "refuse": "block", "queue": "review", "flag": "review",
    "mask": "redact", "censor": "redact", "warn": "nudge",
}  # fmt: skip
"""Words of other systems for our actions."""


def _action_hint(word: str) -> str:
    if word.lower() in _SYNONYMS:
        return f"did you mean {_SYNONYMS[word.lower()]!r}?"
    return nearest(word, list(ACTION_WORDS)) or f"known are {', '.join(ACTION_WORDS)}"


def _canary(value: object) -> Any:
    """``shadow``, ``enforce`` or ``{canary: N}`` as (word, percent)."""
    if value in ("shadow", "enforce"):
        return (value, 100.0 if value == "enforce" else 0.0)
    if isinstance(value, dict) and list(value) == ["canary"]:
        percent = value["canary"]
        if isinstance(percent, int | float) and not isinstance(percent, bool) and 0 <= percent <= 100:
            return ("canary", float(percent))
        raise problem("a canary is a percentage from 0 to 100", "write {canary: 10}")
    raise problem("not a mode", "write shadow, enforce or {canary: 10}")


_ACTION_WORD = {"enum": list(ACTION_WORDS)}
ACTION_SCHEMA = {"anyOf": [_ACTION_WORD, {"type": "array", "items": _ACTION_WORD, "minItems": 1}]}
_DURATION_SCHEMA = {"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"const": 0}]}
_LABEL_SCHEMA = {
    "anyOf": [
        {"enum": list(LABELS)},
        {"type": "string", "pattern": r"[*?\[]", "description": "a pattern such as hate.*"},
    ]
}
_MODE_SCHEMA = {
    "anyOf": [
        {"enum": ["shadow", "enforce"]},
        {
            "type": "object",
            "properties": {"canary": {"type": "number", "minimum": 0, "maximum": 100}},
            "required": ["canary"],
            "additionalProperties": False,
        },
    ]
}

Duration = Annotated[Any, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
Deadline = Annotated[
    Any,
    BeforeValidator(_deadline),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"const": "async"}]}),
]
Instant = Annotated[
    Any, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$"})
]
LabelPattern = Annotated[Any, BeforeValidator(_label), WithJsonSchema(_LABEL_SCHEMA)]
LabelPatterns = Annotated[
    Any,
    BeforeValidator(_labels),
    WithJsonSchema({"anyOf": [_LABEL_SCHEMA, {"type": "array", "items": _LABEL_SCHEMA, "minItems": 1}]}),
]
ActionField = Annotated[Any, BeforeValidator(_action), WithJsonSchema(ACTION_SCHEMA)]
ModeField = Annotated[Any, BeforeValidator(_canary), WithJsonSchema(_MODE_SCHEMA)]


def label_key(value: str) -> str:
    """A key of ``on_failure``: ``default`` or a label pattern."""
    return value if value == "default" else _label(value)
