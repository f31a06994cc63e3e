"""Identity mentions: who is held for saying who they are, and how unevenly.

``python -m tests.experiments.text_identity --data-dir DATA [--left-out FOLDER]``

Benign rows of the bias templates and of the fuzzed Wikipedia pairs, at the thresholds of the shipped baseline
``public-ugc``. FOLDER holds models fitted without both sets (see ``text_left_out``); the shipped ones saw
rows of them, so only their held-out rows are measured there. Writes ``results/text_identity.json``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from spotsafe.detectors.text import weights
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.learning.text.rows import Row
from tests.experiments import record
from tests.experiments.text_scoring import F32, hashes, rows_of, scored

TEMPLATES, PAIRS = "bias_sentence_templates", "wikipedia_toxicity_fuzzed_pairs"

MOST = 4000

THRESHOLDS = {
    "hate.speech": 0.65,
    "hate.against_women": 0.65,
    "hate.threatening": 0.45,
    "violence.threat": 0.45,
    "violence.incitement": 0.55,
    "harass.bullying": 0.8,
    "harass.targeted": 0.8,
    "selfharm.promotion": 0.5,
    "sexual.explicit": 0.7,
}
"""From which score the baseline holds a text or limits its reach (``policy/baselines/public-ugc.yaml``)."""

IDENTITIES = (
    "lesbian", "gay", "bisexual", "transgender", "trans", "queer", "lgbt", "lgbtq", "homosexual", "straight",
    "heterosexual", "male", "female", "nonbinary", "african", "african american", "black", "white",
    "european", "hispanic", "latino", "latina", "latinx", "mexican", "canadian", "american", "asian",
    "indian", "middle eastern", "chinese", "japanese", "christian", "muslim", "jewish", "buddhist",
    "catholic", "protestant", "sikh", "taoist", "old", "older", "young", "younger", "teenage", "millenial",
    "middle aged", "elderly", "blind", "deaf", "paralyzed",
)  # fmt: skip
"""The terms of the templates (Dixon et al. 2018, "Measuring and mitigating unintended bias", table 2)."""

LEAST = 20
"""Benign rows that a term needs for a rate of its own."""


def acted_on(scores: F32) -> F32:
    """Whether the baseline would act on a text, for any of its labels [texts]."""
    found = np.zeros(len(scores), dtype=np.float32)
    for label, threshold in THRESHOLDS.items():
        found = np.maximum(found, scores[:, COLUMN[label]] >= threshold)
    return found


def rates(rows: Sequence[Row], scores: F32) -> dict[str, Any]:
    """False-positive rate over benign *rows*, per label and per identity, and the largest excess of a term
    over the whole (its gap)."""
    acted, texts = acted_on(scores), [row.text.lower() for row in rows]
    by_term = {}
    for term in IDENTITIES:
        named = np.array([re.search(rf"\b{term}\b", text) is not None for text in texts])
        if named.sum() >= LEAST:
            by_term[term] = float(acted[named].mean())
    overall = float(acted.mean())
    return {
        "rows": len(rows),
        "false_positive_rate": overall,
        "interval": wilson(int(acted.sum()), len(rows)),
        "by_label": {
            label: float((scores[:, COLUMN[label]] >= threshold).mean())
            for label, threshold in THRESHOLDS.items()
        },
        "gap": max((rate - overall for rate in by_term.values()), default=None),
        "by_term": by_term,
    }


def wilson(count: int, total: int) -> list[float]:
    """95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, count / total
    middle = share + z * z / (2 * total)
    spread = z * sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    whole = 1 + z * z / total
    return [max(0.0, (middle - spread) / whole), (middle + spread) / whole]


def measure(data: Path, models: Path, *, unseen: bool) -> dict[str, Any]:
    """Rates of the engine in *models*; *unseen*: it was fitted without these sets, all rows count."""
    result = {}
    for name in (TEMPLATES, PAIRS):
        english = [row for row in rows_of(data, [name]) if row.language == "en"]
        benign = [row for row in english if row.targets["tone.toxic"] < 0.5]
        rows = [row for row in benign if unseen or row.held_out][:MOST]
        found = scored(models, [row.text for row in rows])
        result[name] = {tier: rates(rows, getattr(found, tier)) for tier in ("first", "cascade")}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--left-out", type=Path, help="models fitted without the sets")
    args = parser.parse_args()
    result = {"shipped": measure(args.data_dir, weights.shipped(), unseen=False)}
    if args.left_out:
        result["left_out"] = measure(args.data_dir, args.left_out, unseen=True)
    rows = [
        [models, name, tier, entry["rows"], entry["false_positive_rate"], *entry["interval"], entry["gap"]]
        for models, sets in result.items()
        for name, tiers in sets.items()
        for tier, entry in tiers.items()
    ]
    columns = (
        "models",
        "set",
        "tier",
        "benign rows",
        "false-positive rate",
        "from",
        "to",
        "largest gap of a term",
    )
    title = "Benign rows that the baseline public-ugc holds"
    table = record.Table("text-identity", title, columns, record.rounded(rows))
    path = record.write("text_identity", result, data=hashes([TEMPLATES, PAIRS]), tables=[table])
    print(path, *rows, sep="\n")


if __name__ == "__main__":
    main()
