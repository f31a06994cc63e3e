"""Own lines that judge: short, hard, in six languages, never trained or calibrated on.

Public sets hold too little of self-harm, threats, dangerous requests and hate without slurs to say anything
about them. These lines do not say much either (a few dozen a label, one author), but what they say is not
learnt by heart.
"""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text import lexicon
from spotsafe.detectors.text.encoder import Encoder
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.scoring import encoder_logits, read, scores
from spotsafe.detectors.text.weights import TextModels
from spotsafe.learning.text.contrast import parse
from spotsafe.learning.text.measure import figure
from spotsafe.learning.text.rows import Row

F32 = NDArray[np.float32]

FILE = "judging.txt"
AT = 0.5
LEAST = 10
"""Positive lines that a label needs for a figure."""


class Judged(NamedTuple):
    """One label: how many lines are positive and how many harmless, how they are ranked, and the shares of
    either that score at least :data:`AT`."""

    label: str
    positives: int
    harmless: int
    auroc: float | None
    found: float
    false_alarms: float


def load() -> list[Row]:
    """The lines, in the order of their file; those without any target are harmless."""
    return parse(resources.files(__package__).joinpath(FILE).read_text("utf-8"), FILE, {})


def judged(models: TextModels, encoder: Encoder) -> list[Judged]:
    """What *models* say about the lines, per label that enough of them have; harmful lines of other labels
    do not count."""
    lines = load()
    probabilities = _scores(models, encoder, lines)
    harmless = np.array([max(line.targets.values()) == 0 for line in lines])
    found = []
    for label, column in COLUMN.items():
        positive = np.array([line.targets[label] >= AT for line in lines])
        if positive.sum() < LEAST:
            continue
        chosen = positive | harmless
        ranked = figure(label, FILE, probabilities[chosen, column], positive[chosen], LEAST)
        over = probabilities[:, column] >= AT
        found.append(
            Judged(
                label,
                int(positive.sum()),
                int(harmless.sum()),
                ranked.auroc,
                round(float(over[positive].mean()), 3),
                round(float(over[harmless].mean()), 3),
            )
        )
    return found


def _scores(models: TextModels, encoder: Encoder, lines: list[Row]) -> F32:
    """Calibrated probabilities [lines, labels], as the engine's full tier would give them."""
    terms = lexicon.load()
    readings = [read(line.text, models, terms, (line.language,)) for line in lines]
    heads = encoder_logits(readings, models, encoder)
    return np.stack(
        [
            scores(reading, head, models, line.language)
            for reading, head, line in zip(readings, heads, lines, strict=True)
        ]
    )
