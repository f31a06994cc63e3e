"""Two engines on the same traffic."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from spotsafe.core.content import Content, Text
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Signals
from spotsafe.detectors.shadow import STEPS, WAITING, ShadowDetector
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech", "tone.toxic")


def request(text: str) -> DetectRequest:
    return DetectRequest(Content([Text(text, "body")], ("en",)), LABELS)


@pytest.fixture
def live() -> FakeDetector:
    return FakeDetector({"bad": {"tone.toxic": 0.9}, "odd": {"tone.toxic": 0.6}}, id="live", version="1")


@pytest.fixture
def shadow() -> FakeDetector:
    return FakeDetector({"bad": {"tone.toxic": 0.8}, "new": {"tone.toxic": 0.7}}, id="other", version="2")


def test_the_live_engine_answers_and_the_other_is_counted(live: FakeDetector, shadow: FakeDetector) -> None:
    """Where they agree, where they do not, and by how much."""
    both = ShadowDetector(live, shadow)
    answers = both.detect([request(text) for text in ("bad", "odd", "new", "fine")])
    both.drain()
    assert [answer.score("tone.toxic") for answer in answers] == [0.9, 0.6, 0.0, 0.0]
    assert (both.id, both.version) == ("live", "1")
    hate, toxic = both.agreements()
    assert (toxic.both, toxic.first, toxic.second, toxic.neither) == (1, 1, 1, 1)
    assert toxic.mean == pytest.approx((-0.1 - 0.6 + 0.7 + 0.0) / 4)
    assert toxic.steps[STEPS] == 1
    assert toxic.steps[STEPS - 12] == toxic.steps[STEPS - 2] == toxic.steps[STEPS + 14] == 1
    assert (hate.neither, hate.compared) == (4, 4)
    both.close()


def test_thresholds_decide_what_counts_as_agreement(live: FakeDetector, shadow: FakeDetector) -> None:
    """The policy's, by label."""
    both = ShadowDetector(live, shadow, thresholds={"tone.toxic": 0.85})
    both.detect([request("bad")])
    both.drain()
    assert both.agreements()[1][1:6] == (0.85, 0, 1, 0, 0)


def test_scores_that_only_one_of_them_has_are_counted_apart(live: FakeDetector, shadow: FakeDetector) -> None:
    """A newer engine that falls silent on a label is no better for agreeing on the rest."""
    shadow.miss("bad", {"tone.toxic": Cause.LANGUAGE})
    live.miss("new", {"tone.toxic": Cause.LANGUAGE})
    both = ShadowDetector(live, shadow)
    both.detect([request("bad"), request("new")])
    both.drain()
    assert (both.agreements()[1].lost, both.agreements()[1].gained) == (1, 1)


class Broken(FakeDetector):
    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        raise ZeroDivisionError


class Unequipped(FakeDetector):
    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        raise ConfigurationError("models are missing")


class Short(FakeDetector):
    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return []


@pytest.mark.parametrize("other", [Broken(), Short(), Unequipped()])
def test_nothing_the_shadow_does_reaches_a_caller(live: FakeDetector, other: FakeDetector) -> None:
    """Faults and wrong answers are counted, and the next request is compared again."""
    both = ShadowDetector(live, other)
    assert both.detect([request("bad")])[0].score("tone.toxic") == 0.9
    both.drain()
    assert (both.failed, both.compared) == (1, 0)


def test_where_there_is_no_room_the_shadow_is_left_out(live: FakeDetector, shadow: FakeDetector) -> None:
    """Rather than the caller kept waiting."""
    work: list[Callable[[], None]] = []
    both = ShadowDetector(live, shadow, start=work.append)
    for _ in range(WAITING + 3):
        both.detect([request("bad")])
    assert both.skipped == 3
    both._queue.get_nowait()
    both.close()
    work[0]()
    assert both.compared == WAITING - 1


def test_what_waits_for_the_shadow_is_bounded_in_bytes(
    live: FakeDetector, shadow: FakeDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recordings are long; once some were compared there is room again."""
    monkeypatch.setattr("spotsafe.detectors.shadow.MOST_BYTES", 7)
    work: list[Callable[[], None]] = []
    both = ShadowDetector(live, shadow, start=work.append)
    for _ in range(3):
        both.detect([request("bad")])
    assert both.skipped == 1
    both.close()
    work[0]()
    both.detect([request("bad")])
    assert (both.compared, both.skipped) == (2, 1)


def test_a_share_of_the_traffic_is_enough(live: FakeDetector, shadow: FakeDetector) -> None:
    """Drawn by the given randomness."""
    both = ShadowDetector(live, shadow, share=0.25, random=random.Random(5))
    for _ in range(100):
        both.detect([request("bad")])
    both.drain()
    assert 15 <= both.compared <= 35


def test_the_report_holds_counts_and_no_content(live: FakeDetector, shadow: FakeDetector) -> None:
    """It may be shown to anybody."""
    both = ShadowDetector(live, shadow)
    both.detect([request("bad canary-7f3a")])
    both.drain()
    report: dict[str, Any] = both.report()
    assert report["shadow"] == {"id": "other", "version": "2"}
    assert report["requests"] == {"compared": 1, "skipped": 0, "failed": 0}
    assert "canary" not in str(report)
