"""How long the audio and the video engine take: ``python -m tests.benchmarks.audio_video [--json]``.

30 seconds of speech, and 60 seconds of 720p video with captions and speech, made here (``espeak-ng`` speaks).
Beside each, in the same round, the bare calls of the models on the same media: faster-whisper's own
transcription, the image networks and the text reader on the same frames, and PyAV decoding everything.
Medians over rounds, by the wall clock and by the CPU time of the whole process; ratios within a round.

``--memory NAME`` prints the peak memory of a process that does one of them once.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Audio, Content, Part, Text, Video
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.detectors.audio.engine import AudioEngine
from spotsafe.detectors.audio.recogniser import WHISPER
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.image.classes import ImageClasses
from spotsafe.detectors.image.engine import ImageEngine
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.detectors.video.captions import chosen
from spotsafe.detectors.video.engine import VideoEngine
from spotsafe.detectors.weights import THREADS, installed
from tests.detectors.decode import made

U8 = NDArray[np.uint8]

SHOTS, RATE, SIDE = 8, 25, (720, 1280)

SAID = (
    "Good morning everybody and welcome to the show. Today we talk about how to grow tomatoes in a small "
    "garden. You need a lot of sun and some patience. Last week a listener asked us what to do about "
    "snails, and we promised to ask somebody who knows. Before that, here is what happened in the "
    "village this month. The bakery has a new oven, the choir looks for two more "
    "voices, and the bridge is open again. "
)


class Spent(NamedTuple):
    """Seconds by the wall clock and of the process's CPU time."""

    wall: float
    cpu: float


def speech(seconds: float) -> NDArray[np.int16]:
    """That much speech, 44.1 kHz."""
    command = ["espeak-ng", "-v", "en-us", "--stdout", SAID * (1 + int(seconds) // 20)]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    found = InlineDecoder().sound(wav).samples
    wanted = np.arange(round(seconds * 44_100)) * (16_000 / 44_100)
    return (np.interp(wanted, np.arange(len(found)), found) * 32_000).astype(np.int16)


def film(seconds: int) -> bytes:
    """An MP4 of shots that pan over photographs, each with its caption, and speech."""
    width = SIDE[1]
    frames: list[U8] = []
    for number in range(SHOTS):
        wide = captioned(number, width + 200)
        count = seconds * RATE // SHOTS
        # The caption stands still while the shot moves below it.
        for index in range(count):
            left = index * 200 // count
            frame = wide.picture[:, left : left + width].copy()
            frame[-120:] = wide.caption
            frames.append(frame)
    return made.movie(frames, rate=RATE, samples=speech(seconds), preset="ultrafast", crf="28")


class Shot(NamedTuple):
    """A wide picture, and the caption below it."""

    picture: U8
    caption: U8


def captioned(number: int, wide: int) -> Shot:
    """One of several pictures, *wide* pixels, with a line of text of its own."""
    from PIL import Image, ImageDraw, ImageFont
    from sklearn.datasets import load_sample_image

    photo = Image.fromarray(load_sample_image(("china.jpg", "flower.jpg")[number % 2]))
    crop = photo.crop((number * 20, number * 10, number * 20 + 480, number * 10 + 300))
    picture = np.asarray(crop.resize((wide, SIDE[0])))
    band = Image.new("RGB", (SIDE[1], 120), (20, 20, 20))
    font = ImageFont.truetype("DejaVuSans.ttf", 44)
    line = SAID.split(". ")[number % 6][:46]
    ImageDraw.Draw(band).text((40, 30), line, fill=(240, 240, 240), font=font)
    return Shot(picture, np.asarray(band))


def request(part: Part, text: Detector) -> DetectRequest:
    """All labels of the text engine and the classes for one file."""
    known = text.capabilities()
    labels = {*(known.labels if known else {}), "sexual.explicit", "sexual.nudity", "violence.graphic"}
    return DetectRequest(Content((part,)), tuple(sorted(labels)))


class Bare:
    """The models' own calls, without this product around them."""

    def __init__(self, text: TextEngine, image: ImageEngine) -> None:
        from faster_whisper import WhisperModel

        folder = str(installed(WHISPER[0]).parent)
        self._whisper = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=THREADS)
        self._classes, self._reader, self._text = ImageClasses(), image.reader(), text

    def transcribe(self, samples: NDArray[np.float32]) -> None:
        """As the package's page shows, with its voice filter and times of words, greedy, one temperature."""
        segments, _ = self._whisper.transcribe(
            samples,
            beam_size=1,
            temperature=0.0,
            vad_filter=True,
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        texts = [segment.text for segment in segments]
        self._text.detect([request(Text(text), self._text) for text in texts])

    def sound(self, data: bytes) -> None:
        """Decode and transcribe."""
        self.transcribe(InlineDecoder().sound(data).samples)

    def film(self, data: bytes, frames: Sequence[U8], read: Sequence[U8]) -> None:
        """Decode every frame, look at *frames*, read *read*, and transcribe."""
        import av

        with av.open(io.BytesIO(data)) as container:
            for _ in container.decode(video=0):
                pass
        self._classes.scores(list(frames))
        for pixels in read:
            if self._reader is not None:
                self._reader.page(pixels)
        self.transcribe(InlineDecoder().sound(data).samples)


def spent(call: Callable[[], object]) -> Spent:
    """What one call takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def compared(own: Callable[[], object], bare: Callable[[], object], rounds: int) -> dict[str, float]:
    """Medians of both, and the median of the ratios within a round, after one round that does not count."""
    pairs = [(spent(own), spent(bare)) for _ in range(rounds + 1)][1:]
    return {
        "wall_s": median(ours.wall for ours, _ in pairs),
        "cpu_s": median(ours.cpu for ours, _ in pairs),
        "bare_wall_s": median(theirs.wall for _, theirs in pairs),
        "bare_cpu_s": median(theirs.cpu for _, theirs in pairs),
        "ratio_wall": median(ours.wall / theirs.wall for ours, theirs in pairs),
        "ratio_cpu": median(ours.cpu / theirs.cpu for ours, theirs in pairs),
    }


def engines() -> tuple[TextEngine, ImageEngine, AudioEngine, VideoEngine]:
    """All of them, as they are put together in the product, decoding in this process."""
    text, decoder = TextEngine(), InlineDecoder()
    image = ImageEngine(decoder, text=text)
    audio = AudioEngine(decoder, text=text)
    return text, image, audio, VideoEngine(decoder, image=image, audio=audio, text=text)


def benchmark(rounds: int, movie: bytes) -> dict[str, Any]:
    """Figures of both media; without a *movie*, which is what :func:`film` gives, of sound alone."""
    text, image, audio, video = engines()
    bare = Bare(text, image)
    clip = made.sound("wav", "pcm_s16le", speech(30.0))
    heard = request(Audio(clip), text)
    figures: dict[str, Any] = {
        "threads": THREADS,
        "speech_30s": compared(lambda: audio.detect([heard]), lambda: bare.sound(clip), rounds),
    }
    if movie:
        decoded = InlineDecoder().movie(movie)
        frames = [frame.pixels for frame in decoded.frames]
        read = [frames[index] for index in chosen(decoded.frames, decoded.seconds).read]
        seen = request(Video(movie), text)
        figures |= {"key_frames": len(frames), "read_frames": len(read)}
        figures["video_60s_720p"] = compared(
            lambda: video.detect([seen]), lambda: bare.film(movie, frames, read), rounds
        )
    return figures


def memory(name: str, movie: bytes) -> float:
    """Peak memory of this process in MB after doing *name* (``text``, ``audio`` or ``video``) once, decoding
    included."""
    text, _, audio, video = engines()
    text.detect([request(Text(SAID), text)])
    if name == "audio":
        audio.detect([request(Audio(made.sound("wav", "pcm_s16le", speech(30.0))), text)])
    if name == "video":
        video.detect([request(Video(movie), text)])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the figures, as one JSON document with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", choices=("text", "audio", "video"))
    parser.add_argument("--film", type=Path, help="a film that --keep wrote; made anew where not given")
    parser.add_argument("--sound", action="store_true", help="measure sound alone")
    parser.add_argument("--keep", type=Path, help="write the film there and stop")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.write_bytes(film(60))
        return
    without = given.sound or given.memory in ("text", "audio")
    movie = b"" if without else given.film.read_bytes() if given.film else film(60)
    found: dict[str, Any]
    found = {"peak_mb": memory(given.memory, movie)} if given.memory else benchmark(given.rounds, movie)
    if given.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(name, value)


if __name__ == "__main__":
    main()
