"""Held content: the terms of a hold, receipts for it, and the answers a receipt can get."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Disposition, Reason, Status, Verdict
from spotsafe.core.ids import keyed
from spotsafe.core.receipts import HoldReason, OnExpiry, Receipt
from spotsafe.policy.surface import SurfacePolicy


class HoldTerms(NamedTuple):
    """What a decision record says of a hold: *expires* in Unix seconds, why, and what expiry means."""

    expires: float
    reason: str
    on_expiry: OnExpiry


def hold_reason(decision: Decision) -> HoldReason:
    """``outage`` where only failures hold the content (a new check may let it through), else ``policy``."""
    held = [r for r in decision.reasons if r.disposition >= Disposition.HOLD]
    if decision.queued or all(r.trigger == "failure" for r in held):
        return HoldReason.OUTAGE
    return HoldReason.POLICY


def hold_terms(decision: Decision, policy: SurfacePolicy, now: float) -> dict[str, object]:
    """The terms under which *decision* holds its content, from *now* (Unix seconds) on."""
    on_expiry = expiry_of(decision.reasons, policy)
    return HoldTerms(now + policy.hold.ttl, hold_reason(decision).value, on_expiry)._asdict()


def expiry_of(reasons: Iterable[Reason], policy: SurfacePolicy) -> OnExpiry:
    """``release`` where the surface asks for that and nothing but its own rules holds the content, by what
    was found in it; else ``reject``. A surface that let go what its baseline holds, or what nobody looked
    at, by waiting a moment would loosen its baseline."""
    held = [reason for reason in reasons if reason.disposition >= Disposition.HOLD]
    own = f"{policy.name}#"
    alone = held and all(reason.rule.startswith(own) and reason.trigger == "score" for reason in held)
    return policy.hold.on_expiry if alone else OnExpiry.REJECT


def receipt_for(
    decision: Decision, policy: SurfacePolicy, content: Content, item: str | None, *, now: float, key: bytes
) -> Receipt:
    """The receipt of a held content; item and digest are keyed."""
    return Receipt(
        decision.id,
        policy.name,
        "" if item is None else keyed(key, "item", item),
        keyed(key, "content", content.digest()),
        now + policy.hold.ttl,
        hold_reason(decision),
    )


def queued_hold(surface: str) -> Verdict:
    """The verdict on content that is never checked inside a request."""
    reason = Reason(f"{surface}#deadline", "*", "failure", Disposition.HOLD, frozenset(), cause="queued")
    return Verdict(Disposition.HOLD, status=Status.UNCHECKED, reasons=[reason])
