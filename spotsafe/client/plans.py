"""What is worked out once per surface, and the course of one check that did not hit the cache."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from spotsafe.client.question import Question
from spotsafe.client.sources import Source
from spotsafe.core.content import LATER_KINDS, Content, LoneText, encoded
from spotsafe.core.decision import Disposition, Effect, Status, Verdict
from spotsafe.core.errors import Failure
from spotsafe.core.ids import bucket
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Signals, all_missing
from spotsafe.guard.deadline import Deadline
from spotsafe.guard.keys import SurfaceKeys, declared
from spotsafe.guard.steps import Outcome
from spotsafe.policy.evaluate import enforced_mode, evaluate
from spotsafe.policy.kill import KillSwitch
from spotsafe.policy.redact import apply_edits, join
from spotsafe.policy.surface import SurfacePolicy

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

SLOTS = len(Status) * len(Disposition)
MOST_NAMES = 64
"""Names of lone text parts whose key prefix is kept per surface; callers may choose names freely."""

_REFUSED = (Failure.BREAKER_OPEN, Failure.BACKING_OFF)


class Plan:
    """One surface under one policy in one process: sources, key prefixes, tally.

    *tally* counts decisions by :func:`~spotsafe.client.cache.slot_of`; *fields* are the context fields
    that its detectors declared. *shadowed*: nothing can be altered or held, so detection leaves the
    request path; *quick* is the source whose cached answers need no evaluation, None where they do.
    """

    __slots__ = (
        "cells", "fallback", "fields", "keys", "languages", "policy", "prefixes", "primary", "quick",
        "shadowed", "tally", "ttl",
    )  # fmt: skip

    def __init__(
        self, policy: SurfacePolicy, primary: Source | None, fallback: Source | None, secret: bytes
    ) -> None:
        self.policy = policy
        self.primary = primary
        self.fallback = fallback
        self.keys = SurfaceKeys(secret, policy.labels, policy.languages)
        self.languages = policy.languages
        self.prefixes: dict[str, Hash] = {}
        self.tally = [0] * SLOTS
        self.cells: dict[int, list[float] | None] = {}
        self.ttl = policy.cache_ttl
        known = [*(primary.fields if primary else ()), *(fallback.fields if fallback else ())]
        self.fields = tuple(dict.fromkeys(known))
        self.shadowed = not enforced_mode(policy)
        memoised = policy.static and not policy.broken and policy.cache_ttl > 0 and not self.fields
        self.quick = primary if memoised else None

    def prefix(self, name: str) -> Hash:
        """What has hashed all of the key but the text, for a lone plain text part called *name*: to be
        copied (which costs less than to begin anew). Kept for the first names seen."""
        found = sha256(self.keys.plain_text(name))
        if len(self.prefixes) < MOST_NAMES:
            self.prefixes[name] = found
        return found

    def hash(self, content: Content, fields: Mapping[str, object]) -> bytes:
        """The key of *content*, without a namespace, under the declared context *fields*."""
        if type(content) is LoneText and not fields and content.languages == self.languages:
            hashed = (self.prefixes.get(content.name) or self.prefix(content.name)).copy()
            hashed.update(encoded(content.text))
            return hashed.digest()
        return self.keys.hash(content, fields)


class Circumstances(NamedTuple):
    """What a verdict depends on besides policy and signals; *now* in Unix seconds, *started* (when the
    check began) on the monotonic clock."""

    actor: str | None
    item: str | None
    context: Mapping[str, object]
    now: float
    started: float
    kill: tuple[KillSwitch, ...]
    key: bytes

    @property
    def switched(self) -> str | None:
        """The kill switches that are on, in words; None without any."""
        return "; ".join(map(str, self.kill)) or None

    @property
    def who(self) -> tuple[str | None, str | None, Mapping[str, object]]:
        """Item, actor, context."""
        return self.item, self.actor, self.context


class Result(NamedTuple):
    """The end of a course: *outcome* is that of the first pass."""

    verdict: Verdict
    outcome: Outcome
    content: Content


def course(
    plan: Plan, content: Content, deadline: Deadline, what: Circumstances, headers: dict[str, str] | None
) -> Generator[Question, Outcome, Result]:
    """Detect, evaluate; where text was redacted, detect and evaluate the rest once more, under what is left
    of the deadline (the local rung's share of it at least); join. Yields questions for the ladder."""
    outcome = yield ask(plan, content, deadline, what.context, headers)
    verdict = judge(plan.policy, outcome, what)
    if not verdict.edits or Effect.REDACT not in verdict.effects:
        return Result(verdict, outcome, content)
    edited = apply_edits(content, verdict.edits)
    second = yield ask(plan, without_later(edited), deadline.again(), what.context, headers)
    if outcome.origin is Status.CHECKED and second.origin is Status.CACHED:
        # What is new was checked now; that its masked form was seen before makes nothing worse.
        second = second._replace(origin=Status.CHECKED)
    return Result(join(verdict, judge(plan.policy, second, what, redacted=True)), outcome, edited)


def without_later(content: Content) -> Content:
    """What of *content* is worth a second look: sound and video, which no edit changes, are not sent and
    heard again within a request."""
    kept = [part for part in content if part.kind not in LATER_KINDS]
    return content if len(kept) == len(content) else Content(kept, content.languages)


def unhurried(
    plan: Plan, content: Content, what: Circumstances, seconds: float, monotonic: Callable[[], float]
) -> Generator[Question, Outcome, Result]:
    """The course of a check that no request waits for."""
    return course(plan, content, Deadline(seconds, monotonic), what, None)


def concluded(
    steps: Generator[Question, Outcome, Result], first: Outcome, climb: Callable[[Question], Outcome]
) -> Result:
    """The end of the course *steps*, whose *first* outcome is known already; *climb* answers what it asks
    besides."""
    next(steps)
    outcome = first
    while True:
        try:
            question = steps.send(outcome)
        except StopIteration as end:
            result: Result = end.value
            return result
        outcome = climb(question)


def ask(
    plan: Plan,
    content: Content,
    deadline: Deadline,
    context: Mapping[str, object],
    headers: dict[str, str] | None,
) -> Question:
    """The question that *content* makes on this surface."""
    if plan.primary is None:
        raise ValueError(f"{plan.policy.name} has no detector; its plan says what to do instead")
    fields = declared(context, plan.fields)
    return Question(
        DetectRequest(content, plan.policy.labels, fields),
        plan.hash(content, fields),
        deadline,
        primary=plan.primary,
        fallback=plan.fallback,
        keep=(plan.ttl, plan.policy.cache_stale),
        headers=headers,
    )


def judge(policy: SurfacePolicy, outcome: Outcome, what: Circumstances, *, redacted: bool = False) -> Verdict:
    """The verdict on an outcome; what cached signals blocked before they went stale stays blocked."""
    subject = what.actor if what.actor is not None else what.item
    place = None if subject is None else bucket(what.key, policy.name, subject)

    def under(signals: Signals, origin: Status) -> Verdict:
        return evaluate(
            policy, signals, what.context, what.now,
            origin=origin, bucket=place, kill=what.kill, redacted=redacted,
        )  # fmt: skip

    verdict = under(outcome.signals, outcome.origin)
    if outcome.earlier is not None:
        earlier = under(outcome.earlier, Status.STALE)
        blocked = earlier.would or earlier
        if blocked.disposition is Disposition.BLOCK:
            return join(earlier, verdict)
    return verdict


def memo_key(plan: Plan, content: Content, result: Result) -> bytes | None:
    """Under which entry the result of a course on *content* may be remembered; None where it depends on
    more than the entry's signals."""
    if result.verdict.edits or plan.primary is None or result.outcome.earlier is not None:
        return None
    if result.outcome.rungs == ("cache",):
        return plan.hash(content, {}) + plan.primary.space
    by_fallback = result.outcome.origin is Status.LOCAL and result.outcome.failure in _REFUSED
    if by_fallback and plan.fallback is not None:
        return plan.hash(content, {}) + plan.fallback.space
    return None


def may_redact(policy: SurfacePolicy) -> bool:
    """Whether some rule of *policy* covers what it finds."""
    return any(check.then is not None and Effect.REDACT in check.then.effects for check in policy.checks)


def nothing_known(policy: SurfacePolicy, cause: Cause = Cause.ERROR) -> Outcome:
    """The outcome where nobody looked: every label missing."""
    return Outcome(all_missing(policy.labels, cause), Status.CHECKED, failure=Failure.INTERNAL)
