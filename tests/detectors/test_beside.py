"""A model and a bank over the same parts."""

from __future__ import annotations

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing
from spotsafe.detectors.beside import Beside
from spotsafe.detectors.fusion.senses import Sensed
from spotsafe.testing import FakeDetector
from tests.detectors.fusion.made import Wordy

LABELS = ("hate.speech", "integrity.spam", "tone.toxic")
REQUEST = DetectRequest(Content([Text("bad spam", "body")], ("en",)), LABELS)


def test_both_speak_and_the_higher_score_counts() -> None:
    """A label that only one of them has is scored by that one."""
    model = FakeDetector(
        {"bad": {"tone.toxic": 0.6}, "spam": {"integrity.spam": 0.3}}, labels=("tone.*", "integrity.spam")
    )
    bank = FakeDetector({"spam": {"integrity.spam": 1.0}}, labels=("integrity.spam",), id="bank")
    both = Beside(model, bank)
    (found,) = both.detect([REQUEST])
    assert found.peaks == {"tone.toxic": 0.6, "integrity.spam": 1.0}
    assert found.missing == (Missing("hate.speech", "body", Cause.UNSUPPORTED),)
    assert both.capabilities().labels.keys() >= {"tone.toxic", "integrity.spam"}
    assert "hate.speech" not in both.capabilities().labels


def test_a_failure_of_one_is_not_healed_by_the_other() -> None:
    """The bank's silence says nothing of a text that the model could not read."""
    model, bank = FakeDetector(), FakeDetector(id="bank")
    model.miss("bad", {"tone.toxic": Cause.TIMEOUT, "hate.speech": Cause.LANGUAGE})
    (found,) = Beside(model, bank).detect([REQUEST])
    assert found.missing == (Missing("tone.toxic", "body", Cause.TIMEOUT),)


def test_the_cause_that_tells_more_stands() -> None:
    """A label that is in no bank's list is missing for the model's reason."""
    model, bank = FakeDetector(), FakeDetector(labels=("integrity.spam",), id="bank")
    model.miss("bad", {"hate.speech": Cause.LANGUAGE})
    (found,) = Beside(model, bank).detect([REQUEST])
    assert found.missing == (Missing("hate.speech", "body", Cause.LANGUAGE),)


def test_the_version_changes_with_either() -> None:
    """An entry more in the bank is another answer."""
    model, bank = FakeDetector(version="1"), FakeDetector(version="a")
    before = Beside(model, bank).version
    bank.version = "b"
    assert Beside(model, bank).version != before


def test_the_words_of_the_first_are_handed_on() -> None:
    """With the answer of both; a bank has none."""
    asked = DetectRequest(Content([Image(b"meme", "cover")]), LABELS)
    model = Wordy({b"meme": Sensed("read", "", "a caption")}, {b"meme": {"tone.toxic": 0.4}})
    bank = FakeDetector({b"meme": {"tone.toxic": 1.0}}, id="bank")
    (found,) = Beside(model, bank).perceive([asked])
    assert found.sensed == (Sensed("read", "cover", "a caption"),)
    assert found.signals.peaks["tone.toxic"] == 1.0
    assert [found.signals] == Beside(model, bank).detect([asked])


class Held(FakeDetector):
    """Notes when it is loaded and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def warm(self) -> None:
        self.noted.append("warm")

    def close(self) -> None:
        self.noted.append("close")


def test_what_can_be_loaded_and_closed_is() -> None:
    """A bank that has nothing to load is passed over."""
    model = Held()
    both = Beside(model, FakeDetector())
    both.warm()
    both.close()
    assert model.noted == ["warm", "close"]
