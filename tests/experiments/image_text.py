"""Text through a picture: ``python -m tests.experiments.image_text --data-dir …``.

Held-out rows are drawn into pictures of many looks (:mod:`tests.experiments.pictures`), each row into one of
them, and scored by the image engine. The figure is the AUPRC relative to that of the same texts scored as
text, on the same rows. A row of which nothing was read is missing, which no policy takes for clean; here it
counts as score 0.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.image.engine import ImageEngine, Networks
from spotsafe.detectors.image.ocr import Page, TextReader
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.learning.text.rows import load
from spotsafe.learning.text.sources import shipped_registry
from tests.experiments import pictures, record

NAME = "image_text"

TASKS = (
    ("tone.toxic", "surge_toxicity", "en"),
    ("hate.speech", "toxigen_demonstrations", "en"),
    ("harass.bullying", "civil_toxic_spans", "en"),
    ("violence.threat", "edos_sexism", "en"),
    ("ai.prompt_attack", "slabs_prompt_injection", "en"),
    ("integrity.spam", "sms_spam", "en"),
    ("tone.toxic", "germeval2018", "de"),
    ("tone.toxic", "told_br", "pt"),
    ("tone.toxic", "cold_zh", "zh"),
)
"""Label, set and language. Of each set only rows that the models were not fitted on."""

SHORTEST, LONGEST = 12, 200
SLICES = ("layout", "size", "contrast", "angle", "quality")
PACKAGES = ("rapidocr", "onnxruntime", "opencv-python-headless", "pillow")


class Line(NamedTuple):
    """One row: what is drawn, the label that is looked for, and whether it is there."""

    text: str
    label: str
    positive: bool
    task: str


class Result(NamedTuple):
    """One row's scores as text and as picture (None where nothing was read), how alike the text read is to
    the one drawn (1: the same), whether something was reported as unread, the picture's look, CPU seconds."""

    line: Line
    text: float
    picture: float | None
    alike: float
    unread: bool
    style: dict[str, str]
    seconds: float


class Remembering:
    """A reader that keeps the last page, to compare what was read with what was drawn."""

    def __init__(self, reader: TextReader) -> None:
        self._reader = reader
        self.last = Page()

    def page(self, pixels: pictures.U8, *, until: float | None = None) -> Page:
        self.last = self._reader.page(pixels, until=until)
        return self.last


class NoClasses:
    """Stands in for the networks that are not measured here."""

    def scores(self, frames: Sequence[pictures.U8]) -> list[dict[str, float]]:
        return [{} for _ in frames]


def lines(folder: Path, per_class: int) -> list[Line]:
    """Up to *per_class* positives and as many negatives of each task, in the registry's order, which is by
    hash. A row may not be in doubt: its target is at most 0.2 or at least 0.6."""
    registry = {source.name: source for source in shipped_registry()}
    groups: list[list[Line]] = []
    for label, name, language in TASKS:
        rows = [row for row in load(folder, [registry[name]]) if row.held_out and row.language == language]
        fitting = [row for row in rows if label in row.targets and drawable(row.text, language)]
        for positive in (True, False):
            chosen = [row for row in fitting if _sure(row.targets[label], positive)][:per_class]
            groups.append([Line(row.text, label, positive, f"{label}, {name}") for row in chosen])
    # In turn, so that a run that is stopped early has seen as much of each.
    return [line for turn in zip_longest(*groups) for line in turn if line is not None]


def _sure(target: float, positive: bool) -> bool:
    return target >= 0.6 if positive else target <= 0.2


def drawable(text: str, language: str) -> bool:
    """Whether the fonts have what stands there, at a length that fits a picture."""
    if not SHORTEST <= len(text) <= (LONGEST if language != "zh" else 80):
        return False
    return language == "zh" or all(letter < "\u0250" or letter in "‘’“”–—…" for letter in text)


def measured(
    chosen: Sequence[Line], text: Detector, told: Callable[[str], None], *, minutes: float
) -> list[Result]:
    """Each line scored as text and as picture, as far as *minutes* allow."""
    ends = time.monotonic() + 60 * minutes
    reader = Remembering(TextReader(threads=1))
    engine = ImageEngine(InlineDecoder(), text=text, load=lambda: Networks(NoClasses(), reader))
    results = []
    for number, line in enumerate(chosen):
        if time.monotonic() >= ends:
            break
        fonts = pictures.CJK_FONTS if "cold_zh" in line.task else pictures.LATIN_FONTS
        made = pictures.made(line.text, f"{line.task} {number}", fonts=fonts)
        file = io.BytesIO()
        Pillow.fromarray(made.pixels).save(file, "PNG", compress_level=1)
        plain = text.detect([DetectRequest(Content((Text(line.text),)), (line.label,))])[0]
        began = time.process_time()
        seen = engine.detect([DetectRequest(Content((Image(file.getvalue()),)), (line.label,))])[0]
        spent = time.process_time() - began
        unread = any(entry.cause is Cause.LANGUAGE for entry in seen.missing)
        score = plain.score(line.label) or 0.0
        results.append(
            Result(
                line, score, seen.score(line.label), alike(line.text, reader.last), unread, made.style, spent
            )
        )
        if number % 20 == 19:
            told(f"{number + 1} of {len(chosen)}")
    return results


def alike(text: str, page: Page) -> float:
    """Likeness of what was read to *text*, without regard to case and blanks, from 0 to 1."""
    read = "".join("".join(line.text.split()) for line in page.lines).lower()
    return SequenceMatcher(None, "".join(text.split()).lower(), read, autojunk=False).ratio()


def auprc(truth: Sequence[bool], scores: Sequence[float]) -> float:
    """Average precision, as scikit-learn computes it."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(np.array(truth), np.array(scores)))


def relative(results: Sequence[Result]) -> dict[str, float]:
    """AUPRC through the picture and of the text, and their ratio with a 95 % interval (percentile bootstrap
    over rows, 1,000 draws, the same rows for both)."""
    truth = np.array([one.line.positive for one in results])
    text = np.array([one.text for one in results])
    media = np.array([one.picture or 0.0 for one in results])
    draws = np.random.default_rng(1)
    ratios = []
    for _ in range(1_000):
        rows = draws.integers(0, len(truth), len(truth))
        if 0 < truth[rows].sum() < len(rows):
            ratios.append(auprc(truth[rows], media[rows]) / auprc(truth[rows], text[rows]))
    low, high = np.quantile(ratios, (0.025, 0.975))
    plain, through = auprc(truth, text), auprc(truth, media)
    return {"rows": len(results), "text": plain, "picture": through, "relative": through / plain,
            "low": float(low), "high": float(high), **reading(results)}  # fmt: skip


def reading(results: Sequence[Result]) -> dict[str, float]:
    """How well was read: mean likeness, mean distance of the scores, shares of which nothing or not all was
    read, and the median CPU seconds."""
    return {
        "rows": len(results),
        "alike": float(np.mean([one.alike for one in results])),
        "distance": float(np.mean([abs(one.text - (one.picture or 0.0)) for one in results])),
        "nothing_read": float(np.mean([one.picture is None for one in results])),
        "unread": float(np.mean([one.unread for one in results])),
        "cpu_seconds": float(np.median([one.seconds for one in results])),
    }


def report(results: Sequence[Result], folder: Path) -> None:
    """Write the JSON. The mean over tasks is the headline: scores of different labels are not to be ranked
    together."""
    tasks = {f"{label}, {name}": None for label, name, _ in TASKS}
    by_task = {task: relative([one for one in results if one.line.task == task]) for task in tasks}
    looks = {
        f"{key}: {value}": reading([one for one in results if one.style[key] == value])
        for key in SLICES
        for value in sorted({one.style[key] for one in results})
    }
    mean = float(np.mean([figures["relative"] for figures in by_task.values()]))
    files = {source.name: source.file for source in shipped_registry()}
    data = {files[name]: record.sha256(folder / files[name]) for _, name, _ in TASKS}
    columns = ("rows", "text", "picture", "relative", "low", "high", "alike", "unread")
    first = record.Table(
        NAME,
        "Text through a picture: AUPRC relative to the same text",
        ("label, set", "rows", "AUPRC text", "AUPRC picture", "relative", "low", "high", "alike", "unread"),
        [(task, *(figures[column] for column in columns)) for task, figures in by_task.items()],
        f"Mean over the rows of the table: {mean:.3f}. Low and high: 95 % interval of the ratio.",
    )
    names = ("rows", "alike", "distance", "nothing_read", "unread")
    second = record.Table(
        f"{NAME}_looks",
        "Text through a picture, by look",
        ("look", "rows", "alike", "distance of scores", "nothing read", "unread"),
        [(look, *(figures[name] for name in names)) for look, figures in looks.items()],
        "Alike: likeness of the text read to the one drawn, 1 for the same.",
    )
    result = {"mean_relative": mean, "tasks": by_task, "looks": looks, "all": reading(results)}
    record.write(NAME, result, data=data, packages=PACKAGES, tables=[first, second])
    print("mean relative", round(mean, 4), reading(results))


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--per-class", type=int, default=30, help="positives, and negatives, of each task")
    parser.add_argument("--minutes", type=float, default=240, help="stop after so long")
    given = parser.parse_args()
    chosen = lines(given.data_dir, given.per_class)
    results = measured(chosen, TextEngine(), lambda words: print(words, flush=True), minutes=given.minutes)
    report(results, given.data_dir)


if __name__ == "__main__":
    main()
