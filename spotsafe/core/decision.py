"""Decisions: what is to happen, why, and whether the content was checked at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from enum import Enum, IntEnum
from threading import Lock
from typing import NamedTuple

from spotsafe.core.content import Content
from spotsafe.core.signals import Signals, Span


class _Worded(IntEnum):
    """Numbers for comparing, words for people: ``str`` and f-strings give the word."""

    @property
    def word(self) -> str:
        return self.name.lower()

    def __str__(self) -> str:
        return self.word

    def __format__(self, spec: str) -> str:
        return format(self.word, spec)


class Disposition(_Worded):
    """What happens to the content, from lax to strict; decisions join by the maximum."""

    ALLOW = 0
    LIMIT = 1
    HOLD = 2
    BLOCK = 3


class Effect(str, Enum):
    """What else happens; a set, joined by union. ``review`` publishes and queues; ``quarantine``
    preserves evidence under access control."""

    LABEL = "label"
    NUDGE = "nudge"
    AGE_GATE = "age_gate"
    REDACT = "redact"
    REVIEW = "review"
    QUARANTINE = "quarantine"


EFFECT_STRENGTH = (
    Effect.QUARANTINE, Effect.REVIEW, Effect.REDACT, Effect.AGE_GATE, Effect.NUDGE, Effect.LABEL,
)  # fmt: skip
"""Effects from strong to weak; the first one present names the action of an allowed content."""

ACTIONS = tuple(d.name.lower() for d in Disposition) + tuple(e.value for e in EFFECT_STRENGTH)
"""Every word that ``Decision.action`` can be."""


class Status(_Worded):
    """Was it checked? Ordered from best to worst; kept apart from the disposition."""

    CHECKED = 0
    CACHED = 1
    LOCAL = 2
    STALE = 3
    PARTIAL = 4
    UNCHECKED = 5


class Mode(str, Enum):
    """How a decision is applied."""

    SHADOW = "shadow"
    CANARY = "canary"
    ENFORCE = "enforce"


class Reason(NamedTuple):
    """One fired rule (or failure policy). ``rule`` is qualified, e.g. ``baseline/floor#threats`` or
    ``comments.create#pii``; ``trigger`` is ``score``, ``missing`` (``if_missing``) or ``failure``
    (``on_failure``). For operators and records; never shown to the public."""

    rule: str
    label: str
    trigger: str
    disposition: Disposition
    effects: frozenset[Effect]
    score: float | None = None
    threshold: float | None = None
    cause: str | None = None
    notice: str | None = None


MASK = "█"
"""What redaction puts in place of a character."""


class Edit(NamedTuple):
    """Spans of one text part that redaction replaces."""

    part: str
    spans: tuple[Span, ...]


class Verdict:
    """What policy evaluation says: a value, shared freely and never changed.

    *notice* is the key of a text for people, *waivers* are the rules that one took away, *would* is what
    shadow or canary held back.
    """

    __slots__ = ("disposition", "edits", "effects", "notice", "reasons", "status", "waivers", "would")

    def __init__(
        self,
        disposition: Disposition = Disposition.ALLOW,
        effects: Iterable[Effect] = (),
        *,
        status: Status = Status.CHECKED,
        reasons: Iterable[Reason] = (),
        edits: Iterable[Edit] = (),
        notice: str | None = None,
        waivers: Iterable[str] = (),
        would: Verdict | None = None,
    ) -> None:
        self.disposition = disposition
        self.effects = frozenset(effects)
        self.status = status
        self.reasons = tuple(reasons)
        self.edits = tuple(edits)
        self.notice = notice
        self.waivers = tuple(waivers)
        self.would = would

    @property
    def action(self) -> str:
        """One word for people, from :data:`ACTIONS`."""
        return action_of(self.disposition, self.effects)

    def at_least_as_strict_as(self, other: Verdict) -> bool:
        """Higher or equal disposition and a superset of the effects: the order of the ratchet."""
        return self.disposition >= other.disposition and self.effects >= other.effects

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Verdict):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.disposition, self.effects, self.status, self.reasons))

    def __repr__(self) -> str:
        return f"<Verdict {self.action} {self.status.word} {len(self.reasons)} reasons>"


_minting = [Lock()]


def _fresh_lock() -> None:
    _minting[0] = Lock()


if hasattr(os, "register_at_fork"):
    # Another thread of the parent may have held the lock; nobody in the child would ever release it.
    os.register_at_fork(after_in_child=_fresh_lock)


class Decision:
    """A verdict on one content, with an id that follows it through service, review and appeal.

    The id is minted on first use (or when the record is written), so that a cache hit that nobody
    looks at costs no randomness.
    """

    __slots__ = ("_id", "_mint", "content", "kill_switch", "queued", "signals", "surface", "verdict")

    def __init__(
        self,
        surface: str,
        verdict: Verdict,
        signals: Signals,
        content: Content | None,
        mint: Callable[[], str],
    ) -> None:
        self.surface = surface
        self.verdict = verdict
        self.signals = signals
        self.content = content
        self.queued = False
        self.kill_switch: str | None = None
        self._mint = mint
        self._id: str | None = None

    @property
    def id(self) -> str:
        if self._id is None:
            # The product and the delivery thread may ask at the same time; both must get the same id.
            with _minting[0]:
                if self._id is None:
                    self._id = self._mint()
        return self._id

    @property
    def disposition(self) -> Disposition:
        return self.verdict.disposition

    @property
    def effects(self) -> frozenset[Effect]:
        return self.verdict.effects

    @property
    def status(self) -> Status:
        return self.verdict.status

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return self.verdict.reasons

    @property
    def would(self) -> Verdict | None:
        """What shadow mode or a canary held back; None where the decision is applied in full."""
        return self.verdict.would

    @property
    def notice(self) -> str | None:
        return self.verdict.notice

    @property
    def action(self) -> str:
        """One word: the disposition if it is not ``allow``, else the strongest effect, else ``allow``."""
        return self.verdict.action

    @property
    def checked(self) -> bool:
        """Whether a configured primary detector answered for every label, now or within the cache's ttl."""
        return self.verdict.status <= Status.CACHED

    def __repr__(self) -> str:
        return f"<Decision {self.surface} {self.action} {self.status.word}>"


def action_of(disposition: Disposition, effects: frozenset[Effect]) -> str:
    """The one word for a disposition and its effects, from :data:`ACTIONS`."""
    if disposition is not Disposition.ALLOW:
        return disposition.word
    for effect in EFFECT_STRENGTH:
        if effect in effects:
            return effect.value
    return Disposition.ALLOW.word
