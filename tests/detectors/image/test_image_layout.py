"""The order in which lines of a picture are read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.detectors.image.layout import Place, blocks, direction


def place(x: float, y: float, length: float = 100.0, height: float = 20.0, degrees: float = 0.0) -> Place:
    """A line with its middle at (x, y), read at *degrees* clockwise from the right."""
    turn = math.radians(degrees)
    along = np.array([math.cos(turn), math.sin(turn)], np.float32)
    return Place(np.array([x, y], np.float32), along, length, height)


def turned(places: list[Place], degrees: float) -> list[Place]:
    """The same lines in a picture turned by *degrees*."""
    turn = math.radians(degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], np.float32)
    return [p._replace(middle=matrix @ p.middle, along=matrix @ p.along) for p in places]


PARAGRAPH = [place(60, 74), place(60, 50), place(60, 26)]
COLUMNS = [place(60, 26), place(400, 26), place(60, 50), place(400, 50)]
PIECES = [place(300, 20, 80), place(60, 22, 100), place(180, 18, 100), place(100, 46, 180)]
CAPTIONS = [place(200, 400, 300, 40), place(200, 30, 300, 40)]
SIZES = [place(100, 30, 200, 60), place(100, 75, 200, 15)]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        (PARAGRAPH, [[2, 1, 0]]),
        (COLUMNS, [[0, 2], [1, 3]]),
        (PIECES, [[1, 2, 0, 3]]),
        (CAPTIONS, [[1], [0]]),
        (SIZES, [[0], [1]]),
    ],
    ids=["none", "paragraph", "columns", "pieces of a row", "captions", "headline and small print"],
)
def test_lines_are_read_as_people_read_them(places: list[Place], expected: list[list[int]]) -> None:
    """Blocks from the top, rows inside a block from the top, pieces of a row from its beginning."""
    assert blocks(places) == expected


@pytest.mark.parametrize("degrees", [0, 5, -12, 90, 180, 270, 93])
@pytest.mark.parametrize("places", [PARAGRAPH, COLUMNS, CAPTIONS], ids=["paragraph", "columns", "captions"])
def test_a_turned_picture_reads_like_a_straight_one(places: list[Place], degrees: float) -> None:
    """The order does not depend on how the picture is turned."""
    assert blocks(turned(places, degrees)) == blocks(places)


def test_one_line_that_runs_elsewhere_does_not_set_the_direction() -> None:
    """The direction is that of most of the text."""
    assert direction([*PARAGRAPH, place(300, 50, 90, 20, degrees=90)]) == pytest.approx([1.0, 0.0], abs=1e-6)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            place,
            st.floats(0, 1000),
            st.floats(0, 1000),
            st.floats(1, 500),
            st.floats(1, 100),
            st.sampled_from([0.0, 3.0, 90.0, 180.0]),
        ),
        max_size=15,
    )
)
def test_every_line_is_read_once(places: list[Place]) -> None:
    """Blocks are a partition of the lines, whatever their places."""
    assert sorted(index for block in blocks(places) for index in block) == list(range(len(places)))
