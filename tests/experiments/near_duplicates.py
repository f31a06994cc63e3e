"""The near-duplicate check against the exact answer: all pairs of three registered sets, compared shingle by
shingle.

``python -m tests.experiments.near_duplicates --data-dir FOLDER`` with the files of the registered sets.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spotsafe.evaluation.datasets.leakage import NEAR, duplicates
from spotsafe.evaluation.datasets.opening import open_dataset
from spotsafe.evaluation.datasets.sketches import SHINGLE, normalised, sketched
from tests.experiments import record

NAME = "near_duplicates"
SETS = ("hatemojibuild", "jailbreak_wild_vs_roleplay", "sms_spam")
AT_ONCE = 200
DOUBT = 0.05
"""Similarities this near to the limit may fall on either side: the estimate's error is about as large."""


def best_earlier(texts: list[str]) -> NDArray[np.float64]:
    """For each text the exact Jaccard similarity of the most similar earlier one."""
    known: dict[str, int] = {}
    columns, starts = [], [0]
    for text in texts:
        padded = text.ljust(SHINGLE, "\0")
        shingles = {padded[i : i + SHINGLE] for i in range(len(padded) - SHINGLE + 1)}
        columns += [known.setdefault(shingle, len(known)) for shingle in shingles]
        starts.append(len(columns))
    matrix = csr_matrix(
        (np.ones(len(columns), dtype=np.float32), columns, starts), shape=(len(texts), len(known))
    )
    sizes = np.diff(starts).astype(np.float32)
    best = np.zeros(len(texts))
    for start in range(0, len(texts), AT_ONCE):
        shared = (matrix[start : start + AT_ONCE] @ matrix.T).toarray()
        union = sizes[start : start + AT_ONCE, None] + sizes[None, :] - shared
        similar = shared / union
        earlier = np.arange(len(texts))[None, :] < np.arange(start, start + len(similar))[:, None]
        best[start : start + AT_ONCE] = np.where(earlier, similar, 0.0).max(axis=1)
    return best


def measured(folder: Path, name: str) -> tuple[dict[str, Any], str]:
    """How many rows with an earlier near-duplicate are found, and how many found ones have none."""
    dataset = open_dataset(name, folder=folder)
    begun = time.process_time()
    sketches = sketched(dataset, name)
    found = {pair.second for pair in duplicates(sketches)}
    spent = time.process_time() - begun
    exact = best_earlier([normalised(str(row.content.parts[0].data)) for row in dataset])
    hit = np.array([row in found for row in sketches.ids])
    clear, near = exact >= NEAR + DOUBT, np.abs(exact - NEAR) < DOUBT
    (digest,) = dataset.source.sha256.values()
    facts = {
        "rows": len(hit),
        "seconds": spent,
        "clear": int(clear.sum()),
        "clear_found": int((clear & hit).sum()),
        "at_the_limit": int(near.sum()),
        "at_the_limit_found": int((near & hit).sum()),
        "false": int((hit & (exact < NEAR - DOUBT)).sum()),
        "lowest_found": float(exact[hit].min()) if hit.any() else None,
    }
    return facts, digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    folder: Path = parser.parse_args().data_dir
    found, data = {}, {}
    for name in SETS:
        found[name], data[name] = measured(folder, name)
        print(name, found[name])
    table = record.Table(
        "near-duplicates",
        "Near-duplicates found, against the exact comparison of all pairs",
        ("set", "rows", "clear ones", "found", "at the limit", "found", "found below it", "lowest found"),
        [
            (name, f["rows"], f["clear"], f["clear_found"], f["at_the_limit"], f["at_the_limit_found"],
             f["false"], f["lowest_found"])
            for name, f in found.items()
        ],
        f"Clear: an earlier row at {NEAR + DOUBT:g} or more; at the limit: within {DOUBT:g} of {NEAR:g}.",
    )  # fmt: skip
    record.write(NAME, found, data=data, packages=("numpy", "scipy"), tables=(table,))


if __name__ == "__main__":
    main()
