"""Text through video: ``python -m tests.experiments.video_text --data-dir …``.

Held-out English rows as films of H.264 or MPEG-4: a third shows the text as a caption, a third has it
spoken, a third has both. Before and after it stand frames without text. The films are scored by the video
engine; what a row reaches is compared with the same text scored as text.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spotsafe.core.content import Content, Video
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.audio.engine import AudioEngine
from spotsafe.detectors.audio.recogniser import Whisper
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.image.engine import ImageEngine
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.detectors.video.engine import VideoEngine
from tests.detectors.decode import made
from tests.experiments import pictures, voices
from tests.experiments.media_text import Line, Result, lines, report, text_scores
from tests.experiments.speech_text import PACKAGES

NAME = "video_text"
WAYS = ("caption", "speech", "both")
CODECS = (("libx264", {"preset": "veryfast", "crf": "26"}), ("mpeg4", {"b": "1500k"}))
SIZE = (720, 1280)
RATE = 10
EVERY = 24
"""Rows after which the result so far is written."""

U8 = NDArray[np.uint8]


def film(line: Line, index: int, way: str) -> bytes:
    """A film of one row: a second without text, then the caption while the text is spoken, then another
    second without. What is not captioned shows a photograph."""
    sound = np.zeros(RATE, np.int16)
    if way != "caption":
        voice = voices.ENGLISH[index % len(voices.ENGLISH)]
        spoken = InlineDecoder().sound(voices.say(line.text, voice)).samples
        wanted = np.arange(len(spoken) * 441 // 160) * (160 / 441)
        sound = (np.interp(wanted, np.arange(len(spoken)), spoken) * 32_000).astype(np.int16)
    sound = np.concatenate([np.zeros(44_100, np.int16), sound, np.zeros(44_100, np.int16)])
    seconds = max(5, round(len(sound) / 44_100))
    plain = fitted(np.asarray(pictures.photographs()[index % len(pictures.photographs())]))
    shown = plain if way == "speech" else fitted(pictures.made(line.text, f"{NAME} {index}").pixels)
    frames = [plain] * RATE + [shown] * ((seconds - 2) * RATE) + [plain[:, ::-1]] * RATE
    codec, options = CODECS[index % len(CODECS)]
    return made.movie(frames, codec=codec, rate=RATE, samples=sound, **options)


def fitted(pixels: U8) -> U8:
    """*pixels* as large as they go into :data:`SIZE`, on black."""
    picture = Image.fromarray(pixels).convert("RGB")
    scale = min(SIZE[1] / picture.width, SIZE[0] / picture.height)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    whole = Image.new("RGB", (SIZE[1], SIZE[0]))
    whole.paste(picture, ((SIZE[1] - picture.width) // 2, (SIZE[0] - picture.height) // 2))
    return np.asarray(whole)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--per-class", type=int, default=12, help="positives, and negatives, of each label")
    given = parser.parse_args()
    chosen = lines(given.data_dir, given.per_class)
    text, decoder = TextEngine(), InlineDecoder()
    image = ImageEngine(decoder, text=text, threads=1)
    audio = AudioEngine(decoder, text=text, recogniser=Whisper(threads=1))
    engine = VideoEngine(decoder, image=image, audio=audio, text=text)
    results: list[Result] = []
    for index, (line, plain) in enumerate(zip(chosen, text_scores(chosen, text), strict=True)):
        # Labels and classes change with each row; ways change after each round of them.
        way = WAYS[index // (2 * 4) % len(WAYS)]
        content = Content((Video(film(line, index, way)),))
        answer = engine.detect([DetectRequest(content, (line.label,))])[0]
        results.append(Result(line, plain, answer.score(line.label), way))
        if len(results) % EVERY == 0 or len(results) == len(chosen):
            packages = (*PACKAGES, "rapidocr")
            report(NAME, "Text through video", results, folder=given.data_dir, packages=packages)


if __name__ == "__main__":
    main()
