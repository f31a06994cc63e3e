"""Signals by key, bounded by items and bytes, each entry kept until its stale end."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from cachetools import LRUCache

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

    def ended(self, now: float) -> bool:
        """Whether it is past its stale end at *now* (monotonic seconds)."""
        return now - self.stored >= self.lifetime


def slot_of(verdict: Verdict) -> int:
    """Where a verdict is counted: one place per status and disposition."""
    return verdict.status * len(Disposition) + verdict.disposition


class SignalCache:
    """At most *items* entries and *size* bytes, least recently used out first; thread-safe.

    ``table`` is open to the client's hit path, which looks up ``table[key]`` without the lock: that reads a
    dict and moves a key to the recently used end, each a single operation of a built-in type. It compares
    ``stored`` with the clock itself; an entry past its end stays until it is looked for, or is next to go.
    An ``LRUCache`` and not a ``TLRUCache``, which would read the clock once more on each hit.
    """

    __slots__ = ("_least", "_lock", "_monotonic", "_most", "evictions", "table")

    def __init__(self, items: int, size: int, monotonic: Callable[[], float]) -> None:
        # Counting every entry as at least size/items bytes makes one bound do the work of both.
        self._least = max(1, size // max(1, items))
        self._most = size
        self._monotonic = monotonic
        self._lock = Lock()
        self.evictions = 0
        self.table: LRUCache[bytes, Entry] = LRUCache(size, getsizeof=_size)

    def get(self, key: bytes) -> Entry | None:
        """The entry, fresh or stale, or None."""
        with self._lock:
            try:
                entry = self.table[key]
            except KeyError:
                return None
            if entry.ended(self._monotonic()):
                del self.table[key]
                return None
            return entry

    def put(self, key: bytes, signals: Signals, lifetime: float) -> None:
        """Keep *signals* for *lifetime* seconds (ttl and stale together); one too large is not kept."""
        if lifetime <= 0:
            return
        entry = Entry(signals, self._monotonic(), lifetime, self._least)
        with self._lock:
            if entry.size > self._most:
                self.evictions += 1
                return
            before = len(self.table) + (key not in self.table)
            while not self._placed(key, entry):
                pass
            self.evictions += before - len(self.table)

    def _placed(self, key: bytes, entry: Entry) -> bool:
        """Whether the entry found room; False where a hit moved a key while the oldest one was looked for,
        before anything was written."""
        try:
            self.table[key] = entry
        except RuntimeError:  # OrderedDict mutated during iteration
            return False
        return True

    def remember(self, key: bytes, policy: object, verdict: Verdict, shown: Signals) -> None:
        """Note on the entry of *key*, where there is one, what *policy* makes of it."""
        entry = self.get(key)
        if entry is not None:
            entry.memo = (policy, verdict, shown, slot_of(verdict))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.table.clear()

    def sizes(self) -> tuple[int, int]:
        """(items, bytes) held now."""
        with self._lock:
            return len(self.table), int(self.table.currsize)


def _size(entry: Entry) -> int:
    return entry.size
