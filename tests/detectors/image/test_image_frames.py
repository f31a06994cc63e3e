"""What single frames say of an animation."""

from __future__ import annotations

from spotsafe.core.signals import Box, Cause, Missing, Signal, TimeRange
from spotsafe.detectors.image.frames import MOST_STRETCHES, FrameReading, over_time, said

LABEL = "violence.graphic"
BOX = Box(0.1, 0.1, 0.2, 0.2)


def reading(time: float, *scores: float, detector: str = "a") -> FrameReading:
    return FrameReading(
        time, tuple(Signal(LABEL, score, "pic", 2, detector, "", (BOX,)) for score in scores), ()
    )


def test_a_still_is_given_as_it_is() -> None:
    """One frame needs no time."""
    one = FrameReading(0.0, (Signal(LABEL, 0.9, "pic"),), (Missing("hate.speech", "pic", Cause.LANGUAGE),))
    assert over_time([one]) == (list(one.signals), list(one.missing))


def test_a_stretch_of_frames_is_one_entry_with_its_highest_score() -> None:
    """Neighbouring frames that score high are one stretch, from its first frame to the one after its last."""
    scores, _ = over_time([reading(0.0, 0.0), reading(1.0, 0.6), reading(2.0, 0.9), reading(4.0, 0.1)])
    assert [(s.score, s.evidence[0]) for s in scores] == [(0.9, TimeRange(1.0, 4.0))]


def test_boxes_follow_the_range_whose_first_frame_they_were_found_in() -> None:
    """Who draws them draws them on the right frame, also where the best one is not the first of its
    stretch."""
    later, _ = over_time([reading(0.0, 0.0), reading(1.0, 0.6), reading(2.0, 0.9), reading(4.0, 0.1)])
    assert later[0].evidence == (TimeRange(1.0, 4.0), TimeRange(2.0, 4.0), BOX)
    first, _ = over_time([reading(0.0, 0.0), reading(1.0, 0.9), reading(2.0, 0.6), reading(4.0, 0.1)])
    assert first[0].evidence == (TimeRange(1.0, 4.0), BOX)


def test_stretches_apart_are_entries_apart() -> None:
    """What is seen twice is told twice."""
    scores, _ = over_time([reading(0.0, 0.8), reading(1.0, 0.0), reading(2.0, 0.7)])
    assert [(s.score, s.evidence[0]) for s in scores] == [
        (0.8, TimeRange(0.0, 1.0)),
        (0.7, TimeRange(2.0, 3.0)),
    ]


def test_low_scores_are_one_entry_without_a_time() -> None:
    """Every label keeps a score, also where nothing was seen."""
    scores, _ = over_time([reading(0.0, 0.01), reading(1.0, 0.03)])
    assert [(s.score, s.evidence) for s in scores] == [(0.03, (BOX,))]


def test_detectors_are_kept_apart() -> None:
    """Two detectors' scores for one label are two entries."""
    scores, _ = over_time([reading(0.0, 0.9), reading(1.0, 0.5, detector="b")])
    assert {(s.detector, s.score) for s in scores} == {("a", 0.9), ("b", 0.5)}


def test_the_highest_stretches_are_kept() -> None:
    """No more entries than the seam allows, the highest of them."""
    frames = [reading(float(index), 0.5 + index / 1000 if index % 2 else 0.0) for index in range(90)]
    scores, _ = over_time(frames)
    assert len(scores) == MOST_STRETCHES
    assert min(s.score for s in scores) > 0.5 + 48 / 1000


def test_what_one_frame_misses_the_animation_misses() -> None:
    """A label that could not be read in one frame is missing once, beside the scores of the others."""
    lacking = FrameReading(1.0, (), (Missing(LABEL, "pic", Cause.TIMEOUT),))
    scores, missing = over_time([reading(0.0, 0.4), lacking, lacking._replace(time=2.0)])
    assert [s.score for s in scores] == [0.4]
    assert missing == [Missing(LABEL, "pic", Cause.TIMEOUT)]


def test_words_of_frames_are_said_once_and_in_order() -> None:
    """A block that comes back, in whatever case and spacing, is not repeated."""
    frames = [("Stay", "at home"), (), ("STAY",), ("at  home", "tonight"), ("stay",)]
    readings = [FrameReading(float(at), (), (), words) for at, words in enumerate(frames)]
    assert said(readings) == "Stay\nat home\ntonight"
    assert said([]) == said([reading(0.0, 0.5)]) == ""
