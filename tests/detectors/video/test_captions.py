"""Which frames are read, and what their text means over time."""

from __future__ import annotations

import numpy as np
import pytest

from spotsafe.core.signals import Box, Cause
from spotsafe.detectors.decode.decoded import Frame
from spotsafe.detectors.image.frames import over_time
from spotsafe.detectors.image.ocr import Line, Page
from spotsafe.detectors.video.captions import Choice, Question, chosen, read, strokes
from spotsafe.testing import FakeDetector, ManualClock
from tests.detectors.decode import made

LABEL = "harass.bullying"
BOX = Box(0.1, 0.8, 0.9, 0.9)


def scene(number: int) -> np.ndarray:
    """``uint8[360, 640, 3]`` of smooth colour fields."""
    return made.scene(number, 360, 640)


def lettered(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    """*pixels* with a band of upright strokes, as letters make them, along the bottom."""
    found = pixels.copy()
    height = pixels.shape[0]
    band = np.random.default_rng(seed).integers(0, 2, (1, pixels.shape[1], 1)) * 255
    found[height * 3 // 4 : height * 7 // 8] = band
    return found


def frames(*pixels: np.ndarray, every: float = 2.0) -> list[Frame]:
    return [Frame(index * every, one) for index, one in enumerate(pixels)]


def test_letters_look_more_like_text_than_scenes() -> None:
    """Strokes raise the measure, smooth colours do not; a frame of any size is measured."""
    assert strokes(lettered(scene(1))).most > 5 * strokes(scene(1)).most
    assert strokes(np.zeros((1, 1, 3), np.uint8)).most == 0.0


def test_frames_that_look_alike_are_read_once() -> None:
    """A cut back to a shot that was read costs nothing; only its first frame is read."""
    one, two = scene(1), scene(2)
    noisy = np.clip(one.astype(int) + np.random.default_rng(1).integers(-4, 5, one.shape), 0, 255)
    choice = chosen(frames(one, two, noisy.astype(np.uint8), two), 8.0)
    assert choice == Choice((0, 1), (0, 1, 0, 1))
    assert not choice.unread


def test_a_new_caption_on_the_same_shot_is_read() -> None:
    """A local change is enough to tell two frames apart."""
    shot = scene(1)
    assert chosen(frames(shot, lettered(shot, 1), lettered(shot, 2)), 8.0).read == (0, 1, 2)


def test_a_caption_that_stands_still_is_read_once() -> None:
    """Whatever moves behind it: the same strokes at the same place are the same text, others are not."""
    shown = frames(*(lettered(scene(number), seed) for number, seed in ((1, 7), (2, 7), (3, 8), (4, 7))))
    choice = chosen(shown, 8.0)
    assert len(choice.read) == 2
    assert choice.like[0] == choice.like[1] == choice.like[3] != choice.like[2]
    assert not choice.unread


@pytest.mark.parametrize(("seconds", "expected"), [(10.0, 2), (60.0, 2), (61.0, 4), (300.0, 10)], ids=str)
def test_the_budget_grows_with_each_minute_begun(seconds: float, expected: int) -> None:
    """So many frames a minute; when there are more that differ, something stays unread."""
    many = frames(*(scene(number) for number in range(12)))
    choice = chosen(many, seconds, 2)
    assert len(choice.read) == expected
    assert choice.unread


def test_the_budget_goes_to_what_looks_like_text() -> None:
    """Of more frames than can be read, those with strokes come first."""
    many = frames(scene(1), lettered(scene(2), 5), scene(3), lettered(scene(4), 6))
    assert chosen(many, 10.0, 2).read == (1, 3)


def test_no_frames_leave_nothing_unread() -> None:
    """A film without a picture has no text."""
    assert chosen([], 0.0) == Choice((), ())


class _Reader:
    """Reads what each brightness stands for; counts."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.count = 0

    def page(self, pixels: np.ndarray, *, until: float | None = None) -> Page:
        self.count += 1
        text = self.texts.get(f"b{pixels[0, 0, 0]}", "")
        return Page(((Line(text, BOX, 0.99),),)) if text else Page()


def plain(*values: int) -> list[Frame]:
    return frames(*(np.full((90, 160, 3), value, np.uint8) for value in values))


def question(until: float | None = None, clock: ManualClock | None = None) -> Question:
    return Question((LABEL,), "clip", (), until, (clock or ManualClock()).monotonic)


def test_a_caption_is_scored_once_for_all_frames_that_show_it() -> None:
    """Frames with the same lines share one answer of the text engine, and together make one stretch."""
    shown = plain(10, 90, 170, 250)
    reader = _Reader(b90="You idiot", b170="YOU  idiot", b250="Good night")
    text = FakeDetector({"idiot": {LABEL: 0.9}}, labels=(LABEL,))
    readings = read(shown, chosen(shown, 8.0), reader, text, question())
    asked = [request.content.parts[0].data for request in text.requests]
    assert asked == ["You idiot", "Good night"]
    signals, missing = over_time(readings)
    assert [(one.score, one.evidence) for one in signals if one.score] == [(0.9, ((2.0, 6.0), BOX))]
    assert missing == []


def test_frames_that_look_alike_share_what_was_read() -> None:
    """A caption that comes back after a cut is found at both times, though it was read once."""
    shown = plain(90, 10, 90)
    reader = _Reader(b90="You idiot")
    readings = read(shown, chosen(shown, 8.0), reader, FakeDetector({"idiot": {LABEL: 0.9}}), question())
    assert reader.count == 2
    assert [reading.time for reading in readings if reading.signals[0].score] == [0.0, 4.0]


def test_frames_that_time_does_not_reach_are_missing() -> None:
    """After the deadline nothing is read, and the frame's labels are missing with cause timeout."""
    clock = ManualClock()
    clock.advance(5.0)
    shown = plain(90)
    readings = read(shown, chosen(shown, 8.0), _Reader(), FakeDetector(), question(4.0, clock))
    assert [(entry.label, entry.cause) for entry in readings[0].missing] == [(LABEL, Cause.TIMEOUT)]
