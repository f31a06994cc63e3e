"""Fitting the heads on sentence embeddings: one hidden layer, masked logistic loss, Adam."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.learning.text.fit_ngrams import initial_bias, sigmoid
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Targets

F32 = NDArray[np.float32]

HIDDEN = 256
EPOCHS = 8
BATCH = 512
RATE = 1.5e-3
DROPOUT = 0.4
DECAY = 1e-3


class HeadWeights(NamedTuple):
    """One multilayer perceptron: [inputs, hidden], [hidden], [hidden, labels], [labels]."""

    hidden: F32
    hidden_bias: F32
    out: F32
    out_bias: F32

    def halved(self) -> HeadWeights:
        """The same weights as the file will hold them: rounded to float16."""
        return HeadWeights(*(array.astype(np.float16).astype(np.float32) for array in self))


def fit(features: F32, targets: Targets, *, seed: int, progress: Progress) -> HeadWeights:
    """Weights that minimise the masked, weighted cross-entropy of *targets* on *features* [rows, inputs]."""
    generator = np.random.default_rng(seed)
    inputs, labels = features.shape[1], targets.values.shape[1]
    weights: list[F32] = [
        (generator.standard_normal((inputs, HIDDEN)) * np.sqrt(2 / inputs) * 4).astype(np.float32),
        np.zeros(HIDDEN, dtype=np.float32),
        (generator.standard_normal((HIDDEN, labels)) * 0.05).astype(np.float32),
        initial_bias(targets),
    ]
    first = [np.zeros_like(weight) for weight in weights]
    second = [np.zeros_like(weight) for weight in weights]
    rows = len(features)
    steps = [
        chunk
        for _ in range(EPOCHS)
        for chunk in np.array_split(generator.permutation(rows), rows // BATCH + 1)
    ]
    for step, chunk in enumerate(progress.over(steps, "heads"), 1):
        gradients = _gradients(features[chunk], targets, chunk, weights, generator)
        rate = RATE * min(1.0, step / 100) * (1 - 0.95 * step / len(steps))
        for index, gradient in enumerate(gradients):
            first[index] += 0.1 * (gradient - first[index])
            second[index] += 0.001 * (gradient * gradient - second[index])
            ahead = (first[index] / (1 - 0.9**step)) / (np.sqrt(second[index] / (1 - 0.999**step)) + 1e-8)
            weights[index] -= (rate * (ahead + DECAY * 100 * weights[index] * (index % 2 == 0))).astype(
                np.float32
            )
    return HeadWeights(*weights)


def _gradients(
    batch: F32, targets: Targets, chunk: NDArray[np.int64], weights: list[F32], generator: np.random.Generator
) -> list[F32]:
    hidden, hidden_bias, out, out_bias = weights
    kept = (generator.random((len(chunk), HIDDEN), dtype=np.float32) >= DROPOUT) / np.float32(1 - DROPOUT)
    active = np.maximum(batch @ hidden + hidden_bias, 0) * kept
    error = targets.weights[chunk] * (sigmoid(active @ out + out_bias) - targets.values[chunk])
    error /= np.float32(len(chunk))
    back = (error @ out.T) * kept * (active > 0)
    return [batch.T @ back, back.sum(axis=0), active.T @ error, error.sum(axis=0)]


def predict(weights: HeadWeights, features: F32) -> F32:
    """Logits [rows, labels]."""
    result: F32 = (
        np.maximum(features @ weights.hidden + weights.hidden_bias, 0) @ weights.out + weights.out_bias
    )
    return result
