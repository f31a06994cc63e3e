"""``diff``: what gets stricter or laxer per surface between two sets of policies.

Rules are compared by what they do, not by how they are written: per label, the action as a function of
the score. Fields are compared by the ratchet's own table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from spotsafe.core.decision import Mode
from spotsafe.policy.actions import Action
from spotsafe.policy.compile import written
from spotsafe.policy.durations import ASYNC
from spotsafe.policy.explain import mode_words
from spotsafe.policy.ratchet import DIRECTIONS, own_value
from spotsafe.policy.surface import Check, PolicySet, SurfacePolicy
from spotsafe.policy.wording import first_few

STRICTER, LAXER, CHANGED = "stricter", "laxer", "changed"


class Change(NamedTuple):
    """One difference on one surface; *direction* is ``stricter``, ``laxer`` or ``changed``."""

    surface: str
    what: str
    direction: str
    before: str
    after: str


def difference(before: PolicySet, after: PolicySet, now: float) -> list[Change]:
    """All changes from *before* to *after* at *now* (waivers that have ended do not count). A surface
    that only one side declares is compared with the floor that it has on the other."""
    changes: list[Change] = []
    for name in dict.fromkeys((*before.surfaces, *after.surfaces)):
        old, new = before.surface(name), after.surface(name)
        if old is None:
            changes.append(Change(name, "manifest", CHANGED, "none (floor)", "declared"))
        if new is None:
            changes.append(Change(name, "manifest", CHANGED, "declared", "none (floor)"))
        changes.extend(_surface(name, old or before.floor(name), new or after.floor(name), now))
    return changes


def _surface(name: str, old: SurfacePolicy, new: SurfacePolicy, now: float) -> Iterable[Change]:
    yield from _fields(name, old, new)
    old_groups, new_groups = _groups(old, now), _groups(new, now)
    for key in dict.fromkeys((*old_groups, *new_groups)):
        change = _steps(name, key, old_groups.get(key, []), new_groups.get(key, []))
        if change is not None:
            yield change
    yield from _missing(name, old, new, now)


Key = tuple[str, str, tuple[str, ...], str]
"""A label with what else its rules depend on: ``when``, parts, mode."""


def _groups(policy: SurfacePolicy, now: float) -> dict[Key, list[Check]]:
    whens = {rule.name: rule.when or "" for rule in policy.rules}
    groups: dict[Key, list[Check]] = {}
    for check in policy.checks:
        if check.then is None or (check.waiver is not None and now < check.waiver.ends):
            continue
        key = (check.label, whens[check.rule], check.parts, mode_words(check.mode, check.canary))
        groups.setdefault(key, []).append(check)
    return groups


def _steps(name: str, key: Key, old: list[Check], new: list[Check]) -> Change | None:
    label, when, parts, mode = key
    points = sorted({check.at for check in (*old, *new)})
    pairs = [(_at(old, point), _at(new, point)) for point in points]
    if all(one == other for one, other in pairs):
        return None
    up = all(other.covers(one) for one, other in pairs)
    down = all(one.covers(other) for one, other in pairs)
    direction = STRICTER if up else LAXER if down else CHANGED
    if mode == Mode.SHADOW.value:
        direction = CHANGED  # a rule in shadow does nothing yet
    limits = [f"when {when}" if when else "", f"in {', '.join(parts)}" if parts else ""]
    limits.append("" if mode == Mode.ENFORCE.value else mode)
    what = " ".join([label, *(f"({limit})" for limit in limits if limit)])
    return Change(name, what, direction, _described(old), _described(new))


def _at(checks: Iterable[Check], score: float) -> Action:
    action = Action()
    for check in checks:
        if check.then is not None and score >= check.at:
            action = action.joined(check.then)
    return action


def _described(checks: list[Check]) -> str:
    """``hold from 0.5, block from 0.9``."""
    said, last = [], Action()
    for point in sorted({check.at for check in checks}):
        action = _at(checks, point)
        if action != last:
            said.append(f"{' + '.join(action.words)} from {point:g}")
        last = action
    return ", ".join(said) or "nothing"


def _missing(name: str, old: SurfacePolicy, new: SurfacePolicy, now: float) -> Iterable[Change]:
    before, after = _answers(old, now), _answers(new, now)
    merged: dict[tuple[str, Action, Action], list[str]] = {}
    for label in before:
        for cause, one in before[label].items():
            other = after.get(label, {}).get(cause)
            if other is not None and other != one:
                merged.setdefault((cause, one, other), []).append(label)
    for (cause, one, other), labels in merged.items():
        direction = STRICTER if other.covers(one) else LAXER if one.covers(other) else CHANGED
        yield Change(
            name, f"{cause}: {first_few(labels)}", direction, " + ".join(one.words), " + ".join(other.words)
        )


def _answers(policy: SurfacePolicy, now: float) -> Mapping[str, dict[str, Action]]:
    """Per label: what its absence does, by cause, joined over rules that are enforced."""
    answers: dict[str, dict[str, Action]] = {}
    for check in policy.checks:
        if check.mode is Mode.SHADOW or (check.waiver is not None and now < check.waiver.ends):
            continue
        own = answers.setdefault(check.label, {})
        stated = {f"if_missing {cause.value}": action for cause, action in check.reach.items()}
        for cause, action in {**stated, "on_failure": check.failure}.items():
            own[cause] = own.get(cause, Action()).joined(action)
    return answers


def _fields(name: str, old: SurfacePolicy, new: SurfacePolicy) -> Iterable[Change]:
    one, other = _values(old), _values(new)
    for field, before in one.items():
        after = other[field]
        if before == after:
            continue
        yield Change(name, field, _direction(field, before, after), _written(before), _written(after))


def _direction(field: str, before: Any, after: Any) -> str:
    """Read off the ratchet: the side that the join of both equals is the stricter one."""
    merge = DIRECTIONS[field].merge
    if merge is own_value:
        return CHANGED
    joined = merge([before, after])
    return STRICTER if joined == after else LAXER if joined == before else CHANGED


def _values(policy: SurfacePolicy) -> dict[str, Any]:
    return {
        "deadline": ASYNC if policy.deadline is None else policy.deadline,
        "cache.ttl": policy.cache_ttl,
        "cache.stale": policy.cache_stale,
        "privacy.send": policy.privacy_send,
        "privacy.retain": policy.retain,
        "hold.keep": policy.hold.keep,
        "hold.ttl": policy.hold.ttl,
        "hold.on_expiry": policy.hold.on_expiry,
        "languages": policy.languages,
        "content": dict(policy.content),
        "extends": policy.baseline,
        "audience": policy.audience,
        "direction": policy.direction,
        "mode": mode_words(policy.mode, policy.canary),
        "service": policy.service,
    }


def _written(value: Any) -> str:
    if isinstance(value, tuple | dict):
        return ", ".join(value) or "none"
    return written(value)
