"""How often copies of known pictures are found, and how near unrelated ones come.

    python -m tests.experiments.known_images [--pictures FOLDER] [--unrelated 100000]

Known pictures: pieces of photographs, drawings and composed scenes. Each is added as a product would add it;
then each of its copies is looked up. Unrelated pictures, none of which shares content with a known one, are
looked up too, and their distance to the nearest of all stored hashes is kept. FOLDER holds more photographs;
the committed figures were made with those of the Debian packages gnome-backgrounds, mate-backgrounds,
plasma-workspace-wallpapers and tuxpaint-stamps-default (photographed and drawn things on white).
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.entries import BankError, Terms
from spotsafe.detectors.match.hash_index import distances_to
from spotsafe.detectors.match.image_bank import RADIUS
from spotsafe.detectors.match.picture_hash import (
    looked_up_hashes,
    packed,
    stored_hashes,
)
from tests.experiments import record, scenes

KNOWN = 450
"""Known pictures whose copies are looked up."""

MORE_KNOWN = 900
"""Further known pictures in the bank, which only unrelated ones can meet."""

STEP = 10_000
"""Unrelated pictures after which the result so far is written."""

SOME = ("fractal", "landscape", "poster", "page", "texture")
"""Kinds of unrelated pictures of which there are fewer: slow to draw, or mostly too flat to be hashed."""

FIRST_KNOWN, FIRST_MORE = 0, 100_000
FIRST_UNRELATED = 1_000_000

METHODS = (Image.Resampling.BILINEAR, Image.Resampling.LANCZOS, Image.Resampling.BICUBIC)

Change = Callable[[Image.Image, random.Random], Image.Image]


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    """Cuts shares of width and height off."""

    def change(picture: Image.Image, _: random.Random) -> Image.Image:
        w, h = picture.size
        return picture.crop((round(left * w), round(top * h), w - round(right * w), h - round(bottom * h)))

    return change


def any_crop(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Cuts any share up to 10 % off one side, or off all four alike."""
    share = chance.uniform(0, 0.1)
    sides = [0.0, 0.0, 0.0, 0.0]
    which = chance.randrange(5)
    if which == 4:
        sides = [share] * 4
    else:
        sides[which] = share
    return cropped(*sides)(picture, chance)


def corner_crop(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Cuts 10 % off two neighbouring sides: not among what the bank is made for."""
    return cropped(*chance.choice(((0.1, 0.1, 0, 0), (0, 0.1, 0.1, 0), (0, 0, 0.1, 0.1))))(picture, chance)


def bordered(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Puts a frame or bars of one colour around it, 3 to 20 % wide."""
    colour = chance.choice(("white", "black", (chance.randrange(256), 80, chance.randrange(256))))
    wide, high = (round(chance.uniform(0.03, 0.2) * size) for size in picture.size)
    kind = chance.randrange(3)
    return ImageOps.expand(picture, (wide if kind != 1 else 0, high if kind != 2 else 0), colour)


def resized(scale: float) -> Change:
    """Scales it."""

    def change(picture: Image.Image, chance: random.Random) -> Image.Image:
        size = tuple(max(48, round(side * scale)) for side in picture.size)
        method = chance.choice(
            (Image.Resampling.BILINEAR, Image.Resampling.LANCZOS, Image.Resampling.BICUBIC)
        )
        return picture.resize(size, method)

    return change


def squeezed(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Changes its proportions by up to 30 %."""
    return picture.resize((round(picture.width * chance.uniform(0.7, 1.3)), picture.height))


def mirrored(picture: Image.Image, _: random.Random) -> Image.Image:
    """Mirrors it."""
    return ImageOps.mirror(picture)


def encoded(quality: int) -> Change:
    """Sends it through JPEG."""
    return lambda picture, _: scenes.jpeg(picture, quality)


def chain(*changes: Change) -> Change:
    """One after the other, and at the end through JPEG, as uploads are."""

    def change(picture: Image.Image, chance: random.Random) -> Image.Image:
        for each in changes:
            picture = each(picture, chance)
        return scenes.jpeg(picture, 85)

    return change


REQUIRED: dict[str, Change] = {
    "mirrored": chain(mirrored),
    "cropped 10 % left": chain(cropped(0.1, 0, 0, 0)),
    "cropped 10 % top": chain(cropped(0, 0.1, 0, 0)),
    "cropped 10 % right": chain(cropped(0, 0, 0.1, 0)),
    "cropped 10 % bottom": chain(cropped(0, 0, 0, 0.1)),
    "centre, 90 % of width and height left": chain(cropped(0.05, 0.05, 0.05, 0.05)),
    "centre, 80 % of width and height left": chain(cropped(0.1, 0.1, 0.1, 0.1)),
    "bordered": chain(bordered),
    "JPEG 75": encoded(75),
    "JPEG 30": encoded(30),
    "resized to a half": chain(resized(0.5)),
    "resized to double": chain(resized(2.0)),
}
"""What a copy must survive."""

BEYOND: dict[str, Change] = {
    "cropped by any share up to 10 %": chain(any_crop),
    "mirrored, cropped 10 % left": chain(mirrored, cropped(0.1, 0, 0, 0)),
    "bordered, mirrored": chain(bordered, mirrored),
    "cropped 10 % left, half size, JPEG 30": chain(cropped(0.1, 0, 0, 0), resized(0.5), encoded(30)),
    "JPEG 10": encoded(10),
    "resized to a fifth": chain(resized(0.2)),
    "proportions changed by up to 30 %": chain(squeezed),
    "cropped 10 % off two sides": chain(corner_crop),
    "bordered, cropped 10 % inside": chain(cropped(0.1, 0, 0, 0), bordered),
}
"""What is measured beside it."""

LISTED = ("mirrored", "bordered", "JPEG 75", "JPEG 30", "resized to a half", "resized to double")
"""What must be survived by pictures known only by a PDQ hash from a list."""


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, hits / n
    middle, half = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def known_pictures(photos: Sequence[Image.Image], drawings: Sequence[Image.Image]) -> list[Image.Image]:
    """A third each of photographs, drawings and composed scenes that are not too flat to be added."""
    order = random.Random(5)
    pieces = scenes.pieces(photos, shortest=200)
    order.shuffle(pieces)
    found: list[Image.Image] = []
    drawn = [picture for picture in drawings if min(picture.size) >= 200]
    made = (scenes.scene(number, photos, 256) for number in range(FIRST_KNOWN, FIRST_MORE))
    for source in (iter(pieces), iter(drawn), made):
        wanted = len(found) + KNOWN // 3
        for picture in source:
            if len(found) == wanted:
                break
            if _addable(picture):
                found.append(picture)
    return found


def _addable(picture: Image.Image) -> bool:
    try:
        stored_hashes(scenes.as_pixels(picture))
    except BankError:
        return False
    return True


def recalls(
    banks: BankSet, known: Sequence[Image.Image], listed: BankSet
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Per change: how many copies were found, from pictures and from listed hashes."""
    full: dict[str, Any] = {}
    hashes: dict[str, Any] = {}
    for name, change in {**REQUIRED, **BEYOND}.items():
        chance = random.Random(name)
        hits = list_hits = 0
        for number, picture in enumerate(known):
            pixels = scenes.as_pixels(change(picture, chance))
            hits += any(match.entry_id == f"k{number}" for match in banks.match_frames(pixels))
            if name in LISTED:
                list_hits += any(match.entry_id == f"k{number}" for match in listed.match_frames(pixels))
        full[name] = _share(hits, len(known))
        if name in LISTED:
            hashes[name] = _share(list_hits, len(known))
        print(f"{name}: {full[name]['recall']:.4f}", file=sys.stderr, flush=True)
    return full, hashes


def _share(hits: int, n: int) -> dict[str, Any]:
    low, high = interval(hits, n)
    return {"recall": hits / n, "low": low, "high": high, "n": n}


def unrelated(
    count: int, photos: Sequence[Image.Image], drawings: Sequence[Image.Image]
) -> Iterator[tuple[str, Image.Image]]:
    """Pictures that share nothing with the known ones: photographs and drawings that are not known, then
    composed ones."""
    for picture in scenes.pieces(photos, shortest=64):
        yield "photograph", picture
    for picture in drawings:
        yield "drawing from a collection", picture
    for number in range(FIRST_UNRELATED, FIRST_UNRELATED + count):
        if scenes.kind(number) in SOME and number // len(scenes.KINDS) % 6:
            continue
        for picture in scenes.sheet(number, photos):
            yield scenes.kind(number), picture


class Nearest:
    """Distances to the nearest of all stored hashes, by comparing with every one of them."""

    def __init__(self, stored: np.ndarray) -> None:
        self._stored = stored
        try:
            import faiss
        except ImportError:
            self._index = None
            return
        faiss.omp_set_num_threads(1)
        self._index = faiss.IndexBinaryFlat(256)
        self._index.add(stored.view(np.uint8))

    def distances(self, values: np.ndarray) -> np.ndarray:
        """*values* uint64[n, 4] → int[n]."""
        if self._index is not None:
            return np.asarray(self._index.search(values.view(np.uint8), 1)[0][:, 0])
        return np.array([distances_to(self._stored, value).min() for value in values])


def false_matches(
    stored: np.ndarray, pictures: Iterator[tuple[str, Image.Image]], count: int
) -> Iterator[dict[str, Any]]:
    """Nearest distances of *count* unrelated pictures that are hashed at all, per kind; what is known so far
    after each :data:`STEP` of them."""
    nearest = Nearest(stored)
    histogram: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    worst: dict[str, int] = {}
    flat = looked_up = done = 0
    for kind, picture in pictures:
        found = looked_up_hashes(scenes.as_pixels(picture))
        if not found:
            flat += 1
            continue
        distance = int(nearest.distances(np.stack([each.value for each in found])).min())
        looked_up += len(found)
        histogram[distance] += 1
        kinds[kind] += 1
        worst[kind] = min(worst.get(kind, 256), distance)
        done += 1
        if done % STEP == 0 or done == count:
            print(f"{done} unrelated, nearest {min(histogram)}", file=sys.stderr, flush=True)
            yield _summary(histogram, kinds, worst, flat=flat, looked_up=looked_up, stored=len(stored))
        if done == count:
            return


def _summary(
    histogram: Counter[int],
    kinds: Counter[str],
    worst: dict[str, int],
    *,
    flat: int,
    looked_up: int,
    stored: int,
) -> dict[str, Any]:
    n = sum(histogram.values())
    matched = sum(number for distance, number in histogram.items() if distance <= RADIUS)
    return {
        "pictures": n, "too flat": flat, "hashes looked up": looked_up, "stored hashes": stored,
        "matched": matched, "rate at most": 3 / n if not matched else None,
        "nearest": min(histogram), "kinds": dict(kinds), "nearest by kind": worst,
        "histogram": {str(key): histogram[key] for key in sorted(histogram)},
    }  # fmt: skip


def main() -> None:
    """Run all and write the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--pictures", default="", help="a folder of more photographs and drawings")
    options.add_argument("--unrelated", type=int, default=100_000)
    args = options.parse_args()
    photos, drawings = sources(args.pictures)
    chance = random.Random(3)
    chance.shuffle(drawings)
    split = min(len(drawings) // 2, KNOWN)
    known = known_pictures(photos[::2], drawings[:split])
    print(f"{len(photos)} photographs, {len(drawings)} drawings, {len(known)} known", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        banks, listed = (BankSet.open(Path(folder) / name, actor="experiment") for name in ("a", "b"))
        for number, picture in enumerate(known):
            pixels = scenes.as_pixels(picture)
            terms = Terms("ip.copyright", "experiment", id=f"k{number}")
            banks.image.add(pixels, terms)
            listed.image.add_hashes([(plain_pdq(pixels), "whole")], terms)
        found, from_lists = recalls(banks, known, listed)
        stored = everything_stored(known, photos[::2])
    pictures = unrelated(args.unrelated, photos[1::2], drawings[split:])
    for false in false_matches(stored, pictures, args.unrelated):
        write(found, from_lists, false, args.pictures)


def sources(folder: str) -> tuple[list[Image.Image], list[Image.Image]]:
    """Photographs, and drawings and cut-outs on white, of the packages and of *folder*."""
    photos, drawings = list(scenes.photographs("")), []
    for path in scenes.one_of_each(Path(folder)) if folder else []:
        small = path.suffix == ".png"
        (drawings if small else photos).append(scenes.opened(path))
    return photos, drawings


def plain_pdq(pixels: scenes.U8) -> np.ndarray:
    """The hash that lists hold: PDQ of the picture as it is."""
    import pdqhash

    return packed(pdqhash.compute(pixels)[0])


def everything_stored(known: Sequence[Image.Image], photos: Sequence[Image.Image]) -> np.ndarray:
    """Hashes of the known pictures and of :data:`MORE_KNOWN` composed ones."""
    values = []
    more = (scenes.scene(number, photos, 128) for number in range(FIRST_MORE, FIRST_MORE + MORE_KNOWN))
    for source in (known, more):
        for picture in source:
            try:
                values += [each.value for each in stored_hashes(scenes.as_pixels(picture))]
            except BankError:
                continue
    return np.stack(values)


def write(found: dict[str, Any], from_lists: dict[str, Any], false: dict[str, Any], folder: str) -> None:
    """The result and its tables."""
    required = [found[name]["recall"] for name in REQUIRED]
    result = {
        "radius": RADIUS, "recall": found, "recall from lists": from_lists, "false": false,
        "required": {"mean": sum(required) / len(required), "least": min(required)},
    }  # fmt: skip

    def rows(shares: dict[str, Any], names: Iterable[str]) -> list[list[object]]:
        return [
            [name, shares[name]["recall"], f"{shares[name]['low']:.3f} to {shares[name]['high']:.3f}",
             shares[name]["n"], "yes" if name in REQUIRED else "no"]
            for name in names
        ]  # fmt: skip

    columns = ("what happened to the copy", "found", "95 % interval", "n", "required")
    kinds = [[kind, number, false["nearest by kind"][kind]] for kind, number in false["kinds"].items()]
    record.write(
        "known_images", result, data={"pictures": digest(folder)},
        packages=("pdqhash", "Pillow", "numpy", "scikit-image", "scikit-learn"),
        tables=(
            record.Table(
                "known-images-recall", "Copies of known pictures that were found", columns,
                rows(found, (*REQUIRED, *BEYOND)),
                f"Required: {sum(required) / len(required):.4f} on average, {min(required):.4f} at least.",
            ),
            record.Table(
                "known-images-lists", "Copies of pictures known by a listed hash alone", columns,
                rows(from_lists, LISTED),
            ),
            record.Table(
                "known-images-unrelated", "Unrelated pictures and the nearest of all stored hashes",
                ("kind", "pictures", "nearest, bits"), kinds,
                f"{false['pictures']} pictures against {false['stored hashes']} stored hashes; "
                f"{false['matched']} within {RADIUS} bits; nearest {false['nearest']}. "
                f"With none of n the rate is at most 3/n: {3 / false['pictures']:.1e}.",
            ),
        ),
    )  # fmt: skip


def digest(folder: str) -> str:
    """SHA-256 over the names and bytes of the picture files below *folder*; empty without one."""
    if not folder:
        return ""
    whole = hashlib.sha256()
    for path in scenes.one_of_each(Path(folder)):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    main()
