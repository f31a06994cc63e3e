"""Waiting for a check that a service makes after the request: ordered again where it got lost, and why it
ended without an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from spotsafe.client.jobs import Refusal, is_later
from spotsafe.core.jobs import JobState

if TYPE_CHECKING:
    from spotsafe.client.client import Client
    from spotsafe.core.content import Content
    from spotsafe.core.decision import Decision
    from spotsafe.core.receipts import Receipt
    from spotsafe.policy.surface import SurfacePolicy

PATIENCE = 900.0
"""Seconds that a check may take: a person waits, a first check loads the engine, and a recording may be long.
The surface's own deadline, which may be ``async``, is for requests."""

POLL = 0.5
"""Seconds between two questions after a check in the service."""

ORDERS, LONGEST = 5, 30.0
"""How often a job is ordered that the service does not know, or did not take, and the longest wait before the
next order, in seconds; waits begin at one second and double."""

_REMEDIES = {
    "too-large": "it is larger than the service takes: check it in pieces, or have its limits raised",
    "too-many-requests": "too much of this key waits already: try again later",
    "insufficient-storage": "the service has no room: try again later, or have spool_bytes raised",
    "unauthorized": "the service does not know this key: give one with --api-key",
    "forbidden": "this key may not have content checked: it needs the scope detect",
    "content-mismatch": "it arrived altered: look for a proxy that changes uploads",
    "not-found": "the service lost it, or is too old to check files after the request",
    "connect": "the service cannot be reached: look at --service, and whether it runs",
    "timeout": "the service does not answer in time: try again later",
}
_LOST = Refusal("not-found")
_OTHERWISE = "try again later; the log of the service says more"


class Waited(NamedTuple):
    """What came of a check. *state* is where its job stands, ``not_taken`` where the service never took it,
    None where no job was needed; *message* says why there is no answer, and what to do."""

    decision: Decision
    job_id: str | None = None
    state: str | None = None
    message: str | None = None

    @property
    def document(self) -> dict[str, dict[str, str | None]]:
        """It as a part of a JSON document."""
        if self.state is None:
            return {}
        return {"job": {"id": self.job_id, "state": self.state, "problem": self.message}}


class Patience(NamedTuple):
    """How long and how to wait: *seconds* in all, *pause* for some, *monotonic* the clock."""

    seconds: float = PATIENCE
    pause: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


def decided(
    client: Client,
    policy: SurfacePolicy,
    content: Content,
    patience: Patience | None = None,
    *,
    context: Mapping[str, object] | None = None,
) -> Waited:
    """The decision on *content*, waited for where it is made after the request. Where it is not made, the one
    that holds the content, and why. *context* is what rules' ``when`` reads."""
    decision = client.check_content(policy, content, context=context)
    if not decision.queued:
        return Waited(decision)
    patience = patience or Patience()
    if not is_later(content):
        # On a surface that enforces nothing it was looked at in the background: now its scores are known.
        client.flush(patience.seconds)
        return Waited(client.check_content(policy, content, context=context))
    receipt = client.hold(decision, policy)
    client.flush(patience.seconds)
    return _waited(client, policy, _Held(decision, receipt, content, context), patience)


class _Held(NamedTuple):
    """What is waited for, and the *context* to decide in."""

    decision: Decision
    receipt: Receipt
    content: Content
    context: Mapping[str, object] | None


def _waited(client: Client, policy: SurfacePolicy, held: _Held, patience: Patience) -> Waited:
    decision, receipt, content, context = held
    until, orders = patience.monotonic() + patience.seconds, 1
    while patience.monotonic() < until:
        report = client.job(receipt, policy)
        if report is not None and report.state.is_over:
            settled = client.settled(receipt, policy, content, (None, None, context))
            if settled is None:
                message = "the service answered about other content under this id: check it again"
                return Waited(decision, receipt.decision_id, report.state.value, message)
            gave_up = _gave_up(receipt.decision_id) if report.state is JobState.SET_ASIDE else None
            return Waited(settled, receipt.decision_id, report.state.value, gave_up)
        if report is not None and report.state is not JobState.RECEIVING:
            patience.pause(POLL)
            continue
        # It is not known there, or waits for bytes that nobody sends any more.
        refused = _LOST if orders >= ORDERS else client.reordered(receipt, policy, content)
        orders += 1
        if refused is None:
            patience.pause(POLL)
        elif refused.lasting or orders >= ORDERS:
            return Waited(decision, receipt.decision_id, "not_taken", _not_taken(refused))
        else:
            patience.pause(min(LONGEST, max(refused.retry_after or 0.0, 2.0 ** (orders - 2))))
    message = f"the service is still at it after {patience.seconds:.0f} seconds: try again later"
    return Waited(decision, receipt.decision_id, "pending", message)


def _not_taken(refused: Refusal) -> str:
    status = "" if refused.status is None else f", HTTP {refused.status}"
    remedy = _REMEDIES.get(refused.reason, _OTHERWISE)
    return f"the service did not take it ({refused.reason}{status}): {remedy}"


def _gave_up(job_id: str) -> str:
    return (
        "the service tried it several times and gave up, so parts of it were not checked: its log says why; "
        f"once that is mended, `spotsafe jobs requeue {job_id}` has it tried again"
    )
