"""The cascade: how many texts the first tier settles, and what that costs in AUPRC.

``python -m tests.experiments.text_cascade --data-dir DATA``

Held-out English rows of all registered sets. For one bound on every label alike, and for the shipped bounds:
the share of texts settled without the second tier, and the AUPRC lost against the second tier on every text.
Writes ``results/text_cascade.json``.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text import weights
from spotsafe.detectors.text.labels import COLUMN
from tests.experiments import record
from tests.experiments.text_scoring import F32, auprc, hashes, registered, rows_of, scored

MOST = 5000
BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    args = parser.parse_args()
    names = list(registered())
    held = [row for row in rows_of(args.data_dir, names) if row.held_out and row.language == "en"]
    # Spelt out rather than drawn: the same rows on every machine.
    rows = sorted(held, key=lambda row: hashlib.sha256(row.text.encode("utf-8", "replace")).digest())[:MOST]
    found = scored(weights.shipped(), [row.text for row in rows])
    benign = np.array([row.benign for row in rows])
    truths = _truths(rows)

    def entry(scores: F32, settled: NDArray[np.bool_]) -> dict[str, Any]:
        lost = [
            (auprc(truth, found.both[used, column]) or 0) - (auprc(truth, scores[used, column]) or 0)
            for column, used, truth in truths
        ]
        return {
            "settled_benign": float(settled[benign].mean()),
            "settled_annotated": float(settled[~benign].mean()),
            "mean_loss": float(np.mean(lost)),
            "most_loss": float(np.max(lost)),
        }

    result: dict[str, Any] = {"rows": len(rows), "benign": int(benign.sum()), "labels": len(truths)}
    result["uniform"] = {}
    for bound in BOUNDS:
        asked = (found.first >= bound).any(axis=1)
        result["uniform"][str(bound)] = entry(np.where(asked[:, None], found.both, found.first), ~asked)
    result["first_tier_alone"] = entry(found.first, np.ones(len(rows), dtype=bool))
    result["shipped"] = entry(found.cascade, found.settled)
    result["shipped_by_ngrams"] = {
        "benign": float(found.quiet[benign].mean()), "annotated": float(found.quiet[~benign].mean()),
    }  # fmt: skip
    lines = [
        [name, *result_entry.values()]
        for name, result_entry in (
            *((f"all labels at {bound}", found_entry) for bound, found_entry in result["uniform"].items()),
            ("shipped bounds", result["shipped"]),
            ("first tier alone", result["first_tier_alone"]),
        )
    ]
    columns = ("bounds", "benign settled", "annotated settled", "mean AUPRC lost", "most lost by a label")
    calm = f"{result['shipped_by_ngrams']['benign']:.0%}"
    note = (
        f"{len(rows)} held-out rows, {int(benign.sum())} of them benign; {len(truths)} labels have enough. "
        f"The n-grams alone settle {calm} of the benign rows."
    )
    table = record.Table("text-cascade", "What the first tier settles", columns, record.rounded(lines), note)
    print(record.write("text_cascade", result, data=hashes(names), tables=[table]), note, *lines, sep="\n")


def _truths(rows: list[Any]) -> list[tuple[int, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Column, annotated rows and truth of every label with enough of both kinds."""
    found = []
    for label, column in COLUMN.items():
        used = np.array([label in row.targets for row in rows])
        truth = np.array([row.targets.get(label, 0.0) >= 0.5 for row in rows])[used]
        if auprc(truth, np.zeros(len(truth), dtype=np.float32)) is not None:
            found.append((column, used, truth))
    return found


if __name__ == "__main__":
    main()
