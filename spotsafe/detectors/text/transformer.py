"""The second tier's model: a small English transformer as int8 ONNX, run by onnxruntime without torch.

Activations are quantised per tensor, so a batch would let one text change another's score. Every text runs
alone, unpadded: the order and company of a batch cannot show, and short texts cost what they are worth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError, missing_extra

F32 = NDArray[np.float32]

MODEL = "second.onnx"
TOKENIZER = "second_tokenizer.json"

LONGEST = 400
"""Tokens of a window; a window of 360 code points has at most 362, so nothing is cut off."""


class Transformer:
    """Texts → logits per label. Thread-safe; each call runs in one thread of its own session."""

    def __init__(self, folder: Path, digest: str) -> None:
        """Load model and vocabulary from *folder*. Raises ConfigurationError where the packages or files are
        absent, or the model's SHA-256 does not begin with *digest*."""
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError:
            raise missing_extra("local", "the text engine's second tier") from None
        raw = _bytes(folder / MODEL)
        if not hashlib.sha256(raw).hexdigest().startswith(digest):
            raise ConfigurationError(f"{folder / MODEL}: not the model that was measured; reinstall spotsafe")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Memory of the longest text would be kept for good; short texts gain nothing from the arena.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        self._words = Tokenizer.from_str(_bytes(folder / TOKENIZER).decode("utf-8"))
        self._words.enable_truncation(LONGEST)

    def logits(self, texts: Sequence[str]) -> F32:
        """Logits [texts, labels] of normalised *texts*; lone surrogates count as the replacement
        character."""
        rows = [self._one(text.encode("utf-8", "replace").decode("utf-8")) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)

    def _one(self, text: str) -> F32:
        tokens = np.array([self._words.encode(text).ids], dtype=np.int64)
        result: F32 = self._session.run(None, {"tokens": tokens})[0][0]
        return result


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); reinstall spotsafe") from None
