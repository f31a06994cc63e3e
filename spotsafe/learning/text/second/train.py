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
from spotsafe.detectors.text.scoring import FIRST
from spotsafe.detectors.text.second import PARAMETERS
from spotsafe.detectors.text.transformer import Transformer
from spotsafe.learning.text import contrast, measure
from spotsafe.learning.text.corpus import Scorer, part
from spotsafe.learning.text.fit_ngrams import sigmoid
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Targets
from spotsafe.learning.text.second import blend, card, export, fitting
from spotsafe.learning.text.second import material as drawing
from spotsafe.learning.text.second.readings import Stages, first_scores, stages
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
        material = taught(material, first, without=without, progress=shown)
        fitted = fitting.fit(material, without=without, seed=seed, progress=shown)
        digest = export.export(fitted, out_dir)
        return finish(material, out_dir, digest, first=first, without=without, progress=shown)


def taught(
    material: drawing.Material,
    first: Path | None = None,
    *,
    without: Collection[str] = (),
    progress: Progress,
    encoder: Encoder | None = None,
) -> drawing.Material:
    """*material* with the scores of the first tier in *first* where rows that are fitted on have gaps."""
    rows = np.flatnonzero(~material.held_out & ~np.isin(material.column("source"), list(without)))
    models = weights.load(first or weights.shipped())
    found = stages(
        [material.rows[index].text for index in rows],
        models=models,
        lexicon=lexicon.load(),
        encoder=encoder or SentenceEncoder(),
        network=None,
        progress=progress,
    )
    return drawing.taught(material, rows, first_scores(found, models))


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
    alone, quiet = first_scores(found, models), first_scores(found, models, FIRST)
    blended = blended_with(material, rows, found, (quiet, alone))
    _write(out_dir / PARAMETERS, blended.parameters(digest))
    report = _report(material, rows, found, (quiet, alone), blended)
    report["model"] = digest
    _write(out_dir / REPORT, report)
    (out_dir / card.CARD).write_text(card.text(report), encoding="utf-8", newline="\n")
    return report


def blended_with(
    material: drawing.Material, rows: NDArray[np.int64], found: Stages, first: tuple[F32, F32]
) -> blend.Blend:
    """Calibration and bounds from held-out *rows*, whose stages are *found* and whose scores by n-grams alone
    and by the whole first tier are *first*.

    Only annotations and benign rows count: neither the teacher nor what sets are known not to hold decides
    what one half means.
    """
    targets, sources = part(material.targets, rows), material.column("source")[rows]
    annotated = material.truth.weights[rows] > 0
    benign = np.array([material.rows[index].benign for index in rows])
    kept = np.where(annotated | benign[:, None], targets.weights, 0).astype(np.float32)
    calibration = blend.calibration(found, Targets(targets.values, kept), sources)
    both = _both(found, calibration)
    truth = Targets(targets.values, annotated.astype(np.float32))
    quiet, alone = first
    limits = blend.bounds(alone, both, truth, benign)
    reached = cascade(alone, both, limits)
    return blend.Blend(calibration, limits, blend.bounds(quiet, reached, truth, benign))


def cascade(first: F32, beyond: F32, bounds: F32) -> F32:
    """Scores [texts, labels]: those of *beyond* where any label of *first* reaches its bound."""
    asked = np.asarray(first >= bounds).any(axis=1, keepdims=True)
    result: F32 = np.where(asked, beyond, first)
    return result


def _both(found: Stages, calibration: F32) -> F32:
    return sigmoid(blend.together(found) * calibration[:, 0] + calibration[:, 1])


def _report(
    material: drawing.Material,
    rows: NDArray[np.int64],
    found: Stages,
    first: tuple[F32, F32],
    blended: blend.Blend,
) -> dict[str, Any]:
    """Same-source figures per label of the first tier, of both on everything and of the cascade."""
    both = _both(found, blended.calibration)
    quiet, alone = first
    loud = np.asarray(quiet >= blended.quiet).any(axis=1)
    asked = loud & np.asarray(alone >= blended.bounds).any(axis=1)
    told = cascade(quiet, cascade(alone, both, blended.bounds), blended.quiet)
    public = np.array([material.rows[index].source != contrast.SOURCE for index in rows])
    benign = np.array([material.rows[index].benign for index in rows])
    annotated = (material.truth.weights[rows] > 0) & public[:, None]
    truth = material.truth.values[rows] >= 0.5
    figures = []
    for label, column in COLUMN.items():
        chosen = annotated[:, column]
        for name, scores in (("first", alone), ("both", both), ("cascade", told)):
            entry = measure.figure(label, name, scores[chosen, column], truth[chosen, column])
            figures.append(entry._asdict())
    return {
        "rows": len(rows),
        "held_out": figures,
        "false_alarms": {
            label: round(float((told[benign, column] >= 0.5).mean()), 4) if benign.any() else None
            for label, column in COLUMN.items()
        },
        "settled": {
            name: {
                "ngrams": _share(np.asarray(~loud)[chosen]),
                "first_tier": _share(np.asarray(~asked)[chosen]),
            }
            for name, chosen in (("all", public | benign), ("benign", benign), ("annotated", ~benign))
        },
        "trained_rows": int((~material.held_out).sum()),
    }


def _share(settled: NDArray[np.bool_]) -> float | None:
    return round(float(settled.mean()), 4) if len(settled) else None


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
