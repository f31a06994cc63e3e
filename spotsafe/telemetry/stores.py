"""Where the outbox keeps events: the seam, and the store in memory.

A store keeps encoded events until they are acknowledged. Events that are out for delivery are *leased*:
nobody else gets them until the lease ends, and a lease that nobody acknowledged ends by itself, so a
crash between delivery and acknowledgement repeats an event but never loses one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

RESERVE = 0.1
"""The share of the bounds that only urgent events may use: holds, registrations, feedback."""
MAX_ASIDE = 1_000
"""How many refused events are kept for a look; older ones give way."""


class Entry(NamedTuple):
    """One encoded event. *at* is its time in Unix seconds, *body* its JSON in ASCII."""

    event_id: str
    kind: str
    at: float
    body: str
    urgent: bool = False


class Bounds(NamedTuple):
    """What a store may hold: events, bytes of their JSON, seconds of age; and how long a lease lasts.
    *keep_newest*: when full, the oldest give way (for a store that nothing delivers from)."""

    items: int
    bytes: int
    age: float
    lease: float
    keep_newest: bool = False

    def room(self, urgent: bool) -> tuple[int, int]:
        """The items and bytes up to which an event may be added."""
        if urgent or self.keep_newest:
            return self.items, self.bytes
        return self.items - int(self.items * RESERVE), self.bytes - int(self.bytes * RESERVE)


class StoreUnavailable(Exception):
    """The store cannot be used just now; *problem* says why, in words without content."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class EventStore(Protocol):
    """Keeps entries; every method may be called from any thread, none from the hot path, and may raise
    :class:`StoreUnavailable`."""

    def open(self) -> None:
        """Make it usable. Raises ConfigurationError where it never will be."""
        ...

    def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Keep *entries* in one commit; the drops that this caused, by reason. An id that is already
        kept is left as it is."""
        ...

    def note_drops(self, drops: Mapping[str, int]) -> None:
        """Remember losses until a ``drops`` event reports them."""
        ...

    def claim_drops(self, build: Callable[[Mapping[str, int]], Entry | None]) -> bool:
        """Turn remembered losses into one event, unless one is still on its way."""
        ...

    def lease(self, items: int, size: int, now: float) -> tuple[list[Entry], dict[str, int]]:
        """Up to *items* entries of together *size* bytes (always at least one if any is free), oldest
        first, and the drops found on the way (``expired``)."""
        ...

    def ack(self, ids: Iterable[str]) -> None:
        """Forget delivered events."""
        ...

    def release(self, ids: Iterable[str], until: float = 0.0) -> None:
        """End the lease; with *until* (Unix seconds) not before then."""
        ...

    def set_aside(self, ids: Iterable[str]) -> None:
        """Move refused events to where they do not block the others."""
        ...

    def size(self) -> tuple[int, int]:
        """Events and bytes kept, leased ones included."""
        ...

    def deliverable(self, now: float) -> int:
        """Events that :meth:`lease` could give now."""
        ...

    def aside(self) -> int:
        """How many refused events are kept."""
        ...

    def after_fork(self) -> None:
        """Called in a forked child: let go of what belongs to the parent, without touching it."""
        ...

    def close(self) -> None:
        """Release files. Idempotent."""
        ...


class MemoryStore:
    """Keeps events in this process only; a child starts empty, since the parent delivers its own."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.after_fork()

    def open(self) -> None:
        return None

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Entry] = OrderedDict()
        self._leased: dict[str, float] = {}
        self._aside: OrderedDict[str, Entry] = OrderedDict()
        self._drops: dict[str, int] = {}
        self._bytes = 0

    def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        dropped = 0
        with self._lock:
            for entry in entries:
                if entry.event_id in self._kept:
                    continue
                if not self._fits(entry) and not self._made_room(entry):
                    dropped += 1
                    continue
                self._kept[entry.event_id] = entry
                self._bytes += len(entry.body)
            dropped += self._evict()
        return {"full": dropped} if dropped else {}

    def _fits(self, entry: Entry) -> bool:
        items, size = self._bounds.room(entry.urgent)
        return len(self._kept) + 1 <= items and self._bytes + len(entry.body) <= size

    def _made_room(self, entry: Entry) -> bool:
        return self._bounds.keep_newest and len(entry.body) <= self._bounds.bytes

    def _evict(self) -> int:
        if len(self._kept) <= self._bounds.items and self._bytes <= self._bounds.bytes:
            return 0
        free = [key for key in self._kept if key not in self._leased]
        free.sort(key=lambda key: self._kept[key].urgent)  # stable: oldest first, urgent ones last
        evicted = 0
        while evicted < len(free) and (
            len(self._kept) > self._bounds.items or self._bytes > self._bounds.bytes
        ):
            self._forget(free[evicted])
            evicted += 1
        return evicted

    def _forget(self, event_id: str) -> Entry | None:
        self._leased.pop(event_id, None)
        entry = self._kept.pop(event_id, None)
        if entry is not None:
            self._bytes -= len(entry.body)
        return entry

    def note_drops(self, drops: Mapping[str, int]) -> None:
        with self._lock:
            for reason, count in drops.items():
                self._drops[reason] = self._drops.get(reason, 0) + count

    def claim_drops(self, build: Callable[[Mapping[str, int]], Entry | None]) -> bool:
        with self._lock:
            if not self._drops or any(entry.kind == "drops" for entry in self._kept.values()):
                return False
            entry = build(self._drops)
            if entry is None:
                return False
            self._drops = {}
            self._kept[entry.event_id] = entry
            self._bytes += len(entry.body)
            return True

    def lease(self, items: int, size: int, now: float) -> tuple[list[Entry], dict[str, int]]:
        with self._lock:
            expired = [key for key, entry in self._kept.items()
                       if entry.at < now - self._bounds.age and key not in self._leased]  # fmt: skip
            for key in expired:
                self._forget(key)
            taken: list[Entry] = []
            for key, entry in self._kept.items():
                if self._leased.get(key, 0.0) > now:
                    continue
                size -= len(entry.body)
                if len(taken) == items or (taken and size < 0):
                    break
                taken.append(entry)
            until = now + self._bounds.lease
            self._leased.update((entry.event_id, until) for entry in taken)
        return taken, {"expired": len(expired)} if expired else {}

    def ack(self, ids: Iterable[str]) -> None:
        with self._lock:
            for event_id in ids:
                self._forget(event_id)

    def release(self, ids: Iterable[str], until: float = 0.0) -> None:
        with self._lock:
            for event_id in ids:
                if event_id in self._kept and until:
                    self._leased[event_id] = until
                else:
                    self._leased.pop(event_id, None)

    def set_aside(self, ids: Iterable[str]) -> None:
        with self._lock:
            for event_id in ids:
                entry = self._forget(event_id)
                if entry is not None:
                    self._aside[event_id] = entry
            while len(self._aside) > MAX_ASIDE:
                self._aside.popitem(last=False)

    def size(self) -> tuple[int, int]:
        with self._lock:
            return len(self._kept), self._bytes

    def deliverable(self, now: float) -> int:
        with self._lock:
            return sum(1 for key in self._kept if self._leased.get(key, 0.0) <= now)

    def aside(self) -> int:
        with self._lock:
            return len(self._aside)

    def close(self) -> None:
        return None
