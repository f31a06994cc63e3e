"""Sketches of rows, by which near-duplicates are found without holding the texts.

A text is normalised and cut into shingles of five characters; its sketch is a MinHash signature (Broder: On
the resemblance and containment of documents, 1997), of which each value keeps 16 bits (Li, König: b-bit
minwise hashing, 2010). The share of equal values estimates the Jaccard similarity of the shingle sets. A row
takes 256 bytes and its id.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Content
from spotsafe.evaluation.datasets.rows import Row

SHINGLE = 5
"""Characters of a shingle."""

BANDS, BAND_ROWS = 20, 6
"""A pair of similarity s becomes a candidate with probability 1 - (1 - s^6)^20: .998 at .8, .27 at .5
(Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4.2)."""

SIZE = BANDS * BAND_ROWS
"""Values of a signature. The standard error of an estimate is at most .046, at .8 it is .037."""

_AT_ONCE = 4096
"""Shingles that are hashed at a time, so that a long text takes no more memory than a short one."""

_U64 = NDArray[np.uint64]
_GAP = re.compile(r"[\s!-/:-@\[-`{-~\u00a0-\u00bf\u2000-\u206f\u3000-\u303f\ufe0f]+")
"""What separates words: white space and punctuation, but not emoji, which can be all that differs."""

_SEED = np.random.default_rng(20261122)
_FACTORS: _U64 = _SEED.integers(1, 2**63, SIZE, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS: _U64 = _SEED.integers(0, 2**63, SIZE, dtype=np.uint64)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Sketches(NamedTuple):
    """Sketches of n rows: *ids* and *splits*, *groups* (n strings or None); *exact* (n) is a digest of the
    normalised content, *media* (n) one of its media alone (0: none), *signatures* [n, :data:`SIZE`] uint16.
    """

    name: str
    ids: list[str]
    splits: list[str | None]
    groups: list[str | None]
    exact: _U64
    media: _U64
    signatures: NDArray[np.uint16]

    def chosen(self, rows: NDArray[np.int64], name: str) -> Sketches:
        """The rows at these positions."""
        listed = rows.tolist()
        return Sketches(
            name,
            [self.ids[row] for row in listed],
            [self.splits[row] for row in listed],
            [self.groups[row] for row in listed],
            self.exact[rows],
            self.media[rows],
            self.signatures[rows],
        )


def sketched(rows: Iterable[Row], name: str, *, progress: Callable[[int], None] | None = None) -> Sketches:
    """Sketches of *rows*, read once. *progress* is told the number of rows so far, now and then."""
    ids: list[str] = []
    splits: list[str | None] = []
    groups: list[str | None] = []
    exact, media = [], []
    blocks: list[NDArray[np.uint16]] = []
    block: list[NDArray[np.uint16]] = []
    for row in rows:
        text, other = _pieces(row.content)
        ids.append(row.id)
        splits.append(row.split)
        groups.append(row.group)
        exact.append(_digest(text.encode("utf-8", "surrogatepass") + other))
        media.append(_digest(other) if other else 0)
        block.append(signature(text))
        if len(block) == 1000:
            blocks.append(np.stack(block))
            block = []
            if progress is not None:
                progress(len(ids))
    if block:
        blocks.append(np.stack(block))
    return Sketches(
        name,
        ids,
        splits,
        groups,
        np.array(exact, dtype=np.uint64),
        np.array(media, dtype=np.uint64),
        np.concatenate(blocks) if blocks else np.empty((0, SIZE), dtype=np.uint16),
    )


def normalised(text: str) -> str:
    """*text* as it is compared: NFKC, case folded, words apart by one space, without punctuation."""
    return _GAP.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def signature(text: str) -> NDArray[np.uint16]:
    """The signature of normalised *text*, :data:`SIZE` values. A text shorter than a shingle is one."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    if len(codes) < SHINGLE:
        codes = np.concatenate([codes, np.zeros(SHINGLE - len(codes), dtype=np.uint64)])
    hashes = _shingle_hashes(codes)
    lowest = np.full(SIZE, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(hashes), _AT_ONCE):
        products = np.multiply.outer(_FACTORS, hashes[start : start + _AT_ONCE])
        products += _OFFSETS[:, None]
        np.minimum(lowest, products.min(axis=1), out=lowest)
    # Sixteen bits from the middle: the highest are nearly all zero in the least of many values.
    return (lowest >> np.uint64(24)).astype(np.uint16)


def _shingle_hashes(codes: _U64) -> _U64:
    """A 64-bit hash of each run of five code points: a polynomial, then the finaliser of splitmix64."""
    count = len(codes) - SHINGLE + 1
    found = codes[:count].copy()
    for offset in range(1, SHINGLE):
        found *= _BASE
        found += codes[offset : offset + count]
    for shift, factor in ((30, _MIX[0]), (27, _MIX[1])):
        found ^= found >> np.uint64(shift)
        found *= factor
    found ^= found >> np.uint64(31)
    return found


def _pieces(content: Content) -> tuple[str, bytes]:
    """The normalised texts of *content*, and the digests of its media."""
    texts = [normalised(str(part.data)) for part in content if part.kind == "text"]
    return "\n".join(texts), b"".join(part.digest for part in content if part.kind != "text")


def _digest(raw: bytes) -> int:
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big") or 1


def band_keys(signatures: NDArray[np.uint16], band: int) -> _U64:
    """One key per row: rows with equal keys agree in all values of the band."""
    values = signatures[:, band * BAND_ROWS : (band + 1) * BAND_ROWS].astype(np.uint64)
    keys = np.zeros(len(values), dtype=np.uint64)
    for column in range(BAND_ROWS):
        keys = keys * _BASE + values[:, column]
        keys ^= keys >> np.uint64(29)
    return keys


def similarities(
    first: Sketches, second: Sketches, pairs: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Estimated Jaccard similarity of each pair of rows (positions in *first* and *second*); 1.0 only where
    the normalised contents are equal, 0.0 where the media differ."""
    left, right = pairs
    found = np.zeros(len(left))
    for start in range(0, len(left), 65_536):
        some = slice(start, start + 65_536)
        a, b = left[some], right[some]
        near = (first.signatures[a] == second.signatures[b]).mean(axis=1)
        near = np.minimum(near, 1 - 1 / (2 * SIZE))
        near[first.media[a] != second.media[b]] = 0.0
        near[first.exact[a] == second.exact[b]] = 1.0
        found[some] = near
    return found


def split_names(sketches: Sketches) -> Sequence[str]:
    """The splits that rows are of, sorted."""
    return sorted({split for split in sketches.splits if split is not None})
