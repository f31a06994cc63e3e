"""What changes between two policies, row by row: how many rows get stricter or looser, from what to what, and
which rows to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from spotsafe.core.decision import Disposition, Effect
from spotsafe.evaluation.metrics.columns import Bools
from spotsafe.evaluation.metrics.estimate import Estimate
from spotsafe.evaluation.policies.data import PolicyData
from spotsafe.evaluation.policies.measured import chosen_surfaces
from spotsafe.evaluation.policies.outcomes import PEOPLE, Circumstances, Outcomes, outcomes
from spotsafe.policy.actions import Action
from spotsafe.policy.surface import PolicySet, SurfacePolicy

STRICTER, LOOSER, OTHER = "stricter", "looser", "other"
"""After against before, see :func:`direction_of`; ``other``: something is lost and something else comes."""

EXAMPLES = 5
"""Rows shown of each change."""

Content = Callable[[int], str]
"""The content of a row by its position, for those who asked to see it."""


class ChangedRow:
    """One row to look at: its position and id, and the rules that act on it before and after. *content* is
    there only where it was asked for; ``repr`` never shows it."""

    __slots__ = ("content", "id", "row", "rules_after", "rules_before")

    def __init__(
        self,
        row: int,
        name: str,
        rules: tuple[tuple[str, ...], tuple[str, ...]],
        content: str | None = None,
    ) -> None:
        self.row, self.id, self.content = row, name, content
        self.rules_before, self.rules_after = rules

    def to_json(self) -> dict[str, object]:
        """By name; ``content`` only where there is one."""
        fields: dict[str, object] = {
            "row": self.row,
            "id": self.id,
            "rules_before": list(self.rules_before),
            "rules_after": list(self.rules_after),
        }
        return fields if self.content is None else {**fields, "content": self.content}

    def __repr__(self) -> str:
        return f"<ChangedRow {self.row} {self.id!r}>"


class Change(NamedTuple):
    """Rows that fare alike: from one action to another (words of a manifest, joined by `` + ``). *violating*
    and *clean* count the rows whose truth is known."""

    before: str
    after: str
    direction: str
    rows: int
    share: Estimate
    violating: int
    clean: int
    examples: tuple[ChangedRow, ...]


class SurfaceDifference(NamedTuple):
    """One surface: shares of its *rows* that fare the same, stricter, looser or otherwise, the work for
    people before and after, and *changes*, most rows first."""

    surface: str
    rows: int
    same: Estimate
    stricter: Estimate
    looser: Estimate
    other: Estimate
    people_before: Estimate
    people_after: Estimate
    changes: tuple[Change, ...]


def difference(
    before: PolicySet,
    after: PolicySet,
    data: PolicyData,
    *,
    surfaces: Sequence[str] = (),
    examples: int = EXAMPLES,
    content: Content | None = None,
    circumstances: Circumstances | None = None,
) -> tuple[SurfaceDifference, ...]:
    """What changes from *before* to *after* over *data*, per surface that both declare, or either: one that
    a side does not declare has its floor there. *content* is called for the examples alone, and only where
    it is given do they carry any."""
    names = list(surfaces) or list(dict.fromkeys((*before.surfaces, *after.surfaces)))
    found = []
    for name in names:
        one, other = _policy(before, after, name), _policy(after, before, name)
        pair = outcomes(one, data, circumstances), outcomes(other, data, circumstances)
        found.append(compare(*pair, examples=examples, content=content))
    return tuple(found)


def _policy(policies: PolicySet, others: PolicySet, name: str) -> SurfacePolicy:
    if policies.surface(name) is None and others.surface(name) is not None:
        # The floor declares no parts; it judges what the other side says that the surface carries.
        known = others.surfaces[name]
        return policies.floor(name).changed(content=known.content, inapplicable=known.inapplicable)
    return chosen_surfaces(policies, [name])[0]


def direction_of(before: Action, after: Action) -> str:
    """Whether *after* is stricter or looser than *before*, or :data:`OTHER`.

    What happens to the content comes first: a lower disposition is looser whatever effects come with it. At
    an equal one a lost effect is looser, unless another comes. A higher one is stricter, unless it loses an
    effect that is still needed: what is held or blocked is not published, so of it only preserved evidence.
    """
    lost, gained = before.effects - after.effects, after.effects - before.effects
    if after.disposition < before.disposition:
        return LOOSER
    if after.disposition == before.disposition:
        return OTHER if lost and gained else LOOSER if lost else STRICTER
    if after.disposition >= Disposition.HOLD:
        lost &= {Effect.QUARANTINE}
    return OTHER if lost else STRICTER


def compare(
    before: Outcomes, after: Outcomes, *, examples: int = EXAMPLES, content: Content | None = None
) -> SurfaceDifference:
    """The difference of two outcomes over the same data."""
    data = before.data
    both = before.carried & after.carried
    one_mark, two_mark = before.marks, after.marks
    pairs = np.where(both & (one_mark != two_mark), one_mark << 16 | two_mark, -1)
    bad, clean = data.violating(tuple(dict.fromkeys((*before.policy.labels, *after.policy.labels))))
    masks = {direction: np.zeros(len(data), np.bool_) for direction in (STRICTER, LOOSER, OTHER)}
    changes = []
    for pair in np.unique(pairs[pairs >= 0]):
        rows = pairs == pair
        first = int(np.argmax(rows))
        one, two = before.action(first), after.action(first)
        direction = direction_of(one, two)
        masks[direction] |= rows
        change = Change(
            " + ".join(one.words),
            " + ".join(two.words),
            direction,
            int(rows.sum()),
            data.share(rows, both),
            int((rows & bad).sum()),
            int((rows & clean).sum()),
            _examples((before, after), rows, examples, content),
        )
        changes.append(change)
    return SurfaceDifference(
        surface=after.policy.name,
        rows=int(both.sum()),
        same=data.share(both & (pairs < 0), both),
        **{direction: data.share(rows, both) for direction, rows in masks.items()},
        people_before=data.share(before.where(PEOPLE), both),
        people_after=data.share(after.where(PEOPLE), both),
        changes=tuple(sorted(changes, key=lambda change: (-change.rows, change.before, change.after))),
    )


def _examples(
    outcome: tuple[Outcomes, Outcomes], rows: Bools, count: int, content: Content | None
) -> tuple[ChangedRow, ...]:
    """Rows at even steps through those that change, the same ones on every call."""
    places = np.flatnonzero(rows)
    steps = np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).astype(np.int64))
    shown = [int(row) for row in places[steps]]
    return tuple(
        ChangedRow(
            row,
            name,
            (outcome[0].rules(row), outcome[1].rules(row)),
            None if content is None else content(row),
        )
        for row, name in zip(shown, outcome[0].data.ids(shown), strict=True)
    )
