"""Fitting the n-gram model: masked logistic loss, AdaGrad over hashed counts, then int8 weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from spotsafe.detectors.text.ngrams import BITS, NgramModel, buckets
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Targets

F32 = NDArray[np.float32]

EPOCHS = 6
BATCH = 2048
RATE = 0.25
DECAY = 2e-6
"""L2 pull per update, relative to the rate."""


class NgramWeights(NamedTuple):
    """What :class:`NgramModel` is made of; *weights* int8 [buckets, labels]."""

    weights: NDArray[np.int8]
    scale: F32
    bias: F32
    lexicon: F32

    def model(self) -> NgramModel:
        return NgramModel(*self)

    def logits(self, features: csr_matrix, counts: F32) -> F32:
        """Logits [rows, labels], as the model itself would give them."""
        result: F32 = features @ (self.weights * self.scale) + counts @ self.lexicon + self.bias
        return result


def matrix(texts: Sequence[str], progress: Progress) -> csr_matrix:
    """Counts / √n per text [texts, buckets] of normalised *texts*."""
    found = [buckets(text) for text in progress.over(texts, "n-grams")]
    lengths = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
    values = np.repeat((1 / np.sqrt(lengths)).astype(np.float32), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return csr_matrix((values, np.concatenate(found).astype(np.int32), starts), shape=(len(texts), 2**BITS))


def fit(
    features: csr_matrix,
    counts: F32,
    targets: Targets,
    *,
    seed: int,
    progress: Progress,
    epochs: int = EPOCHS,
) -> NgramWeights:
    """Weights that minimise the masked, weighted cross-entropy of *targets*; *counts* [rows, lexicon
    features]."""
    buckets_only = features.shape[1]
    features = hstack([features, csr_matrix(counts)], format="csr")
    labels = targets.values.shape[1]
    weights = np.zeros((features.shape[1], labels), dtype=np.float32)
    squares = np.full_like(weights, 1e-3)
    bias = initial_bias(targets)
    generator = np.random.default_rng(seed)
    steps = [
        chunk
        for _ in range(epochs)
        for chunk in np.array_split(generator.permutation(features.shape[0]), features.shape[0] // BATCH + 1)
    ]
    for step, chunk in enumerate(progress.over(steps, "n-gram model")):
        batch = features[chunk]
        error = targets.weights[chunk] * (sigmoid(batch @ weights + bias) - targets.values[chunk])
        gradient = batch.T @ error
        touched = np.flatnonzero(gradient.any(axis=1))
        part = gradient[touched]
        squares[touched] += part * part
        rate = RATE * (1 - 0.9 * step / len(steps))
        weights[touched] -= rate * (part / np.sqrt(squares[touched]) + DECAY * len(chunk) * weights[touched])
        bias -= 0.02 * rate * error.mean(axis=0)
    return quantised(weights[:buckets_only], bias, weights[buckets_only:])


def initial_bias(targets: Targets) -> F32:
    """Log-odds of each label's weighted mean."""
    total = targets.weights.sum(axis=0) + 1e-6
    mean = np.clip((targets.weights * targets.values).sum(axis=0) / total, 0.002, 0.9)
    result: F32 = np.log(mean / (1 - mean)).astype(np.float32)
    return result


def quantised(weights: F32, bias: F32, lexicon: F32) -> NgramWeights:
    """int8 with one scale per label, chosen so that one weight in ten thousand is clipped."""
    limit = np.quantile(np.abs(weights), 0.9999, axis=0).astype(np.float32) + np.float32(1e-9)
    scale: F32 = (limit / 127).astype(np.float32)
    return NgramWeights(np.clip(np.rint(weights / scale), -127, 127).astype(np.int8), scale, bias, lexicon)


def sigmoid(values: NDArray[np.floating]) -> F32:
    result: F32 = (0.5 * (np.tanh(0.5 * values) + 1)).astype(np.float32)
    return result
