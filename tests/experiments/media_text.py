"""Text that reaches the engine through a medium: which rows, and how far its scores rank as the text's do.

Used by ``speech_text`` and ``video_text``. Only rows that the models were not fitted on; the figure is the
AUPRC through the medium relative to that of the same texts scored as text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.learning.text.rows import load
from spotsafe.learning.text.sources import shipped_registry
from tests.experiments import record

TASKS = (
    ("tone.toxic", "surge_toxicity"),
    ("hate.speech", "toxigen_demonstrations"),
    ("harass.bullying", "civil_toxic_spans"),
    ("violence.threat", "edos_sexism"),
)
"""Label and set."""

SHORTEST, LONGEST = 25, 280
"""Characters: what can be said in two to thirty seconds."""

DRAWS = 1_000


class Line(NamedTuple):
    """One row: the text, the label that is looked for, and whether it is there."""

    text: str
    label: str
    positive: bool

    def __repr__(self) -> str:
        return f"<Line of {len(self.text)} characters, {self.label} {self.positive}>"


class Result(NamedTuple):
    """One row's scores, as text and through the medium (None: missing); *slice* is how it was made, and
    *errors* the share of its words that were not recognised, where that is known."""

    line: Line
    text: float
    media: float | None
    slice: str
    errors: float | None = None


def lines(folder: Path, per_class: int) -> list[Line]:
    """Up to *per_class* positives and as many negatives of each task, in turn. A row may not be in doubt:
    its target is at most 0.2 or at least 0.6."""
    registry = {source.name: source for source in shipped_registry()}
    columns: list[list[Line]] = []
    for label, name in TASKS:
        rows = [row for row in load(folder, [registry[name]]) if row.held_out and row.language == "en"]
        fitting = [row for row in rows if label in row.targets and speakable(row.text)]
        for positive in (True, False):
            sure = [row for row in fitting if _sure(row.targets[label], positive)]
            columns.append([Line(row.text, label, positive) for row in sure[:per_class]])
    return [column[index] for index in range(per_class) for column in columns if index < len(column)]


def speakable(text: str) -> bool:
    """Whether a voice can say what stands there: of fitting length, no addresses, mostly plain letters."""
    plain = sum(character.isascii() and (character.isalpha() or character in " ,.!?'") for character in text)
    return SHORTEST <= len(text) <= LONGEST and "http" not in text and plain >= 0.9 * len(text)


def text_scores(chosen: Sequence[Line], text: Detector) -> list[float]:
    """Each line scored as text; 0 where missing."""
    requests = [DetectRequest(Content((Text(line.text),), ("en",)), (line.label,)) for line in chosen]
    answers = text.detect(requests)
    return [answer.score(line.label) or 0.0 for line, answer in zip(chosen, answers, strict=True)]


def word_errors(said: str, heard: str) -> float:
    """Substitutions, insertions and deletions for each word of *said* (Levenshtein), case and marks aside."""
    before, after = (re.findall(r"[a-z0-9']+", text.lower()) for text in (said, heard))
    row = list(range(len(after) + 1))
    for index, word in enumerate(before, start=1):
        diagonal, row[0] = row[0], index
        for place, other in enumerate(after, start=1):
            best = min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other))
            diagonal, row[place] = row[place], best
    return row[-1] / max(1, len(before))


def relative(results: Sequence[Result]) -> dict[str, Any]:
    """AUPRC through the medium and of the text, their ratio with a 95 % interval (bootstrap over rows), and
    how many rows are missing. A missing row counts as score 0, the worst for a positive; ``understood`` is
    the ratio on the rows that are not."""
    truth = np.array([one.line.positive for one in results])
    text = np.array([one.text for one in results])
    media = np.array([one.media or 0.0 for one in results])
    there = np.array([one.media is not None for one in results])
    draws = np.random.default_rng(1)
    ratios = []
    for _ in range(DRAWS):
        rows = draws.integers(0, len(truth), len(truth))
        if 0 < truth[rows].sum() < len(rows):
            ratios.append(_auprc(truth[rows], media[rows]) / _auprc(truth[rows], text[rows]))
    low, high = np.quantile(ratios, (0.025, 0.975))
    return {
        "rows": len(results),
        "positives": int(truth.sum()),
        "missing": int((~there).sum()),
        "text": _auprc(truth, text),
        "media": _auprc(truth, media),
        "relative": _auprc(truth, media) / _auprc(truth, text),
        "low": float(low),
        "high": float(high),
        "understood": _auprc(truth[there], media[there]) / _auprc(truth[there], text[there]),
    }


def report(
    name: str, title: str, results: Sequence[Result], *, folder: Path, packages: Sequence[str]
) -> None:
    """Write the JSON with figures per label, and rows, gaps and word errors per slice. The mean over labels
    is the headline: scores of different labels are not to be ranked together."""
    figures = {label: relative([one for one in results if one.line.label == label]) for label, _ in TASKS}
    slices = {
        slice_: _slice([one for one in results if one.slice == slice_])
        for slice_ in sorted({one.slice for one in results})
    }
    mean = {
        key: float(np.mean([figure[key] for figure in figures.values()]))
        for key in ("relative", "understood")
    }
    columns = ("rows", "missing", "text", "media", "relative", "low", "high", "understood")
    tables = [
        record.Table(
            name,
            f"{title}: AUPRC",
            ("label", *columns),
            [(label, *(figure[column] for column in columns)) for label, figure in figures.items()],
            f"Mean of the relative AUPRC over the labels: {mean['relative']:.3f}.",
        ),
        record.Table(
            f"{name}_slices",
            title,
            ("made with", "rows", "missing", "word errors"),
            [(slice_, *found.values()) for slice_, found in slices.items()],
        ),
    ]
    files = [source.file for source in shipped_registry() if source.name in {name for _, name in TASKS}]
    record.write(
        name,
        {"mean": mean, "labels": figures, "slices": slices},
        data={file: record.sha256(folder / file) for file in files},
        packages=packages,
        tables=tables,
    )
    print(len(results), "rows, mean", {key: round(value, 3) for key, value in mean.items()}, flush=True)


def _slice(results: Sequence[Result]) -> dict[str, Any]:
    errors = [one.errors for one in results if one.errors is not None]
    return {
        "rows": len(results),
        "missing": sum(one.media is None for one in results),
        "word_errors": float(np.mean(errors)) if errors else None,
    }


def _sure(target: float, positive: bool) -> bool:
    return target >= 0.6 if positive else target <= 0.2


def _auprc(truth: Any, scores: Any) -> float:
    """Average precision, as scikit-learn computes it."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores))
