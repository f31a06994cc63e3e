"""The cascade: how many texts the first tier settles, and what that costs in AUPRC.

``python -m tests.experiments.text_cascade --data-dir DATA``

Held-out English rows of all registered sets. For one bound on every label alike, for the shipped bounds and
for some lower ones: the share of texts settled without the second tier, and the AUPRC lost against the second
tier on every text; then the same for traffic in which a few texts are of the kind that was collected for harm
and all others are harmless. Writes ``results/text_cascade.json``.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from spotsafe.detectors.text import second, weights
from spotsafe.detectors.text.labels import COLUMN, LABELS
from tests.experiments import record
from tests.experiments.text_scoring import F32, Scores, auprc, hashes, registered, rows_of, scored

Flags = NDArray[np.bool_]
Truths = list[tuple[int, Flags, Flags]]
"""Column, annotated rows [texts] and their truth, for each label."""

FIRST, MOST = 12_000, 8_000
"""Where the measured rows begin, and how many they are, in the order of their hashes: :data:`LOWER` was
chosen with the rows before them in sight."""

LOWER = {
    "ai.prompt_attack": 0.35, "harass.bullying": 0.2, "hate.speech": 0.2, "hate.threatening": 0.03,
    "sexual.explicit": 0.2,
}  # fmt: skip
"""Bounds below the shipped ones, for labels that lost most."""

MIXES = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of texts collected for harm. An assumption: what a platform's traffic is like, nobody says; comments
that are removed are a few per cent."""

BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    args = parser.parse_args()
    names = list(registered())
    held = [row for row in rows_of(args.data_dir, names) if row.held_out and row.language == "en"]
    # Spelt out rather than drawn: the same rows on every machine.
    rows = sorted(held, key=lambda row: hashlib.sha256(row.text.encode("utf-8", "replace")).digest())
    rows = rows[FIRST : FIRST + MOST]
    found = scored(weights.shipped(), [row.text for row in rows])
    benign = np.array([row.benign for row in rows])
    truths = _truths(rows)

    def entry(scores: F32, settled: Flags) -> dict[str, Any]:
        lost = [
            (auprc(truth, found.both[used, column]) or 0) - (auprc(truth, scores[used, column]) or 0)
            for column, used, truth in truths
        ]
        return {
            "settled_benign": float(settled[benign].mean()),
            "settled_annotated": float(settled[~benign].mean()),
            "mean_loss": float(np.mean(lost)),
            "most_loss": float(np.max(lost)),
            "worst": LABELS[truths[int(np.argmax(lost))][0]],
        }

    result: dict[str, Any] = {"rows": len(rows), "benign": int(benign.sum()), "labels": len(truths)}
    result["uniform"] = {}
    for bound in BOUNDS:
        asked = (found.first >= bound).any(axis=1)
        result["uniform"][str(bound)] = entry(np.where(asked[:, None], found.both, found.first), ~asked)
    result["first_tier_alone"] = entry(found.first, np.ones(len(rows), dtype=bool))
    result["shipped"] = entry(found.cascade, found.settled)
    lower = _lowered(found)
    result["lower"] = entry(lower.cascade, lower.settled)
    result["mixes"] = mixes(found, truths, benign)
    result["mixes_lower"] = mixes(lower, truths, benign)
    result["shipped_by_ngrams"] = {
        "benign": float(found.quiet[benign].mean()), "annotated": float(found.quiet[~benign].mean()),
    }  # fmt: skip
    lines = [
        [name, *result_entry.values()]
        for name, result_entry in (
            *((f"all labels at {bound}", found_entry) for bound, found_entry in result["uniform"].items()),
            ("shipped bounds", result["shipped"]),
            ("five bounds lower", result["lower"]),
            ("first tier alone", result["first_tier_alone"]),
        )
    ]
    columns = (
        "bounds",
        "benign settled",
        "annotated settled",
        "mean AUPRC lost",
        "most lost by a label",
        "label",
    )
    calm = f"{result['shipped_by_ngrams']['benign']:.0%}"
    note = (
        f"{len(rows)} held-out rows, {int(benign.sum())} of them benign; {len(truths)} labels have enough. "
        f"The n-grams alone settle {calm} of the benign rows."
    )
    table = record.Table("text-cascade", "What the first tier settles", columns, record.rounded(lines), note)
    tables = [table, mixes_table(result)]
    print(record.write("text_cascade", result, data=hashes(names), tables=tables), note, *lines, sep="\n")
    print(*tables[1].rows, sep="\n")


def mixes(found: Scores, truths: Truths, benign: Flags) -> dict[str, Any]:
    """For each share of :data:`MIXES`: how many texts are settled, and the AUPRC lost by label, where rows
    count so that harmful kinds have that share. Benign rows are negatives of every label."""
    result = {}
    for share in MIXES:
        weight = np.where(benign, (1 - share) / benign.sum(), share / (~benign).sum())
        lost = {}
        for column, used, truth in truths:
            whole = np.zeros(len(benign), dtype=bool)
            whole[used] = truth
            chosen = used | benign
            told = [
                average_precision_score(whole[chosen], scores[chosen, column], sample_weight=weight[chosen])
                for scores in (np.nan_to_num(found.both), np.nan_to_num(found.cascade))
            ]
            lost[LABELS[column]] = float(told[0] - told[1])
        worst = max(lost, key=lambda label: lost[label])
        result[str(share)] = {
            "settled": float(weight @ found.settled),
            "mean_loss": float(np.mean(list(lost.values()))),
            "most_loss": lost[worst],
            "worst": worst,
            "lost": lost,
        }
    return result


def mixes_table(result: dict[str, Any]) -> record.Table:
    """The page's table of mixes."""
    keys = ("settled", "mean_loss", "most_loss", "worst")
    lines = [
        [float(share), *(entry[key] for key in keys), *(result["mixes_lower"][share][key] for key in keys)]
        for share, entry in result["mixes"].items()
    ]
    columns = ("collected for harm", "settled", "mean AUPRC lost", "most lost by a label", "label")
    lower = ("five bounds lower: settled", "mean lost", "most lost", "label")
    note = "The mix is an assumption. Every row counts by its share, benign rows as negatives of every label."
    title = "Traffic that is mostly harmless"
    return record.Table("text-cascade-mix", title, (*columns, *lower), record.rounded(lines), note)


def _lowered(found: Scores) -> Scores:
    """The cascade with :data:`LOWER`."""
    shipped = second.parameters(weights.shipped())
    if shipped is None:
        raise SystemExit("the shipped weights have no second tier; reinstall spotsafe")
    lower = np.array([LOWER.get(label, 1.0) for label in LABELS], dtype=np.float32)
    asked = ~found.quiet & np.any(found.first >= np.minimum(shipped.bounds, lower), axis=1)
    beyond = np.where(asked[:, None], found.both, found.first)
    cascade = np.where(found.quiet[:, None], found.cascade, beyond)
    return found._replace(cascade=cascade, settled=~asked)


def _truths(rows: list[Any]) -> Truths:
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
