"""Actions: a disposition with effects, how manifests write them, and how they join by strictness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spotsafe.core.decision import Disposition, Effect, action_of

NO_EFFECTS: frozenset[Effect] = frozenset()


class Action(NamedTuple):
    """What a rule, ``if_missing`` or ``on_failure`` does."""

    disposition: Disposition = Disposition.ALLOW
    effects: frozenset[Effect] = NO_EFFECTS

    def joined(self, other: Action) -> Action:
        """The stricter of both: highest disposition, union of effects."""
        return Action(max(self.disposition, other.disposition), self.effects | other.effects)

    def covers(self, other: Action) -> bool:
        """Whether this is at least as strict as *other*."""
        return self.disposition >= other.disposition and self.effects >= other.effects

    @property
    def words(self) -> tuple[str, ...]:
        """The manifest's words for it; ``("allow",)`` where it does nothing."""
        effects = sorted(effect.value for effect in self.effects)
        if self.disposition is Disposition.ALLOW and effects:
            return tuple(effects)
        return (self.disposition.word, *effects)

    @property
    def word(self) -> str:
        """One word for people."""
        return action_of(self.disposition, self.effects)

    def without_spans(self) -> Action:
        """The same where there is no text span to redact: ``redact`` becomes ``hold``."""
        if Effect.REDACT not in self.effects:
            return self
        return Action(max(self.disposition, Disposition.HOLD), self.effects - {Effect.REDACT})


ALLOW = Action()
HOLD = Action(Disposition.HOLD)
BLOCK = Action(Disposition.BLOCK)

_DISPOSITIONS = {disposition.word: disposition for disposition in Disposition}
_EFFECTS = {effect.value: effect for effect in Effect}

ACTION_WORDS = (*_DISPOSITIONS, *_EFFECTS)
"""Every word that a manifest may use for an action."""


def action(words: str | Iterable[str]) -> Action:
    """The action that *words* (one word, or several that join) stand for. KeyError for an unknown word."""
    joined = ALLOW
    for word in [words] if isinstance(words, str) else words:
        disposition = _DISPOSITIONS.get(word)
        joined = joined.joined(
            Action(disposition) if disposition is not None else Action(effects=frozenset({_EFFECTS[word]}))
        )
    return joined


def strictest(actions: Iterable[Action]) -> Action | None:
    """The join of *actions*; None where there are none."""
    joined: Action | None = None
    for entry in actions:
        joined = entry if joined is None else joined.joined(entry)
    return joined
