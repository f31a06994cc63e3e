"""Heads on sentence embeddings: several small perceptrons whose logits are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.onnx_graph import Graph, Run, session

F32 = NDArray[np.float32]


class Head(NamedTuple):
    """One hidden layer: [inputs, hidden], [hidden], [hidden, labels], [labels]."""

    hidden: F32
    hidden_bias: F32
    out: F32
    out_bias: F32


class Heads:
    """The mean of several heads, fitted with different seeds: beside one another they are one wide head."""

    def __init__(self, members: Sequence[Head]) -> None:
        self._members = tuple(members)

    def logits(self, features: F32) -> F32:
        """Mean logits [rows, labels] of *features* [rows, inputs]. Raises ConfigurationError where
        onnxruntime is absent."""
        result: F32 = self._run({"features": features})[0]
        return result

    @cached_property
    def _run(self) -> Run:
        """Made at the first use: who reads with n-grams alone does without."""
        members, graph = self._members, Graph()
        features = graph.input("features", "float32", ("rows", len(members[0].hidden)))
        wide = graph.constant(np.concatenate([member.hidden for member in members], axis=1))
        wide_bias = graph.constant(np.concatenate([member.hidden_bias for member in members]))
        out = graph.constant(np.concatenate([member.out for member in members]) / np.float32(len(members)))
        out_bias = graph.constant(np.stack([member.out_bias for member in members]).mean(axis=0))
        active = graph.add("Relu", graph.add("Add", graph.add("MatMul", features, wide), wide_bias))
        return session(graph.written(graph.add("Add", graph.add("MatMul", active, out), out_bias)))
