"""How the stages are put together: fixed weights, chosen on sets that the stages had not seen.

Fitting them on held-out rows of the *same* sets would trust the n-grams too much: they know each set's style.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.labels import LABELS

F32 = NDArray[np.float32]

_FIRST = (0.0, 1.0)
_WITH_ENCODER = (0.75, 0.3)

STACK: F32 = np.array([[_FIRST] * len(LABELS), [_WITH_ENCODER] * len(LABELS)], dtype=np.float32)
"""Weights [tiers, labels, 2] of the logits of heads and n-grams."""


def stacked(heads: F32, ngrams: F32) -> F32:
    """Logits [tiers, rows, labels] of both tiers from each stage's logits [rows, labels]."""
    features = np.stack([heads, ngrams], axis=-1)
    result: F32 = np.einsum("rlf,tlf->trl", features, STACK).astype(np.float32)
    return result
