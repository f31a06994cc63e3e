"""How much of the registered data stands twice: within a set, across its splits, and between the sets that
are left out whole to measure text models and any other.

``python -m tests.experiments.data_leakage --data-dir FOLDER`` with the files of the registered sets.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spotsafe.evaluation.datasets.leakage import NEAR, duplicates, leaks, split_leaks
from spotsafe.evaluation.datasets.opening import open_dataset
from spotsafe.evaluation.datasets.sketches import Sketches, sketched
from spotsafe.learning.text.sources import shipped_registry
from tests.experiments import record
from tests.experiments.text_left_out import LEFT_OUT

NAME = "data_leakage"
TEMPLATES = "bias_sentence_templates"


def within(folder: Path, name: str) -> tuple[Sketches, dict[str, Any], str]:
    """Sketches of a set, what stands twice in it, and the SHA-256 of its file."""
    dataset = open_dataset(name, folder=folder)
    start = time.process_time()
    found = sketched(dataset, name)
    read = time.process_time()
    twice, across = duplicates(found), split_leaks(found)
    done = time.process_time()
    (digest,) = dataset.source.sha256.values()
    facts = {
        "rows": len(found.ids),
        "duplicates": len(twice),
        "same": sum(pair.similarity == 1.0 for pair in twice),
        "across_splits": sum(not pair.group for pair in across),
        "groups_across_splits": sum(pair.group for pair in across),
        "seconds_reading": read - start,
        "seconds_comparing": done - read,
    }
    return found, facts, digest


def between(sets: Mapping[str, Sketches], chosen: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each set *chosen*: its rows that stand, alike, in any other set, and how many in which."""
    found: dict[str, dict[str, Any]] = {}
    for name in chosen:
        where = {
            other: {pair.second for pair in leaks(sketches, sets[name])}
            for other, sketches in sets.items()
            if other != name
        }
        counts = {other: len(rows) for other, rows in where.items() if rows}
        found[name] = {"rows": len(set().union(*where.values())), "where": counts}
        print(f"{name}: {found[name]}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    folder: Path = parser.parse_args().data_dir
    groups = {source.name: source.left_out for source in shipped_registry()}
    chosen = [name for name, group in groups.items() if group or name in LEFT_OUT - {TEMPLATES}]
    sets, facts, data = {}, {}, {}
    for name in groups:
        sets[name], facts[name], data[name] = within(folder, name)
        print(f"{name}: {facts[name]}", file=sys.stderr)
    elsewhere = between(sets, chosen)
    rows = sum(found["rows"] for found in facts.values())
    spent = sum(found["seconds_reading"] + found["seconds_comparing"] for found in facts.values())
    inside = record.Table(
        "data-within",
        "Rows that stand twice in the registered sets",
        ("set", "rows", "stand twice", "of these the same", "across splits", "groups across splits"),
        [
            (name, f["rows"], f["duplicates"], f["same"], f["across_splits"], f["groups_across_splits"])
            for name, f in facts.items()
        ],
        f"Near-duplicates from a similarity of {NEAR} on. {spent / rows * 1e5:.0f} s of one core per 100,000 "
        f"rows.",
    )
    outside = record.Table(
        "data-left-out",
        "Rows of the sets left out whole that stand in another set",
        ("set", "rows", "stand elsewhere", "where"),
        [
            (name, facts[name]["rows"], f["rows"], ", ".join(f"{o} {n}" for o, n in f["where"].items()))
            for name, f in elsewhere.items()
        ],
    )
    result = {"sets": facts, "left_out": elsewhere, "seconds_per_100000_rows": spent / rows * 1e5}
    record.write(NAME, result, data=data, packages=("numpy",), tables=(inside, outside))


if __name__ == "__main__":
    main()
