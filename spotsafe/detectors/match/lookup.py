"""What the look-ups of all banks share: a view that follows the store, and the entries behind items."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from spotsafe.detectors.match.entries import Entry, live
from spotsafe.detectors.match.store import Store, Version

MOST_MATCHES = 20
"""Entries named for one picture, sound or text, nearest first."""

View = TypeVar("View")
Nearness = TypeVar("Nearness")


_views: weakref.WeakSet[CurrentView[Any]] = weakref.WeakSet()


class CurrentView(Generic[View]):
    """What look-ups see of a bank: made by *refreshed* from the view before (None for none) whenever any
    process has changed *store*. A view is replaced as a whole and never changed, so that a look-up keeps the
    one that it began with."""

    def __init__(self, store: Store, refreshed: Callable[[View | None], View]) -> None:
        self._store = store
        self._refreshed = refreshed
        self._lock = threading.Lock()
        self._seen: tuple[Version, View] | None = None
        _views.add(self)

    def get(self) -> View:
        """The view of the store as it is now. Raises BankError."""
        with self._lock:
            version = self._store.version()  # first: what is added while the view is made is seen next time
            if self._seen is None or self._seen[0] != version:
                before = None if self._seen is None else self._seen[1]
                self._seen = (version, self._refreshed(before))
            return self._seen[1]

    def forget(self) -> None:
        """Make the next view from nothing."""
        with self._lock:
            self._seen = None


def entries_behind(
    store: Store, near: Iterable[tuple[int, Nearness]], now: float
) -> Iterator[tuple[Entry, str, Nearness]]:
    """The entries that own the items *near* (number, how near), nearest first as given: each once, with what
    of it the item is, and how near. Removed and, at *now* (Unix seconds), expired ones are left out; at most
    :data:`MOST_MATCHES` come."""
    found: set[str] = set()
    for seq, nearness in near:
        owned = store.owner(seq)
        if owned is None or not live(owned[0], now) or owned[0].id in found:
            continue
        found.add(owned[0].id)
        yield (*owned, nearness)
        if len(found) == MOST_MATCHES:
            return


def _in_child() -> None:
    """Locks that nobody holds: a thread that held one in the parent is not here to let go of it."""
    for view in list(_views):
        view._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
