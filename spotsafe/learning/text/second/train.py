"""The second tier from registered data to files: model, vocabulary, parameters and a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text import lexicon, weights
from spotsafe.detectors.text.encoder import Encoder, SentenceEncoder
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.second import PARAMETERS
from spotsafe.detectors.text.transformer import Transformer
from spotsafe.learning.text import contrast, measure
from spotsafe.learning.text.corpus import Scorer, part
from spotsafe.learning.text.fit_ngrams import sigmoid
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Targets
from spotsafe.learning.text.second import blend, export, fitting
from spotsafe.learning.text.second import material as drawing
from spotsafe.learning.text.second.readings import Stages, stages
from spotsafe.learning.text.sources import Source, shipped_registry
from spotsafe.learning.text.teacher import Teacher
from spotsafe.learning.text.threads import one_thread

F32 = NDArray[np.float32]
Fit = Callable[[drawing.Material], fitting.Fitted]

REPORT = "second_report.json"


def train(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = 7,
    without: Collection[str] = (),
    progress: Progress | None = None,
    first: Path | None = None,
    registry: Sequence[Source] | None = None,
    teacher: Scorer | None = None,
) -> dict[str, Any]:
    """Fine-tune, store and calibrate the second tier and write ``second.*`` to *out_dir*.

    *first*: folder of the first tier that it is blended with (default: the shipped one); *without*: sets left
    out whole. Returns the report. About half an hour on one core. Raises ConfigurationError for data that are
    not the registered ones and for packages that are absent.
    """
    shown = progress or Progress()
    sources = tuple(shipped_registry() if registry is None else registry)
    with one_thread():
        material = drawing.collect(data_dir, sources, teacher or Teacher.installed(), shown)
        if not (~material.held_out).any():
            raise ConfigurationError(f"{data_dir}: no usable English rows in the registered sets")
        fitted = fitting.fit(material, without=without, seed=seed, progress=shown)
        digest = export.export(fitted, out_dir)
        return finish(material, out_dir, digest, first=first, without=without, progress=shown)


def finish(
    material: drawing.Material,
    out_dir: Path,
    digest: str,
    *,
    first: Path | None = None,
    without: Collection[str] = (),
    progress: Progress,
    encoder: Encoder | None = None,
) -> dict[str, Any]:
    """Blend, calibrate and bound the model in *out_dir* on held-out rows of the sets that it was fitted on;
    writes ``second.json`` and the report, and returns the report."""
    rows = np.flatnonzero(material.held_out & ~np.isin(material.column("source"), list(without)))
    models = weights.load(first or weights.shipped())
    network = Transformer(out_dir, digest)
    found = stages(
        [material.rows[index].text for index in rows],
        models=models,
        lexicon=lexicon.load(),
        encoder=encoder or SentenceEncoder(),
        network=network.logits,
        progress=progress,
    )
    alone = first_scores(found, models)
    targets, sources = part(material.targets, rows), material.column("source")[rows]
    annotated = weights_of_annotations(material, rows, targets)
    blended = blend.fit(found, alone, Targets(targets.values, annotated), sources)
    _write(out_dir / PARAMETERS, blended.parameters(digest))
    report = _report(material, rows, found, alone, blended)
    report["model"] = digest
    _write(out_dir / REPORT, report)
    return report


def weights_of_annotations(material: drawing.Material, rows: NDArray[np.int64], targets: Targets) -> F32:
    """Weights of *targets* where a label was annotated, or the row is benign: neither the teacher nor what
    sets are known not to hold decides what one half means."""
    benign = np.array([material.rows[index].benign for index in rows])
    kept = (material.truth.weights[rows] > 0) | benign[:, None]
    result: F32 = np.where(kept, targets.weights, 0).astype(np.float32)
    return result


def first_scores(found: Stages, models: weights.TextModels) -> F32:
    """The first tier's calibrated probabilities in English."""
    by_head, by_ngrams = models.stack[1].T
    place = models.languages.index("en") if "en" in models.languages else 0
    slope, offset = models.calibration[1, place].T
    return sigmoid(slope * (by_head * found.heads + by_ngrams * found.ngrams) + offset)


def _report(
    material: drawing.Material, rows: NDArray[np.int64], found: Stages, alone: F32, blended: blend.Blend
) -> dict[str, Any]:
    """Same-source figures per label of the first tier, of both on everything and of the cascade."""
    logits = blend.together(found) * blended.calibration[:, 0] + blended.calibration[:, 1]
    both = sigmoid(logits)
    unsure = (alone >= blended.bounds[:, 0]) & (alone < blended.bounds[:, 1])
    cascade = np.where(unsure, both, alone)
    public = np.array([material.rows[index].source != contrast.SOURCE for index in rows])
    benign = np.array([material.rows[index].benign for index in rows])
    annotated = (material.truth.weights[rows] > 0) & public[:, None]
    truth = material.truth.values[rows] >= 0.5
    figures = []
    for label, column in COLUMN.items():
        chosen = annotated[:, column]
        for name, scores in (("first", alone), ("both", both), ("cascade", cascade)):
            entry = measure.figure(label, name, scores[chosen, column], truth[chosen, column])
            figures.append(entry._asdict())
    settled: NDArray[np.bool_] = ~np.any(unsure, axis=1)
    return {
        "rows": len(rows),
        "held_out": figures,
        "false_alarms": {
            label: round(float((cascade[benign, column] >= 0.5).mean()), 4) if benign.any() else None
            for label, column in COLUMN.items()
        },
        "settled": {
            "all": _share(settled),
            "benign": _share(settled[benign]),
            "annotated": _share(settled[~benign]),
        },
        "trained_rows": int((~material.held_out).sum()),
    }


def _share(settled: NDArray[np.bool_]) -> float | None:
    return round(float(settled.mean()), 4) if len(settled) else None


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
