"""What heads see besides the embedding: how often the lexicon's terms occur."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.lexicon import Hit, Lexicon

F32 = NDArray[np.float32]

MOST = 2
"""A kind of term counts so often at most: repetition is no further evidence."""

SCALE = np.float32(0.4)
"""Brings counts to the order of an embedding's components (0.04 each, 1 in all)."""


def counted(hits: Sequence[Hit], lexicon: Lexicon) -> F32:
    """Counts [lexicon features] of *hits* by label and grade, each at most :data:`MOST`."""
    if not hits:
        return np.zeros(len(lexicon.features), dtype=np.float32)
    return np.minimum(np.array(lexicon.count(hits), dtype=np.float32), MOST)


def joined(embeddings: F32, counts: F32) -> F32:
    """Head inputs [rows, embedding + lexicon features]."""
    result: F32 = np.concatenate([embeddings, counts * SCALE], axis=1)
    return result
