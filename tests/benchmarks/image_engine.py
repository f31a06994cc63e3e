"""What the image engine costs, and how much more than its networks alone: ``python -m
tests.benchmarks.image_engine``.

In each round everything runs once, one after the other, so that a busy machine is busy for all; ratios are
medians over rounds of CPU time, which does not tick while another process has the core. Milliseconds of the
wall are the least of all rounds: what the work takes when nothing comes between.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from PIL import Image as Pillow

from spotsafe.core.content import Content, Image
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors import weights
from spotsafe.detectors.decode.decoded import Frame
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.image import classes, text_boxes
from spotsafe.detectors.image.classes import ImageClasses
from spotsafe.detectors.image.engine import ImageEngine, Networks
from spotsafe.detectors.image.ocr import TextReader
from spotsafe.detectors.image.text_boxes import TextBoxFinder
from spotsafe.detectors.image.text_lines import LineReader, cropped, prepared
from spotsafe.detectors.text.engine import TextEngine, Tier
from tests.experiments import pictures

WIDTH, HEIGHT = 1280, 960
WORDS = "The meeting point has changed: we leave at nine from the old harbour, not from the station."
RATIOS = (
    ("classes of a decoded picture", "classes alone", "networks of the classes"),
    ("with text looked for, none there", "picture without text", "all networks, no text"),
    ("with text read", "picture with text", "all networks, text"),
)
"""What is compared: title, engine's item, bare item."""


def subjects(threads: int) -> dict[str, Callable[[], object]]:
    """Everything that is timed, by name. A picture without text is a photograph of 1.2 million pixels; one
    with text is drawn."""
    photograph = np.asarray(pictures.photograph(WIDTH, HEIGHT, random.Random(4)))
    written = pictures.made(WORDS, "benchmark 3", layout="gradient").pixels
    network, finder, lines = (
        ImageClasses(threads=threads),
        TextBoxFinder(threads=threads),
        LineReader(threads=threads),
    )
    reader, text = TextReader(threads=threads, finder=finder, reader=lines), TextEngine(tier=Tier.FIRST)
    plain = ImageEngine(InlineDecoder(), load=lambda: Networks(network))
    whole = ImageEngine(InlineDecoder(), text=text, load=lambda: Networks(network, reader))
    labels = tuple(sorted(whole.capabilities().labels))
    ready = classes.inputs([photograph])
    blob = text_boxes.blob(photograph, *text_boxes.input_size(WIDTH, HEIGHT))
    small = text_boxes.blob(written, *text_boxes.input_size(written.shape[1], written.shape[0]))
    crops = [cropped(written, box) for box in reader.boxes(written)]
    file = io.BytesIO()
    Pillow.fromarray(photograph).save(file, "JPEG", quality=90)
    request = DetectRequest(Content((Image(file.getvalue()),)), classes.LABELS)

    def bare_text() -> None:
        network.passed(*ready)
        finder.chances(small)
        for crop in crops:
            lines.chances(prepared(crop))

    return {
        "networks of the classes": lambda: network.passed(*ready),
        "classes alone": lambda: plain.look([Frame(0.0, photograph)], classes.LABELS),
        "classes alone, from a JPEG file": lambda: plain.detect([request]),
        "all networks, no text": lambda: (network.passed(*ready), finder.chances(blob)),
        "picture without text": lambda: whole.look([Frame(0.0, photograph)], labels),
        "all networks, text": bare_text,
        "picture with text": lambda: whole.look([Frame(0.0, written)], labels),
    }


def benchmark(rounds: int, threads: int) -> dict[str, Any]:
    """Milliseconds per subject, and the ratios of :data:`RATIOS`."""
    calls = subjects(threads)
    for call in calls.values():
        call()
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            call()
            spent[name].append(((time.process_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6))
    items = {
        name: {"cpu_ms": median(cpu for cpu, _ in times), "wall_ms": min(wall for _, wall in times)}
        for name, times in spent.items()
    }
    ratios = {
        title: median(one[0] / other[0] for one, other in zip(spent[over], spent[under], strict=True))
        for title, over, under in RATIOS
    }
    return {
        "threads": threads,
        "rounds": rounds,
        "picture": [WIDTH, HEIGHT],
        "items": items,
        "ratios": ratios,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print the figures, as one JSON document with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=weights.THREADS)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    result = benchmark(given.rounds, given.threads)
    if given.json:
        print(json.dumps(result, indent=1))
        return
    for name, found in result["items"].items():
        print(f"{name:36} {found['cpu_ms']:8.1f} ms CPU {found['wall_ms']:8.1f} ms wall, at best")
    for title, ratio in result["ratios"].items():
        print(f"{title:36} {ratio:8.2f} times the networks alone")
    print(f"peak memory {result['peak_memory_mb']:.0f} MB, {result['threads']} threads")


if __name__ == "__main__":
    main()
