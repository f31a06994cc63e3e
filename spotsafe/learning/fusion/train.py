"""``spotsafe train fusion``: sensed compositions in; ablation, weights and model card out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spotsafe.core.seams import Detector
from spotsafe.detectors.fusion.model import WEIGHTS, FusionModel, weights_of
from spotsafe.detectors.text.encoder import Encoder
from spotsafe.detectors.text.weights import save
from spotsafe.learning.fusion import ablation, card, cases, decision, table
from spotsafe.learning.fusion.fit import SUNG, Fitted, fit
from spotsafe.learning.fusion.thresholds import thresholds
from spotsafe.learning.text.progress import Progress

CARD, REPORT = "model-card-fusion.md", "fusion.json"

MEETINGS = ("typed+read", "typed+spoken", "read+spoken")
"""The constellations that the recipes have."""

SONG = "typed+spoken"
"""The one in which a title can be the line of a song."""


def train(
    data: Path,
    out: Path,
    *,
    text: Detector,
    encoder: Callable[[], Encoder],
    progress: Progress,
    draws: int = ablation.DRAWS,
) -> dict[str, Any]:
    """Fit the model to the cases of *data* (a folder with ``sensed.jsonl``, or that file), measure it on what
    it was not fitted on, and write into *out* the model card, the figures, and, where a label gains, the
    weights. *text* reads the words, *encoder* gives what
    embeds them; *draws* of the bootstrap. Gives the figures. Raises
    ConfigurationError for data that cannot be read."""
    found = cases.read(data)
    rows = table.build(found, text=text, encoder=encoder(), progress=progress)
    bounds = thresholds()
    report = decision.report(ablation.tested(rows, bounds, progress), bounds, draws=draws)
    fitted = fit(rows, bounds)
    report["model"] = fitted._asdict()
    report["rows"] = _counts(found)
    report["text_engine"] = text.version
    out.mkdir(parents=True, exist_ok=True)
    report["weights"] = _stored(fitted, report, text.version, out)
    (out / REPORT).write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", "utf-8", newline="\n")
    (out / CARD).write_text(card.text(report), "utf-8", newline="\n")
    return report


def model(fitted: Fitted, raises: Sequence[str], lowers: Sequence[str], text: str) -> FusionModel:
    """What ships: the labels that may be raised or lowered, and where; *text*: the weights whose scores it
    was fitted on."""
    labels = tuple(sorted({*raises, *lowers}))
    flags = np.zeros((2, len(labels), len(MEETINGS)), np.bool_)
    for row, label in enumerate(labels):
        flags[0, row] = label in raises
        flags[1, row, MEETINGS.index(SONG)] = label in lowers
    # A label that only lowers must not rise by the way: its flags say so.
    coefficients = np.stack([fitted.coefficients(label) for label in labels])
    bias = np.full(len(labels), -fitted.margin, np.float32)
    return FusionModel(labels, coefficients, bias, MEETINGS, flags[0], flags[1], text, song=SUNG)


def _stored(fitted: Fitted, report: dict[str, Any], text: str, out: Path) -> str | None:
    """Version of the weights written; None where nothing gains, and so nothing is written."""
    if not report["raises"] and not report["lowers"]:
        (out / WEIGHTS).unlink(missing_ok=True)
        return None
    save(out / WEIGHTS, model(fitted, report["raises"], report["lowers"], weights_of(text)).arrays())
    return FusionModel.load(out).version


def _counts(found: Sequence[cases.Case]) -> dict[str, int]:
    """Rows per recipe and medium."""
    counted: dict[str, int] = {}
    for one in found:
        name = f"{one.recipe}, {one.medium}"
        counted[name] = counted.get(name, 0) + 1
    return dict(sorted(counted.items()))
