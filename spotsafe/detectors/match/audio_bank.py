"""The bank of known sound: music, speech, effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.seams import Clock
from spotsafe.detectors.match.chroma import (
    FRAME_SECONDS,
    ITEM_SECONDS,
    SPAN_ITEMS,
    fingerprint,
    fingerprints,
)
from spotsafe.detectors.match.entries import Added, Bank, BankError, Entry, Match, Terms, new_entry
from spotsafe.detectors.match.lookup import CurrentView, entries_behind
from spotsafe.detectors.match.sound_index import STRETCH, Run, SoundIndex, varied_stretches
from spotsafe.detectors.match.store import Item, Store

MOST_DIFFERENT = 0.22
"""Share of differing bits up to which two stretches are the same sound: between copies, which stay below
0.2, and unrelated music, which docs/known-media.md says how near it comes."""

SPEEDS = tuple(round(1 + 0.004 * step, 3) for step in range(-5, 6))
"""Speeds that are tried: up to 2 % slower and faster, in steps that a fingerprint tolerates half of."""

RECENT = 50_000
"""Items added since the index was last built as a whole, from which on it is built as a whole again."""


class _View(NamedTuple):
    """What look-ups see: known sounds are numbered through *settled* and *recent*; *seqs* are the numbers of
    their items."""

    settled: SoundIndex
    recent: SoundIndex
    seqs: tuple[int, ...]


class AudioBank:
    """Known sounds in *store*; the index is kept in memory. Safe for threads and processes."""

    def __init__(self, store: Store, clock: Clock, *, actor: str) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor
        self._view = CurrentView(store, self._refreshed)

    def add(self, samples: NDArray[np.float32], terms: Terms) -> Added:
        """Add a sound: mono float32 in [-1, 1], 16,000 samples a second. Raises :class:`BankError` for one
        that is too short or too monotonous to be told by its fingerprint, and for bad *terms*."""
        return self.add_fingerprint(fingerprint(_sound(samples)), terms)

    def add_fingerprint(self, items: NDArray[np.uint32], terms: Terms) -> Added:
        """Add a sound by its raw Chromaprint fingerprint (algorithm 1, as ``fpcalc -raw`` prints it)."""
        if not varied_stretches(items):
            raise BankError(
                f"the sound is too short (under {_seconds(STRETCH):.0f} s) or too monotonous for a "
                "fingerprint; add its file to the exact bank"
            )
        value = items.astype("<u4").tobytes()
        entry = new_entry(Bank.AUDIO, terms, value, self._clock.now())
        return Added(entry.id, self._store.add(entry, [(value, "fingerprint")], self._actor))

    def match(self, samples: NDArray[np.float32]) -> list[Match]:
        """Known sounds that a sound (mono float32 in [-1, 1], 16,000 a second) has at least about 8 s of:
        nearest first, one per entry, with the range in seconds."""
        view = self._view.get()
        if not view.seqs:
            return []
        nearest: dict[int, tuple[Run, float]] = {}
        for speed, items in zip(SPEEDS, fingerprints(_sound(samples), SPEEDS), strict=True):
            for index, before in ((view.settled, 0), (view.recent, len(view.settled))):
                for run in index.runs(items, MOST_DIFFERENT):
                    seq = view.seqs[before + run.number]
                    nearest[seq] = _joined(nearest.get(seq), run, speed)
        near = sorted(nearest.items(), key=lambda pair: pair[1][0].distance)
        found = entries_behind(self._store, near, self._clock.now())
        return [_match(entry, run, speed) for entry, _, (run, speed) in found]

    def _refreshed(self, view: _View | None) -> _View:
        view = view or _View(SoundIndex(()), SoundIndex(()), ())
        last = view.seqs[-1] if view.seqs else 0
        new = [item for block in self._store.blocks(Bank.AUDIO, last) for item in block]
        if not new:
            return view
        seqs = (*view.seqs, *(item.seq for item in new))
        known = [*_pieces(view.recent), *map(_items, new)]
        if sum(map(len, known)) > max(RECENT, len(view.settled.items) // 4):
            everything = [_items(item) for block in self._store.blocks(Bank.AUDIO) for item in block]
            numbers = [item.seq for block in self._store.blocks(Bank.AUDIO) for item in block]
            return _View(SoundIndex(everything), SoundIndex(()), tuple(numbers))
        return _View(view.settled, SoundIndex(known), seqs)


def _sound(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise BankError("a sound is an array float32[samples], mono, in [-1, 1], 16,000 samples a second")
    return samples


def _items(item: Item) -> NDArray[np.uint32]:
    return np.frombuffer(item.value, "<u4").astype(np.uint32)


def _pieces(index: SoundIndex) -> Sequence[NDArray[np.uint32]]:
    return np.split(index.items, index.starts[1:-1]) if len(index) else ()


def _joined(known: tuple[Run, float] | None, run: Run, speed: float) -> tuple[Run, float]:
    """The better of two runs along the same sound, with the extent of both where they touch."""
    if known is None:
        return run, speed
    better, other = (known, (run, speed)) if known[0].distance <= run.distance else ((run, speed), known)
    if other[0].first <= better[0].last and better[0].first <= other[0].last:
        first, last = min(better[0].first, other[0].first), max(better[0].last, other[0].last)
        return better[0]._replace(first=first, last=last), better[1]
    return better


def _match(entry: Entry, run: Run, speed: float) -> Match:
    start = run.first * ITEM_SECONDS / speed
    end = start + _seconds(run.last - run.first) / speed
    how = f"from {run.offset * ITEM_SECONDS:.1f} s of it, at {speed:.1%} of its speed"
    return Match(
        entry.label, entry.id, Bank.AUDIO, entry.source,
        distance=run.distance, how=how, start=round(start, 2), end=round(end, 2),
    )  # fmt: skip


def _seconds(items: int) -> float:
    """Length of the sound that so many items in a row look at."""
    return (items - 1 + SPAN_ITEMS) * ITEM_SECONDS + FRAME_SECONDS
