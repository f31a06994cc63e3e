"""One check, from content to decision: the hit path, the miss path, and their async twins.

A cache hit allocates a decision and nothing else: no evaluation, no lock, no randomness.
Everything else is a course of questions that the sync or the async driver takes down the ladder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from spotsafe.client.aside import heard, order
from spotsafe.client.gather import require_nouns
from spotsafe.client.holds import hold_terms, queued_hold
from spotsafe.client.jobs import is_later
from spotsafe.client.plans import (
    Circumstances,
    Plan,
    Result,
    ask,
    concluded,
    course,
    judge,
    memo_key,
    nothing_known,
    unhurried,
)
from spotsafe.client.runtime import Miss, Runtime
from spotsafe.core.content import Content, LoneText
from spotsafe.core.decision import Decision, Disposition, Status, Verdict
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.seams import Clock
from spotsafe.core.signals import Signals
from spotsafe.guard.deadline import Deadline
from spotsafe.guard.drive import adrive, drive
from spotsafe.guard.steps import Outcome
from spotsafe.policy.kill import KillSwitch, active_switches
from spotsafe.policy.surface import SurfacePolicy
from spotsafe.telemetry.instruments import tally

BACKGROUND = 10.0
"""Seconds for a check that nobody waits for."""

UNSEEN = Verdict(status=Status.UNCHECKED)
"""What a request gets whose check runs in the background and may stop nothing."""

HELD = Verdict(Disposition.HOLD, status=Status.UNCHECKED)
"""The last resort, where even the failure policy could not be evaluated."""

Who = tuple[str | None, str | None, Mapping[str, object] | None]
"""Item, actor and context as the caller gave them."""

_NO_CONTEXT: Mapping[str, object] = {}
_HOLD = Disposition.HOLD  # looking a member up on its class costs more than comparing it


class Checks:
    """The checking half of a client. Its owner provides ``_planned`` (a plan, starting what must be
    started), ``_runtime`` and the fields below."""

    _plans: dict[str, Plan]
    _runtime: Runtime
    _kills: tuple[KillSwitch, ...]
    _key: bytes
    _clock: Clock
    _monotonic: Callable[[], float]
    _faults: FaultCounter
    _mint: Callable[[], str]

    def _planned(self, policy: SurfacePolicy) -> Plan:
        raise AssertionError("a client provides this")

    # ── hit ─────────────────────────────────────────────────────────────────────────────────────

    def hit(
        self,
        policy: SurfacePolicy,
        content: Content,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> Decision | None:
        """The decision where it can be had from the cache alone; None where *content* must be checked.

        No lock: see :class:`~spotsafe.client.cache.SignalCache`; and additions to counters are whole, since
        threads switch only at calls and jumps. An entry evicted in between has given its answer."""
        plan = self._plans.get(policy.name)
        if plan is None or plan.policy is not policy or plan.quick is None or self._kills:
            return None
        started = self._monotonic()
        try:
            languages = plan.languages
            if type(content) is LoneText and (
                content.languages is languages or content.languages == languages
            ):
                hashed = (plan.prefixes.get(content.name) or plan.prefix(content.name)).copy()
                hashed.update(content.text.encode())
                key = hashed.digest()
            else:
                key = plan.keys.hash(content, _NO_CONTEXT)
        except (UnicodeEncodeError, AttributeError):
            return None  # broken or wrongly typed text: the way of a miss knows what to do
        runtime = self._runtime
        place = key + plan.quick.space
        try:
            entry = runtime.table[place]
        except KeyError:
            return self._refused_hit(plan, key, content, started, (item, actor, context))
        known, verdict, signals, slot = entry.memo
        if known is not policy or started - entry.stored >= plan.ttl:
            return None
        plan.tally[slot] += 1
        runtime.hits += 1
        decision = Decision(policy.name, verdict, signals, content, self._mint)
        if runtime.telemetry is not None:
            self._record_hit(decision, plan, slot, started, (item, actor, context))
        return decision

    def _refused_hit(
        self, plan: Plan, key: bytes, content: Content, started: float, who: Who
    ) -> Decision | None:
        """The decision by what the local engine said before, while the primary takes no requests."""
        primary, fallback, runtime = plan.quick, plan.fallback, self._runtime
        if primary is None or fallback is None or primary.gate is None:
            return None
        if primary.gate.blocked(started) is None:
            return None
        place = key + fallback.space
        try:
            entry = runtime.table[place]
        except KeyError:
            return None
        known, verdict, signals, slot = entry.memo
        if known is not plan.policy or started - entry.stored >= plan.ttl:
            return None
        plan.tally[slot] += 1
        runtime.fallback_hits += 1
        decision = Decision(plan.policy.name, verdict, signals, content, self._mint)
        if runtime.telemetry is not None:
            self._record_hit(decision, plan, slot, started, who)
        return decision

    def _record_hit(self, decision: Decision, plan: Plan, slot: int, started: float, who: Who) -> None:
        """As :meth:`_record`, with what is the same for every hit of one surface looked up once."""
        cell, content = plan.cells.get(slot), decision.content
        if content is None:
            return
        if cell is None or decision.verdict.disposition is _HOLD:
            self._record(decision, plan, content, started, who)
            if cell is None and self._runtime.telemetry is not None:
                plan.cells[slot] = self._runtime.telemetry.cell(decision, plan.policy)
            return
        seconds = self._monotonic() - started
        tally(cell, seconds)
        put = self._runtime.put
        if put is not None:
            size = len(content.text) if type(content) is LoneText else _size(content)
            item, actor, context = who
            at = self._clock.now()
            put((decision, plan.policy, at, seconds * 1000, actor, item, content, context, None, None), size)

    # ── miss ────────────────────────────────────────────────────────────────────────────────────

    def check_content(
        self,
        policy: SurfacePolicy,
        content: Content,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> Decision:
        """The decision on *content* under *policy*. Raises nothing that a detector or the network does;
        ConfigurationError for content that is not what it says it is."""
        require_nouns(policy, content)
        decision = self.hit(policy, content, item, actor, context)
        return self.checked(policy, content, (item, actor, context)) if decision is None else decision

    async def acheck_content(
        self,
        policy: SurfacePolicy,
        content: Content,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> Decision:
        """As :meth:`check_content`; a hit never yields to the loop."""
        require_nouns(policy, content)
        decision = self.hit(policy, content, item, actor, context)
        return await self.achecked(policy, content, (item, actor, context)) if decision is None else decision

    def checked(self, policy: SurfacePolicy, content: Content, who: Who) -> Decision:
        """The decision on *content* that :meth:`hit` had none for."""
        started = self._clock.monotonic()
        plan, what = self._planned(policy), self._circumstances(policy, started, who)
        decision = self._aside(plan, content, what)
        if decision is not None:
            return decision
        deadline = Deadline(policy.patience(content) or BACKGROUND, self._clock.monotonic)
        result = None
        with self._runtime.miss(policy) as miss:
            with contained("client.check", self._faults):
                steps = course(plan, content, deadline, what, miss.headers)
                result = drive(steps, self._runtime.rungs.climb)
            return self._decided(plan, content, what, result, miss)

    async def achecked(self, policy: SurfacePolicy, content: Content, who: Who) -> Decision:
        """As :meth:`checked`."""
        started = self._clock.monotonic()
        plan, what = self._planned(policy), self._circumstances(policy, started, who)
        decision = self._aside(plan, content, what)
        if decision is not None:
            return decision
        deadline = Deadline(policy.patience(content) or BACKGROUND, self._clock.monotonic)
        result = None
        with self._runtime.miss(policy) as miss:
            with contained("client.check", self._faults):
                steps = course(plan, content, deadline, what, miss.headers)
                result = await adrive(steps, self._runtime.rungs.aclimb)
            return self._decided(plan, content, what, result, miss)

    # ── what does not run inside the request ────────────────────────────────────────────────────

    def _aside(self, plan: Plan, content: Content, what: Circumstances) -> Decision | None:
        """The decision at once where the check must not or need not run inside the request: nothing to
        check with, audio and video, ``deadline: async``, and surfaces on which nothing is enforced."""
        policy = plan.policy
        if policy.broken or plan.primary is None:
            return self._decided(plan, content, what, None)
        if not content.parts:  # every part was optional and absent: there is nothing that could be missing
            nothing = Outcome(Signals(), Status.CHECKED)
            return self._decided(plan, content, what, Result(policy.clear[Status.CHECKED], nothing, content))
        stopped = any(switch.stops_surface(policy.name, what.now) for switch in what.kill)
        media = is_later(content)
        later = policy.deadline is None or media
        if not (later or stopped or plan.shadowed) or self._is_cached(plan, content, what):
            return None
        unseen = stopped or plan.shadowed
        verdict = UNSEEN if unseen else queued_hold(policy.name)
        decision = Decision(policy.name, verdict, nothing_known(policy).signals, content, self._mint)
        decision.queued = True
        decision.kill_switch = what.switched
        if media and not unseen:
            accepted = order(self._runtime, plan, content, what, decision.id)
        else:
            job = partial(self._later, plan, content, what, decision if unseen else None)
            accepted = self._runtime.background.submit(job) is not None
        self._runtime.set_aside(plan, decision)
        if not (unseen and accepted):
            self._record(decision, plan, content, what.started, what.who)
        return decision

    def _is_cached(self, plan: Plan, content: Content, what: Circumstances) -> bool:
        question = ask(plan, content, Deadline(0.0, self._clock.monotonic), what.context, None)
        return plan.primary is not None and self._runtime.rungs.fresh(question, plan.primary) is not None

    def _later(self, plan: Plan, content: Content, what: Circumstances, shown: Decision | None) -> None:
        """The check in the background: its signals go to the cache; in shadow its decision is recorded
        under the id that the request was given."""
        started = self._clock.monotonic()
        climb = self._runtime.rungs.climb
        steps = unhurried(plan, content, what, BACKGROUND, self._clock.monotonic)
        if shown is not None and is_later(content):
            result = concluded(steps, heard(self._runtime, plan, content, what, shown.id), climb)
        else:
            result = drive(steps, climb)
        if shown is None:
            return
        known = shown.id
        decision = Decision(shown.surface, result.verdict, result.outcome.signals, content, lambda: known)
        decision.kill_switch = shown.kill_switch
        self._record(decision, plan, content, started, what.who)

    # ── the end of a miss ───────────────────────────────────────────────────────────────────────

    def _circumstances(self, policy: SurfacePolicy, started: float, who: Who) -> Circumstances:
        item, actor, context = who
        now = self._clock.now()
        kill: tuple[KillSwitch, ...] = ()
        if self._kills:
            rules = {check.rule for check in policy.checks}
            kill = active_switches(self._kills, policy.name, rules, now)
        if any(now >= switch.ends for switch in self._kills):
            self._kills = tuple(switch for switch in self._kills if now < switch.ends)
        return Circumstances(actor, item, context or _NO_CONTEXT, now, started, kill, self._key)

    def _decided(
        self,
        plan: Plan,
        content: Content,
        what: Circumstances,
        result: Result | None,
        miss: Miss | None = None,
    ) -> Decision:
        """The decision of a finished course; None is a course that broke: ``on_failure`` decides."""
        policy = plan.policy
        if result is None:
            outcome, verdict = nothing_known(policy), HELD
            with contained("client.failure_policy", self._faults):
                verdict = judge(policy, outcome, what)
            result = Result(verdict, outcome, content)
        elif plan.quick and not what.kill:
            key = memo_key(plan, content, result)
            if key is not None:
                self._runtime.rungs.cache.remember(key, policy, result.verdict, result.outcome.signals)
        # What is held is kept and resumed as it was sent; its edits apply when it is let through.
        shown = content if result.verdict.disposition >= Disposition.HOLD else result.content
        decision = Decision(policy.name, result.verdict, result.outcome.signals, shown, self._mint)
        decision.kill_switch = what.switched
        self._runtime.ended(plan, decision, result)
        trace_id = None
        if miss is not None:
            failure = result.outcome.failure
            miss.decision, miss.failure = decision, None if failure is None else failure.value
            trace_id = miss.trace_id
        self._record(decision, plan, content, what.started, what.who, trace_id=trace_id)
        return decision

    def _record(
        self,
        decision: Decision,
        plan: Plan,
        content: Content,
        started: float,
        who: Who,
        *,
        trace_id: str | None = None,
    ) -> None:
        """Count the decision, and put it aside for its record: a tuple now, an event later, on another
        thread."""
        runtime, policy, clock = self._runtime, plan.policy, self._clock
        if runtime.telemetry is None:
            return
        seconds = clock.monotonic() - started
        runtime.telemetry.count(decision, policy, seconds)
        put = runtime.put
        if put is None:
            return
        at = clock.now()
        hold = hold_terms(decision, policy, at) if decision.verdict.disposition is _HOLD else None
        size = _size(content)
        item, actor, context = who
        raw = (decision, policy, at, seconds * 1000, actor, item, content, context, trace_id, hold)
        put(raw, size, hold is not None)


def _size(content: Content) -> int:
    return sum(len(part.data) for part in content.parts)
