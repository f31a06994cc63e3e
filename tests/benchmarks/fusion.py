"""What it costs to look at a picture and its caption together: ``python -m tests.benchmarks.fusion``.

In each round every request is answered by the local engine without a fusion model and with one, one after the
other, so that a busy machine is busy for both; ratios are medians over rounds of CPU time. The shipped model
is measured where there is one, and in any case a stand-in that asks for all that a model can ask for: every
label, and the embeddings of every sense.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from statistics import median
from typing import Any

import numpy as np
from PIL import Image as Pillow

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors import weights
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.engine import LocalEngine
from spotsafe.detectors.fusion.engine import Fusion
from spotsafe.detectors.fusion.features import FEATURES
from spotsafe.detectors.fusion.model import FusionModel, shipped
from spotsafe.detectors.image.engine import ImageEngine
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.detectors.text.labels import LABELS
from tests.experiments import pictures

WORDS = "The meeting point has changed: we leave at nine from the old harbour, not from the station."
CAPTIONS = {
    "calm caption": "Three weeks until the summer tour, and the new van still has no heating. See you there!",
    "hostile caption": "You are a worthless idiot and everybody at this station hates you, just stay away.",
}


def everything() -> FusionModel:
    """A model that reads all features and speaks of all labels."""
    met = ("typed+read", "typed+spoken", "read+spoken", "typed+read+spoken")
    flags = np.ones((len(LABELS), len(met)), np.bool_)
    return FusionModel(
        labels=LABELS,
        coefficients=np.full((len(LABELS), len(FEATURES)), 0.1, np.float32),
        bias=np.zeros(len(LABELS), np.float32),
        constellations=met,
        raises=flags,
        lowers=flags,
        text="",
        version="everything",
    )


def engines(threads: int) -> dict[str, LocalEngine]:
    """The engine without a model, with the stand-in, and with the shipped one; they share their networks."""
    text = TextEngine()
    media = {"image": ImageEngine(InlineDecoder(), text=text, threads=threads)}
    models = {"without": None, "everything": everything(), "shipped": FusionModel.found(shipped())}
    made = {
        name: LocalEngine(text, media, fusion=None if model is None else Fusion(text, model))
        for name, model in models.items()
        if model is not None or name == "without"
    }
    for engine in made.values():
        engine.warm_for(("text", "image"))
    return made


def requests(labels: tuple[str, ...]) -> dict[str, DetectRequest]:
    """A picture with a sentence in it, under each caption."""
    file = io.BytesIO()
    Pillow.fromarray(pictures.made(WORDS, "benchmark 3", layout="gradient").pixels).save(file, "PNG")
    picture = Image(file.getvalue(), "cover")
    return {
        name: DetectRequest(Content((Text(caption, "caption"), picture), ("en",)), labels)
        for name, caption in CAPTIONS.items()
    }


def benchmark(rounds: int, threads: int) -> dict[str, Any]:
    """Milliseconds per request and engine, and their ratios to the engine without a model."""
    subjects = engines(threads)
    asked = requests(tuple(sorted(subjects["without"].capabilities().labels)))
    spent: dict[str, dict[str, list[float]]] = {name: {engine: [] for engine in subjects} for name in asked}
    for turn in range(rounds + 1):
        for name, request in asked.items():
            for engine, subject in subjects.items():
                start = time.process_time_ns()
                subject.detect([request])
                if turn:  # the first round warms up
                    spent[name][engine].append((time.process_time_ns() - start) / 1e6)
    ratios = {
        name: {
            engine: median(one / bare for one, bare in zip(times[engine], times["without"], strict=True))
            for engine in subjects
            if engine != "without"
        }
        for name, times in spent.items()
    }
    cpu = {name: {engine: median(each) for engine, each in times.items()} for name, times in spent.items()}
    return {"threads": threads, "rounds": rounds, "cpu_ms": cpu, "ratios": ratios}


def main() -> None:
    """Print the figures, as one JSON document with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--threads", type=int, default=weights.THREADS)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    result = benchmark(given.rounds, given.threads)
    if given.json:
        print(json.dumps(result, indent=1))
        return
    for name, times in result["cpu_ms"].items():
        for engine, cpu in times.items():
            ratio = result["ratios"][name].get(engine, 1.0)
            print(f"{name:18} {engine:12} {cpu:8.1f} ms CPU {ratio:8.3f} times the engine without a model")


if __name__ == "__main__":
    main()
