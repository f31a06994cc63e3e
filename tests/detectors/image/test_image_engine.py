"""The image engine: every label has a score or a cause, whatever the picture, the time and the parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from spotsafe.core.content import Content, Image, Part, Text
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Calibration, Capabilities, Detector, DetectRequest
from spotsafe.core.signals import Box, Cause, Missing, Signal, Signals, TimeRange
from spotsafe.detectors.decode.decoded import Frame, Movie, Picture, Sound
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.limits import IMAGE, Reason
from spotsafe.detectors.fusion.senses import Sensed
from spotsafe.detectors.image.boxes import NudityFinding
from spotsafe.detectors.image.classes import EXPLICIT, GRAPHIC, NUDITY
from spotsafe.detectors.image.engine import ImageEngine, Networks
from spotsafe.detectors.image.ocr import Line, Page

U8 = NDArray[np.uint8]
HATE = "hate.speech"
CSAM = "child.csam"
LABELS = (EXPLICIT, HATE, NUDITY, GRAPHIC)


def frame(time: float = 0.0, value: int = 0) -> Frame:
    return Frame(time, np.full((20, 30, 3), value, np.uint8))


def picture(*frames: Frame, cut: bool = False) -> Picture:
    return Picture(frames or (frame(),), 30, 20, "png", max(1, len(frames)), cut)


class Decoder:
    """Gives what it was told to, or fails for that reason."""

    def __init__(self, given: Picture | Reason | None = None) -> None:
        self.given = given or picture()
        self.timeouts: list[float | None] = []

    def picture(self, data: bytes, *, timeout: float | None = None) -> Picture:
        self.timeouts.append(timeout)
        if isinstance(self.given, Reason):
            raise DecodeError(self.given, IMAGE)
        return self.given

    def sound(self, data: bytes, *, timeout: float | None = None) -> Sound:
        raise DecodeError(Reason.UNREADABLE, IMAGE)

    def movie(self, data: bytes, *, timeout: float | None = None) -> Movie:
        raise DecodeError(Reason.UNREADABLE, IMAGE)


class Classes:
    """Gore is how bright the frame is."""

    def scores(self, frames: Sequence[U8]) -> list[dict[str, float]]:
        return [{EXPLICIT: 0.1, NUDITY: 0.2, GRAPHIC: float(pixels.mean()) / 255} for pixels in frames]


class Reader:
    def __init__(self, page: Page) -> None:
        self.given = page
        self.pages = 0

    def page(self, pixels: U8, *, until: float | None = None) -> Page:
        self.pages += 1
        return self.given


class Boxes:
    def find(self, pixels: U8) -> list[NudityFinding]:
        return [NudityFinding(Box(0.1, 0.1, 0.5, 0.5), 0.8, (NUDITY,))]


class Known(NamedTuple):
    label: str


class Bank:
    """Knows bright pictures."""

    version = "b7"
    labels = (CSAM,)

    def match_frames(self, frames: Sequence[U8]) -> list[Known]:
        return [Known(CSAM) for pixels in frames if pixels.mean() > 200]

    def match_bytes(self, digest: bytes) -> list[Known]:
        return [Known(CSAM)] if digest == Image(b"known", "").digest else []


class Words:
    """Hate, and explicit text, in English and Russian."""

    id = "words"
    version = "w1"

    def capabilities(self) -> Capabilities | None:
        known = {"en": Calibration.CALIBRATED, "ru": Calibration.CALIBRATED}
        return Capabilities({HATE: known, EXPLICIT: known})

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [
            Signals([Signal(label, 0.7, request.content.parts[0].name, 3) for label in request.labels])
            for request in requests
        ]


class Failing(Words):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        raise DetectorError(self.failure, detector="words")


SAID = Page(((Line("such people", Box(0.2, 0.2, 0.8, 0.3), 0.9),),))


def engine(
    given: Picture | Reason | None = None,
    *,
    page: Page = SAID,
    text: Detector | None = None,
    bank: Bank | None = None,
    boxes: bool = False,
    now: Sequence[float] = (0.0,),
) -> ImageEngine:
    """An engine of fakes; *now* is what its clock shows, the last value from then on."""
    times = list(now)
    clock = lambda: times.pop(0) if len(times) > 1 else times[0]  # noqa: E731
    reader = None if text is None else Reader(page)
    networks = Networks(Classes(), reader, Boxes() if boxes else None)
    return ImageEngine(Decoder(given), text=text, bank=bank, boxes=boxes, clock=clock, load=lambda: networks)


def request(*parts: Part, labels: Sequence[str] = LABELS) -> DetectRequest:
    return DetectRequest(Content(parts or [Image(b"file", "pic")], ("en",)), tuple(labels))


def answered(signals: Signals, labels: Sequence[str], part: str = "pic") -> bool:
    """Whether each label has a score or a cause for the part."""
    known = {(s.label, s.part) for s in signals.scores} | {(m.label, m.part) for m in signals.missing}
    return all((label, part) in known for label in labels)


def causes(signals: Signals) -> dict[str, Cause]:
    return {entry.label: entry.cause for entry in signals.missing}


def test_classes_and_text_each_say_their_part() -> None:
    """A label that both give has a score from each; the text's carries the box of its line."""
    subject = engine(text=Words())
    (found,) = subject.detect([request()])
    assert {(s.label, s.score, s.detector) for s in found.scores} == {
        (EXPLICIT, 0.1, "local.image.classes"), (EXPLICIT, 0.7, "local.image.text"),
        (NUDITY, 0.2, "local.image.classes"), (GRAPHIC, 0.0, "local.image.classes"),
        (HATE, 0.7, "local.image.text"),
    }  # fmt: skip
    assert found.score(EXPLICIT) == 0.7
    assert {s.version for s in found.scores} == {subject.version} == {found.engine}
    assert {s.evidence for s in found.scores if s.detector.endswith("text")} == {(SAID.lines[0].box,)}
    assert found.missing == ()


def test_a_picture_without_text_is_clean_of_texts_labels() -> None:
    """Score 0 from the text's detector, so that the label is not missing."""
    (found,) = engine(text=Words(), page=Page()).detect([request()])
    assert (found.score(HATE), found.missing) == (0.0, ())


def test_without_a_text_detector_its_labels_are_unsupported() -> None:
    """What nobody can give is missing, never clean."""
    (found,) = engine().detect([request()])
    assert causes(found) == {HATE: Cause.UNSUPPORTED}
    assert answered(found, LABELS)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (Reason.UNREADABLE, Cause.ERROR), (Reason.CRASH, Cause.ERROR), (Reason.WALL, Cause.TIMEOUT),
        (Reason.PIXELS, Cause.SIZE), (Reason.BYTES, Cause.SIZE), (Reason.RATIO, Cause.SIZE),
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_decoded_is_missing_for_that_cause(reason: Reason, cause: Cause) -> None:
    """Broken is an error, too large is a size, too slow is a timeout; for every label."""
    (found,) = engine(reason, text=Words()).detect([request()])
    assert (found.scores, set(causes(found).values())) == ((), {cause})
    assert answered(found, LABELS)


def test_parts_of_other_kinds_are_not_looked_at() -> None:
    """They are missing with cause modality, beside the picture's scores."""
    (found,) = engine().detect([request(Image(b"file", "pic"), Text("words", "body"))])
    assert {m for m in found.missing if m.part == "body"} == {
        Missing(label, "body", Cause.MODALITY) for label in LABELS
    }
    assert answered(found, (EXPLICIT, NUDITY, GRAPHIC))


def test_time_that_is_short_costs_the_text_and_not_the_classes() -> None:
    """Classes come first; the text's labels are missing with cause timeout, and nothing is read."""
    (found,) = engine(text=Words(), now=(0.0, 0.1, 0.9)).detect([request()], timeout=1.0)
    assert causes(found) == {HATE: Cause.TIMEOUT, EXPLICIT: Cause.TIMEOUT}
    assert {s.detector for s in found.scores} == {"local.image.classes"}


@pytest.mark.parametrize(
    ("failure", "cause"), [(Failure.TIMEOUT, Cause.TIMEOUT), (Failure.CONNECT, Cause.ERROR)]
)
def test_a_text_detector_that_fails_costs_its_labels_alone(failure: Failure, cause: Cause) -> None:
    """The classes' scores stand; the text's labels are missing for its failure."""
    (found,) = engine(text=Failing(failure)).detect([request()])
    assert causes(found) == {HATE: cause, EXPLICIT: cause}
    assert {s.detector for s in found.scores} == {"local.image.classes"}


def test_pictures_that_time_does_not_reach_are_missing() -> None:
    """All their labels, with cause timeout; the decoder is told how long it has."""
    subject = engine(now=(0.0, 0.25, 2.0))
    first, second = subject.detect([request(), request()], timeout=1.0)
    assert first.scores
    assert set(causes(second).values()) == {Cause.TIMEOUT}


def test_an_animations_stretches_have_their_time() -> None:
    """The frame that shows it is the evidence, with the time until the next one."""
    moving = picture(frame(0.0), frame(0.5, 250), frame(1.5))
    (found,) = engine(moving).detect([request(labels=[GRAPHIC])])
    assert [(s.score, s.evidence) for s in found.scores] == [(0.9804, (TimeRange(0.5, 1.5),))]


def test_frames_left_out_are_told() -> None:
    """The scores of the others stand; every label is missing with cause size besides."""
    (found,) = engine(picture(frame(), frame(1.0), cut=True)).detect([request(labels=[GRAPHIC, NUDITY])])
    assert found.score(GRAPHIC) == 0.0
    assert causes(found) == {GRAPHIC: Cause.SIZE, NUDITY: Cause.SIZE}


@pytest.mark.parametrize(("value", "score"), [(255, 1.0), (0, 0.0)])
def test_a_bank_speaks_for_its_labels(value: int, score: float) -> None:
    """1 where the picture is known, 0 where it is on no list."""
    (found,) = engine(picture(frame(0.0, value)), bank=Bank()).detect([request(labels=[CSAM, GRAPHIC])])
    assert [(s.score, s.severity) for s in found.by_label[CSAM]] == [(score, 4)]
    assert found.by_label[CSAM][0].detector == "local.image.known"
    assert found.missing == ()


@pytest.mark.parametrize("given", [None, Reason.UNREADABLE])
def test_a_known_file_is_known_whatever_it_decodes_to(given: Reason | None) -> None:
    """Its digest is on the list: one score of 1, also where the file cannot be decoded."""
    (found,) = engine(given, bank=Bank()).detect([request(Image(b"known", "pic"), labels=[CSAM])])
    assert [(s.score, s.detector) for s in found.scores] == [(1.0, "local.image.known")]
    assert causes(found) == ({} if given is None else {CSAM: Cause.ERROR})


def test_boxes_of_nudity_are_evidence_when_asked_for() -> None:
    """They score beside the classes, with where they are."""
    (found,) = engine(boxes=True).detect([request(labels=[NUDITY])])
    assert [(s.score, s.detector, s.evidence) for s in found.scores] == [
        (0.2, "local.image.classes", ()), (0.8, "local.image.boxes", (Box(0.1, 0.1, 0.5, 0.5),)),
    ]  # fmt: skip


def test_capabilities_say_what_was_never_measured() -> None:
    """Classes uncalibrated in any language, text transferred where its script can be read, banks by list."""
    reach = engine(text=Words(), bank=Bank()).capabilities()
    assert reach.kinds == ("image",)
    assert reach.labels[GRAPHIC] == {"*": Calibration.UNCALIBRATED}
    assert reach.labels[EXPLICIT] == {"*": Calibration.UNCALIBRATED, "en": Calibration.TRANSFERRED}
    assert reach.labels[HATE] == {"en": Calibration.TRANSFERRED}
    assert reach.labels[CSAM] == {"*": Calibration.LEXICON}
    assert reach.gap(HATE, "image", "ru") is Cause.LANGUAGE
    assert HATE not in engine().capabilities().labels


def test_versions_tell_engines_apart() -> None:
    """Text, bank and boxes each change the version: cached signals never mix."""
    versions = {
        engine().version, engine(text=Words()).version, engine(bank=Bank()).version,
        engine(boxes=True).version,
    }  # fmt: skip
    assert len(versions) == 4


def test_a_caller_may_keep_the_text_for_itself() -> None:
    """A film's frames are looked at without their text; nothing is said of it."""
    subject = engine(text=Words())
    (reading,) = subject.look([frame()], LABELS, part="clip", read_text=False)
    assert {s.label for s in reading.signals} == {EXPLICIT, NUDITY, GRAPHIC}
    assert reading.missing == ()
    assert isinstance(subject.reader(), Reader)


def test_a_child_process_loads_its_own_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads inside the networks do not survive a fork."""
    loads: list[int] = []

    def load() -> Networks:
        loads.append(1)
        return Networks(Classes())

    subject = ImageEngine(Decoder(), load=load)
    subject.warm()
    subject.detect([request()])
    assert len(loads) == 1
    monkeypatch.setattr("os.getpid", lambda: 1)
    subject.detect([request(), request()])
    assert len(loads) == 2


def test_it_is_a_detector() -> None:
    """It stands wherever a detector does."""
    assert isinstance(engine(), Detector)
    assert engine().id == "local.image"
    assert engine().detect([]) == []


def test_the_words_that_were_read_are_handed_out_beside_the_answer() -> None:
    """By part, a line for each block; the answer is what it is without them, and pictures without words
    hand out none."""
    page = Page((SAID.blocks[0], (Line("go home", Box(0.2, 0.6, 0.8, 0.7), 0.9),)))
    asked = [request(Image(b"x", "pic")), request(Image(b"y", "other"), Text("typed", "body"))]
    found = engine(page=page, text=Words()).perceive(asked)
    assert [one.signals for one in found] == engine(page=page, text=Words()).detect(asked)
    assert [one.sensed for one in found] == [
        (Sensed("read", name, "such people\ngo home"),) for name in ("pic", "other")
    ]
    assert engine(page=Page(), text=Words()).perceive([request()])[0].sensed == ()


def test_an_animations_words_are_handed_out_once() -> None:
    """However many frames hold them."""
    (found,) = engine(picture(frame(), frame(0.5), frame(1.0)), text=Words()).perceive([request()])
    assert found.sensed == (Sensed("read", "pic", "such people"),)
