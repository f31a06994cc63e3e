"""The first stage's features and model: hashed character and word n-grams, linear per label.

Hashing is done by numpy over whole windows, so a text of 200 characters costs tens of microseconds:
character n-grams by a rolling polynomial over code points (each order from the one before it), words by
differences of one prefix polynomial. Both are computed modulo 2**32 and mixed by a multiplicative finaliser
(Knuth, TAOCP 6.4); the top bits choose the bucket.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 18
"""The model has ``2 ** BITS`` buckets."""

ORDERS = (2, 3, 4, 5)
LONGEST = 4096
"""Longest window in code points that can be hashed at once; far above the engine's window."""

_PRIME = np.uint32(0x01000193)
_MIX = np.uint32(0x9E3779B1)
_PAIR = np.uint32(0x85EBCA6B)
_SHIFT = np.uint32(32 - BITS)
_FOLD = np.uint32(15)

U32 = NDArray[np.uint32]


def _powers(base: int, count: int) -> U32:
    values, value = np.empty(count, dtype=np.uint32), 1
    for index in range(count):
        values[index] = value
        value = value * base % 2**32
    return values


_POWERS = _powers(int(_PRIME), LONGEST + 2)
_INVERSES = _powers(pow(int(_PRIME), -1, 2**32), LONGEST + 2)
# Letters, digits and apostrophe make words in ASCII; everything above ASCII counts as a letter.
_WORD = np.array([chr(code).isalnum() or code == 39 for code in range(128)] + [True], dtype=bool)


def buckets(text: str) -> U32:
    """Bucket of every n-gram of *text* (normalised, at most :data:`LONGEST` code points), with repeats.

    Order: character n-grams of orders 2–5, words, word pairs. Never empty.
    """
    codes = np.frombuffer(f" {text} ".encode("utf-32-le", "surrogatepass"), dtype="<u4")
    hashes = [rolled * _MIX + _seed(order) for order, rolled in _characters(codes)]
    words = _words(codes)
    if words.size:
        hashes.append(words * _MIX + _seed(11))
        hashes.append((words[:-1] * _PAIR + words[1:]) * _MIX + _seed(12))
    joined = np.concatenate(hashes)
    joined ^= joined >> _FOLD
    joined *= _PAIR
    joined >>= _SHIFT
    return joined


def _seed(kind: int) -> np.uint32:
    return np.uint32(kind * 0x27D4EB2F % 2**32)


def _characters(codes: U32) -> list[tuple[int, U32]]:
    rolled, found = codes, []
    for order in range(2, ORDERS[-1] + 1):
        if len(codes) < order:
            break
        rolled = rolled[:-1] * _PRIME + codes[order - 1 :]
        found.append((order, rolled))
    return found


def _words(codes: U32) -> U32:
    """One hash per run of word characters, independent of where in the text it stands."""
    inside = _WORD[np.minimum(codes, 128)]
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2] + 1, edges[1::2] + 1
    prefix = np.zeros(len(codes) + 1, dtype=np.uint32)
    np.cumsum(codes * _POWERS[: len(codes)], out=prefix[1:], dtype=np.uint32)
    return (prefix[ends] - prefix[starts]) * _INVERSES[starts]


class NgramModel:
    """A linear model per label over :func:`buckets` and lexicon counts: n-gram weights are int8 with one
    scale per label."""

    def __init__(
        self,
        weights: NDArray[np.int8],
        scale: NDArray[np.float32],
        bias: NDArray[np.float32],
        lexicon: NDArray[np.float32],
    ) -> None:
        """*weights* [2**BITS, labels], *scale* and *bias* [labels], *lexicon* [lexicon features, labels];
        logit = sum(weights) · scale / √n + counts · lexicon + bias."""
        self._weights = weights
        self._scale = scale
        self._bias = bias
        self._lexicon = lexicon

    def logits(self, text: str, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logit per label [labels] for one normalised window with its lexicon *counts*."""
        found = buckets(text)
        total = np.einsum("ij->j", self._weights.take(found, axis=0).astype(np.int32))  # half of sum()'s time
        result: NDArray[np.float32] = total * (self._scale / np.float32(len(found) ** 0.5)) + self._bias
        if counts.any():
            result = result + counts @ self._lexicon
        return result
