"""Receipts in use: where a hold stands, and carrying on with what was held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from spotsafe.client.gather import gather
from spotsafe.client.holding import mismatch
from spotsafe.client.holds import expiry_of, receipt_for
from spotsafe.client.plans import course
from spotsafe.client.starting import Starting
from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Disposition, Verdict
from spotsafe.core.errors import ConfigurationError, SurfaceBlocked, SurfaceHeld
from spotsafe.core.receipts import HoldReason, HoldState, HoldVerdict, Receipt
from spotsafe.guard.deadline import Deadline
from spotsafe.guard.drive import drive
from spotsafe.policy.surface import SurfacePolicy

POLL = 1.0
"""Seconds between two questions after a hold that the caller waits for."""

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
            kept = content if policy.hold.keep == "outbox" else None
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
        seconds to wait for a decision. What cannot be found out is pending."""
        receipt = self.receipt(receipt)
        policy = self.policy(receipt.surface)
        if self._holding is None:
            return HoldVerdict(HoldState.PENDING)
        end = self._clock.monotonic() + wait
        while True:
            said = self._holding.verdict(receipt, policy.hold.on_expiry)
            left = end - self._clock.monotonic()
            if said.state is not HoldState.PENDING or left <= 0:
                return said
            self._runtime.workers.pause(min(POLL, left))

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
        said = self.verdict(receipt)
        if said.state is HoldState.RELEASED:
            return self._released(receipt, policy, given, (item, actor, context))
        if said.state is HoldState.EXPIRED and policy.hold.on_expiry == "release":
            decision = self._released(receipt, policy, given, (item, actor, context))
            if expiry_of(decision.reasons, policy) == "release":
                return decision
        if said.state in (HoldState.REJECTED, HoldState.EXPIRED):
            raise SurfaceBlocked(policy.name, receipt.decision_id)
        if receipt.reason is HoldReason.POLICY:
            raise SurfaceHeld(policy.name, receipt.decision_id, receipt)
        decision = self.check_content(policy, given, item=item, actor=actor, context=context)
        if decision.disposition >= Disposition.HOLD:
            self._stopped(decision, policy, item)
        return decision

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
        who: tuple[str | None, str | None, Mapping[str, object] | None],
    ) -> Decision:
        """What a person released goes through under its old id; only its effects are worked out again."""
        plan = self._planned(policy)
        what = self._circumstances(policy, self._clock.monotonic(), who)
        deadline = Deadline(max(policy.deadline or 0.0, UNHURRIED), self._clock.monotonic)
        result = drive(course(plan, content, deadline, what, None), self._runtime.rungs.climb)
        found = result.verdict
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
