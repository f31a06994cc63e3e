"""Texts as MinHash signatures: what near-duplicates are recognised by.

A text is folded (:func:`folded`) and cut into overlapping pieces of five characters. The signature holds, for
each of 128 hash functions, the smallest hash of a piece; the share of equal places of two signatures
estimates the share of pieces that two texts have in common (A. Broder, "On the resemblance and containment of
documents", 1997), with a standard error of at most 0.044. Nothing of the text's wording can be read from it.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

PLACES = 128
PIECE = 5
LEAST_PIECES = 24
"""Different pieces under which a text is too short for an estimate."""

_LINK = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)+/\S*")
_NUMBER = re.compile(r"\d+")
_REST = re.compile(r"[\W_]+")
_SHIFTS = np.random.default_rng(20_261_122).integers(1, 1 << 63, (2, PLACES), dtype=np.uint64)
_FACTORS, _OFFSETS = _SHIFTS[0] | np.uint64(1), _SHIFTS[1]
_WEIGHTS = np.array([pow(1_000_003, power, 1 << 64) for power in range(PIECE)], np.uint64)


def folded(text: str) -> str:
    """*text* as campaigns keep it: compatibility forms and case folded, marks and invisible characters gone,
    links as ``url``, numbers as ``0``, everything between words as one space."""
    # Compatibility forms first: a mathematical capital has no lower case of its own.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = "".join(c for c in plain if unicodedata.category(c) not in {"Mn", "Cf", "Me"})
    plain = _NUMBER.sub("0", _LINK.sub(" url ", plain))
    return _REST.sub(" ", plain).strip()


def signature(text: str) -> NDArray[np.uint32] | None:
    """*text* → uint32[128]; None where it has too few different pieces to be compared."""
    codes = np.array([ord(c) for c in folded(text)], np.uint64)
    if len(codes) < PIECE + LEAST_PIECES - 1:
        return None
    pieces = np.lib.stride_tricks.sliding_window_view(codes, PIECE)
    hashes = np.unique((pieces * _WEIGHTS).sum(axis=1, dtype=np.uint64))
    if len(hashes) < LEAST_PIECES:
        return None
    # Multiply-shift hashing: the upper half of a product by an odd number (Dietzfelbinger et al., 1997).
    mixed = (hashes ^ (hashes >> np.uint64(29)))[:, None] * _FACTORS + _OFFSETS
    return np.asarray((mixed >> np.uint64(32)).min(axis=0), np.uint32)


def similarity(known: NDArray[np.uint32], asked: NDArray[np.uint32]) -> NDArray[np.float64]:
    """The estimated share of common pieces between each of *known* uint32[n, 128] and *asked* uint32[128]."""
    return np.asarray((known == asked).mean(axis=1))
