"""Receipts in use: where a hold stands, and carrying on with what was held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from spotsafe.client.aside import order, ordered
from spotsafe.client.checks import Who
from spotsafe.client.gather import gather
from spotsafe.client.holding import mismatch
from spotsafe.client.holds import expiry_of, receipt_for
from spotsafe.client.jobs import Refusal, is_about, is_later, outcome_of
from spotsafe.client.plans import ask, concluded, judge, may_redact, nothing_known, unhurried, without_later
from spotsafe.client.starting import Starting
from spotsafe.core.content import LATER_KINDS, Content
from spotsafe.core.decision import Decision, Disposition, Verdict
from spotsafe.core.errors import ConfigurationError, SurfaceBlocked, SurfaceHeld
from spotsafe.core.jobs import JobReport
from spotsafe.core.receipts import HoldReason, HoldState, HoldVerdict, Keeper, OnExpiry, Receipt
from spotsafe.guard.deadline import Deadline
from spotsafe.guard.drive import drive
from spotsafe.guard.steps import Outcome
from spotsafe.policy.surface import SurfacePolicy

POLL = 1.0
"""Seconds between two questions after a hold that the caller waits for."""

CHECKED_NOTE = "checked"
"""The note of a verdict that no person gave: the check that the content was held for is over."""

UNHURRIED = 2.0
"""Seconds at least for the detection behind a released hold: nobody's request waits for it."""


class Resuming(Starting):
    """The holding half of a client."""

    def hold(self, decision: Decision, policy: SurfacePolicy, *, item: str | None = None) -> Receipt:
        """The receipt for a held *decision*, kept where the surface's policy says so."""
        content = decision.content
        if content is None:
            raise ConfigurationError(f"{policy.name}: a decision without content cannot be held")
        item = None if item is None else str(item)
        receipt = receipt_for(decision, policy, content, item, now=self._clock.now(), key=self._key)
        if self._holding is not None:
            kept = content if policy.hold.keep is Keeper.OUTBOX else None
            self._holding.keep(receipt, expiry_of(decision.reasons, policy), kept)
        return receipt

    def token(self, receipt: Receipt) -> str:
        """*receipt* as a signed, JSON-safe string, for a product to store."""
        return receipt.token(self._key)

    def receipt(self, token: Receipt | str) -> Receipt:
        """The receipt in a stored *token*; ConfigurationError where it was altered."""
        return token if isinstance(token, Receipt) else Receipt.parse(token, self._key)

    def verdict(self, receipt: Receipt | str, *, wait: float = 0.0) -> HoldVerdict:
        """Where a hold stands: pending, released, rejected or expired. Asks once, unless *wait* gives
        seconds to wait for a decision; a client that is closed meanwhile waits no longer. What cannot be
        found out is pending."""
        receipt = self.receipt(receipt)
        policy = self.policy(receipt.surface)
        end = self._clock.monotonic() + wait
        while True:
            said = self._said(receipt, policy)
            if said.state is HoldState.PENDING:
                said = self._heard_of(receipt, policy) or said
            left = end - self._clock.monotonic()
            if said.state is not HoldState.PENDING or left <= 0:
                return said
            if not self._runtime.workers.pause(min(POLL, left)):
                return said

    def _said(self, receipt: Receipt, policy: SurfacePolicy) -> HoldVerdict:
        """What people and the clock say of a hold."""
        if self._holding is None:
            return HoldVerdict(HoldState.PENDING)
        return self._holding.verdict(receipt, policy.hold.on_expiry)

    def _heard_of(self, receipt: Receipt, policy: SurfacePolicy) -> HoldVerdict | None:
        """The verdict where the hold was for a check that is over by now; None where there is none yet, or
        where what was found is for a person to decide. Rules that read context find it missing here;
        :meth:`resume` is given it."""
        outcome = self._job(receipt, policy, None)
        if outcome is None:
            return None
        what = self._circumstances(policy, self._clock.monotonic(), (None, None, None))
        disposition = judge(policy, outcome, what).disposition
        if disposition is Disposition.HOLD:
            return None
        state = HoldState.REJECTED if disposition is Disposition.BLOCK else HoldState.RELEASED
        return HoldVerdict(state, None, CHECKED_NOTE)

    def _job(self, receipt: Receipt, policy: SurfacePolicy, content: Content | None) -> Outcome | None:
        """What the job behind *receipt* found in *content* (None where it is not at hand); None where there
        is no job, or it is not over."""
        kinds = {part.kind for part in policy.content.values()}
        if receipt.reason is not HoldReason.OUTAGE or (kinds and kinds.isdisjoint(LATER_KINDS)):
            return None
        report = self.job(receipt, policy)
        if report is None:
            return None
        if report.state.is_over and not is_about(report, receipt.digest):
            # Somebody ordered other content under this id, or mixed two answers up: not for this receipt.
            self._faults.note("client.jobs", "other content")
        return outcome_of(report, policy, content, receipt.digest)

    def job(self, receipt: Receipt, policy: SurfacePolicy) -> JobReport | None:
        """Where the job behind *receipt* stands; None where nothing is known of it. Asks once."""
        primary = self._planned(policy).primary
        return None if primary is None or primary.jobs is None else primary.jobs.report(receipt.decision_id)

    def reordered(self, receipt: Receipt, policy: SurfacePolicy, content: Content) -> Refusal | None:
        """Order the job behind *receipt* again, on the calling thread: None once it is under way, else why it
        is not. Harmless where it is under way already."""
        what = self._circumstances(policy, self._clock.monotonic(), (None, None, None))
        return ordered(self._planned(policy), content, what, receipt.decision_id)

    def resume(
        self,
        receipt: Receipt | str,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
        **content: object,
    ) -> Decision:
        """The decision to carry on with what was held; *content* as it was sent (may be left out where
        the outbox keeps it).

        A content held by an outage is checked again. One held by policy goes through only once it was
        released (or expired on a surface that releases then); its effects still apply. Raises SurfaceHeld
        while it is held, SurfaceBlocked when it was rejected or is now refused, ConfigurationError where
        the content is not the one that the receipt was given for.
        """
        receipt = self.receipt(receipt)
        policy = self.policy(receipt.surface)
        given = self._given(receipt, policy, content)
        said = self._said(receipt, policy)
        if said.state is HoldState.RELEASED:
            return self._released(receipt, policy, given, (item, actor, context))
        if said.state is HoldState.EXPIRED and policy.hold.on_expiry is OnExpiry.RELEASE:
            decision = self._released(receipt, policy, given, (item, actor, context))
            if expiry_of(decision.reasons, policy) is OnExpiry.RELEASE:
                return decision
        if said.state in (HoldState.REJECTED, HoldState.EXPIRED):
            raise SurfaceBlocked(policy.name, receipt.decision_id)
        if receipt.reason is HoldReason.POLICY:
            raise SurfaceHeld(policy.name, receipt.decision_id, receipt)
        if is_later(given):
            decision = self._after_job(receipt, policy, given, (item, actor, context))
        else:
            decision = self.check_content(policy, given, item=item, actor=actor, context=context)
        if decision.disposition >= Disposition.HOLD:
            self._stopped(decision, policy, item)
        return decision

    def _after_job(self, receipt: Receipt, policy: SurfacePolicy, content: Content, who: Who) -> Decision:
        """The decision by what the job of *receipt* found. Raises SurfaceHeld with the same receipt while it
        is under way; a job that got lost is ordered again."""
        decision = self.settled(receipt, policy, content, who)
        if decision is None:
            # An order that is known already changes nothing; one whose bytes never arrived gets them now.
            what = self._circumstances(policy, self._clock.monotonic(), who)
            order(self._runtime, self._planned(policy), content, what, receipt.decision_id)
            raise SurfaceHeld(policy.name, receipt.decision_id, receipt)
        return decision

    def settled(
        self, receipt: Receipt, policy: SurfacePolicy, content: Content, who: Who = (None, None, None)
    ) -> Decision | None:
        """The decision on *content*, which was set aside with *receipt*, by what its job found; None while
        the job is not over. *who*: item, actor and context. The decision gets an id of its own."""
        outcome = self._job(receipt, policy, content)
        if outcome is None:
            return None
        plan = self._planned(policy)
        what = self._circumstances(policy, self._clock.monotonic(), who)
        steps = unhurried(plan, content, what, UNHURRIED, self._clock.monotonic)
        result = concluded(steps, outcome, self._runtime.rungs.climb)
        return self._decided(plan, content, what, result)

    def _given(self, receipt: Receipt, policy: SurfacePolicy, values: Mapping[str, object]) -> Content:
        if self._holding is None:
            raise ConfigurationError(f"{policy.name}: this client could not start; nothing can be resumed")
        kept = None if values else self._holding.content(receipt)
        content = kept if kept is not None else gather(policy, values)
        if not self._holding.fits(receipt, policy.name, content):
            raise mismatch(policy.name)
        return content

    def _stopped(self, decision: Decision, policy: SurfacePolicy, item: str | None) -> NoReturn:
        notice = policy.notice(decision.notice, None)
        if decision.disposition is Disposition.BLOCK:
            raise SurfaceBlocked(policy.name, decision.id, notice)
        raise SurfaceHeld(policy.name, decision.id, self.hold(decision, policy, item=item), notice)

    def _released(
        self,
        receipt: Receipt,
        policy: SurfacePolicy,
        content: Content,
        who: Who,
    ) -> Decision:
        """What a person released goes through under its old id; only its effects are worked out again."""
        plan = self._planned(policy)
        what = self._circumstances(policy, self._clock.monotonic(), who)
        seconds = max(policy.deadline or 0.0, UNHURRIED)
        steps = unhurried(plan, content, what, seconds, self._clock.monotonic)
        climb = self._runtime.rungs.climb
        if is_later(content):
            # After a hold by policy its job is no longer known by this receipt; texts, which edits are for,
            # are looked at again without the recording.
            known = self._job(receipt, policy, content)
            rest = without_later(content)
            if known is None and rest.parts:
                known = climb(ask(plan, rest, Deadline(seconds, self._clock.monotonic), what.context, None))
            result = concluded(steps, known or nothing_known(policy), climb)
        else:
            result = drive(steps, climb)
        found = result.verdict
        written = any(part.kind == "text" for part in content)
        if written and result.outcome.signals.has_failures and may_redact(policy):
            # A person let it through as it will be shown, without what would be covered: while nobody can say
            # what that is, it stays held under the same receipt.
            raise SurfaceHeld(policy.name, receipt.decision_id, receipt)
        verdict = Verdict(
            found.disposition if found.disposition < Disposition.HOLD else Disposition.ALLOW,
            found.effects,
            status=found.status,
            reasons=found.reasons,
            edits=found.edits,
            notice=found.notice,
            waivers=found.waivers,
        )
        return Decision(
            policy.name, verdict, result.outcome.signals, result.content, lambda: receipt.decision_id
        )
