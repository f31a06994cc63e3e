"""Compositions as media, read and heard again.

``python -m tests.experiments.fusion_sense --data-dir … --out …``

Writes ``sensed.jsonl`` into the folder *out*: the compositions of :mod:`spotsafe.learning.fusion.recipe` with
the words that the reader of pictures and the recogniser of speech made of them. ``spotsafe train fusion``
and ``fusion`` read it. What was sensed is remembered there too, so that an interrupted run goes on; the
folder holds texts of the data sets and is not committed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Audio, Content, Image
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Signal, Signals
from spotsafe.detectors.audio.engine import AudioEngine
from spotsafe.detectors.audio.recogniser import Whisper
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.fusion.senses import Sensed, perceived
from spotsafe.detectors.image.engine import ImageEngine
from spotsafe.learning.fusion import cases, completion, recipe
from spotsafe.learning.fusion.compositions import Composition, digest
from spotsafe.learning.text.rows import load
from spotsafe.learning.text.sources import shipped_registry
from tests.experiments import music, pictures, voices

F32 = NDArray[np.float32]

LABEL = "tone.toxic"
"""Asked so that there is a reason to read and to listen; its score is not looked at."""

VOICES = voices.ENGLISH[:6]
"""Those of espeak-ng and flite; festival takes seconds for a sentence."""

LOUDER = (12.0, 8.0, 4.0)
"""Decibels by which a voice is louder than the music below it."""

REMEMBERED = "remembered.jsonl"


class Made(NamedTuple):
    """One medium to be sensed: *words* shown (*kind* ``shown``) or said (``said``), over *music* or not."""

    kind: str
    words: str
    music: bool = False

    @property
    def key(self) -> str:
        """What it is remembered by."""
        return digest(f"{self.kind}\0{self.words}\0{self.music}")

    def __repr__(self) -> str:
        return f"<Made {self.kind}, {len(self.words)} characters>"


class Quiet:
    """A text detector that has nothing to say: here words matter, not their scores."""

    id = "quiet"
    version = "1"

    def capabilities(self) -> Capabilities:
        return Capabilities({LABEL: {"en": Calibration.UNCALIBRATED}})

    def detect(self, requests: Iterable[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [
            Signals(
                [Signal(label, 0.0, part.name, 1, self.id) for part in one.content for label in one.labels]
            )
            for one in requests
        ]


def picture(words: str) -> bytes:
    """A PNG of *words*; how it looks depends on them alone."""
    import io

    from PIL import Image as Pictures

    buffer = io.BytesIO()
    Pictures.fromarray(pictures.made(words, f"fusion {words}").pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def recording(words: str, over_music: bool) -> F32:
    """*words* said by one of the voices; over a song that begins before and ends after them where wanted."""
    chance = random.Random(f"fusion {words}")
    voice = VOICES[chance.randrange(len(VOICES))]
    said: F32 = InlineDecoder().sound(voices.say(words, voice)).samples
    before, after = (round(chance.uniform(0.2, 2.0) * music.RATE) for _ in range(2))
    mix = np.concatenate([np.zeros(before, np.float32), said, np.zeros(after, np.float32)])
    if over_music:
        song = music.song(chance.randrange(2**31), len(mix) / music.RATE + 0.1)[: len(mix)]
        level = np.sqrt(np.mean(said**2) / np.mean(song**2)) * 10 ** (-chance.choice(LOUDER) / 20)
        mix = mix + song * level
    loudest = float(np.abs(mix).max())
    return (mix * (0.9 / loudest) if loudest > 0 else mix).astype(np.float32)


def wav(samples: F32) -> bytes:
    """A WAV file of *samples*, 16 bits."""
    import io
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(music.RATE)
        file.writeframes((samples * 32_000).astype("<i2").tobytes())
    return buffer.getvalue()


class Senses:
    """The engines, asked for words."""

    def __init__(self) -> None:
        decoder, quiet = InlineDecoder(), Quiet()
        self._image = ImageEngine(decoder, text=quiet, threads=1)
        self._audio = AudioEngine(decoder, text=quiet, recogniser=Whisper(threads=1))

    def sense(self, one: Made) -> list[float | str]:
        """The words, and the share of music."""
        if one.kind == "shown":
            content = Content((Image(picture(one.words)),))
            found = perceived(self._image, [DetectRequest(content, (LABEL,))])[0].sensed
        else:
            content = Content((Audio(wav(recording(one.words, one.music))),), ("en",))
            found = perceived(self._audio, [DetectRequest(content, (LABEL,))])[0].sensed
        return [_text(found), max((entry.music for entry in found), default=0.0)]


def needed(plan: Iterable[Composition]) -> list[Made]:
    """Every medium of *plan* once, mixed so that any beginning is a fair sample."""
    found: dict[str, Made] = {}
    for one in plan:
        for made in _media(one):
            found[made.key] = made
    return [found[key] for key in sorted(found)]


def sensed(
    wanted: list[Made], folder: Path, sense: Callable[[Made], list[float | str]]
) -> dict[str, list[float | str]]:
    """Key → words and music of each of *wanted*: what *folder* remembers, and the rest sensed now."""
    path = folder / REMEMBERED
    known: dict[str, list[float | str]] = {}
    if path.exists():
        known = dict(map(json.loads, path.read_text("utf-8").splitlines()))
    with path.open("a", encoding="utf-8") as file:
        for index, one in enumerate(wanted):
            if one.key not in known:
                known[one.key] = sense(one)
                file.write(json.dumps([one.key, known[one.key]]) + "\n")
                file.flush()
            if index % 20 == 0:
                print(f"\rsensed {index} of {len(wanted)}", end="", file=sys.stderr, flush=True)
    return known


def case(one: Composition, known: Mapping[str, list[float | str]]) -> cases.Case:
    """The composition as the senses have it."""
    words = {"typed": one.typed, "read": "", "spoken": ""}
    share = drawn = 0.0
    for made in _media(one):
        text, heard = known[made.key]
        drawn = max(drawn, int(made.key, 16) / 16 ** len(made.key))
        words["read" if made.kind == "shown" else "spoken"] = str(text)
        share = max(share, float(heard))
    kept = {sense: text for sense, text in words.items() if text.strip()}
    return cases.Case(one.recipe, one.family, one.medium, one.group, one.truth, kept, share, round(drawn, 4))


def _media(one: Composition) -> list[Made]:
    found = [Made("shown", one.shown)] if one.shown else []
    return [*found, Made("said", one.said, one.music)] if one.said else found


def _text(found: Iterable[Sensed]) -> str:
    return "\n".join(entry.text for entry in found if entry.text)


def main() -> None:
    """Sense everything and write the cases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a folder that is not committed")
    parser.add_argument("--most", type=int, default=0, help="media, for a trial (0: all)")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    plan = recipe.plan(load(given.data_dir, shipped_registry()), completion.load())
    wanted = needed(plan)
    known = sensed(wanted[: given.most or None], given.out, Senses().sense)
    ready = [case(one, known) for one in plan if all(made.key in known for made in _media(one))]
    cases.write(given.out / cases.FILE, ready)
    print(f"\n{len(ready)} of {len(plan)} compositions", flush=True)


if __name__ == "__main__":
    main()
