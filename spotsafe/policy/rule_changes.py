"""What rules do before and after, situation by situation: stricter, laxer, or both.

Rules are compared by what they do, not by how they are written. Those of one label that depend on the same
``when``, parts and mode form a group. A group gets laxer where, in some situation, what it did is not
covered by what the other side surely does there: by its own group and by those that apply at least as
widely (no ``when``, more parts, more of the traffic). So whatever makes a verdict laxer shows in a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from spotsafe.core.decision import Mode
from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Cause
from spotsafe.policy.actions import ALLOW, Action
from spotsafe.policy.cel_syntax import parse
from spotsafe.policy.cel_types import names_in
from spotsafe.policy.explain import mode_words
from spotsafe.policy.layers import REACH_CAUSES
from spotsafe.policy.surface import Check, SurfacePolicy
from spotsafe.policy.wording import first_few

STRICTER, LAXER, CHANGED = "stricter", "laxer", "changed"

BELOW = -1.0
"""A score that reaches no threshold."""

GAPS = (*REACH_CAUSES, Cause.ERROR)
"""Causes that may be answered differently; all failures are answered alike."""


class Change(NamedTuple):
    """One difference on one surface; *direction* is ``stricter``, ``laxer`` or ``changed``. What is
    stricter in one situation and laxer in another is two changes."""

    surface: str
    what: str
    direction: str
    before: str
    after: str


class Key(NamedTuple):
    """A label with what else its rules depend on. *types* are those of the context fields that *when*
    reads; *share* is the percentage of the traffic on which the mode enforces."""

    label: str
    when: str
    types: tuple[str, ...]
    parts: tuple[str, ...]
    mode: str
    share: float

    @property
    def limits(self) -> str:
        """The limits as they follow a label: `` (when age < 7) (in body)``."""
        found = [
            f"when {self.when}" if self.when else "",
            f"in {', '.join(self.parts)}" if self.parts else "",
        ]
        found.append("" if self.mode == Mode.ENFORCE.value else self.mode)
        return "".join(f" ({limit})" for limit in found if limit)

    def within(self, other: Key) -> bool:
        """Whether *other* applies wherever this does."""
        return (
            self.label == other.label
            and (not other.when or (self.when, self.types) == (other.when, other.types))
            and (not other.parts or (bool(self.parts) and set(self.parts) <= set(other.parts)))
            and self.share <= other.share
        )


class _Situation(NamedTuple):
    """A label's *score* on what a group reads, why it is missing on a part of that (None: it is not), and
    whether conditions can be told."""

    score: float
    cause: Cause | None = None
    told: bool = True


Groups = Mapping[Key, Sequence[Check]]


def rule_changes(name: str, old: SurfacePolicy, new: SurfacePolicy, now: float) -> Iterable[Change]:
    """What the rules of surface *name* do otherwise at *now* under *new* than under *old*."""
    before, after = _groups(old, now), _groups(new, now)
    merged: dict[tuple[str, str, str, str, str], list[str]] = {}
    for key in dict.fromkeys((*before, *after)):
        if not key.share:
            yield from _in_shadow(name, key, before.get(key, ()), after.get(key, ()))
            continue
        pair = _Pair(key, before, after, several=_several(key, old) or _several(key, new))
        for direction in pair.by_score():
            yield Change(name, key.label + key.limits, direction, *pair.described())
        for kind, direction, one, other in pair.by_gap():
            merged.setdefault((kind, key.limits, direction, _words(one), _words(other)), []).append(key.label)
    for (kind, limits, direction, *words), labels in merged.items():
        yield Change(name, f"{kind}: {first_few(labels)}{limits}", direction, *words)


class _Pair:
    """One group before and after, with the groups of either side that apply at least as widely."""

    def __init__(self, key: Key, before: Groups, after: Groups, *, several: bool) -> None:
        self.key = key
        self.several = several
        self.old, self.new = before.get(key, ()), after.get(key, ())
        self.old_wide, self.new_wide = _wider(key, before), _wider(key, after)
        self.points = sorted({check.at for check in (*self.old_wide, *self.new_wide)})
        self.seen: set[str] = set()

    def by_score(self) -> list[str]:
        """How it changes where the label is scored and conditions can be told."""
        found = list(dict.fromkeys(d for point in self.points for d in self.directions(_Situation(point))))
        self.seen.update(found)
        return sorted(found)

    def by_gap(self) -> Iterable[tuple[str, str, Action, Action]]:
        """How it changes otherwise: (situation, direction, before, after). A group that comes or goes as a
        whole is said once."""
        whole = not self.old or not self.new
        for kind, situation in self.gaps():
            one, other = (_does(checks, self.key, situation) for checks in (self.old_wide, self.new_wide))
            for direction in self.directions(situation):
                if not (direction in self.seen and (whole or kind == _BESIDE)):
                    self.seen.add(direction)
                    yield kind, direction, one, other

    def gaps(self) -> Iterable[tuple[str, _Situation]]:
        """Situations in which a score or a context field is missing."""
        for cause in GAPS:
            yield "on_failure" if cause.is_failure else f"if_missing {cause.value}", _Situation(BELOW, cause)
        if self.key.when:
            yield from (("context missing", _Situation(point, told=False)) for point in self.points)
        if self.several:
            # What fires on one part is not asked for its answer to a gap in another.
            for told in (True, False) if self.key.when else (True,):
                for cause in GAPS:
                    yield from ((_BESIDE, _Situation(point, cause, told)) for point in self.points)

    def directions(self, situation: _Situation) -> Iterable[str]:
        """``laxer`` where what was done is not covered any more, ``stricter`` the other way round."""
        if not _does(self.new_wide, self.key, situation).covers(_does(self.old, self.key, situation)):
            yield LAXER
        if not _does(self.old_wide, self.key, situation).covers(_does(self.new, self.key, situation)):
            yield STRICTER

    def described(self) -> tuple[str, str]:
        return _described(self.old), _described(self.new)


_BESIDE = "a part without a score beside one that fires"


def _groups(policy: SurfacePolicy, now: float) -> dict[Key, list[Check]]:
    whens = {rule.name: rule.when or "" for rule in policy.rules}
    groups: dict[Key, list[Check]] = {}
    for check in policy.checks:
        if check.waiver is not None and now < check.waiver.ends:
            continue
        when = whens[check.rule]
        types = tuple(f"{n} {policy.context[n].type}" for n in names_in(parse(when))) if when else ()
        share = {Mode.ENFORCE: 101.0, Mode.CANARY: check.canary}.get(check.mode, 0.0)
        key = Key(check.label, when, types, check.parts, mode_words(check.mode, check.canary), share)
        groups.setdefault(key, []).append(check)
    return groups


def _several(key: Key, policy: SurfacePolicy) -> bool:
    """Whether the group can read more than one part; undeclared content may have any number."""
    label = LABELS[key.label]
    read = [
        name
        for name, part in policy.content.items()
        if (not key.parts or name in key.parts) and label.applies_to(part.kind)
    ]
    return len(read) > 1 or not policy.content


def _wider(key: Key, groups: Groups) -> list[Check]:
    """The checks of *key* and of every group that applies wherever it does."""
    return [check for other, checks in groups.items() if key.within(other) for check in checks]


def _does(checks: Iterable[Check], key: Key, situation: _Situation) -> Action:
    """What *checks* surely do in a *situation* of the parts that *key* reads."""
    action = ALLOW
    for check in checks:
        fires = _fired(check, situation.told)
        if situation.score >= check.at:
            action = action.joined(fires)
        elif situation.cause is not None:
            gap = check.failure if situation.cause.is_failure else check.reach[situation.cause]
            gap = gap.without_spans()
            # One that reads other parts too may fire on those instead.
            action = action.joined(gap if check.parts == key.parts else _common(gap, fires))
    return action


def _fired(check: Check, told: bool) -> Action:
    if check.then is None:
        return ALLOW
    return check.then if told or check.condition is None else check.unknown.without_spans()


def _common(one: Action, other: Action) -> Action:
    return Action(min(one.disposition, other.disposition), one.effects & other.effects)


def _in_shadow(name: str, key: Key, old: Sequence[Check], new: Sequence[Check]) -> Iterable[Change]:
    """A rule in shadow does nothing yet: whatever changes there has no direction."""
    points = {check.at for check in (*old, *new)}
    if any(_does(old, key, _Situation(at)) != _does(new, key, _Situation(at)) for at in points):
        yield Change(name, key.label + key.limits, CHANGED, _described(old), _described(new))


def _described(checks: Sequence[Check]) -> str:
    """``hold from 0.5, block from 0.9``."""
    said, last = [], ALLOW
    for point in sorted({check.at for check in checks}):
        action = ALLOW
        for check in checks:
            if check.then is not None and point >= check.at:
                action = action.joined(check.then)
        if action != last:
            said.append(f"{_words(action)} from {point:g}")
        last = action
    return ", ".join(said) or "nothing"


def _words(action: Action) -> str:
    return " + ".join(action.words)
