"""pydantic's errors as faults: where in the file, what, and what to do."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from spotsafe.core.errors import Fault
from spotsafe.policy.document import STOOD_IN, Document, Path
from spotsafe.policy.wording import nearest, shown

MAX_PRUNES = 8

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], document: Document, path: Path, faults: list[Fault]) -> M | None:
    """The value at *path* as a *model*; every fault goes to *faults*.

    What is wrong is left out and the rest read again, so that checks across fields still see what is
    right; None where nothing usable is left.
    """
    data = _at(document.data, path)
    refused = {fault[:3] for fault in faults if fault.message in STOOD_IN}
    for attempt in range(MAX_PRUNES):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        if not attempt:
            found = [_fault(model, document, path, detail) for detail in details]
            faults.extend(fault for fault in found if fault[:3] not in refused)
        data = _copy(data)
        doomed = {
            _doomed(data, detail["loc"], detail["type"]) for detail in details if not _stood_in(data, detail)
        }
        if () in doomed:
            return None
        for place in sorted(doomed, key=_backwards, reverse=True):
            _prune(data, place, document.kept, path)
    return None


_STAND_INS = {"spotsafe": 1, "team": "unknown", "owner": "unknown"}


def _stood_in(data: Any, detail: Any) -> bool:
    """Whether a key missing at the top could be given a stand-in, so that the rest is still checked."""
    loc = detail["loc"]
    if detail["type"] != "missing" or len(loc) != 1 or loc[0] not in _STAND_INS:
        return False
    data[loc[0]] = _STAND_INS[loc[0]]
    return True


def _backwards(path: Path) -> list[tuple[int, str]]:
    """A sort key that, reversed, takes later list entries and inner values first."""
    return [(key, "") if isinstance(key, int) else (-1, key) for key in path]


def _at(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key]
    return data


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data


def _real(data: Any, loc: Iterable[str | int]) -> tuple[Path, bool]:
    """The part of *loc* that exists in *data*, and whether all of it does; pydantic's own markers (as
    in unions and short forms) are left out."""
    path: Path = ()
    whole = True
    for key in loc:
        inside = key in data if isinstance(data, dict) else isinstance(data, list) and isinstance(key, int)
        if inside and (isinstance(data, dict) or int(key) < len(data)):
            data, path = data[key], (*path, key)
        else:
            whole = False
    return path, whole


def _doomed(data: Any, loc: tuple[str | int, ...], kind: str) -> Path:
    """What must go for the error at *loc* to go: the value, or what lacks a key."""
    path, whole = _real(data, loc)
    if kind == "missing" and whole:
        return path[:-1]
    return path


def _prune(data: Any, place: Path, kept: dict[Path, list[int]], base: Path) -> None:
    """Take the value at *place* out of *data*; *kept* remembers which list entries are left."""
    holder = _at(data, place[:-1])
    last = place[-1]
    if isinstance(holder, list) and isinstance(last, int):
        remaining = kept.setdefault((*base, *place[:-1]), list(range(len(holder))))
        del holder[last]
        del remaining[last]
    else:
        holder.pop(last, None)


def _fault(model: type[BaseModel], document: Document, base: Path, detail: Any) -> Fault:
    loc: tuple[str | int, ...] = detail["loc"]
    kind: str = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    here, _ = _real(_at(document.data, base), loc)
    path = (*base, *here)
    name = shown(str(loc[-1])) if loc else "the document"
    if kind == "extra_forbidden":
        known = _known_keys(model, loc[:-1])
        hint = nearest(loc[-1], known) or (f"known are {', '.join(known)}" if known else "remove it")
        return document.fault(path, f"unknown key {name}", hint, key=True)
    if kind == "missing":
        return document.fault(path, f"the key {name} is missing", _meaning(model, loc))
    if loc and loc[-1] == "[key]":
        name = shown(str(loc[-2]))
        hint = context.get("hint") or _KEY_HINTS.get(kind, "")
        return document.fault(path, f"the key {name} cannot stand here", hint, key=True)
    if kind == "manifest":
        where = _field_name(here)
        return document.fault(path, f"{where}{context['message']}", context["hint"])
    message, hint = _plain(kind, context, detail["msg"])
    if loc[-1:] == ("id",) and "#" in str(_at(document.data, path)):
        message, hint = _RATCHET
    return document.fault(path, f"{_field_name(here)}{message}", hint)


def _field_name(path: Path) -> str:
    names = [key for key in path if isinstance(key, str)]
    return f"{shown(names[-1])}: " if names else ""


_RATCHET = (
    "names a baseline's rule, and those are never edited (the ratchet)",
    "a stricter rule under an id of its own joins it; only a waiver, granted by the platform, loosens it",
)

_KEY_HINTS = {"string_pattern_mismatch": "use lower-case words, as in the manifest reference"}

_TYPES = {
    "string_type": ("must be a string", "put it in quotes"),
    "float_type": ("must be a number", "write e.g. 0.5, without quotes"),
    "int_type": ("must be a whole number", "write e.g. 1, without quotes"),
    "bool_type": ("must be true or false", "write true or false; yes, no, on and off are strings here"),
    "list_type": ("must be a list", "write [a, b]"),
    "dict_type": ("must be a mapping", "write keys with values"),
    "model_type": ("must be a mapping", "write keys with values"),
    "model_attributes_type": ("must be a mapping", "write keys with values"),
    "finite_number": ("must be a finite number", "write e.g. 0.5"),
    "string_pattern_mismatch": (
        "is not written as it must be",
        "use lower-case letters, digits, '-' and '_'",
    ),
}


def _plain(kind: str, context: dict[str, Any], message: str) -> tuple[str, str]:
    """Message and hint for pydantic's own kinds; none of them repeats the value."""
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "literal_error":
        return "is not one of the words known here", f"known are {context.get('expected', '')}"
    limits = {
        "greater_than_equal": ("must be at least {ge}", ""),
        "less_than_equal": ("must be at most {le}", "scores and thresholds run from 0 to 1"),
        "string_too_short": ("must not be empty", ""),
        "string_too_long": ("is too long: at most {max_length} characters", "shorten it"),
        "too_long": ("has too many entries: at most {max_length}", "split it"),
        "too_short": ("must have at least {min_length} entry", ""),
    }
    text, hint = limits.get(kind, (message[:1].lower() + message[1:], "see the manifest reference"))
    return text.format(**context), hint


def _known_keys(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    found = _model_at(model, loc)
    return [] if found is None else list(found.model_fields)


def _meaning(model: type[BaseModel], loc: tuple[str | int, ...]) -> str:
    found = _model_at(model, loc[:-1])
    field = None if found is None else found.model_fields.get(str(loc[-1]))
    described = "" if field is None or not field.description else field.description
    return " ".join(described.split())


def _model_at(model: type[BaseModel], loc: Iterable[str | int]) -> type[BaseModel] | None:
    """The model that describes the mapping at *loc* inside *model*."""
    current: Any = model
    for key in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(key))
            if field is None:
                return None
            current = _unwrapped(field.annotation)
        else:
            inner = get_args(current)
            current = _unwrapped(inner[-1]) if inner else None
    current = _unwrapped(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _unwrapped(annotation: Any) -> Any:
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            rest = [entry for entry in get_args(annotation) if entry is not type(None)]
            annotation = rest[0]
        else:
            return annotation
