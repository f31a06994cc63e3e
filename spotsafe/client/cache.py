"""Signals by key, bounded by items and bytes, each entry kept until its stale end."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from cachetools import TLRUCache

from spotsafe.core.decision import Disposition, Verdict
from spotsafe.core.signals import Signals

_ENTRY_BYTES, _SIGNAL_BYTES, _MISSING_BYTES = 400, 180, 90
"""Rough sizes in memory (CPython 3.11, measured with tracemalloc): the bound is on the order, not exact."""


Memo = tuple[object, Verdict, Signals, int]
_NO_MEMO: Memo = (None, Verdict(), Signals(), 0)


class Entry:
    """Signals with the time (monotonic seconds) they were stored at.

    *memo* is the last evaluation under a policy that depends on nothing but signals, so that a hit
    costs no evaluation: the policy, its verdict, the signals the decision carries, and the slot in
    which the hit is counted.
    """

    __slots__ = ("lifetime", "memo", "signals", "size", "stored")

    def __init__(self, signals: Signals, stored: float, lifetime: float, least: int = 0) -> None:
        self.signals = signals
        self.stored = stored
        self.lifetime = lifetime
        self.memo: Memo = _NO_MEMO
        evidence = sum(len(s.evidence) for s in signals.scores)
        rough = _ENTRY_BYTES + _SIGNAL_BYTES * (len(signals.scores) + evidence)
        self.size = max(least, rough + _MISSING_BYTES * len(signals.missing))


def slot_of(verdict: Verdict) -> int:
    """Where a verdict is counted: one place per status and disposition."""
    return verdict.status * len(Disposition) + verdict.disposition


def _expires(key: bytes, entry: Entry, now: float) -> float:
    return entry.stored + entry.lifetime


def _size(entry: Entry) -> int:
    return entry.size


class SignalCache:
    """At most *items* entries and *size* bytes, least recently used out first; thread-safe.

    ``table`` and ``lock`` are open to the client's hit path, which reads ``table[key]`` (an expired or
    absent key is a KeyError) under the lock without another call in between.
    """

    __slots__ = ("_least", "_monotonic", "evictions", "lock", "table")

    def __init__(self, items: int, size: int, monotonic: Callable[[], float]) -> None:
        # Counting every entry as at least size/items bytes makes one bound do the work of both.
        self._least = max(1, size // max(1, items))
        self._monotonic = monotonic
        self.evictions = 0
        self.lock = Lock()
        self.table: TLRUCache[bytes, Entry] = TLRUCache(size, _expires, monotonic, _size)

    def get(self, key: bytes) -> Entry | None:
        """The entry, fresh or stale, or None."""
        with self.lock:
            try:
                return self.table[key]
            except KeyError:
                return None

    def put(self, key: bytes, signals: Signals, lifetime: float) -> None:
        """Keep *signals* for *lifetime* seconds (ttl and stale together); one too large is not kept."""
        if lifetime <= 0:
            return
        entry = Entry(signals, self._monotonic(), lifetime, self._least)
        with self.lock:
            if entry.size > self.table.maxsize:
                self.evictions += 1
                return
            known = key in self.table
            before = len(self.table)
            self.table[key] = entry
            self.evictions += max(0, before + (not known) - len(self.table))

    def remember(self, key: bytes, policy: object, verdict: Verdict, shown: Signals) -> None:
        """Note on the entry of *key*, where there is one, what *policy* makes of it."""
        entry = self.get(key)
        if entry is not None:
            entry.memo = (policy, verdict, shown, slot_of(verdict))

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.table.clear()

    def sizes(self) -> tuple[int, int]:
        """(items, bytes) held now."""
        with self.lock:
            return len(self.table), int(self.table.currsize)
