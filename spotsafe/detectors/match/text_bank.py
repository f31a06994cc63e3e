"""The bank of known texts: near-duplicates of spam and other campaigns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.seams import Clock
from spotsafe.detectors.match.entries import Added, Bank, BankError, Match, Terms, new_entry
from spotsafe.detectors.match.lookup import CurrentView, entries_behind
from spotsafe.detectors.match.store import Item, Store
from spotsafe.detectors.match.text_signature import LEAST_PIECES, PLACES, signature, similarity

LEAST_ALIKE = 0.5
"""Estimated share of common pieces from which two texts are copies; docs/known-media.md says how often
unrelated texts reach it and how often copies do not."""

BANDS = 32
"""Groups of four places. Texts that agree in one whole group are compared: 1 - (1 - s⁴)³² of those with a
share s of common pieces, 87 % at 0.5 and 99 % at 0.6."""


class _View(NamedTuple):
    """What look-ups see: signatures uint32[n, 128], the numbers of their items, and, sorted, the key of each
    band of each signature with the signature's place."""

    signatures: NDArray[np.uint32]
    seqs: NDArray[np.int64]
    keys: NDArray[np.uint64]
    places: NDArray[np.int64]


class TextBank:
    """Known texts in *store*, as signatures; the index is kept in memory. Safe for threads and processes."""

    def __init__(self, store: Store, clock: Clock, *, actor: str) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor
        self._view = CurrentView(store, self._refreshed)

    def add(self, text: str, terms: Terms) -> Added:
        """Add a text; only its signature is kept. Raises :class:`BankError` for one that is too short, and
        for bad *terms*."""
        found = signature(text)
        if found is None:
            raise BankError(
                f"the text is too short to tell copies from chance (it needs {LEAST_PIECES} different "
                "pieces, about 30 letters); add the SHA-256 of its UTF-8 bytes to the exact bank"
            )
        value = found.astype("<u4").tobytes()
        entry = new_entry(Bank.TEXT, terms, value, self._clock.now())
        return Added(entry.id, self._store.add(entry, [(value, "signature")], self._actor))

    def match(self, text: str) -> list[Match]:
        """Known texts that *text* is nearly the same as: nearest first, one per entry. Empty for a text that
        is too short to be compared."""
        view = self._view.get()
        asked = signature(text) if len(view.seqs) else None
        if asked is None:
            return []
        keys = _keys(asked[None])[0]
        low, high = np.searchsorted(view.keys, keys), np.searchsorted(view.keys, keys, "right")
        near = [view.places[first:last] for first, last in zip(low, high, strict=True) if last > first]
        if not near:
            return []
        places = np.unique(np.concatenate(near))
        alike = similarity(view.signatures[places], asked)
        good = np.argsort(-alike, kind="stable")[: int((alike >= LEAST_ALIKE).sum())]
        found = [(int(view.seqs[places[at]]), float(alike[at])) for at in good]
        return [
            Match(
                entry.label, entry.id, Bank.TEXT, entry.source, 1 - share, f"about {share:.0%} of the wording"
            )
            for entry, _, share in entries_behind(self._store, found, self._clock.now())
        ]

    def _refreshed(self, view: _View | None) -> _View:
        last = int(view.seqs[-1]) if view is not None and len(view.seqs) else 0
        new: list[Item] = [item for block in self._store.blocks(Bank.TEXT, last) for item in block]
        if view is not None and not new:
            return view
        signatures = np.frombuffer(b"".join(item.value for item in new), "<u4").reshape(-1, PLACES)
        seqs = np.array([item.seq for item in new], np.int64)
        if view is not None:
            signatures = np.concatenate([view.signatures, signatures])
            seqs = np.concatenate([view.seqs, seqs])
        keys = _keys(signatures).ravel()
        order = np.argsort(keys, kind="stable")
        return _View(signatures, seqs, keys[order], order // BANDS)


def _keys(signatures: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One number for each band of each signature, uint64[n, 32]; bands do not meet by chance."""
    bands = signatures.reshape(len(signatures), BANDS, PLACES // BANDS).astype(np.uint64)
    mixed = np.arange(1, BANDS + 1, dtype=np.uint64)[None].repeat(len(signatures), axis=0)
    for place in range(bands.shape[2]):
        mixed = (mixed ^ bands[:, :, place]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    return mixed
