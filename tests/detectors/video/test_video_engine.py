"""What the video engine answers: all senses of a film together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from spotsafe.core.content import Audio, Content, Video
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Box, Cause, Missing, Signal, TimeRange
from spotsafe.detectors.audio.engine import AudioEngine
from spotsafe.detectors.decode.decoded import RATE, Frame, Movie, Sound
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.decode.limits import VIDEO, Reason
from spotsafe.detectors.fusion.senses import Sensed
from spotsafe.detectors.image.engine import CLASSES_ID
from spotsafe.detectors.image.frames import FrameReading
from spotsafe.detectors.image.ocr import Line, Page
from spotsafe.detectors.video.engine import VideoEngine
from spotsafe.detectors.video.timeline import timeline
from spotsafe.testing import FakeDetector, ManualClock
from tests.detectors.audio.scripted import Loud, Script, Tape, reading, sound
from tests.detectors.decode import made

SAID, SEEN = "harass.bullying", "violence.graphic"
BOX = Box(0.1, 0.8, 0.9, 0.9)


class Eyes:
    """Sees gore in red frames, and text in white ones."""

    version = "eyes"

    def __init__(self, caption: str = "") -> None:
        self._caption = caption
        self.read = 0

    def capabilities(self) -> Capabilities:
        labels = {SEEN: {"*": Calibration.UNCALIBRATED}, SAID: {"en": Calibration.TRANSFERRED}}
        return Capabilities(labels, ("image",))

    def look(
        self, frames: Sequence[Frame], labels: Sequence[str], *, part: str = "", **_: Any
    ) -> list[FrameReading]:
        scores = [0.9 if tuple(frame.pixels[0, 0] > 128) == (True, False, False) else 0.1 for frame in frames]
        seen = [[Signal(SEEN, score, part, 2, CLASSES_ID)] if SEEN in labels else [] for score in scores]
        return [FrameReading(frame.time, tuple(found), ()) for frame, found in zip(frames, seen, strict=True)]

    def reader(self) -> Eyes:
        return self

    def page(self, pixels: np.ndarray, *, until: float | None = None) -> Page:
        self.read += 1
        lines = (Line(self._caption, BOX, 0.9),) if pixels.min() > 200 and self._caption else ()
        return Page((lines,) if lines else ())


class Reel:
    """A decoder of a film that is there already."""

    def __init__(self, movie: Movie | Exception) -> None:
        self._movie = movie

    def movie(self, data: bytes, *, timeout: float | None = None) -> Movie:
        if isinstance(self._movie, Exception):
            raise self._movie
        return self._movie


def frame(time: float, *colour: int) -> Frame:
    return Frame(time, np.full((90, 160, 3), colour, np.uint8))


RED, WHITE, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 255)


def film(*frames: Frame, heard: Sound | None = None, cut: bool = False, seconds: float = 10.0) -> Movie:
    return Movie(frames, 160, 90, seconds, heard, cut)


def engine(
    movie: Movie | Exception | None, *, caption: str = "", spoken: str = "Good morning.", **options: Any
) -> VideoEngine:
    """An engine for one film; None: films are decoded."""
    text = FakeDetector({"idiot": {SAID: 0.9}}, labels=(SAID,), kinds=("text",))
    recogniser = options.pop("recogniser", Script(reading(spoken)))
    audio = AudioEngine(
        Tape(sound()), text=text, voices=Loud(), recogniser=recogniser,
        **({"clock": options["clock"]} if "clock" in options else {}),
    )  # fmt: skip
    decoder: Any = InlineDecoder() if movie is None else Reel(movie)
    image: Any = options.pop("image", None) or Eyes(caption)
    return VideoEngine(decoder, image=image, audio=audio, text=text, **options)


def ask(
    detector: VideoEngine, data: bytes = b"file", *, labels: tuple[str, ...] = (SAID, SEEN),
    languages: tuple[str, ...] = (), timeout: float | None = None,
) -> Any:  # fmt: skip
    request = DetectRequest(Content((Video(data, "clip"),), languages), labels)
    return detector.detect([request], timeout=timeout)[0]


def causes(answer: Any) -> set[tuple[str, Cause]]:
    return {(entry.label, entry.cause) for entry in answer.missing}


def of(answer: Any, how: str) -> list[Signal]:
    return [one for one in answer.scores if one.detector == f"local.video.{how}"]


def test_every_sense_tells_when() -> None:
    """Frames, captions and speech each have an id, and evidence in seconds."""
    heard = sound((0.0, 3.0))
    movie = film(frame(0, *RED), frame(2, *WHITE), frame(6, *BLUE), heard=heard, seconds=8.0)
    answer = ask(engine(movie, caption="What an idiot", spoken="You idiot."))
    (seen,) = of(answer, "frames")
    (written,) = of(answer, "text")
    (said,) = of(answer, "speech")
    assert (seen.label, seen.score, seen.evidence) == (SEEN, 0.9, (TimeRange(0, 2),))
    assert (written.score, written.evidence) == (0.9, (TimeRange(2, 6), BOX))
    assert (said.score, said.evidence) == (0.9, (TimeRange(0, 1),))
    assert {one.version for one in answer.scores} == {answer.engine}
    assert answer.missing == ()


def test_what_is_seen_last_is_seen_to_the_end() -> None:
    """The last key frame stands until the film ends, and so does the only one."""
    two = ask(engine(film(frame(0, *BLUE), frame(1, *RED), seconds=60.0)))
    assert of(two, "frames")[0].evidence == (TimeRange(1, 60),)
    one = ask(engine(film(frame(0, *RED), seconds=60.0)))
    assert of(one, "frames")[0].evidence == (TimeRange(0, 60),)


def test_nothing_is_claimed_of_frames_that_were_not_read() -> None:
    """A caption's stretch ends where a frame begins that nobody read."""
    movie = film(frame(0, *WHITE), frame(2, *RED), frame(4, *BLUE), seconds=6.0)
    answer = ask(engine(movie, caption="What an idiot", a_minute=1))
    assert of(answer, "text")[0].evidence[0] == TimeRange(0, 2)
    assert causes(answer) == {(SAID, Cause.SIZE)}


def test_the_timeline_of_a_film() -> None:
    """All senses on one line of time, in order."""
    heard = sound((0.0, 3.0))
    movie = film(frame(0, *BLUE), frame(4, *RED), frame(8, *WHITE), heard=heard)
    answer = ask(engine(movie, caption="What an idiot", spoken="You idiot."))
    found = [(one.start, one.label, one.modality) for one in timeline(answer.scores, least=0.5)]
    assert found == [(0.0, SAID, "speech"), (4.0, SEEN, "frames"), (8.0, SAID, "text")]


def test_a_real_film_is_decoded_and_judged() -> None:
    """From the bytes of an MP4: the red scene is found where it is, and what is said over it."""
    blue, red = (np.full((96, 160, 3), colour, np.uint8) for colour in (BLUE, RED))
    data = made.movie([blue] * 10 + [red] * 10 + [blue] * 10, rate=10, samples=made.tone(3.0))
    answer = ask(engine(None, spoken="You idiot."), data)
    (gore,) = [one for one in of(answer, "frames") if one.score > 0.5]
    assert gore.evidence[0] == pytest.approx((1.0, 2.0), abs=0.15)
    assert answer.score(SAID) == 0.9
    assert answer.missing == ()


def test_a_film_without_sound_says_nothing() -> None:
    """No track, no words: the text label's score comes from the frames alone."""
    answer = ask(engine(film(frame(0, *BLUE))))
    assert (answer.score(SAID), of(answer, "speech"), answer.missing) == (0.0, [], ())


def test_speech_that_is_not_understood_is_missing_beside_what_is_written() -> None:
    """One sense's gap is not closed by another sense's score."""
    movie = film(frame(0, *WHITE), heard=sound((0.0, 3.0)))
    detector = engine(movie, caption="What an idiot", recogniser=Script(reading("eh", confidence=-2.0)))
    answer = ask(detector)
    assert (answer.score(SAID), causes(answer)) == (0.9, {(SAID, Cause.LANGUAGE)})


def test_frames_beyond_the_budget_are_missing_for_text_alone() -> None:
    """What is written in frames that were not read is unknown; what is seen in them is not."""
    movie = film(*(Frame(float(number), made.scene(number)) for number in range(5)))
    eyes = Eyes()
    answer = ask(engine(movie, image=eyes, a_minute=3))
    assert eyes.read == 3
    assert causes(answer) == {(SAID, Cause.SIZE)}
    assert answer.score(SEEN) is not None


def test_a_film_that_was_cut_is_missing_its_end() -> None:
    """For every label, beside the scores of what was seen."""
    answer = ask(engine(film(frame(0, *RED), cut=True)))
    assert causes(answer) == {(SAID, Cause.SIZE), (SEEN, Cause.SIZE)}
    assert answer.score(SEEN) == 0.9


@pytest.mark.parametrize(
    ("reason", "cause"),
    [(Reason.UNREADABLE, Cause.ERROR), (Reason.FRAMES, Cause.SIZE), (Reason.WALL, Cause.TIMEOUT)],
)
def test_what_cannot_be_decoded_is_missing(reason: Reason, cause: Cause) -> None:
    """The decoder's reason is the labels' cause."""
    answer = ask(engine(DecodeError(reason, VIDEO)))
    assert (answer.scores, causes(answer)) == ((), {(SAID, cause), (SEEN, cause)})


def test_a_deadline_leaves_what_was_seen() -> None:
    """Frames come first; speech and text that time does not reach are missing, and never clean."""
    clock = ManualClock()
    heard = Sound(np.full(60 * RATE, 0.1, np.float32), RATE, 60.0, False)
    movie = film(frame(0, *RED), heard=heard)
    slow = Script(reading("Good morning."), during=lambda: clock.advance(10.0))
    answer = ask(engine(movie, recogniser=slow, clock=clock.monotonic), timeout=5.0)
    assert answer.score(SEEN) == 0.9
    assert causes(answer) == {(SAID, Cause.TIMEOUT)}


def test_labels_and_parts_beyond_the_engine() -> None:
    """A label nobody gives is unsupported, a part that is no film missing for its kind."""
    detector = engine(film(frame(0, *RED)))
    assert causes(ask(detector, labels=(SEEN, "integrity.spam"))) == {("integrity.spam", Cause.UNSUPPORTED)}
    other = detector.detect([DetectRequest(Content((Audio(b"file", "song"),)), (SEEN,))])[0]
    assert other.missing == (Missing(SEEN, "song", Cause.MODALITY),)


def test_capabilities_of_both_senses() -> None:
    """What is seen in any language, what is said or written in English; for films alone."""
    found = engine(film()).capabilities()
    assert found.kinds == ("video",)
    assert found.labels == {SEEN: {"*": Calibration.UNCALIBRATED}, SAID: {"en": Calibration.TRANSFERRED}}


def test_a_films_words_are_handed_out_by_sense() -> None:
    """What is written in its frames, once, and what its sound track says; the answer stays what it is."""
    movie = film(frame(0, *WHITE), frame(4, *BLUE), frame(6, *WHITE), heard=sound((0.0, 3.0)), seconds=8.0)
    request = DetectRequest(Content((Video(b"file", "clip"),)), (SAID, SEEN))
    (found,) = engine(movie, caption="What an idiot", spoken="You idiot.").perceive([request])
    assert found.signals == ask(engine(movie, caption="What an idiot", spoken="You idiot."))
    assert found.sensed == (
        Sensed("read", "clip", "What an idiot"),
        Sensed("spoken", "clip", "You idiot.", 0.0),
    )
    assert engine(film(frame(0, *RED))).perceive([request])[0].sensed == ()
