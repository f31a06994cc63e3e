"""Heads on sentence embeddings: several small perceptrons whose logits are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class Head(NamedTuple):
    """One hidden layer: [inputs, hidden], [hidden], [hidden, labels], [labels]."""

    hidden: F32
    hidden_bias: F32
    out: F32
    out_bias: F32

    def logits(self, features: F32) -> F32:
        """Logits [rows, labels] for *features* [rows, inputs]."""
        active = np.maximum(features @ self.hidden + self.hidden_bias, 0)
        result: F32 = active @ self.out + self.out_bias
        return result


class Heads:
    """The mean of several heads, fitted with different seeds."""

    def __init__(self, members: Sequence[Head]) -> None:
        self._members = tuple(members)

    def logits(self, features: F32) -> F32:
        """Mean logits [rows, labels]."""
        total = self._members[0].logits(features)
        for member in self._members[1:]:
            total = total + member.logits(features)
        result: F32 = total / np.float32(len(self._members))
        return result
