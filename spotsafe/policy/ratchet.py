"""The ratchet: which way each field may go under a baseline. One table, used by merge and by docs.

Layers are baselines from the floor up, then the surface. A layer that does not state a field is left
out; what nobody states takes the default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from spotsafe.core.content import Destination
from spotsafe.core.receipts import OnExpiry
from spotsafe.policy.actions import Action, strictest
from spotsafe.policy.surface import HoldPolicy

Merge = Callable[[Sequence[Any]], Any]
"""Stated values, baseline first → the effective one."""


class Direction(NamedTuple):
    """How one field of a surface joins with those of its baselines."""

    field: str
    strict: str
    merge: Merge
    default: Any


def own_value(values: Sequence[Any]) -> Any:
    """The last one stated: fields without a strict direction."""
    return values[-1]


def _added_names(values: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry for value in values for entry in value))


def _added_keys(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for value in values:
        for key, entry in value.items():
            merged.setdefault(key, entry)
    return merged


def _texts(values: Sequence[dict[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    merged: dict[str, dict[str, str]] = {}
    for value in values:
        for key, texts in value.items():
            merged[key] = {**merged.get(key, {}), **texts}
    return merged


def _one_of(strict: str) -> Merge:
    """*strict* wins over anything else, wherever it is stated."""
    return lambda values: strict if strict in values else values[-1]


def join_actions(values: Sequence[Action]) -> Action | None:
    """The stricter of all, as for ``on_failure`` and ``if_missing``, label by label."""
    return strictest(values)


_HOLD = HoldPolicy()

RATCHET: tuple[Direction, ...] = (
    Direction(
        "rules", "rules are added to the baseline's, never edited; all that fire are joined", own_value, ()
    ),
    Direction(
        "mode",
        "governs the layer's own rules; the baseline's rules keep the baseline's mode",
        own_value,
        None,
    ),
    Direction("on_failure", "the stricter of both, per label", join_actions, None),
    Direction("if_missing", "the stricter of both, per label and cause", join_actions, None),
    Direction("deadline", "the longer of both: a baseline's is the least time a check gets", max, 0.150),
    Direction("cache.ttl", "the shorter of both", min, 600.0),
    Direction("cache.stale", "the shorter of both", min, 3600.0),
    Direction("privacy.retain", "the shorter of both", min, 15_552_000.0),
    Direction(
        "privacy.send",
        "`local` wins: content never leaves the process",
        _one_of(Destination.LOCAL),
        Destination.SERVICE,
    ),
    Direction("hold.on_expiry", "`reject` wins", _one_of(OnExpiry.REJECT), _HOLD.on_expiry),
    Direction("hold.keep", "the surface's own", own_value, _HOLD.keep),
    Direction("hold.ttl", "the surface's own", own_value, _HOLD.ttl),
    Direction("content", "parts are only added", _added_keys, {}),
    Direction("languages", "languages are only added", _added_names, ()),
    Direction("context", "the surface's own", own_value, {}),
    Direction("audience", "one that the baseline admits; anything else is a fault", own_value, None),
    Direction("decisions", "the platform's alone: teams cannot allow automatic blocks", own_value, ()),
    Direction("notices", "texts are added; a surface may word a key of its baseline anew", _texts, {}),
    Direction(
        "extends", "the surface's own choice among the baselines that admit its audience", own_value, None
    ),
    Direction("direction", "the surface's own", own_value, "input"),
    Direction("about", "the surface's own", own_value, ""),
    Direction("service", "the surface's own", own_value, "main"),
    Direction("examples", "the surface's own", own_value, ()),
)
"""Every field of a surface, once. A test compares it with the model."""

DIRECTIONS = {direction.field: direction for direction in RATCHET}


def merge(field: str, stated: Sequence[Any]) -> Any:
    """The effective value of *field* from what layers state, baseline first."""
    direction = DIRECTIONS[field]
    return direction.merge(stated) if stated else direction.default
