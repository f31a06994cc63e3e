"""The second tier: which texts it reads, and how its logits join those of the first.

A text goes on when the score of the stage before reaches the bound of *any* label (``second.json``),
whichever labels are asked for: scores do not depend on what else a request wants. So the n-grams alone
settle what is plainly calm, the sentence encoder most of the rest, and the transformer reads what is left.
All labels of a text that went on come from both tiers together: hostile tone is a reason to look for threats
again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text.labels import LABELS
from spotsafe.detectors.text.scoring import Reading, calibrated, first_logits
from spotsafe.detectors.text.transformer import Transformer
from spotsafe.detectors.text.weights import TextModels

F32 = NDArray[np.float32]

PARAMETERS = "second.json"
FORMAT = 1

LANGUAGE = "en"
"""The language that the second tier was trained and measured on; it reads no other."""

MOST_READ = 4
"""Windows of one text that the second tier reads: those that the first finds most suspicious. The others keep
the first tier's logits."""


class Parameters(NamedTuple):
    """*model*: the beginning of the model's SHA-256. *stack* [labels, 3]: weights of the logits of heads,
    n-grams and transformer; *calibration* [labels, 2]: slope and offset of their sum; *bounds* [labels]:
    the first-tier score from which the second tier is asked; *quiet* [labels]: the score of the n-grams alone
    from which the sentence encoder is asked."""

    model: str
    stack: F32
    calibration: F32
    bounds: F32
    quiet: F32


def parameters(folder: Path) -> Parameters | None:
    """What *folder* says of a second tier; None where it has none. Raises ConfigurationError."""
    path = folder / PARAMETERS
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text("utf-8"))
        entries = [stored["labels"][label] for label in LABELS]
        if stored["format"] != FORMAT:
            raise ValueError("another format")
        columns = [
            np.array([entry[name] for entry in entries], dtype=np.float32)
            for name in ("stack", "calibration", "bound", "quiet")
        ]
        if [column.shape for column in columns] != [(len(LABELS), *width) for width in ((3,), (2,), (), ())]:
            raise ValueError("sizes differ")
        return Parameters(str(stored["model"]), *columns)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: no parameters that fit this version ({type(error).__name__}); reinstall spotsafe"
        ) from None


def version(folder: Path) -> str:
    """First 8 hexadecimal digits of the SHA-256 of the parameters, which name the model's. Raises OSError."""
    return hashlib.sha256((folder / PARAMETERS).read_bytes()).hexdigest()[:8]


class Windows(NamedTuple):
    """Calibrated *logits* [windows, labels] of the windows that the encoder read, and which of them the
    second tier read: *both* holds their rows and their places in the text's reading, the loudest first."""

    logits: F32
    both: list[tuple[int, int]]


class SecondTier:
    """The transformer with its parameters."""

    def __init__(self, found: Parameters, network: Transformer) -> None:
        self._parameters = found
        self._network = network

    def is_quiet(self, scores: F32) -> bool:
        """Whether the n-grams' *scores* [labels] settle an English text."""
        return not (scores >= self._parameters.quiet).any()

    def is_asked(self, scores: F32) -> bool:
        """Whether a text with these first-tier *scores* [labels] goes on."""
        return bool((scores >= self._parameters.bounds).any())

    def read(self, reading: Reading, heads: dict[int, F32], models: TextModels) -> Windows:
        """What both tiers together say of an English text, window by window."""
        first, used = first_logits(reading, heads, models, LANGUAGE), list(heads)
        asked = np.argsort(-first.max(axis=1), kind="stable")[:MOST_READ].tolist()
        found = self._network.logits([reading.window(used[row]) for row in asked])
        by_head, by_ngrams, by_network = self._parameters.stack.T
        for row, told in zip(asked, found, strict=True):
            index = used[row]
            together = by_head * heads[index] + by_ngrams * reading.logits[index] + by_network * told
            first[row] = calibrated(together, self._parameters.calibration)
        return Windows(first, [(row, used[row]) for row in asked])


def load(folder: Path, found: Parameters) -> SecondTier:
    """The second tier of *folder*. Raises ConfigurationError as :class:`Transformer` does."""
    return SecondTier(found, Transformer(folder, found.model))
