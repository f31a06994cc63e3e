"""Asking after held content: at the service, or in this client's own store."""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from spotsafe.client.hold_store import HoldStore
from spotsafe.client.http import Exchange
from spotsafe.client.remote import failure_of, parsed
from spotsafe.core.content import Content
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.ids import keyed
from spotsafe.core.receipts import HoldState, HoldVerdict, OnExpiry, Receipt
from spotsafe.core.seams import Clock
from spotsafe.guard.steps import Failed

ASK_TIMEOUT = 2.0
"""Seconds for one question after a hold."""

_PENDING = HoldVerdict(HoldState.PENDING)


class Holding:
    """The holds of one client: *exchange* asks the service, *store* is used where there is none."""

    def __init__(
        self, exchange: Exchange | None, store: HoldStore, *, clock: Clock, key: bytes, faults: FaultCounter
    ) -> None:
        self._exchange = exchange
        self.store = store
        self._clock = clock
        self._key = key
        self._faults = faults

    def verdict(self, receipt: Receipt, on_expiry: OnExpiry) -> HoldVerdict:
        """Where the hold of *receipt* stands. What cannot be found out now is pending: it stays held."""
        said = _PENDING
        with contained("client.holds", self._faults):
            said = self._service(receipt) if self._exchange is not None else self.store.verdict(receipt)
        if said.state is HoldState.PENDING and self._clock.now() >= receipt.expires:
            return HoldVerdict(HoldState.EXPIRED, receipt.expires, f"on expiry: {on_expiry}")
        return said

    def keep(self, receipt: Receipt, on_expiry: OnExpiry, content: Content | None) -> None:
        """Remember a hold here, where the service does not, or where its content is kept here."""
        if self._exchange is None or content is not None:
            with contained("client.holds", self._faults):
                self.store.keep(receipt, on_expiry, content)

    def content(self, receipt: Receipt) -> Content | None:
        """The kept content, or None."""
        with contained("client.holds", self._faults):
            return self.store.content(receipt)
        return None

    def _service(self, receipt: Receipt) -> HoldVerdict:
        if self._exchange is None:
            return _PENDING
        answer = self._exchange.post(f"v1/holds/{receipt.decision_id}", b"", ASK_TIMEOUT, method="GET")
        if isinstance(answer, Failed) or failure_of(answer) is not None:
            return _PENDING
        said = parsed(answer.body)
        if not isinstance(said, dict) or not self._same(said, receipt):
            return _PENDING
        return _read(said)

    def _same(self, said: dict[str, Any], receipt: Receipt) -> bool:
        """Whether the service speaks of this content on this surface: a release binds nothing else."""
        named = (said.get("decision_id"), said.get("surface"))
        digest = said.get("digest")
        return (
            named == (receipt.decision_id, receipt.surface)
            and isinstance(digest, str)
            and compare_digest(digest.encode(), receipt.digest.encode())
        )

    def fits(self, receipt: Receipt, surface: str, content: Content) -> bool:
        """Whether *content* is what *receipt* was given for."""
        digest = keyed(self._key, "content", content.digest())
        return receipt.surface == surface and compare_digest(digest, receipt.digest)


def _read(said: dict[str, Any]) -> HoldVerdict:
    states = {state.value: state for state in HoldState}
    state = states.get(str(said.get("state")), HoldState.PENDING)
    at, note = said.get("decided_at"), said.get("note")
    return HoldVerdict(
        state,
        float(at) if isinstance(at, int | float) and not isinstance(at, bool) else None,
        note if isinstance(note, str) else None,
    )


def mismatch(surface: str) -> ConfigurationError:
    """The error for a receipt that is resumed with other content."""
    return ConfigurationError(
        f"{surface}: this receipt was given for other content, or another surface; resume it with the "
        "content exactly as it was sent, or check the new content"
    )
