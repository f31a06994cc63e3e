"""The sentence encoder's network: token numbers of texts → embeddings, with a memory of tokens.

Every text runs alone through :func:`~spotsafe.detectors.text.encoder_graphs.text_graph`: in whole numbers a
batch would save nothing, and so the company in which a text comes cannot change what its values are rounded
to. Only the last, dense layers (float32, larger than a core's cache) read all texts together. Nothing here
uses the process's linear algebra, its threads or its locks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.encoder_graphs import (
    BRANCHES,
    OUT,
    OWN,
    PAD,
    ROW,
    WIDTH,
    dense_graph,
    text_graph,
    token_graph,
)
from spotsafe.detectors.text.onnx_graph import Array, session

F32 = NDArray[np.float32]
F16 = NDArray[np.float16]
I64 = NDArray[np.int64]

REMEMBERED = 4096
"""Tokens of which is kept what depends on them alone (7.5 KB each, 31 MB when full; pages are taken as they
fill)."""

_CHUNKS = 17
_BLOCKS = ROW // WIDTH
# For each neighbour of each branch: its row in a text with blanks around it, and its block in a row.
_PLACES = np.array([PAD - left + number for order, left in BRANCHES for number in range(order)])[:, None]
_COLUMNS = np.arange(OWN // WIDTH, _BLOCKS)[:, None]


class _Memory(NamedTuple):
    """What is known of tokens: *rows* [rows, :data:`ROW`], of which row 0 is blank; *slots*: token → row."""

    rows: F16
    slots: dict[int, int]


def _fresh(rows_in_all: int) -> _Memory:
    rows = np.empty((rows_in_all, ROW), dtype=np.float16)
    rows[0] = 0
    return _Memory(rows, {})


class Network:
    """Token numbers of texts → unit vectors. Safe for threads: rows that others may read never change."""

    def __init__(self, stored: Mapping[str, NDArray[Any]]) -> None:
        """From the arrays of the package's weight file. Raises KeyError or ValueError for another file, and
        ConfigurationError where onnxruntime is absent."""
        self._table = np.empty((_CHUNKS, *stored["q1"].shape), dtype=np.uint8)
        for chunk in range(_CHUNKS):
            self._table[chunk] = stored[f"q{chunk + 1}"]
        self._scale, self._low = stored["scale"][:, None], stored["lo"][:, None]
        rest = {name: stored[name] for name in stored if not name.startswith("q")}
        self._tokens, self._text, self._dense = (
            session(graph(rest)) for graph in (token_graph, text_graph, dense_graph)
        )
        self._memory = _fresh(REMEMBERED)
        self._writing = Lock()

    def encode(self, texts: Sequence[Sequence[int]]) -> F32:
        """Embeddings [texts, 512] of *texts* given as token numbers, each with at least one."""
        if not texts:
            return np.empty((0, OUT), dtype=np.float32)
        roots = np.sqrt(np.array([[len(text)] for text in texts], dtype=np.float32))
        sums = np.concatenate([self._summed(text) for text in texts])
        result: F32 = self._dense({"pooled": sums / roots, "roots": roots})[0]
        return result

    def _summed(self, text: Sequence[int]) -> F32:
        """The sum [1, :data:`OWN`] of the normalised features of *text*'s tokens."""
        memory = self._knowing(text)
        count = len(text)
        slots = np.zeros(count + 2 * PAD, dtype=np.int64)
        slots[PAD:-PAD] = [memory.slots[token] for token in text]
        near = (slots * _BLOCKS)[_PLACES + np.arange(count)]
        near += _COLUMNS
        inputs: dict[str, Array] = {
            "blocks": memory.rows.reshape(-1, WIDTH),
            "rows": memory.rows.reshape(-1, OWN),
            "own": slots[PAD:-PAD] * (ROW // OWN),
            "weights": np.ones((1, count), dtype=np.float32),
        }
        first = 0
        for order, _ in BRANCHES:
            inputs[f"near{order}"] = near[first : first + order]
            first += order
        result: F32 = self._text(inputs)[0]
        return result

    def _knowing(self, tokens: Sequence[int]) -> _Memory:
        """A memory that knows *tokens*. A thread never waits here: while another one (or, after a fork, one
        that is no more) writes, the rows are computed for this call alone."""
        memory = self._memory
        unknown = [token for token in dict.fromkeys(tokens) if token not in memory.slots]
        if not unknown:
            return memory
        distinct = list(dict.fromkeys(tokens))
        if len(distinct) >= REMEMBERED or not self._writing.acquire(blocking=False):
            return self._taught(_fresh(len(distinct) + 1), distinct)
        try:
            unknown = [token for token in distinct if token not in self._memory.slots]
            if len(self._memory.slots) + len(unknown) >= REMEMBERED:
                self._memory, unknown = self._taught(_fresh(REMEMBERED), distinct), []
            return self._taught(self._memory, unknown)
        finally:
            self._writing.release()

    def _taught(self, memory: _Memory, tokens: list[int]) -> _Memory:
        """*memory* with *tokens*, none of which it knew; a row is complete before its slot is known."""
        if tokens:
            start = len(memory.slots) + 1
            memory.rows[start : start + len(tokens)] = self._tokens({"embedded": self._embedded(tokens)})[0]
            memory.slots.update(zip(tokens, range(start, start + len(tokens)), strict=True))
        return memory

    def _embedded(self, tokens: list[int]) -> F32:
        numbers = np.array(tokens)
        chunk = numbers % _CHUNKS
        found = self._table[chunk, numbers // _CHUNKS].astype(np.float32)
        found *= self._scale[chunk]
        found += self._low[chunk]
        result: F32 = found
        return result
