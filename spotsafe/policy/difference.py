"""``diff``: what gets stricter or laxer per surface between two sets of policies.

Rules are compared by what they do (:mod:`spotsafe.policy.rule_changes`), fields by the ratchet's own table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spotsafe.policy.compile import written
from spotsafe.policy.durations import ASYNC, format_instant
from spotsafe.policy.explain import mode_words
from spotsafe.policy.ratchet import DIRECTIONS, own_value
from spotsafe.policy.rule_changes import CHANGED, LAXER, STRICTER, Change, rule_changes
from spotsafe.policy.surface import PartSpec, PolicySet, SurfacePolicy


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
    yield from _content(name, old, new)
    yield from _waivers(name, old, new, now)
    yield from rule_changes(name, old, new, now)


def _fields(name: str, old: SurfacePolicy, new: SurfacePolicy) -> Iterable[Change]:
    one, other = _values(old), _values(new)
    for field, before in one.items():
        after = other[field]
        if before != after:
            yield Change(name, field, _direction(field, before, after), written(before), written(after))


def _direction(field: str, before: Any, after: Any) -> str:
    """Read off the ratchet: the side that the join of both equals is the stricter one."""
    merge = DIRECTIONS[field].merge
    if merge is own_value:
        return CHANGED
    return STRICTER if merge([before, after]) == after else LAXER


def _content(name: str, old: SurfacePolicy, new: SurfacePolicy) -> Iterable[Change]:
    """Parts and languages: a lost one is laxer, one that comes stricter, and both may be. A part of another
    kind is read for other labels: one lost and one that comes."""
    pairs = (
        ("content", _parts(old.content), _parts(new.content)),
        ("languages", old.languages, new.languages),
    )
    for field, before, after in pairs:
        shown = (", ".join(before) or "none", ", ".join(after) or "none")
        if set(before) - set(after):
            yield Change(name, field, LAXER, *shown)
        if set(after) - set(before):
            yield Change(name, field, STRICTER, *shown)


def _parts(content: Mapping[str, PartSpec]) -> list[str]:
    """``body: text``, and for parts that must be there an entry of its own."""
    kinds = [f"{key}: {part.kind}" for key, part in content.items()]
    return kinds + [f"{key} required" for key, part in content.items() if not part.optional]


def _waivers(name: str, old: SurfacePolicy, new: SurfacePolicy, now: float) -> Iterable[Change]:
    """Waivers that run on both sides and end at other times; one that comes or goes shows in the rules."""
    before, after = (
        {r.name: r.waiver.ends for r in side.rules if r.waiver is not None and now < r.waiver.ends}
        for side in (old, new)
    )
    for rule, ends in before.items():
        later = after.get(rule, ends)
        if later != ends:
            direction = LAXER if later > ends else STRICTER
            yield Change(name, f"waiver of {rule}", direction, format_instant(ends), format_instant(later))


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
        "extends": policy.baseline,
        "audience": policy.audience,
        "direction": policy.direction,
        "mode": mode_words(policy.mode, policy.canary),
        "service": policy.service,
    }
