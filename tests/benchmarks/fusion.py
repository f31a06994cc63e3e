"""What it costs to look at a picture and its caption together: ``python -m tests.benchmarks.fusion``.

In each round the local engine without a fusion model answers a request, and the fusion's own stage then takes
what it perceived: together that is what an engine with a model does. Ratios are medians over rounds of CPU
time, of both to the first alone. The shipped model is measured where there is one, and in any case a stand-in
that asks for all that a model can ask for: every label, and the embeddings of every sense.
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


def subjects(threads: int) -> tuple[LocalEngine, dict[str, Fusion]]:
    """The engine without a model, and the stages of the stand-in and of the shipped model."""
    text = TextEngine()
    engine = LocalEngine(text, {"image": ImageEngine(InlineDecoder(), text=text, threads=threads)})
    models = {"everything": everything(), "shipped": FusionModel.found(shipped())}
    stages = {name: Fusion(text, model) for name, model in models.items() if model is not None}
    engine.warm_for(("text", "image"))
    for stage in stages.values():
        stage.warm()
    return engine, stages


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
    """Milliseconds per request and stage, and what a request with a stage takes to one without."""
    engine, stages = subjects(threads)
    asked = requests(tuple(sorted(engine.capabilities().labels)))
    spent: dict[str, dict[str, list[float]]] = {
        name: {stage: [] for stage in ("without", *stages)} for name in asked
    }
    for turn in range(rounds + 1):
        for name, request in asked.items():
            start = time.process_time_ns()
            found = engine.perceive([request])
            times = {"without": time.process_time_ns() - start}
            for stage, fusion in stages.items():
                start = time.process_time_ns()
                fusion.joined([request], found)
                times[stage] = time.process_time_ns() - start
            for stage, taken in times.items():
                if turn:  # the first round warms up
                    spent[name][stage].append(taken / 1e6)
    cpu = {name: {stage: median(each) for stage, each in times.items()} for name, times in spent.items()}
    ratios = {
        name: {
            stage: median(1 + one / whole for one, whole in zip(times[stage], times["without"], strict=True))
            for stage in stages
        }
        for name, times in spent.items()
    }
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
        print(f"{name:18} {'without':12} {times['without']:8.1f} ms CPU")
        for stage, ratio in result["ratios"][name].items():
            print(f"{name:18} {stage:12} {times[stage]:8.1f} ms CPU more {ratio:8.3f} times in all")


if __name__ == "__main__":
    main()
