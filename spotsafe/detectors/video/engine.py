"""The local video engine: key frames through the image engine, their text under a budget, and the sound track
through the audio engine.

Each sense has its own detector id (``local.video.frames``, ``.text``, ``.boxes``, ``.known``, ``.speech``),
and every finding its range of time. A label's score is the highest of all senses. What one of them could not
judge is missing beside the scores of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Capabilities, Detector, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.detectors import loading
from spotsafe.detectors.audio.engine import AudioEngine, Heard
from spotsafe.detectors.audio.findings import Listening, answer, lacking
from spotsafe.detectors.decode.decoded import Movie
from spotsafe.detectors.decode.decoder import DecodeError, Decoder
from spotsafe.detectors.engine import joined
from spotsafe.detectors.fusion.senses import READ, Perceived, Sensed
from spotsafe.detectors.image.engine import BOXES_ID, CLASSES_ID, ImageEngine
from spotsafe.detectors.image.engine import KNOWN_ID as KNOWN_PICTURE_ID
from spotsafe.detectors.image.frames import FrameReading, over_time, said
from spotsafe.detectors.image.picture_text import ID as TEXT_ID
from spotsafe.detectors.video.captions import A_MINUTE, Question, chosen, read

ID = "local.video"

CODE_VERSION = "1"
"""Raised whenever the same weights would score differently; part of the engine's version."""

IDS = {
    CLASSES_ID: f"{ID}.frames",
    BOXES_ID: f"{ID}.boxes",
    KNOWN_PICTURE_ID: f"{ID}.known",
    TEXT_ID: f"{ID}.text",
}
"""What the image engine's detectors are called for a film."""


class VideoEngine:
    """Scores video parts; parts of other kinds are missing with cause ``modality``."""

    def __init__(
        self,
        decoder: Decoder,
        *,
        image: ImageEngine,
        audio: AudioEngine,
        text: Detector,
        a_minute: int = A_MINUTE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """*image* looks at the frames, *audio* listens to the sound track, *text* scores what is written in
        the frames. *a_minute*: frames that are read for each minute begun; text labels of a film with more
        are also missing with cause ``size``. *clock* is monotonic time in seconds, the
        same as that of *image* and *audio*."""
        self._decoder = decoder
        self._image = image
        self._audio = audio
        self._text = text
        self._a_minute = a_minute
        self._clock = clock

    @property
    def id(self) -> str:
        return ID

    @property
    def version(self) -> str:
        """From the code and the versions of the engines."""
        return f"{CODE_VERSION}-{self._image.version}-{self._audio.version}"

    def capabilities(self) -> Capabilities:
        """What the image and the audio engine can give together."""
        both = joined({"image": self._image.capabilities(), "audio": self._audio.capabilities()})
        return Capabilities(both.labels, ("video",))

    def warm(self) -> None:
        """Load all networks now. Raises ConfigurationError."""
        self._image.warm()
        self._audio.warm()

    def close(self) -> None:
        """End the decoder's processes, where it has any."""
        loading.close(self._decoder)

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals per request. *timeout* in seconds: frames come first, then the sound track, then text; what
        it does not reach is missing with cause ``timeout``."""
        return [one.signals for one in self.perceive(requests, timeout=timeout)]

    def perceive(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Perceived]:
        """As :meth:`detect`, with the words that were read in the frames and heard in the sound track."""
        ends = None if timeout is None else self._clock() + timeout
        version = self.version
        answers = []
        for request in requests:
            found: list[Signal | Missing] = []
            words: list[Sensed] = []
            for part in request.content:
                asked = Listening(request.labels, part.name, request.content.languages, ends, ID)
                if part.kind == "video" and isinstance(part.data, bytes):
                    watched = self._part(part.data, asked)
                    found += watched.found
                    words += watched.sensed
                else:
                    found += lacking(request.labels, part.name, [Cause.MODALITY])
            stamped = (one._replace(version=version) if isinstance(one, Signal) else one for one in found)
            answers.append(Perceived(answer(stamped, version), tuple(words)))
        return answers

    def _part(self, data: bytes, asked: Listening) -> Heard:
        left = None if asked.ends is None else asked.ends - self._clock()
        if left is not None and left <= 0:
            return Heard([*lacking(asked.labels, asked.part, [Cause.TIMEOUT])])
        try:
            movie = self._decoder.movie(data, timeout=left)
        except DecodeError as error:
            return Heard([*lacking(asked.labels, asked.part, [error.cause])])
        return self.watch(movie, asked)

    def watch(self, movie: Movie, asked: Listening) -> Heard:
        """A score or a cause for each label asked of *movie*; both where only some of it could be judged.
        With the words that were read and heard."""
        reach = self.capabilities().labels
        able = asked._replace(labels=[label for label in asked.labels if label in reach])
        others = [label for label in asked.labels if label not in reach]
        cut = [Cause.SIZE] if movie.cut else []
        seen, heard, written = self._seen(movie, able), self._heard(movie, able), self._read(movie, able)
        found = [
            *seen,
            *heard.found,
            *written.found,
            *lacking(able.labels, asked.part, cut),
            *lacking(others, asked.part, [Cause.UNSUPPORTED]),
        ]
        return Heard(found, (*written.sensed, *heard.sensed))

    def _seen(self, movie: Movie, asked: Listening) -> list[Signal | Missing]:
        readings = self._image.look(
            movie.frames,
            asked.labels,
            part=asked.part,
            languages=asked.languages,
            until=asked.ends,
            read_text=False,
        )
        signals, missing = _over_time(readings, movie.seconds)
        return [*signals, *missing]

    def _heard(self, movie: Movie, asked: Listening) -> Heard:
        """What the sound track says. A film without one says nothing, which the frames' scores stand for."""
        if movie.sound is None:
            return Heard([])
        audible = self._audio.capabilities().labels
        labels = [label for label in asked.labels if label in audible]
        return self._audio.hear(movie.sound, asked._replace(labels=labels))

    def _read(self, movie: Movie, asked: Listening) -> Heard:
        reader = self._image.reader()
        known = self._text.capabilities()
        labels = [label for label in asked.labels if known is not None and label in known.labels]
        if reader is None or not labels or not movie.frames:
            return Heard([])
        choice = chosen(movie.frames, movie.seconds, self._a_minute)
        question = Question(labels, asked.part, asked.languages, asked.ends, self._clock)
        try:
            readings = read(movie.frames, choice, reader, self._text, question)
        except DetectorError as error:
            cause = Cause.TIMEOUT if error.failure is Failure.TIMEOUT else Cause.ERROR
            return Heard([*lacking(labels, asked.part, [cause])])
        signals, missing = _over_time(readings, movie.seconds)
        unread = [Cause.SIZE] if choice.unread else []
        text = said(readings)
        words = (Sensed(READ, asked.part, text),) if text else ()
        return Heard([*signals, *missing, *lacking(labels, asked.part, unread)], words)


def _over_time(readings: Sequence[FrameReading], seconds: float) -> tuple[list[Signal], list[Missing]]:
    """Findings by stretches of time, as the video engine's. A frame stands until the next one, the last until
    the end of the film, of *seconds*."""
    end = FrameReading(max([seconds, *(reading.time for reading in readings)]), (), ())
    signals, missing = over_time([*readings, end])
    return [
        signal._replace(detector=IDS.get(signal.detector, signal.detector)) for signal in signals
    ], missing
