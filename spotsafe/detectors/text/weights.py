"""The shipped weights: one npz file without pickles, and a table of what its scores are worth."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import Calibration
from spotsafe.detectors.text.heads import Head, Heads
from spotsafe.detectors.text.labels import LABELS
from spotsafe.detectors.text.ngrams import BITS, NgramModel

F32 = NDArray[np.float32]

WEIGHTS = "text.npz"
CAPABILITIES = "capabilities.json"
FORMAT = 1

_EPOCH = (1980, 1, 1, 0, 0, 0)


def shipped() -> Path:
    """The folder of the weights that come with the package."""
    return Path(__file__).parent / "weights"


class TextModels(NamedTuple):
    """Everything that was learnt.

    *stack* [tiers, labels, 2]: weights of the heads' and the n-gram model's logits; tier 0 is the first stage
    alone, tier 1 has the encoder. *calibration* [tiers, languages, labels, 2]: slope and offset per language
    of *languages*, whose first entry ``*`` serves all others.
    """

    ngrams: NgramModel
    heads: Heads
    stack: F32
    calibration: F32
    languages: tuple[str, ...]


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an npz whose bytes depend on *arrays* alone: sorted names, no times, no pickles."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.save(buffer, arrays[name], allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, buffer.getvalue())


def load(folder: Path) -> TextModels:
    """Models from *folder*. Raises ConfigurationError where the file is absent or does not fit this code."""
    path = folder / WEIGHTS
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return _models(arrays)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"{path}: no weights that fit this version ({type(error).__name__}: {error}); "
            "rebuild them with `spotsafe train text` or reinstall spotsafe"
        ) from None


def _models(arrays: Mapping[str, NDArray[Any]]) -> TextModels:
    if tuple(map(str, arrays["labels"])) != LABELS or arrays["ngram_weights"].shape != (2**BITS, len(LABELS)):
        raise ValueError("labels or sizes differ")
    names = ("hidden", "hidden_bias", "out", "out_bias")
    members = [
        Head(*(arrays[f"head{index}_{name}"].astype(np.float32) for name in names))
        for index in range(int(arrays["heads"]))
    ]
    ngrams = NgramModel(*(arrays[f"ngram_{name}"] for name in ("weights", "scale", "bias", "lexicon")))
    languages = tuple(map(str, arrays["languages"]))
    return TextModels(ngrams, Heads(members), arrays["stack"], arrays["calibration"], languages)


def digest(folder: Path) -> str:
    """First 12 hexadecimal digits of the weights' SHA-256. Raises ConfigurationError where they are
    absent."""
    try:
        return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise ConfigurationError(
            f"{folder / WEIGHTS}: cannot be read ({error.strerror}); reinstall spotsafe or run `spotsafe "
            f"train text`"
        ) from None


def capabilities(folder: Path) -> dict[str, dict[str, Calibration]]:
    """Label → language → what its scores are worth there. Raises ConfigurationError."""
    path = folder / CAPABILITIES
    try:
        table = json.loads(path.read_text("utf-8"))["labels"]
        return {
            label: {language: Calibration(entry["status"]) for language, entry in languages.items()}
            for label, languages in table.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path}: no table of capabilities ({type(error).__name__}); rebuild it with `spotsafe train "
            f"text`"
        ) from None
