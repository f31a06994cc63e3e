"""How well notes are told from voices: ``python -m tests.experiments.music_share``.

Voices alone, in noise, and over composed songs; songs alone. The measure's constants were chosen on other
sentences, voices' other recordings and other songs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import median

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.audio.music import music as measured
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.learning.fusion.fit import SUNG
from tests.experiments import music, record, voices

F32 = NDArray[np.float32]

NAME = "music_share"
FIRST_SONG = 70_000
"""Seeds from here on are used nowhere else."""

SENTENCES = (
    "The ferry leaves from the other side of the island, so we have to start before the sun is up.",
    "Nobody told me that the recipe needs two days. I have guests tonight, and the dough is still cold.",
    "Last week the choir sang in the old market hall, and even the people at the fish stall went quiet.",
    "If you find a grey cat with a white paw, please call the number on the poster. She answers to Mildred.",
)
OVER = (4, 8, 12, 18)
"""Decibels by which the voice is louder than the song."""

NOISE = (6, 15)
"""Decibels by which the voice is louder than pink noise."""

SONGS, SECONDS = 40, 10.0


def recordings() -> Iterator[tuple[str, F32]]:
    """What is heard, and its samples."""
    decoder, number = InlineDecoder(), FIRST_SONG
    for voice in voices.ENGLISH:
        for sentence in SENTENCES:
            said = decoder.sound(voices.say(sentence, voice)).samples
            yield "a voice", said
            for decibels in NOISE:
                yield (
                    f"a voice {decibels} dB above noise",
                    music.with_noise(said, decibels, number, pink=True),
                )
            for decibels in OVER:
                number += 1
                song = music.song(number, len(said) / music.RATE + 0.1)[: len(said)]
                level = np.sqrt(np.mean(said**2) / np.mean(song**2)) * 10 ** (-decibels / 20)
                yield f"a voice {decibels} dB above a song", (said + song * level).astype(np.float32)
    for _ in range(SONGS):
        number += 1
        yield "a song", music.song(number, SECONDS)


def _from(bound: float, found: list[float]) -> float:
    return sum(share >= bound for share in found) / len(found)


def main() -> None:
    """Measure and write the result."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    shares: dict[str, list[float]] = {}
    for kind, samples in recordings():
        shares.setdefault(kind, []).append(measured(samples))
    rows = [
        (
            kind,
            len(found),
            min(found),
            median(found),
            max(found),
            sum(one >= SUNG for one in found) / len(found),
        )
        for kind, found in shares.items()
    ]
    table = record.Table(
        NAME,
        "Share of music that is heard",
        ("recording", "recordings", "least", "median", "most", f"share from {SUNG:g} on"),
        rows,
        "Synthetic voices, composed songs. From the last column's bound on, a title whose words are all "
        "heard counts as sung.",
    )
    record.write(NAME, {"shares": shares}, data={}, packages=("numpy",), tables=[table])
    for row in rows:
        print(*row)


if __name__ == "__main__":
    main()
