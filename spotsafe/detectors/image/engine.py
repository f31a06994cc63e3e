"""The local image engine: classes of the whole picture, text in it, and pictures that are known.

Each source has its own detector id, and a label that several of them give has a score from each; a rule takes
the highest. What time, size or a script did not allow is missing, never clean.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.content import Part
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, Detector, DetectRequest
from spotsafe.core.signals import Box, Cause, Missing, Signal, Signals
from spotsafe.detectors import loading, weights
from spotsafe.detectors.decode.decoded import Frame
from spotsafe.detectors.decode.decoder import DecodeError, Decoder
from spotsafe.detectors.fusion.senses import READ, Perceived, Sensed
from spotsafe.detectors.image import classes, picture_text
from spotsafe.detectors.image.boxes import NudityBoxes, NudityFinding
from spotsafe.detectors.image.classes import ImageClasses
from spotsafe.detectors.image.frames import FrameReading, over_time, said
from spotsafe.detectors.image.ocr import Page, TextReader

U8 = NDArray[np.uint8]

ID = "local.image"
CLASSES_ID = "local.image.classes"
BOXES_ID = "local.image.boxes"
KNOWN_ID = "local.image.known"
CODE_VERSION = "2"
"""Raised whenever the same weights would score differently; part of the engine's version."""

DIGITS = 4
"""Scores are rounded, so that the size of a batch does not show in them."""

UNREADABLE_LANGUAGES = frozenset(
    {"ar", "be", "bg", "bn", "el", "fa", "gu", "he", "hi", "hy", "ka", "kk", "km", "kn", "ko", "mk", "ml",
     "mr", "my", "ne", "pa", "ru", "sr", "ta", "te", "th", "uk", "ur"}
)  # fmt: skip
"""Languages in scripts that the recognition network does not know, or knows in part."""

READING_SECONDS = 0.3
"""Text is not looked for when less than this is left: it would come too late."""


class KnownMatch(Protocol):
    """One known picture found again."""

    @property
    def label(self) -> str: ...


class KnownPictures(Protocol):
    """A bank of known pictures, as this engine asks it."""

    @property
    def version(self) -> str: ...

    @property
    def labels(self) -> Sequence[str]:
        """The labels of its entries."""
        ...

    def match_frames(self, frames: Sequence[U8]) -> Sequence[KnownMatch]:
        """Entries that any of *frames* [height, width, 3] RGB shows."""
        ...

    def match_bytes(self, digest: bytes) -> Sequence[KnownMatch]:
        """Entries for the very file with that SHA-256 (32 bytes)."""
        ...


class ClassNetworks(Protocol):
    """Scores of whole frames, per label."""

    def scores(self, frames: Sequence[U8]) -> list[dict[str, float]]: ...


class PageReader(Protocol):
    """The text of a picture, as far as it can be read until a time of the clock."""

    def page(self, pixels: U8, *, until: float | None = None) -> Page: ...


class BoxNetwork(Protocol):
    """Bare body parts in a picture."""

    def find(self, pixels: U8) -> list[NudityFinding]: ...


class Networks(NamedTuple):
    """What an engine looks through; *reader* is None without a text detector, *nudity* unless asked for."""

    classes: ClassNetworks
    reader: PageReader | None = None
    nudity: BoxNetwork | None = None


class ImageEngine:
    """Scores image parts; parts of other kinds are missing with cause ``modality``.

    *text* scores what is read in pictures; without it text is not looked for, and only the classes' labels
    are given. *bank* holds known pictures. *boxes* adds boxes of nudity, from the extra ``nudity-boxes``,
    whose weights carry the AGPL. *clock* is monotonic time in seconds, for deadlines alone; *load* replaces
    the loading of the networks.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        text: Detector | None = None,
        bank: KnownPictures | None = None,
        boxes: bool = False,
        threads: int = weights.THREADS,
        clock: Callable[[], float] = monotonic,
        load: Callable[[], Networks] | None = None,
    ) -> None:
        self._decoder = decoder
        self._text = text
        self._bank = bank
        self._clock = clock
        self._threads = threads
        self._with_boxes = boxes
        self._loading = Lock()
        self._load = load or self._installed
        self._networks: Networks | None = None
        self._owner = os.getpid()

    @property
    def id(self) -> str:
        return ID

    @property
    def version(self) -> str:
        """From the code, the digests of all networks, the text detector's version and the bank's."""
        used = [weights.SAFETY_CLASSES, weights.OPEN_NSFW]
        used += [weights.TEXT_BOXES, weights.TEXT_LINES] if self._text is not None else []
        used += [weights.NUDITY_BOXES] if self._with_boxes else []
        others = [self._text.version] if self._text is not None else []
        others += [self._bank.version] if self._bank is not None else []
        return "+".join([f"{CODE_VERSION}-{weights.digest(*used)}", *others])

    def capabilities(self) -> Capabilities:
        """The classes' labels in any language, uncalibrated: there is nothing to calibrate them on. The text
        detector's labels in the languages that can be read, transferred from plain text. The bank's labels
        from its list alone."""
        labels: dict[str, dict[str, Calibration]] = {}
        for label, languages in self._text_reach().items():
            readable = {tag for tag in languages if tag not in UNREADABLE_LANGUAGES}
            if readable:
                labels[label] = dict.fromkeys(sorted(readable), Calibration.TRANSFERRED)
        for label in classes.LABELS:
            labels[label] = {**labels.get(label, {}), "*": Calibration.UNCALIBRATED}
        for label in self._bank_labels():
            labels.setdefault(label, {}).setdefault("*", Calibration.LEXICON)
        return Capabilities(labels, ("image",))

    def warm(self) -> None:
        """Load all networks now rather than at the first detection. Raises ConfigurationError."""
        self._loaded()
        loading.warm(self._text)

    def close(self) -> None:
        """End the decoder's processes, where it has any."""
        loading.close(self._decoder)

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """Signals per request. *timeout* in seconds: classes come first, and text that time does not allow is
        missing with cause ``timeout``, as are pictures that it does not reach."""
        return [one.signals for one in self.perceive(requests, timeout=timeout)]

    def perceive(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Perceived]:
        """As :meth:`detect`, with the words that were read in each picture."""
        until = None if timeout is None else self._clock() + timeout
        version = self.version
        answers = []
        for request in requests:
            scores: list[Signal] = []
            missing: list[Missing] = []
            words: list[Sensed] = []
            for part in request.content:
                found, lacking, text = self._part(part, request, until)
                scores += found
                missing += lacking
                words += [Sensed(READ, part.name, text)] if text else []
            stamped = [signal._replace(version=version) for signal in scores]
            answers.append(Perceived(Signals(stamped, missing, version), tuple(words)))
        return answers

    def look(
        self,
        frames: Sequence[Frame],
        labels: Sequence[str],
        *,
        part: str = "",
        languages: Sequence[str] = (),
        until: float | None = None,
        read_text: bool = True,
    ) -> list[FrameReading]:
        """What is seen in each of *frames*: for every label an entry in its signals or its missing ones.
        *until* is a time of the engine's clock. Without *read_text* the frames' text is left to the caller,
        and nothing is said of it. Versions are for the caller to fill in."""
        networks = self._loaded()
        wanted = [label for label in labels if label in classes.LABELS]
        known = set(self._bank_labels())
        pixels = [frame.pixels for frame in frames]
        scores = networks.classes.scores(pixels) if wanted and pixels else [{} for _ in pixels]
        readings = []
        for frame, score in zip(frames, scores, strict=True):
            found = [_signal(label, score[label], part, CLASSES_ID) for label in wanted]
            if networks.nudity is not None and wanted:
                found += _box_signals(networks.nudity.find(frame.pixels), wanted, part)
            found += self._known(frame.pixels, [label for label in labels if label in known], part)
            text = FrameReading(frame.time, (), ())
            if read_text:
                text = self._written(frame, labels, part, languages, until)
                found += text.signals
                given = {signal.label for signal in found} | {entry.label for entry in text.missing}
                others = [label for label in labels if label not in given]
                text = text._replace(missing=(*text.missing, *_lacking(others, part, Cause.UNSUPPORTED)))
            readings.append(text._replace(signals=tuple(found)))
        return readings

    def reader(self) -> PageReader | None:
        """The reader of text, for callers that choose their frames; None without a text detector."""
        return self._loaded().reader

    def _part(
        self, part: Part, request: DetectRequest, until: float | None
    ) -> tuple[list[Signal], list[Missing], str]:
        """Scores, what has none, and the words that were read."""
        if part.kind != "image" or not isinstance(part.data, bytes):
            return [], _lacking(request.labels, part.name, Cause.MODALITY), ""
        same = self._same_file(part, request.labels)
        left = None if until is None else until - self._clock()
        if left is not None and left <= 0:
            return same, _lacking(request.labels, part.name, Cause.TIMEOUT), ""
        try:
            picture = self._decoder.picture(part.data, timeout=left)
        except DecodeError as error:
            return same, _lacking(request.labels, part.name, error.cause), ""
        readings = self.look(
            picture.frames, request.labels, part=part.name, languages=request.content.languages, until=until
        )
        scores, missing = over_time(readings)
        given = {(signal.label, signal.detector) for signal in same}
        scores = same + [signal for signal in scores if (signal.label, signal.detector) not in given]
        if picture.cut:
            missing += _lacking(request.labels, part.name, Cause.SIZE)
        return scores, list(dict.fromkeys(missing)), said(readings)

    def _written(
        self, frame: Frame, labels: Sequence[str], part: str, languages: Sequence[str], until: float | None
    ) -> FrameReading:
        """The text in one frame: its scores and its words."""
        nothing = FrameReading(frame.time, (), ())
        reader, detector = self._loaded().reader, self._text
        wanted = [label for label in labels if label in self._text_reach()]
        if reader is None or detector is None or not wanted:
            return nothing
        if until is not None and until - self._clock() < READING_SECONDS:
            return nothing._replace(missing=tuple(_lacking(wanted, part, Cause.TIMEOUT)))
        page = reader.page(frame.pixels, until=until)
        try:
            found = picture_text.text_signals(page, detector, wanted, part=part, languages=languages)
        except DetectorError as error:
            cause = Cause.TIMEOUT if error.failure is Failure.TIMEOUT else Cause.ERROR
            return nothing._replace(missing=tuple(_lacking(wanted, part, cause)))
        return FrameReading(frame.time, tuple(found[0]), tuple(found[1]), picture_text.words(page))

    def _same_file(self, part: Part, labels: Sequence[str]) -> list[Signal]:
        """1 for the labels of entries for this very file: known also where it cannot be decoded."""
        if self._bank is None:
            return []
        matched = {match.label for match in self._bank.match_bytes(part.digest)}
        return [_signal(label, 1.0, part.name, KNOWN_ID) for label in labels if label in matched]

    def _known(self, pixels: U8, labels: Sequence[str], part: str) -> list[Signal]:
        """1 for the labels of known pictures that the frame shows, 0 for the bank's others."""
        if self._bank is None or not labels:
            return []
        matched = {match.label for match in self._bank.match_frames([pixels])}
        return [_signal(label, 1.0 if label in matched else 0.0, part, KNOWN_ID) for label in labels]

    def _bank_labels(self) -> Sequence[str]:
        return () if self._bank is None else self._bank.labels

    def _text_reach(self) -> Mapping[str, Mapping[str, Any]]:
        reach = None if self._text is None else self._text.capabilities()
        return {} if reach is None else reach.labels

    def _loaded(self) -> Networks:
        networks = self._networks
        if networks is None or self._owner != os.getpid():
            with self._loading:
                networks = self._networks
                if networks is None or self._owner != os.getpid():
                    # The threads inside the networks do not survive a fork: a child process loads its own.
                    networks = self._networks = self._load()
                    self._owner = os.getpid()
        return networks

    def _installed(self) -> Networks:
        threads = self._threads
        reader = None if self._text is None else TextReader(threads=threads, clock=self._clock)
        nudity = NudityBoxes(threads=threads) if self._with_boxes else None
        return Networks(ImageClasses(threads=threads), reader, nudity)


def _signal(label: str, score: float, part: str, detector: str, evidence: tuple[Box, ...] = ()) -> Signal:
    return Signal(label, round(score, DIGITS), part, LABELS[label].severity, detector, "", evidence)


def _lacking(labels: Sequence[str], part: str, cause: Cause) -> list[Missing]:
    return [Missing(label, part, cause) for label in labels]


def _box_signals(found: Sequence[NudityFinding], labels: Sequence[str], part: str) -> list[Signal]:
    """One score per label that boxes speak of, with the boxes."""
    signals = []
    for label in labels:
        chosen = [finding for finding in found if label in finding.labels]
        if chosen:
            best = max(finding.score for finding in chosen)
            signals.append(_signal(label, best, part, BOXES_ID, tuple(finding.box for finding in chosen)))
    return signals
