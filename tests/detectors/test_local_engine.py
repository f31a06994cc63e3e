"""The engines of the kinds as one detector."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spotsafe.core.content import Audio, Content, Image, Part, Text
from spotsafe.core.errors import Failure
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing
from spotsafe.detectors.engine import LocalEngine, joined
from spotsafe.testing import FakeDetector, ManualClock

LABELS = ("hate.speech", "tone.toxic")


def request(*parts: Part) -> DetectRequest:
    return DetectRequest(Content(parts, ("en",)), LABELS)


def engines() -> tuple[FakeDetector, FakeDetector]:
    return (
        FakeDetector({"go away": {"tone.toxic": 0.9}}, id="words", kinds=("text",)),
        FakeDetector({b"bad": {"hate.speech": 0.8}}, id="looks", kinds=("image",), version="7"),
    )


def test_each_part_is_read_by_the_engine_of_its_kind() -> None:
    """And a label's score is its maximum over the parts."""
    words, looks = engines()
    whole = request(Text("go away", "body"), Image(b"bad", "cover"))
    (found,) = LocalEngine(words, {"image": looks}).detect([whole])
    assert found.peaks == {"hate.speech": 0.8, "tone.toxic": 0.9}
    assert {(s.part, s.detector) for s in found.scores} == {("body", "words"), ("cover", "looks")}
    assert [[part.kind for part in r.content] for r in words.requests + looks.requests] == [
        ["text"],
        ["image"],
    ]


def test_answers_stay_with_their_requests() -> None:
    """Requests of other kinds in between do not shift them."""
    words, looks = engines()
    batch = [request(Image(b"bad", "a")), request(Text("hello", "b")), request(Image(b"fine", "c"))]
    found = LocalEngine(words, {"image": looks}).detect(batch)
    assert [signals.score("hate.speech") for signals in found] == [0.8, 0.0, 0.0]
    assert [{s.part for s in signals.scores} for signals in found] == [{"a"}, {"b"}, {"c"}]


def test_a_kind_without_an_engine_is_missing_and_says_so() -> None:
    """Never clean."""
    (found,) = LocalEngine(engines()[0]).detect([request(Audio(b"x", "episode"))])
    assert found.scores == ()
    assert set(found.missing) == {Missing(label, "episode", Cause.MODALITY) for label in LABELS}


@pytest.mark.parametrize(
    ("failure", "cause"), [(Failure.SERVER, Cause.ERROR), (Failure.TIMEOUT, Cause.TIMEOUT)]
)
def test_a_kind_whose_engine_fails_does_not_take_the_others_with_it(failure: Failure, cause: Cause) -> None:
    """The text's scores stand beside the picture's failure."""
    words, looks = engines()
    looks.fail(failure)
    (found,) = LocalEngine(words, {"image": looks}).detect(
        [request(Text("go away", "body"), Image(b"", "cover"))]
    )
    assert found.score("tone.toxic") == 0.9
    assert {entry.cause for entry in found.missing} == {cause}


class Slow(FakeDetector):
    """Takes a second of *clock*."""

    clock = ManualClock()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list:
        self.clock.advance(1.0)
        return super().detect(requests, timeout=timeout)


def test_a_kind_that_the_deadline_no_longer_reaches_is_missing() -> None:
    """The text took the whole time: the picture was not looked at."""
    slow, looks = Slow(kinds=("text",)), engines()[1]
    engine = LocalEngine(slow, {"image": looks}, monotonic=slow.clock.monotonic)
    (found,) = engine.detect([request(Text("go away", "body"), Image(b"bad", "cover"))], timeout=0.5)
    assert {(entry.part, entry.cause) for entry in found.missing} == {("cover", Cause.TIMEOUT)}
    assert looks.requests == []


@pytest.mark.parametrize("version", ["7", "8"])
def test_the_version_changes_with_any_engine(version: str) -> None:
    """So that caches never mix two models' scores; text alone keeps the text engine's version."""
    words, looks = engines()
    plain = LocalEngine(words).version
    looks.version = version
    assert plain == words.version
    assert (
        LocalEngine(words, {"image": looks}).version == LocalEngine(words, {"image": engines()[1]}).version
    ) is (version == "7")


def test_reach_is_that_of_all_engines() -> None:
    """A label that only pictures have is missing for texts, with cause modality; the text engine's word on
    calibration comes first."""
    text = Capabilities({"hate.speech": {"en": Calibration.CALIBRATED}}, ("text",), ("thread",))
    seen = {
        "hate.speech": {"en": Calibration.TRANSFERRED},
        "violence.graphic": {"*": Calibration.UNCALIBRATED},
    }
    image = Capabilities(seen, ("image",))
    reach = joined({"text": text, "image": image, "video": None})
    assert reach.kinds == ("text", "image")
    assert reach.context_fields == ("thread",)
    assert reach.labels["hate.speech"] == {"en": Calibration.CALIBRATED}
    assert reach.gap("violence.graphic", "text", "en") is Cause.MODALITY
    assert reach.gap("violence.graphic", "image", "en") is None
    assert reach.gap("hate.speech", "image", "en") is None


class Loading(FakeDetector):
    """Notes when it is loaded."""

    loaded = 0

    def warm(self) -> None:
        self.loaded += 1


def test_models_are_loaded_for_the_kinds_that_are_used() -> None:
    """A service for comments does not carry the networks for video."""
    text, image, video = Loading(), Loading(), Loading()
    engine = LocalEngine(text, {"image": image, "video": video})
    engine.warm()
    assert (text.loaded, image.loaded, video.loaded) == (1, 0, 0)
    engine.warm_for(("image", "audio"))
    assert (text.loaded, image.loaded, video.loaded) == (1, 1, 0)
