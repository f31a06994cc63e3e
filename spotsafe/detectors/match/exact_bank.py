"""The bank of files known by their SHA-256."""

from __future__ import annotations

from collections.abc import Iterable

from spotsafe.core.seams import Clock
from spotsafe.detectors.match.entries import Added, Bank, BankError, Entry, Match, Terms, live, new_entry
from spotsafe.detectors.match.store import Store


class ExactBank:
    """Files, or texts, by the SHA-256 of their bytes. It finds unchanged copies only, but of anything."""

    def __init__(self, store: Store, clock: Clock, *, actor: str) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor

    def add(self, digest: bytes, terms: Terms) -> Added:
        """Add a file by its SHA-256, 32 bytes. Raises :class:`BankError` for another length, bad *terms*."""
        (added,) = self.add_many([(digest, terms)])
        return added

    def add_many(self, rows: Iterable[tuple[bytes, Terms]]) -> list[Added]:
        """Add many, in one transaction."""
        entries = [self._row(digest, terms) for digest, terms in rows]
        added = self._store.add_many(entries, self._actor)
        return [Added(entry.id, new) for (entry, _), new in zip(entries, added, strict=True)]

    def match(self, digest: bytes) -> list[Match]:
        """Known files with that SHA-256."""
        now = self._clock.now()
        return [
            Match(entry.label, entry.id, Bank.EXACT, entry.source, 0.0, "same bytes")
            for entry in self._store.exact(digest)
            if live(entry, now)
        ]

    def _row(self, digest: bytes, terms: Terms) -> tuple[Entry, list[tuple[bytes, str]]]:
        if len(digest) != 32:
            raise BankError("a SHA-256 digest has 32 bytes")
        return new_entry(Bank.EXACT, terms, digest, self._clock.now()), [(digest, "same bytes")]


def digest_from_hex(text: str) -> bytes:
    """A SHA-256 as lists write it (64 hexadecimal digits) → 32 bytes. Raises :class:`BankError`."""
    try:
        digest = bytes.fromhex(text.strip())
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise BankError("a SHA-256 digest has 64 hexadecimal digits")
    return digest
