"""All banks of one folder, as engines and commands use them.

    banks = BankSet.open("banks", actor="maria")
    banks.image.add(pixels, Terms("sexual.ncii", source="in-house", expires=...))
    banks.match_frames([pixels])

The folder holds ``banks.sqlite3`` (entries, hashes, log) and ``images/`` (the index, which can be rebuilt
from it). Processes share a folder; what one adds or removes counts in all from their next look-up on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.clock import SystemClock
from spotsafe.core.seams import Clock
from spotsafe.detectors.match.audio_bank import AudioBank
from spotsafe.detectors.match.entries import Added, Bank, BankError, Entry, Match, Terms, checked
from spotsafe.detectors.match.exact_bank import ExactBank, digest_from_hex
from spotsafe.detectors.match.image_bank import ImageBank
from spotsafe.detectors.match.lists import BadLine, Row, rows
from spotsafe.detectors.match.picture_hash import MIN_QUALITY, Pixels, from_hex
from spotsafe.detectors.match.store import Change, Store
from spotsafe.detectors.match.text_bank import TextBank
from spotsafe.detectors.match.views import KnownPictures, KnownSounds, KnownTexts

FILE = "banks.sqlite3"
BATCH = 2_000
"""Lines of a list that are added in one transaction."""


class Imported(NamedTuple):
    """What reading a list did: entries *added*, lines whose entry was there already, and *bad* lines."""

    added: int
    known: int
    bad: tuple[BadLine, ...]


class BankSet:
    """The banks of one folder: ``image``, ``audio``, ``exact`` and ``text``."""

    def __init__(self, store: Store, folder: Path, clock: Clock, *, actor: str) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor
        self.folder = folder
        self.image = ImageBank(store, folder / "images", clock, actor=actor)
        self.audio = AudioBank(store, clock, actor=actor)
        self.exact = ExactBank(store, clock, actor=actor)
        self.text = TextBank(store, clock, actor=actor)

    @classmethod
    def open(
        cls, folder: str | Path, *, actor: str = "unnamed", clock: Clock | None = None, create: bool = True
    ) -> BankSet:
        """The banks in *folder*, made where there are none (unless *create* is false). *actor* is who stands
        in the log for changes. Raises :class:`BankError`."""
        path = Path(folder) / FILE
        if not create and not path.exists():
            raise BankError(f"there are no banks in {folder}; add an entry first, or name another folder")
        return cls(Store(path), Path(folder), clock or SystemClock(), actor=actor)

    # ── looking up, for the engines ─────────────────────────────────────────────────────────────

    def match_frames(self, frames: Sequence[Pixels] | Pixels) -> list[Match]:
        """Known pictures among *frames* (one or several arrays uint8[height, width, 3] RGB); ``frame`` of a
        match is the picture's place among them."""
        pictures = [frames] if isinstance(frames, np.ndarray) and frames.ndim == 3 else frames
        return [
            match
            for number, pixels in enumerate(pictures)
            for match in self.image.match(pixels, frame=number)
        ]

    def match_sound(self, samples: NDArray[np.float32]) -> list[Match]:
        """Known sounds in *samples*: mono float32 in [-1, 1], 16,000 a second."""
        return self.audio.match(samples)

    def match_bytes(self, digest: bytes) -> list[Match]:
        """Known files with that SHA-256, 32 bytes; :attr:`spotsafe.core.content.Part.digest` is one."""
        return self.exact.match(digest)

    def match_text(self, text: str) -> list[Match]:
        """Known texts that *text* is nearly the same as."""
        return self.text.match(text)

    def labels(self, *banks: Bank) -> tuple[str, ...]:
        """The labels that live entries of *banks* (of all, where none is named) carry, sorted."""
        return self._store.labels(banks or tuple(Bank), self._clock.now())

    def version(self) -> str:
        """Changes with every change of the banks and with every entry that expires."""
        expired = self._store.last_expiry(self._clock.now())
        return f"{self._store.last_change()}" + (f".{expired:.3f}" if expired else "")

    @property
    def pictures(self) -> KnownPictures:
        """The banks as image and video engines take them."""
        return KnownPictures(self)

    @property
    def sounds(self) -> KnownSounds:
        """The banks as audio and video engines take them."""
        return KnownSounds(self)

    @property
    def texts(self) -> KnownTexts:
        """The banks as :class:`~spotsafe.detectors.match.detector.KnownTextDetector` takes them."""
        return KnownTexts(self)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._store.close()

    # ── keeping ─────────────────────────────────────────────────────────────────────────────────

    def entries(self, bank: Bank | None = None, *, label: str = "", source: str = "") -> list[Entry]:
        """Entries, oldest first, expired ones too."""
        return self._store.entries(bank, label, source)

    def entry(self, entry_id: str) -> Entry | None:
        """The entry of that id, or None."""
        return self._store.entry(entry_id)

    def remove(self, entry_id: str, *, reason: str = "") -> bool:
        """Remove an entry with all that it was recognised by; False where there is none of that id."""
        return self._store.remove(entry_id, actor=self._actor, at=self._clock.now(), reason=reason)

    def changes(self, after: int = 0) -> list[Change]:
        """The log of changes, oldest first, from the row after *after*."""
        return self._store.changes(after)

    def counts(self) -> dict[Bank, tuple[int, int]]:
        """Per bank: entries, and hashes, fingerprints or signatures stored for them."""
        return self._store.counts()

    def rebuild(self) -> int:
        """Build the index of pictures anew beside the one in use; returns how many hashes it holds."""
        return self.image.rebuild()

    def import_list(
        self,
        lines: Iterable[str],
        bank: Bank,
        defaults: Terms,
        *,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Imported:
        """Add a list (see :mod:`spotsafe.detectors.match.lists`) to *bank*. Lines that cannot be read or
        added are reported by number; the others are added. *progress* is told the number of lines done."""
        added, known, bad = 0, 0, []
        batch: list[Row] = []
        for row in rows(lines, bank, defaults):
            if isinstance(row, BadLine):
                bad.append(row)
                continue
            batch.append(row)
            if len(batch) == BATCH:
                new, old = self._added(batch, bank, bad)
                added, known, batch = added + new, known + old, []
                progress(row.line)
        new, old = self._added(batch, bank, bad)
        return Imported(added + new, known + old, tuple(sorted(bad)))

    def _added(self, batch: list[Row], bank: Bank, bad: list[BadLine]) -> tuple[int, int]:
        """Add a batch; how many were new and how many known. Lines that cannot be added go to *bad*."""
        found: list[Added] = []
        hashes: list[tuple[NDArray[np.uint64], Terms]] = []
        digests: list[tuple[bytes, Terms]] = []
        for row in batch:
            try:
                terms = self._own(checked(row.terms), bank)
                if bank is Bank.IMAGE:
                    hashes.append((_picture_hash(row), terms))
                elif bank is Bank.EXACT:
                    digests.append((digest_from_hex(str(row.value)), terms))
                elif bank is Bank.TEXT:
                    found.append(self.text.add(str(row.value), terms))
                else:
                    found.append(self.audio.add_fingerprint(_fingerprint(row), terms))
            except BankError as error:
                bad.append(BadLine(row.line, str(error)))
        found += self.image.add_many(hashes) if hashes else []
        found += self.exact.add_many(digests) if digests else []
        new = sum(each.new for each in found)
        return new, len(found) - new

    def _own(self, terms: Terms, bank: Bank) -> Terms:
        held = self._store.entry(terms.id) if terms.id else None
        if held is not None and held.bank is not bank:
            raise BankError(f"the id is taken by an entry of the {held.bank.value} bank")
        return terms


def _picture_hash(row: Row) -> NDArray[np.uint64]:
    if row.quality is not None and row.quality < MIN_QUALITY:
        raise BankError(f"PDQ quality {row.quality} is under {MIN_QUALITY}: such a hash matches by chance")
    return from_hex(str(row.value))


def _fingerprint(row: Row) -> NDArray[np.uint32]:
    """A raw fingerprint: a list of whole numbers, signed or not, or the same with commas between."""
    parts = row.value if isinstance(row.value, list) else str(row.value).split(",")
    try:
        return np.array([int(part) & 0xFFFFFFFF for part in parts], np.uint32)
    except (TypeError, ValueError):
        raise BankError("a fingerprint is a list of whole numbers, as `fpcalc -raw` prints it") from None
