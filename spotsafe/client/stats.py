"""``client.stats()``: one JSON-safe document of figures, without content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spotsafe.client.setup import lacking
from spotsafe.core.decision import Disposition, Status

if TYPE_CHECKING:
    from spotsafe.client.starting import Starting


def figures(client: Starting) -> dict[str, Any]:
    """Everything counted since *client* started in this process."""
    found: dict[str, Any] = {
        "state": client._state,
        "broken_starts": client._broken_starts,
        "kill_switches": [str(switch) for switch in client._kills],
        "internal_faults": dict(client._faults.counts),
        "decisions": _decisions(client),
    }
    runtime = getattr(client, "_runtime", None)
    if runtime is not None:
        found |= runtime.figures()
    found["breaker"] = _gate(client)
    policies, equipment = client._set, client._equipment
    found["unsupported"] = {} if policies is None or equipment is None else lacking(policies, equipment)
    reporting = client._reporting
    found["outbox"] = {} if reporting is None else reporting.figures()
    return found


def _decisions(client: Starting) -> dict[str, dict[str, int]]:
    by_status = {status.word: 0 for status in Status}
    by_disposition = {disposition.word: 0 for disposition in Disposition}
    for plan in tuple(client._plans.values()):
        for slot, count in enumerate(plan.tally):
            status, disposition = divmod(slot, len(Disposition))
            by_status[Status(status).word] += count
            by_disposition[Disposition(disposition).word] += count
    return {"status": by_status, "disposition": by_disposition}


def _gate(client: Starting) -> dict[str, Any]:
    equipment = client._equipment
    gate = None if equipment is None else equipment.primary.gate
    if gate is None:
        return {"state": "none", "opened": 0, "retry_budget": None, "silent_for": 0.0}
    now = client._clock.monotonic()
    return {
        "state": gate.breaker.state(now).value,
        "opened": gate.breaker.opened,
        "retry_budget": round(gate.budget.tokens, 2),
        "silent_for": round(max(0.0, gate.silent_until - now), 3),
    }
