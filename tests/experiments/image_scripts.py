"""Which scripts are read in pictures, and whether those that are not are noticed: ``python -m
tests.experiments.image_scripts --data-dir …``.

Benign sentences in many languages are drawn into pictures (Debian's fonts-noto-core, fonts-noto-cjk and
fonts-freefont-ttf have the letters) and read. What matters: sentences in scripts that the recogniser does not
know are reported as unread, and those in others are not.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spotsafe.detectors.image.ocr import TextReader
from spotsafe.evaluation.metrics.intervals import clopper_pearson
from tests.experiments import pictures, record
from tests.experiments.image_text import alike

NAME = "image_scripts"
FILE = "tatoeba_benign_multilingual.jsonl.gz"
SHORTEST, LONGEST = 12, 90

CYRILLIC = ("DejaVuSans.ttf", "FreeSerif.ttf", "LiberationSans-Bold.ttf")
ARABIC = ("NotoSansArabic-Regular.ttf", "NotoNaskhArabic-Regular.ttf")
READABLE = {
    "en": pictures.LATIN_FONTS, "de": pictures.LATIN_FONTS, "fr": pictures.LATIN_FONTS,
    "es": pictures.LATIN_FONTS, "pt": pictures.LATIN_FONTS, "it": pictures.LATIN_FONTS,
    "nl": pictures.LATIN_FONTS, "pl": ("DejaVuSans.ttf", "LiberationSerif-Regular.ttf"),
    "tr": ("DejaVuSans.ttf", "LiberationSerif-Regular.ttf"), "vi": ("DejaVuSans.ttf", "FreeSerif.ttf"),
    "zh": pictures.CJK_FONTS, "ja": pictures.CJK_FONTS,
}  # fmt: skip
UNREADABLE = {
    "ru": CYRILLIC, "uk": CYRILLIC, "bg": CYRILLIC, "el": ("DejaVuSans.ttf", "FreeSerif.ttf"), "ar": ARABIC,
    "fa": ARABIC, "ur": ARABIC[1:], "he": ("NotoSansHebrew-Regular.ttf",),
    "hi": ("NotoSansDevanagari-Regular.ttf",), "mr": ("NotoSansDevanagari-Regular.ttf",),
    "th": ("NotoSansThai-Regular.ttf",), "ta": ("NotoSansTamil-Regular.ttf",), "ko": pictures.CJK_FONTS,
}  # fmt: skip
"""Language → fonts that have its letters."""


class Outcome(NamedTuple):
    """What became of one sentence: was anything reported as unread, how alike was the text read."""

    language: str
    unread: bool
    alike: float


def sentences(folder: Path, each: int) -> list[tuple[str, str]]:
    """Language and text, *each* of them per language, the languages in turn."""
    found: dict[str, list[str]] = {language: [] for language in (*READABLE, *UNREADABLE)}
    with gzip.open(folder / FILE, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            kept = found.get(row["lang"])
            if kept is not None and len(kept) < each and SHORTEST <= len(row["text"]) <= LONGEST:
                kept.append(row["text"])
    turns = zip_longest(*([(name, text) for text in texts] for name, texts in found.items()))
    return [entry for turn in turns for entry in turn if entry is not None]


def outcomes(chosen: list[tuple[str, str]], *, minutes: float) -> list[Outcome]:
    """Each sentence drawn and read, as far as *minutes* allow."""
    ends, reader = time.monotonic() + 60 * minutes, TextReader(threads=1)
    found = []
    for number, (language, text) in enumerate(chosen):
        if time.monotonic() >= ends:
            break
        fonts = (READABLE | UNREADABLE)[language]
        page = reader.page(pictures.made(text, f"script {language} {number}", fonts=fonts).pixels)
        found.append(Outcome(language, bool(page.unread), alike(text, page)))
        if number % 20 == 19:
            print(f"{number + 1} of {len(chosen)}", flush=True)
    return found


def share(hits: int, of: int) -> dict[str, float]:
    """A share with its 95 % interval (Clopper and Pearson)."""
    low, high = clopper_pearson(hits, of)
    return {"hits": hits, "of": of, "share": hits / of, "low": float(low), "high": float(high)}


def report(found: list[Outcome], folder: Path) -> None:
    """Write the JSON with one row per language and one for each of the two groups."""
    groups = {
        "that can be read, together": [one for one in found if one.language in READABLE],
        "that cannot, together": [one for one in found if one.language in UNREADABLE],
        **{name: [one for one in found if one.language == name] for name in (*READABLE, *UNREADABLE)},
    }
    figures = {
        name: {
            **share(sum(one.unread for one in of), len(of)),
            "alike": float(np.mean([one.alike for one in of])),
        }
        for name, of in groups.items()
        if of
    }
    rows = [
        (name, entry["of"], entry["share"], entry["low"], entry["high"], entry["alike"])
        for name, entry in figures.items()
    ]
    table = record.Table(
        NAME,
        "Languages in pictures: what was reported as unread",
        ("language", "pictures", "reported as unread", "low", "high", "alike"),
        rows,
        "Low and high: 95 % interval. Alike: likeness of the text read to the one drawn, 1 for the same.",
    )
    packages = ("rapidocr", "onnxruntime", "opencv-python-headless", "pillow")
    record.write(NAME, figures, data={FILE: record.sha256(folder / FILE)}, packages=packages, tables=[table])
    for row in rows:
        print(*row)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--each", type=int, default=12, help="sentences per language")
    parser.add_argument("--minutes", type=float, default=240, help="stop after so long")
    given = parser.parse_args()
    report(outcomes(sentences(given.data_dir, given.each), minutes=given.minutes), given.data_dir)


if __name__ == "__main__":
    main()
