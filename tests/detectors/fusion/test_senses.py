"""Words by sense, and scores by sense."""

from __future__ import annotations

import pytest

from spotsafe.core.content import Image, Text
from spotsafe.core.signals import Signal, Signals
from spotsafe.detectors.audio.engine import Heard
from spotsafe.detectors.fusion import senses
from spotsafe.detectors.fusion.engine import _Meeting
from spotsafe.detectors.fusion.senses import Perceived, Sensed, perceived
from spotsafe.detectors.image.frames import FrameReading
from spotsafe.testing import FakeDetector
from tests.detectors.fusion.made import BULLYING, CANARY, Wordy, request

HOLDERS = {
    "sensed": Sensed("read", "cover", CANARY),
    "perceived": Perceived(Signals(), (Sensed("typed", "body", CANARY),)),
    "heard": Heard([], (Sensed("spoken", "episode", CANARY, 0.4),)),
    "a frame": FrameReading(1.0, (), (), (CANARY,)),
    "a meeting": _Meeting(0, "typed+read", {"typed": CANARY, "read": CANARY}, 0.0, (BULLYING,)),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_nothing_that_holds_words_shows_them(name: str) -> None:
    """Neither repr nor str nor formatting."""
    holder = HOLDERS[name]
    assert all(CANARY not in said for said in (repr(holder), str(holder), f"{holder}", f"{[holder]!r}"))


@pytest.mark.parametrize(
    ("detector", "kind", "sense"),
    [
        ("local.text", "text", "typed"),
        ("local.text.first", "text", "typed"),
        ("openai", "text", "typed"),
        ("local.image.text", "image", "read"),
        ("local.video.text", "video", "read"),
        ("local.audio.speech", "audio", "spoken"),
        ("local.video.speech", "video", "spoken"),
        ("local.image.classes", "image", "seen"),
        ("local.image.boxes", "image", "seen"),
        ("local.video.frames", "video", "seen"),
        ("local.text.known", "text", None),
        ("local.image.known", "image", None),
        ("local.file.known", "audio", None),
        ("something else", "image", None),
    ],
)
def test_every_detector_belongs_to_a_sense_or_to_none(detector: str, kind: str, sense: str | None) -> None:
    """Banks judge nothing, so they are no sense."""
    assert senses.sense_of(Signal(BULLYING, 0.5, "part", 2, detector), kind) == sense


def test_a_sense_has_the_highest_score_of_its_parts() -> None:
    """Two text parts are one sense; what a bank knows is in none."""
    signals = [
        Signal(BULLYING, 0.2, "title", 2, "local.text"),
        Signal(BULLYING, 0.7, "body", 2, "local.text"),
        Signal(BULLYING, 0.4, "cover", 2, "local.image.text"),
        Signal(BULLYING, 1.0, "cover", 2, "local.image.known"),
    ]
    found = senses.by_sense(signals, {"title": "text", "body": "text", "cover": "image"})
    assert found == {"typed": {BULLYING: 0.7}, "read": {BULLYING: 0.4}}


def test_words_come_in_one_order() -> None:
    """Typed, read, spoken, whatever the parts' order; parts without words are in none."""
    sensed = [
        Sensed("spoken", "clip", "three"),
        Sensed("read", "cover", " two "),
        Sensed("typed", "title", "one"),
        Sensed("typed", "body", "  "),
        Sensed("typed", "end", "more"),
    ]
    assert senses.words(sensed) == {"typed": "one\nmore", "read": "two", "spoken": "three"}
    assert list(senses.words(sensed)) == ["typed", "read", "spoken"]
    assert senses.joined(senses.words(sensed)) == "one\nmore\ntwo\nthree"


def test_the_most_musical_recording_counts() -> None:
    """Nothing but sound is musical."""
    assert senses.music([Sensed("spoken", "a", "x", 0.2), Sensed("spoken", "b", "x", 0.7)]) == 0.7
    assert senses.music(senses.typed(request(Text("la la la", "body"), Image(b"x", "cover")))) == 0.0


def test_typed_words_are_those_of_text_parts() -> None:
    """Each with its part's name."""
    found = senses.typed(request(Text("one", "title"), Image(b"x", "cover"), Text("two", "body")))
    assert found == (Sensed("typed", "title", "one"), Sensed("typed", "body", "two"))


def test_detectors_without_words_are_asked_as_ever() -> None:
    """Their answers come without words, those of others with them."""
    asked = request(Image(b"meme", "cover"))
    plain, wordy = FakeDetector(), Wordy({b"meme": Sensed("read", "", "caption")})
    assert perceived(plain, [asked]) == [Perceived(plain.detect([asked])[0])]
    assert perceived(wordy, [asked]) == [
        Perceived(wordy.detect([asked])[0], (Sensed("read", "cover", "caption"),))
    ]
