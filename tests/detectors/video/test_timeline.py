"""Signals as moments in time, and moments as lines of text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.signals import Box, Signal, TimeRange
from spotsafe.detectors.video.timeline import ALIKE, BLOCKS, GAP, Moment, clock, render, timeline

LABEL, OTHER = "harass.bullying", "violence.graphic"
BOX = Box(0.1, 0.1, 0.5, 0.2)


def signal(
    start: float,
    end: float,
    score: float = 0.8,
    *,
    label: str = LABEL,
    how: str = "speech",
    part: str = "clip",
) -> Signal:
    return Signal(label, score, part, 2, f"local.video.{how}", "1", (TimeRange(start, end), BOX))


def moment(start: float, end: float, score: float = 0.8, label: str = LABEL, how: str = "speech") -> Moment:
    return Moment(start, end, label, score, how, "clip")


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ([], []),
        ([Signal(LABEL, 0.0, "clip", 2, "local.video.speech", "1", ())], []),
        ([signal(5, 6), signal(1, 2)], [moment(1, 2), moment(5, 6)]),
        ([signal(1, 2), signal(2.5, 4, 0.9)], [moment(1, 4, 0.9)]),
        ([signal(1, 5), signal(2, 3)], [moment(1, 5)]),
        ([signal(1, 2, 0.2), signal(2, 3, 0.9)], [moment(1, 2, 0.2), moment(2, 3, 0.9)]),
        ([signal(1, 2), signal(2, 3, how="text")], [moment(1, 2), moment(2, 3, how="text")]),
        ([signal(1, 2), signal(2, 3, label=OTHER)], [moment(1, 2), moment(2, 3, label=OTHER)]),
        ([signal(1, 2), signal(2, 3, part="other")], [moment(1, 2), moment(2, 3)._replace(part="other")]),
    ],
    ids=["none", "no range", "in order", "neighbours", "within", "louder", "by sense", "by label", "by part"],
)
def test_signals_become_moments(signals: list[Signal], expected: list[Moment]) -> None:
    """Every range of time is a moment; neighbours of one kind and like score are one."""
    assert list(timeline(signals)) == expected


def test_low_scores_can_be_left_out() -> None:
    """*least* is the lowest score that is shown."""
    assert timeline([signal(1, 2, 0.3), signal(4, 5, 0.6)], least=0.5) == (moment(4, 5, 0.6),)


signals_lists = st.lists(
    st.builds(
        lambda start, length, score, label, how: signal(start, start + length, score, label=label, how=how),
        st.floats(0, 100), st.floats(0, 20), st.floats(0, 1),
        st.sampled_from((LABEL, OTHER)), st.sampled_from(("speech", "text")),
    ),
    max_size=15,
)  # fmt: skip


@given(signals_lists)
def test_no_moment_and_no_score_is_lost(signals: list[Signal]) -> None:
    """Every signal lies within a moment of its kind that scores at least as high; moments come in order."""
    moments = timeline(signals)
    for one in signals:
        start, end = one.evidence[0][:2]
        assert any(
            other.start <= start
            and end <= other.end
            and other.score >= one.score
            and other.label == one.label
            for other in moments
        )
    assert all(before.start <= after.start for before, after in pairwise(moments))
    assert all(any(one.score == other.score for one in signals) for other in moments)


def test_neighbours_are_those_within_the_gap() -> None:
    """A pause of just over :data:`GAP` parts two moments, and so does a step just over :data:`ALIKE`."""
    assert len(timeline([signal(0, 1), signal(1 + GAP, 3)])) == 1
    assert len(timeline([signal(0, 1), signal(1.01 + GAP, 3)])) == 2
    assert len(timeline([signal(0, 1, 0.5), signal(1, 2, 0.51 + ALIKE)])) == 2


def test_a_rendered_timeline() -> None:
    """A lane per label and sense, the loudest first, above a scale of the whole length."""
    moments = timeline([signal(0, 15, 0.25), signal(30, 45, 1.0, label=OTHER, how="frames")])
    assert render(moments, 60.0, 32).splitlines() == [
        "violence.graphic · frames │                ████████        │ 1.00",
        "harass.bullying · speech  │▂▂▂▂▂▂▂▂                        │ 0.25",
        "                          └0:00.0  0:15    0:30    0:45    1:00",
    ]


def test_nothing_is_rendered_as_nothing() -> None:
    """No moments, no lines."""
    assert render((), 60.0, 20) == ""


@given(signals_lists, st.floats(0, 200), st.integers(1, 120))
def test_every_moment_can_be_seen(signals: list[Signal], seconds: float, width: int) -> None:
    """However short and faint, each lane shows at least one block, and no lane is wider than asked for."""
    moments = timeline(signals)
    lanes = [line for line in render(moments, seconds, width).splitlines() if "│" in line]
    assert len(lanes) == len({(one.label, one.modality) for one in moments})
    for lane in lanes:
        blocks = lane.split("│")[1]
        assert len(blocks) == width
        assert set(blocks) <= set(BLOCKS)
        assert blocks.strip()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "0:00.0"), (5.34, "0:05.3"), (9.99, "0:10"), (65.0, "1:05"), (3665.2, "1:01:05")],
)
def test_times_as_people_read_them(seconds: float, expected: str) -> None:
    """Tenths while they matter, hours where there are any."""
    assert clock(seconds) == expected
