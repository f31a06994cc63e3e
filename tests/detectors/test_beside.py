"""A model and a bank over the same parts."""

from __future__ import annotations

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing
from spotsafe.detectors.beside import Beside
from spotsafe.testing import FakeDetector

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
