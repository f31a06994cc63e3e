"""The stage that looks at all senses of a content together, after each was judged for itself.

It asks the text engine for the words of all senses as one text, and makes a label's score the fused one
where the model was shown to gain. Everything else, and everything where fewer than two senses meet, stays as
it was: the highest score counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from spotsafe.core.content import Content, Text
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.detectors import loading
from spotsafe.detectors.fusion import senses
from spotsafe.detectors.fusion.features import F32, FLOOR, features
from spotsafe.detectors.fusion.model import FusionModel, constellation, is_lowerable
from spotsafe.detectors.fusion.senses import Perceived
from spotsafe.detectors.text.encoder import Encoder, sentence_encoder
from spotsafe.detectors.text.language import UNDETERMINED, language_identifier

ID = "local.fused"

LANGUAGE = "en"
"""The language of the compositions that the model learnt from; words in another are left to the senses."""

LONGEST = 2_000
"""Code points of all words together; longer ones are left to the senses, which read them in windows."""

WORDED = (senses.TYPED, senses.READ, senses.SPOKEN)
"""Only scores of words are lowered: never what is known, and never what a picture shows."""


VISIBLE = ("image", "video")
"""Kinds of parts with something to see."""


class _Meeting(NamedTuple):
    """Senses that meet in one request: which, their *words* by sense, and the *labels* to fuse."""

    request: int
    met: str
    words: Mapping[str, str]
    music: float
    labels: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Meeting of {self.met}, {len(self.labels)} labels>"


class Fusion:
    """Joins what the senses of each request say. *text* scores words, *model* knows what it means that senses
    meet; *encoder* gives the sentence encoder, and is asked only where the model needs embeddings."""

    def __init__(
        self, text: Detector, model: FusionModel, *, encoder: Callable[[], Encoder] = sentence_encoder
    ) -> None:
        self._text = text
        self._model = model
        self._encoder = encoder

    @property
    def version(self) -> str:
        """The model's."""
        return self._model.version

    def warm(self) -> None:
        """Load what it asks. Raises ConfigurationError."""
        loading.warm(self._text)
        language_identifier()
        if self._model.embeds:
            self._encoder()

    def joined(
        self, requests: Sequence[DetectRequest], found: Sequence[Perceived], *, timeout: float | None = None
    ) -> list[Signals]:
        """The signals of *found*, fused where senses meet. All requests share one call of the text engine.
        Where there is no time left (*timeout* in seconds), or the text engine fails, the labels that would
        have been fused are missing beside their scores: nobody read the words together."""
        pairs = zip(requests, found, strict=True)
        meetings = [
            meeting
            for index, (request, one) in enumerate(pairs)
            if (meeting := self._meeting(index, request, one)) is not None
        ]
        answers = [one.signals for one in found]
        if not meetings:
            return answers
        out_of_time = timeout is not None and timeout <= 0
        together = Cause.TIMEOUT if out_of_time else self._together(requests, meetings, timeout)
        if isinstance(together, Cause):
            for meeting in meetings:
                answers[meeting.request] = _unjoined(found[meeting.request], meeting, together)
            return answers
        for meeting, said, vectors in zip(meetings, together, self._embeddings(meetings), strict=True):
            kinds = _kinds(requests[meeting.request])
            signals = answers[meeting.request]
            found_by = senses.by_sense(signals.scores, kinds)
            # What is seen, and what has no words, the model has not met.
            scores = {sense: found_by[sense] for sense in meeting.words if sense in found_by}
            known = features(scores, said.peaks, vectors, meeting.words, meeting.music)
            settled = self._settled(signals, meeting.met, known, kinds)
            answers[meeting.request] = _with_losses(found[meeting.request], settled, meeting, said)
        return answers

    def _meeting(self, index: int, request: DetectRequest, one: Perceived) -> _Meeting | None:
        words = senses.words(one.sensed)
        met = constellation(words, seen=any(part.kind in VISIBLE for part in request.content))
        labels = tuple(label for label in self._model.asked(met) if label in request.labels)
        text = senses.joined(words)
        if not labels or len(text) > LONGEST:
            return None
        language = language_identifier().identify(text, request.content.languages)
        if language not in (LANGUAGE, UNDETERMINED):
            return None
        return _Meeting(index, met, words, senses.music(one.sensed), labels)

    def _together(
        self, requests: Sequence[DetectRequest], meetings: Sequence[_Meeting], timeout: float | None
    ) -> list[Signals] | Cause:
        """What the text engine says of the words of each meeting as one text; the cause where it fails."""
        asked = [
            DetectRequest(
                Content((Text(senses.joined(meeting.words)),), requests[meeting.request].content.languages),
                meeting.labels,
            )
            for meeting in meetings
        ]
        try:
            return self._text.detect(asked, timeout=timeout)
        except DetectorError as error:
            return Cause.TIMEOUT if error.failure is Failure.TIMEOUT else Cause.ERROR

    def _embeddings(self, meetings: Sequence[_Meeting]) -> list[dict[str, F32]]:
        """Sense → unit vector of its words, for each meeting; empty where the model reads none."""
        if not self._model.embeds:
            return [{} for _ in meetings]
        return embedded([meeting.words for meeting in meetings], self._encoder())

    def _settled(
        self, signals: Signals, met: str, known: Mapping[str, F32], kinds: Mapping[str, str]
    ) -> Signals:
        """*signals* with each label of *known*, which has its features, at its fused score, where that may
        count."""
        found = list(signals.scores)
        for label, score in self._model.fused(known).items():
            highest = signals.score(label) or 0.0
            if score > max(highest, FLOOR) and self._model.may_raise(label, met):
                part, severity = _strongest(signals, label, kinds), LABELS[label].severity
                found.append(Signal(label, score, part, severity, ID, self.version))
            elif score < highest and self._may_lower(label, met, known[label]) and _lowerable(signals, label):
                found = [_capped(signal, label, score, kinds) for signal in found]
        return Signals(found, signals.missing, signals.engine)

    def _may_lower(self, label: str, met: str, known: F32) -> bool:
        return self._model.may_lower(label, met) and self._model.is_song(known)


def embedded(found: Sequence[Mapping[str, str]], encoder: Encoder) -> list[dict[str, F32]]:
    """For each of *found* (sense → words) sense → unit vector [512]; one pass over all."""
    texts = [text for words in found for text in words.values()]
    vectors = iter(encoder.encode(texts) if texts else ())
    return [{sense: next(vectors) for sense in words} for words in found]


def _kinds(request: DetectRequest) -> dict[str, str]:
    return {part.name: part.kind for part in request.content}


def _strongest(signals: Signals, label: str, kinds: Mapping[str, str]) -> str:
    """The part whose sense says most of *label*; the first part where none says anything."""
    own = [one for one in signals.by_label.get(label, ()) if senses.sense_of(one, kinds.get(one.part, ""))]
    return max(own, key=lambda one: one.score).part if own else next(iter(kinds))


def _lowerable(signals: Signals, label: str) -> bool:
    """Whether *label* may be lowered at all, and every sense was there to be heard about it."""
    if not is_lowerable(label):
        return False
    return not any(entry.label == label or entry.cause is not Cause.UNSUPPORTED for entry in signals.missing)


def _capped(signal: Signal, label: str, score: float, kinds: Mapping[str, str]) -> Signal:
    if signal.label != label or senses.sense_of(signal, kinds.get(signal.part, "")) not in WORDED:
        return signal
    return signal._replace(score=min(signal.score, score))


def _with_losses(one: Perceived, settled: Signals, meeting: _Meeting, said: Signals) -> Signals:
    """*settled*, without a claim to what failed in reading the words together: *said* names it."""
    for cause in dict.fromkeys(entry.cause for entry in said.missing if entry.cause.is_failure):
        labels = tuple(label for label in meeting.labels if Missing(label, "", cause) in said.missing)
        settled = _unjoined(one._replace(signals=settled), meeting._replace(labels=labels), cause)
    return settled


def _unjoined(one: Perceived, meeting: _Meeting, cause: Cause) -> Signals:
    """What was perceived, with the meeting's labels missing in each part with words."""
    parts = dict.fromkeys(sensed.part for sensed in one.sensed if sensed.text.strip())
    gaps = [Missing(label, part, cause) for part in parts for label in meeting.labels]
    known = one.signals
    return Signals(known.scores, dict.fromkeys((*known.missing, *gaps)), known.engine)
