"""The local audio engine: what is said in a recording, scored as text, and recordings that are known.

The recogniser knows English. Speech in a language that is stated to be another one, or that it cannot make
sense of, is missing with cause ``language``: a transcript of nonsense that scores low would look clean. Where
nobody speaks, nothing was said, and text labels score 0. Singing counts as speech where the voice network
takes it for such; music without words says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Calibration, Capabilities, Detector, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, TimeRange
from spotsafe.detectors import loading
from spotsafe.detectors.audio.chunks import Chunk, packed
from spotsafe.detectors.audio.findings import ID, Found, Listening, answer, lacking, signals, strongest
from spotsafe.detectors.audio.music import music
from spotsafe.detectors.audio.recogniser import LANGUAGE, WHISPER, Recogniser, Whisper, Word, understood
from spotsafe.detectors.audio.transcript import phrases, scored
from spotsafe.detectors.audio.voice import VOICE, WINDOW, VoiceActivity, stretches
from spotsafe.detectors.decode.decoded import Sound
from spotsafe.detectors.decode.decoder import DecodeError, Decoder
from spotsafe.detectors.fusion.senses import SPOKEN, Perceived, Sensed
from spotsafe.detectors.weights import digest

F32 = NDArray[np.float32]

CODE_VERSION = "1"
"""Raised whenever the same weights would score differently; part of the engine's version."""

UNDECIDED = {"und", "mul", ""}
"""Language tags that rule nothing out: undetermined, several."""


class Voices(Protocol):
    """Tells where somebody speaks; see :class:`~spotsafe.detectors.audio.voice.VoiceActivity`."""

    def probabilities(self, samples: F32, running: Callable[[], bool] = ...) -> F32: ...


class SoundMatch(Protocol):
    """One known recording found again; *start* and *end* are seconds of the sound asked about."""

    @property
    def label(self) -> str: ...

    @property
    def start(self) -> float | None: ...

    @property
    def end(self) -> float | None: ...


class KnownSounds(Protocol):
    """A bank of known recordings, as this engine asks it."""

    @property
    def version(self) -> str: ...

    @property
    def labels(self) -> Sequence[str]:
        """The labels of its entries."""
        ...

    def match_sound(self, samples: F32) -> Sequence[SoundMatch]:
        """What of the bank is heard in ``float32[n]``, 16 kHz."""
        ...


class Heard(NamedTuple):
    """What a recording says: scores and gaps, and the words behind them where any were understood."""

    found: list[Signal | Missing]
    sensed: tuple[Sensed, ...] = ()


class AudioEngine:
    """Scores audio parts; parts of other kinds are missing with cause ``modality``."""

    def __init__(
        self,
        decoder: Decoder,
        *,
        text: Detector,
        bank: KnownSounds | None = None,
        voices: Voices | None = None,
        recogniser: Recogniser | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """*text* scores what was said, *bank* holds known recordings. *voices* and *recogniser* are the
        packaged networks where not given, loaded at the first detection or by :meth:`warm`; *clock* is
        monotonic time in seconds, for deadlines alone."""
        self._decoder = decoder
        self._text = text
        self._bank = bank
        self._voices = voices
        self._recogniser = recogniser
        self._clock = clock
        self._loading = Lock()
        self._given = (voices, recogniser)
        self._owner = os.getpid()

    @property
    def id(self) -> str:
        return ID

    @property
    def version(self) -> str:
        """From the code, the digest of the networks, the text engine's version and the bank's."""
        given = self._given[1]
        heard = digest(VOICE, *WHISPER) if given is None else given.version
        others = [self._text.version, *([self._bank.version] if self._bank is not None else [])]
        return "+".join([f"{CODE_VERSION}-{heard}", *others])

    def capabilities(self) -> Capabilities:
        """The text engine's English labels, transferred: how well they carry over to transcripts was measured
        with synthetic voices only. The bank's labels from its list alone."""
        labels: dict[str, dict[str, Calibration]] = {
            label: {LANGUAGE: Calibration.TRANSFERRED} for label in self._spoken_labels()
        }
        for label in self._known_labels():
            labels.setdefault(label, {})["*"] = Calibration.LEXICON
        return Capabilities(labels, ("audio",))

    def warm(self) -> None:
        """Load the networks now. Raises ConfigurationError."""
        self._loaded()
        loading.warm(self._text)

    def close(self) -> None:
        """End the decoder's processes, where it has any."""
        loading.close(self._decoder)

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals per request. *timeout* in seconds bounds decoding, and is looked at each second of the
        search for speech and before each chunk of up to 28 s that is read (about a second of work): what it
        does not reach is missing with cause ``timeout``."""
        return [one.signals for one in self.perceive(requests, timeout=timeout)]

    def perceive(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Perceived]:
        """As :meth:`detect`, with the words that were heard in each recording."""
        ends = None if timeout is None else self._clock() + timeout
        answers = []
        for request in requests:
            found: list[Signal | Missing] = []
            words: list[Sensed] = []
            for part in request.content:
                asked = Listening(request.labels, part.name, request.content.languages, ends)
                if part.kind == "audio" and isinstance(part.data, bytes):
                    heard = self._part(part.data, asked)
                    found += heard.found
                    words += heard.sensed
                else:
                    found += lacking(request.labels, part.name, [Cause.MODALITY])
            answers.append(Perceived(answer(found, self.version), tuple(words)))
        return answers

    def hear(self, sound: Sound, asked: Listening) -> Heard:
        """A score or a cause for each label asked of *sound*; both where only some of it could be judged.
        With the words that were understood."""
        reach, listed = self._spoken_labels(), self._known_labels()
        spoken = [label for label in asked.labels if label in reach]
        known = [label for label in asked.labels if label in listed]
        others = [label for label in asked.labels if label not in spoken and label not in known]
        heard = self._spoken(sound, asked._replace(labels=spoken))
        found = [
            *self._known(sound, asked._replace(labels=known)),
            *heard.found,
            *lacking(others, asked.part, [Cause.UNSUPPORTED]),
        ]
        return heard._replace(found=found)

    def _part(self, data: bytes, asked: Listening) -> Heard:
        left = None if asked.ends is None else asked.ends - self._clock()
        if left is not None and left <= 0:
            return Heard([*lacking(asked.labels, asked.part, [Cause.TIMEOUT])])
        try:
            sound = self._decoder.sound(data, timeout=left)
        except DecodeError as error:
            return Heard([*lacking(asked.labels, asked.part, [error.cause])])
        return self.hear(sound, asked)

    def _known(self, sound: Sound, asked: Listening) -> list[Signal | Missing]:
        """1 for the labels of known recordings that are heard, 0 for the bank's others."""
        if self._bank is None or not asked.labels:
            return []
        matches = self._bank.match_sound(sound.samples)
        seconds = len(sound.samples) / sound.rate
        found: list[Found] = []
        for label in asked.labels:
            places = [
                Found(label, 1.0, TimeRange(match.start or 0.0, seconds if match.end is None else match.end))
                for match in matches
                if match.label == label
            ]
            found += strongest(places) or [Found(label, 0.0, None)]
        cut = [Cause.SIZE] if sound.cut else []
        return [
            *signals(found, asked, "known", self.version),
            *lacking(asked.labels, asked.part, cut),
        ]

    def _spoken(self, sound: Sound, asked: Listening) -> Heard:
        if not asked.labels:
            return Heard([])
        stated = {tag.split("-")[0].lower() for tag in asked.languages} - UNDECIDED
        if stated and LANGUAGE not in stated:
            return Heard([*lacking(asked.labels, asked.part, [Cause.LANGUAGE])])
        words, gaps = self._words(sound, asked.ends)
        if sound.cut:
            gaps.add(Cause.SIZE)
        found: list[Found] = []
        missing: list[Missing] = []
        said = phrases(words)
        if words:
            try:
                judged = scored(said, asked.labels, self._text, (LANGUAGE,))
            except DetectorError as error:
                gaps.add(Cause.TIMEOUT if error.failure is Failure.TIMEOUT else Cause.ERROR)
            else:
                found = judged.found
                missing = [Missing(label, asked.part, cause) for label, cause in judged.missing]
        elif not gaps:
            # All of it was heard, and nothing was said.
            found = [Found(label, 0.0, None) for label in asked.labels]
        text = " ".join(phrase.text for phrase in said)
        return Heard(
            [
                *signals(found, asked, "speech", self.version),
                *missing,
                *lacking(asked.labels, asked.part, gaps),
            ],
            (Sensed(SPOKEN, asked.part, text, round(music(sound.samples), 4)),) if text else (),
        )

    def _words(self, sound: Sound, ends: float | None) -> tuple[list[Word], set[Cause]]:
        """The words that were understood, with their times in the recording, and what stood in the way of
        understanding the rest."""
        voices, recogniser = self._loaded()

        def running() -> bool:
            return ends is None or self._clock() < ends

        chances = voices.probabilities(sound.samples, running)
        words: list[Word] = []
        gaps: set[Cause] = set()
        if len(chances) * WINDOW < len(sound.samples):
            gaps.add(Cause.TIMEOUT)
        for chunk in packed(stretches(chances, len(sound.samples)), chances):
            if not running():
                gaps.add(Cause.TIMEOUT)
                break
            reading = recogniser.read(chunk.samples(sound.samples))
            if understood(reading):
                words += [_placed(word, chunk) for word in reading.words]
            else:
                gaps.add(Cause.LANGUAGE)
        return words, gaps

    def _spoken_labels(self) -> Mapping[str, object]:
        known = self._text.capabilities()
        reach = {} if known is None else known.labels
        return {label: of for label, of in reach.items() if LANGUAGE in of or "*" in of}

    def _known_labels(self) -> Sequence[str]:
        return () if self._bank is None else self._bank.labels

    def _loaded(self) -> tuple[Voices, Recogniser]:
        with self._loading:
            if self._owner != os.getpid():
                # The threads inside the networks do not survive a fork: a child process loads its own.
                self._voices, self._recogniser = self._given
                self._owner = os.getpid()
            if self._voices is None:
                self._voices = VoiceActivity()
            if self._recogniser is None:
                self._recogniser = Whisper()
            return self._voices, self._recogniser


def _placed(word: Word, chunk: Chunk) -> Word:
    return Word(chunk.starts_at(word.start), chunk.ends_at(word.end), word.text)
