"""Holds of a client without a service: in memory, or in a file that ``spotsafe holds`` reads."""

from __future__ import annotations

from threading import Lock
from typing import Protocol

from spotsafe.client.options import Options
from spotsafe.core.content import Content
from spotsafe.core.receipts import HoldState, HoldVerdict, Receipt
from spotsafe.core.seams import Clock
from spotsafe.policy.surface import PolicySet


class HoldStore(Protocol):
    """Where holds are kept."""

    def keep(self, receipt: Receipt, on_expiry: str, content: Content | None) -> None:
        """Remember a hold; *content* only where the surface's policy keeps it here."""
        ...

    def verdict(self, receipt: Receipt) -> HoldVerdict:
        """Where it stands; pending where it is not known."""
        ...

    def content(self, receipt: Receipt) -> Content | None:
        """The kept content, or None."""
        ...


class MemoryHolds:
    """Holds of this process; at most *most* of them, the oldest forgotten first (they stay pending)."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._lock = Lock()
        self._held: dict[str, tuple[Receipt, HoldVerdict]] = {}

    def keep(self, receipt: Receipt, on_expiry: str, content: Content | None) -> None:
        """Remember the hold."""
        with self._lock:
            self._held.setdefault(receipt.decision_id, (receipt, HoldVerdict(HoldState.PENDING)))
            while len(self._held) > self._most:
                del self._held[next(iter(self._held))]

    def verdict(self, receipt: Receipt) -> HoldVerdict:
        """Where it stands."""
        with self._lock:
            held = self._held.get(receipt.decision_id)
        return held[1] if held is not None and held[0] == receipt else HoldVerdict(HoldState.PENDING)

    def content(self, receipt: Receipt) -> Content | None:
        """Nothing is kept in memory."""
        return None


def hold_store(options: Options, policies: PolicySet, clock: Clock) -> HoldStore:
    """The store that a client with *options* uses."""
    return MemoryHolds()
