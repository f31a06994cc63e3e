"""From material to a fitted transformer: tokens of the draws, fine-tuning, logits of every row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.labels import LABELS
from spotsafe.learning.text.corpus import balanced, part
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.second import material as drawing
from spotsafe.learning.text.second import vocabulary

I32 = NDArray[np.int32]

PASSES = 1.15
"""How often a row of weight 1 is drawn, on average."""

LONGEST = 80
"""Tokens of a training text."""


class Fitted(NamedTuple):
    """The torch *model* and the *tokenizer* file's text that belongs to it."""

    model: Any
    tokenizer: str


def tokens_of(tokenizer: str, texts: Sequence[str], longest: int) -> list[I32]:
    """Token numbers per text, begin and end included, at most *longest*."""
    from tokenizers import Tokenizer

    reader = Tokenizer.from_str(tokenizer)
    reader.enable_truncation(longest)
    return [np.array(entry.ids, dtype=np.int32) for entry in reader.encode_batch_fast(list(texts))]


def fit(
    material: drawing.Material,
    *,
    without: Collection[str] = (),
    passes: float = PASSES,
    seed: int = 7,
    progress: Progress,
    folder: Path | None = None,
) -> Fitted:
    """Fine-tune the pre-trained model in *folder* (default: the installed package's) on rows that are
    neither held out nor of the sets *without*. Raises ConfigurationError where the package is absent."""
    from safetensors.numpy import load_file

    from spotsafe.learning.text.second import network

    place = folder or vocabulary.installed()
    tokenizer, old = vocabulary.pruned((place / "tokenizer.json").read_text("utf-8"))
    drawn = drawing.draw(material, passes=passes, without=without)
    targets = balanced(part(material.targets, drawn.rows))
    model = network.pretrained(load_file(place / "model.safetensors"), old, len(LABELS))
    examples = network.Examples(tokens_of(tokenizer, drawn.texts, LONGEST), targets)
    network.fit(model, examples, seed=seed, progress=progress)
    return Fitted(model, tokenizer)
