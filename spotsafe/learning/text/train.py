"""Training from a folder of registered sets to weights, table of capabilities and model card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text import weights as stored
from spotsafe.detectors.text.encoder import Encoder, SentenceEncoder
from spotsafe.detectors.text.features import joined
from spotsafe.detectors.text.labels import LABELS
from spotsafe.learning.text import (
    calibrate,
    card,
    contrast,
    corpus,
    fit_heads,
    fit_ngrams,
    judging,
    left_out,
    measure,
    rows,
    words,
)
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.sources import Source, shipped_registry
from spotsafe.learning.text.stack import STACK, stacked
from spotsafe.learning.text.teacher import Teacher
from spotsafe.learning.text.threads import one_thread

F32 = NDArray[np.float32]

HEADS = 3
CARD = "model-card-text.md"


def train(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = 7,
    progress: Progress | None = None,
    registry: Sequence[Source] | None = None,
    encoder: Encoder | None = None,
    teacher: corpus.Scorer | None = None,
) -> dict[str, Any]:
    """Fit everything on the sets of *registry* (default: the shipped one) found in *data_dir* and write
    ``text.npz``, ``capabilities.json`` and the model card to *out_dir*.

    Returns the report that the card is made from. On one machine the same data give the same bytes: one
    thread, fixed *seed*, no times in files. Raises ConfigurationError for data that are not the registered
    ones.
    """
    shown = progress or Progress()
    sources = tuple(shipped_registry() if registry is None else registry)
    reader = encoder or SentenceEncoder()
    with one_thread():
        listed = rows.load(data_dir, sources)
        if not listed:
            raise ConfigurationError(
                f"{data_dir}: no usable rows; registered sets: {[s.name for s in sources]}"
            )
        whole = corpus.build(
            [*listed, *contrast.load(), *words.benign(listed)],
            encoder=reader,
            teacher=teacher or Teacher.installed(),
            progress=shown,
        )
        arrays, scores = _fitted(whole, seed, shown)
        groups = {source.name: source.left_out for source in sources}
        unseen = left_out.figures(whole, groups, seed=seed, progress=shown)
        out_dir.mkdir(parents=True, exist_ok=True)
        stored.save(out_dir / stored.WEIGHTS, arrays)
        found = judging.judged(stored.load(out_dir), reader)
    report = _report(whole, scores, sources)
    report["weights"] = stored.digest(out_dir)
    report["left_out"] = [entry._asdict() for entry in unseen]
    report["judged"] = [entry._asdict() for entry in found]
    table = {"format": stored.FORMAT, "weights": report["weights"], "labels": report["capabilities"]}
    _write(
        out_dir / stored.CAPABILITIES, json.dumps(table, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    )
    _write(out_dir / CARD, card.text(report))
    return report


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _fitted(whole: corpus.Corpus, seed: int, progress: Progress) -> tuple[dict[str, NDArray[Any]], F32]:
    """Arrays of the weight file, and calibrated scores with the encoder [rows, labels]."""
    fitted = np.flatnonzero(~whole.held_out)
    targets = corpus.balanced(corpus.part(whole.targets, fitted))
    ngrams = fit_ngrams.fit(whole.ngrams[fitted], whole.counts[fitted], targets, seed=seed, progress=progress)
    inputs = joined(whole.embeddings, whole.counts)
    members = [
        fit_heads.fit(inputs[fitted], targets, seed=seed + index, progress=progress).halved()
        for index in range(HEADS)
    ]
    first = ngrams.logits(whole.ngrams, whole.counts)
    second = np.mean([fit_heads.predict(member, inputs) for member in members], axis=0)
    languages, calibration, scores = _calibrated(whole, stacked(second, first))
    arrays = _arrays(ngrams, members)
    arrays |= {"languages": np.array(languages), "calibration": calibration}
    return arrays, scores


def _arrays(
    ngrams: fit_ngrams.NgramWeights, members: Sequence[fit_heads.HeadWeights]
) -> dict[str, NDArray[Any]]:
    """What the weight file holds of the fitted models."""
    arrays: dict[str, NDArray[Any]] = {
        "labels": np.array(LABELS),
        "heads": np.array(len(members)),
        "stack": STACK,
    }
    arrays |= {f"ngram_{name}": array for name, array in ngrams._asdict().items()}
    for index, member in enumerate(members):
        for name, array in member._asdict().items():
            arrays[f"head{index}_{name}"] = array.astype(np.float16)
    return arrays


def _calibrated(whole: corpus.Corpus, tiers: F32) -> tuple[tuple[str, ...], F32, F32]:
    held = whole.held_out
    spoken = whole.column("language")
    languages = ("*", *sorted({str(tag) for tag in spoken[held] if len(tag) == 2}))
    held_targets = calibrate.evened(
        corpus.part(whole.targets, np.flatnonzero(held)), whole.column("source")[held]
    )
    calibration = np.stack(
        [calibrate.table(tier[held], held_targets, spoken[held], languages) for tier in tiers]
    )
    where = np.array([languages.index(tag) if tag in languages else 0 for tag in spoken])
    used = calibration[-1][where]
    return languages, calibration, fit_ngrams.sigmoid(used[:, :, 0] * tiers[-1] + used[:, :, 1])


def _report(whole: corpus.Corpus, scores: F32, sources: Sequence[Source]) -> dict[str, Any]:
    public = whole.held_out & (whole.column("source") != contrast.SOURCE)
    held = measure.by_group(whole, scores, whole.column("language"), public)
    by_source = measure.by_group(whole, scores, whole.column("source"), public)
    counted = whole.column("source")
    return {
        "rows": {source.name: int((counted == source.name).sum()) for source in sources},
        "own_lines": int((counted == contrast.SOURCE).sum()),
        "sources": [source._asdict() for source in sources],
        "held_out": [entry._asdict() for entry in held],
        "held_out_by_set": [entry._asdict() for entry in by_source],
        "false_alarms": measure.false_alarms(whole, scores),
        "capabilities": measure.capabilities(whole, held),
    }
