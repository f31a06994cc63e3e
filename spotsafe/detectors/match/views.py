"""A folder's banks as one engine sees them: the look-ups for its kind of media, their labels, a version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.match.entries import Bank, Match

if TYPE_CHECKING:
    from spotsafe.detectors.match.bank_set import BankSet

METHOD = "1"
"""Of the way media are recognised; it changes with hashes and thresholds."""


class KnownMedia:
    """What all engines ask: *labels* of live entries in *kinds*, and a version that changes with every entry
    that comes, goes or expires, so that signals of before are not taken from a cache."""

    kinds: tuple[Bank, ...] = ()

    def __init__(self, banks: BankSet) -> None:
        self._banks = banks

    @property
    def version(self) -> str:
        """``known-METHOD.CHANGES``, and when an entry last expired."""
        return f"known-{METHOD}.{self._banks.version()}"

    @property
    def labels(self) -> Sequence[str]:
        """Labels that entries for this kind of media carry now, sorted."""
        return self._banks.labels(*self.kinds)

    def match_bytes(self, digest: bytes) -> list[Match]:
        """Entries for the very file with that SHA-256, 32 bytes."""
        return self._banks.match_bytes(digest)


class KnownPictures(KnownMedia):
    """The banks as an image or video engine asks them."""

    kinds = (Bank.IMAGE, Bank.EXACT)

    def match_frames(self, frames: Sequence[NDArray[np.uint8]]) -> list[Match]:
        """Entries that any of *frames*, uint8[height, width, 3] RGB, shows."""
        return self._banks.match_frames(frames)


class KnownSounds(KnownMedia):
    """The banks as an audio or video engine asks them."""

    kinds = (Bank.AUDIO, Bank.EXACT)

    def match_sound(self, samples: NDArray[np.float32]) -> list[Match]:
        """Entries heard in *samples*: mono float32 in [-1, 1], 16,000 a second."""
        return self._banks.match_sound(samples)


class KnownTexts(KnownMedia):
    """The banks as a text engine asks them."""

    kinds = (Bank.TEXT, Bank.EXACT)

    def match_text(self, text: str) -> list[Match]:
        """Entries that *text* is nearly the same as."""
        return self._banks.match_text(text)


class KnownFiles(KnownMedia):
    """The bank of exact files alone."""

    kinds = (Bank.EXACT,)
