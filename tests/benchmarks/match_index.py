"""How long a look-up among a million hashes takes: ``python -m tests.benchmarks.match_index [--json]``.

The hashes are made of correlated bits, in clusters of 23 as the crops of a picture are; what is looked up are
copies (up to 31 bits away from a stored one) and strangers, half and half. The index is built, saved and
mapped into memory as a bank does it. Beside it, in the same rounds, runs the comparison with every hash. Then
the same hashes are asked for through a bank of them, which also looks whether its file has changed and whose
the found ones are, and whole pictures, of which up to eight hashes are looked up.
Times are those of the measuring thread's CPU clock, which other programs do not disturb, and of the wall.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spotsafe.detectors.match.bank_set import FILE, BankSet
from spotsafe.detectors.match.entries import Bank, Terms, new_entry
from spotsafe.detectors.match.hash_index import EXACT_RADIUS, HashIndex, distances_to
from spotsafe.detectors.match.picture_hash import looked_up_hashes
from spotsafe.detectors.match.store import Store
from tests.experiments import record

STORED = 1_000_000
CLUSTER = 23
QUERIES = 600
BRUTE_EVERY = 20
PICTURES = 60
RESULT = Path(__file__).parent / "results"


def hashes(count: int, seed: int) -> NDArray[np.uint64]:
    """*count* hashes uint64[count, 4]: clusters of related ones whose bits lean on their neighbours', as the
    coefficients of pictures do."""
    chance = np.random.default_rng(seed)
    pictures = -(-count // CLUSTER)
    made = np.empty((pictures * CLUSTER, 4), np.uint64)
    for begin in range(0, pictures, 2000):
        size = min(2000, pictures - begin)
        whole = chance.standard_normal((size, 1, 256), np.float32)
        whole[..., 1:] += 0.5 * whole[..., :-1]
        crops = whole + 0.8 * chance.standard_normal((size, CLUSTER, 256), np.float32)
        bits = np.packbits(crops > np.median(crops, axis=2, keepdims=True), axis=2)
        made[begin * CLUSTER : (begin + size) * CLUSTER] = bits.view(np.uint64).reshape(-1, 4)
    return made[:count]


def queries(stored: NDArray[np.uint64], count: int) -> list[NDArray[np.uint64]]:
    """Copies of stored hashes with up to 31 bits flipped, and strangers."""
    chance = np.random.default_rng(2)
    found = []
    for number, stranger in enumerate(hashes(count, seed=3)):
        value = stranger
        if number % 2:
            flips = np.zeros(256, np.uint8)
            flips[chance.choice(256, int(chance.integers(EXACT_RADIUS + 1)), replace=False)] = 1
            value = stored[chance.integers(len(stored))] ^ np.packbits(flips).view(np.uint64)
        found.append(np.ascontiguousarray(value))
    return found


def unrelated(seed: int) -> NDArray[np.uint8]:
    """A picture uint8[600, 800, 3] of soft blots, with a border on every other one."""
    chance = np.random.default_rng(seed)
    blots = chance.integers(0, 256, (12, 16, 3), np.uint8)
    made = np.asarray(Image.fromarray(blots).resize((800, 600), Image.Resampling.BICUBIC)).copy()
    if seed % 2:
        made[:40] = made[-40:] = 0
    return made


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """The answer, milliseconds of CPU, milliseconds of wall."""
    cpu, wall = thread_time_ns(), perf_counter_ns()
    answer = call()
    return answer, (thread_time_ns() - cpu) / 1e6, (perf_counter_ns() - wall) / 1e6


def measured(count: int) -> dict[str, Any]:
    """All figures for *count* stored hashes."""
    stored = hashes(count, seed=1)
    asked = queries(stored, QUERIES)
    built, build_cpu, build_wall = timed(
        lambda: HashIndex.build(stored, np.arange(len(stored), dtype=np.int64))
    )
    with tempfile.TemporaryDirectory() as folder:
        _, save_cpu, save_wall = timed(partial(built.save, Path(folder)))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        built = None
        index = HashIndex.open(Path(folder))
        for value in asked[:50]:
            index.within(value, EXACT_RADIUS)
        cpu, wall, brute, ratios = [], [], [], []
        exact = True
        for number, value in enumerate(asked):
            found, spent, waited = timed(lambda value=value: index.within(value, EXACT_RADIUS))
            cpu.append(spent)
            wall.append(waited)
            if number % BRUTE_EVERY == 0:
                distances, all_spent, _ = timed(lambda value=value: distances_to(stored, value))
                near = np.flatnonzero(distances <= EXACT_RADIUS)
                exact &= sorted(found.positions.tolist()) == near.tolist()
                brute.append(all_spent)
                ratios.append(all_spent / spent)
    return {
        "through a bank": through_a_bank(stored, asked),
        "stored": count, "radius": EXACT_RADIUS, "queries": len(asked), "same as comparing with all": exact,
        "cpu ms": shares(cpu), "wall ms": shares(wall), "comparing with all, cpu ms": shares(brute),
        "times faster": float(np.median(ratios)), "files MB": size / 1e6,
        "build and save, cpu s": (build_cpu + save_cpu) / 1e3,
        "build and save, wall s": (build_wall + save_wall) / 1e3,
        "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }  # fmt: skip


def through_a_bank(stored: NDArray[np.uint64], asked: list[NDArray[np.uint64]]) -> dict[str, Any]:
    """The same hashes in a bank of as many: what one hash and one picture (800 × 600) cost there."""
    with tempfile.TemporaryDirectory() as folder:
        banks = BankSet.open(folder)
        terms = Terms("child.csam", "benchmark")
        _, add_cpu, _ = timed(partial(_fill, Store(Path(folder, FILE)), stored, terms))
        _, rebuild_cpu, _ = timed(banks.rebuild)
        pictures = [unrelated(number) for number in range(PICTURES)]
        for value in asked[:50]:
            banks.image.match_hash(value)
        hash_cpu = [timed(partial(banks.image.match_hash, value))[1] for value in asked]
        whole_cpu = [timed(partial(banks.image.match, pixels))[1] for pixels in pictures]
        looked_up = [looked_up_hashes(pixels) for pixels in pictures]
        hashing_cpu = [timed(partial(looked_up_hashes, pixels))[1] for pixels in pictures]
        banks.close()
    return {
        "one hash, cpu ms": shares(hash_cpu), "one picture, cpu ms": shares(whole_cpu),
        "of that hashing, cpu ms": shares(hashing_cpu),
        "hashes looked up of a picture": float(np.mean([len(found) for found in looked_up])),
        "adding, cpu s": add_cpu / 1e3, "rebuilding, cpu s": rebuild_cpu / 1e3,
    }  # fmt: skip


def _fill(store: Store, stored: NDArray[np.uint64], terms: Terms) -> None:
    """One entry for each cluster, in transactions of some hundred."""
    starts = range(0, len(stored), CLUSTER)
    for begin in range(0, len(starts), 500):
        rows = []
        for start in starts[begin : begin + 500]:
            items = [(value.tobytes(), "whole") for value in stored[start : start + CLUSTER]]
            rows.append((new_entry(Bank.IMAGE, terms, items[0][0], 0.0), items))
        store.add_many(rows, "benchmark")


def shares(values: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}


def main() -> None:
    """Measure, print, and keep the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--json", action="store_true", help="print the result as JSON")
    options.add_argument("--stored", type=int, default=STORED)
    args = options.parse_args()
    result = measured(args.stored)
    record.write("match_index", result, data={}, packages=("numpy",), folder=RESULT)
    if args.json:
        print(json.dumps(record.rounded(result), indent=1))
        return
    for name, value in record.rounded(result).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
