"""The bank of known pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.seams import Clock
from spotsafe.detectors.match import generations
from spotsafe.detectors.match.entries import Added, Bank, Entry, Match, Terms, new_entry
from spotsafe.detectors.match.generations import Generation, Hashes
from spotsafe.detectors.match.hash_index import EXACT_RADIUS, distances_to
from spotsafe.detectors.match.lookup import CurrentView, entries_behind
from spotsafe.detectors.match.picture_hash import Pixels, looked_up_hashes, stored_hashes
from spotsafe.detectors.match.store import Store

RADIUS = EXACT_RADIUS
"""Bits of 256 by which a hash may differ from a stored one: the largest for which the index is exact. Of
unrelated pictures none came nearer than the distance that docs/known-media.md states, far above this."""

MOST_RECENT = 20_000
"""Hashes added since the last build, which are compared one by one; who adds more rebuilds the index."""

_log = logging.getLogger("spotsafe.detectors")


class _View(NamedTuple):
    """What look-ups see: the index, the hashes added since it was built, the number of the last item."""

    generation: Generation
    recent: Hashes
    seen_to: int


class ImageBank:
    """Known pictures in *store*, their index below *folder*. Safe for threads and processes: what any of them
    adds or removes counts from the next look-up on."""

    def __init__(self, store: Store, folder: Path, clock: Clock, *, actor: str) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._actor = actor
        self._view = CurrentView(store, self._refreshed)

    # ── changing ────────────────────────────────────────────────────────────────────────────────

    def add(self, pixels: Pixels, terms: Terms) -> Added:
        """Add a picture, uint8[height, width, 3] RGB. Raises :class:`BankError` for a picture that is too
        flat or too small, and for bad *terms*."""
        hashes = stored_hashes(pixels)
        return self.add_hashes([(each.value, each.how) for each in hashes], terms)

    def add_hashes(self, hashes: Sequence[tuple[NDArray[np.uint64], str]], terms: Terms) -> Added:
        """Add a picture by its PDQ hashes, each uint64[4] and what of the picture it is; the first is the
        whole."""
        entry, items = self._row(hashes, terms)
        new = self._store.add(entry, items, self._actor)
        self._rebuild_if_due()
        return Added(entry.id, new)

    def add_many(self, rows: Iterable[tuple[NDArray[np.uint64], Terms]]) -> list[Added]:
        """Add many hashes of lists, each the whole of one picture."""
        entries = [self._row([(value, "whole")], terms) for value, terms in rows]
        added = self._store.add_many(entries, self._actor)
        self._rebuild_if_due()
        return [Added(entry.id, new) for (entry, _), new in zip(entries, added, strict=True)]

    def rebuild(self) -> int:
        """Build the index anew, without interrupting look-ups; returns how many hashes it holds."""
        built = generations.rebuilt(self._folder, self._store)
        self._store.record(
            "rebuild", actor=self._actor, at=self._clock.now(), bank=Bank.IMAGE.value,
            detail=f"{len(built.tables)} hashes",
        )  # fmt: skip
        self._view.forget()
        return len(built.tables)

    def _row(
        self, hashes: Sequence[tuple[NDArray[np.uint64], str]], terms: Terms
    ) -> tuple[Entry, list[tuple[bytes, str]]]:
        items = [(value.tobytes(), how) for value, how in hashes]
        return new_entry(Bank.IMAGE, terms, items[0][0], self._clock.now()), items

    def _rebuild_if_due(self) -> None:
        if len(self._view.get().recent.values) > MOST_RECENT:
            self.rebuild()

    # ── looking up ──────────────────────────────────────────────────────────────────────────────

    def match(self, pixels: Pixels, *, frame: int | None = None) -> list[Match]:
        """Known pictures of which this one, uint8[height, width, 3] RGB, may be a copy: nearest first, one
        per entry. Empty for a picture that is too flat or too small to be told."""
        nearest: dict[int, tuple[int, str]] = {}
        for looked_up in looked_up_hashes(pixels):
            for seq, distance in self.near(looked_up.value):
                if seq not in nearest or distance < nearest[seq][0]:
                    nearest[seq] = (distance, looked_up.how)
        return self._matches(nearest, frame)

    def match_hash(self, value: NDArray[np.uint64]) -> list[Match]:
        """As :meth:`match` for a PDQ hash uint64[4] made elsewhere."""
        return self._matches({seq: (distance, "hash") for seq, distance in self.near(value)}, None)

    def near(self, value: NDArray[np.uint64]) -> list[tuple[int, int]]:
        """Numbers of the items within :data:`RADIUS` bits of *value* uint64[4], and their distances. Items of
        removed entries may be among them."""
        view = self._view.get()
        found = view.generation.tables.within(value, RADIUS)
        near = list(
            zip(view.generation.tables.items[found.positions].tolist(), found.distances.tolist(), strict=True)
        )
        if len(view.recent.values):
            distances = distances_to(view.recent.values, value)
            (close,) = np.nonzero(distances <= RADIUS)
            near += zip(view.recent.items[close].tolist(), distances[close].tolist(), strict=True)
        return near

    def _matches(self, nearest: dict[int, tuple[int, str]], frame: int | None) -> list[Match]:
        near = sorted(nearest.items(), key=lambda pair: (pair[1], pair[0]))
        return [
            Match(
                entry.label, entry.id, Bank.IMAGE, entry.source,
                distance=float(distance), how=f"{stored}; {how}", frame=frame,
            )
            for entry, stored, (distance, how) in entries_behind(self._store, near, self._clock.now())
        ]  # fmt: skip

    def _refreshed(self, view: _View | None) -> _View:
        if view is None or generations.current_name(self._folder) != view.generation.name:
            generation = self._opened()
            recent, seen_to = Hashes.joined([]), generation.built_to
        else:
            generation, recent, seen_to = view.generation, view.recent, view.seen_to
        new = [generations.hashes_of(block) for block in self._store.blocks(Bank.IMAGE, seen_to)]
        if new:
            recent = Hashes.joined([recent, *new])
            seen_to = int(recent.items[-1])
        return _View(generation, recent, seen_to)

    def _opened(self) -> Generation:
        """The index in use. One that was swapped while it was opened is opened again; a damaged one is built
        anew, because the store holds everything."""
        for _ in range(3):
            try:
                return generations.opened(self._folder)
            except (OSError, ValueError, KeyError):
                continue
        _log.warning("the index of known pictures is damaged and is built anew")
        return generations.rebuilt(self._folder, self._store)
