"""Reading the text of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spotsafe.detectors.image import ocr, text_boxes, text_lines
from spotsafe.detectors.image.ocr import TextReader
from spotsafe.detectors.image.strips import tiles
from spotsafe.detectors.image.text_boxes import STEP, TextBox, boxes, input_size
from spotsafe.detectors.image.text_lines import Spelling, decoded, prepared

U8 = NDArray[np.uint8]


class Finder:
    """Finds the boxes that it was told of."""

    def __init__(self, *found: TextBox) -> None:
        self.found = list(found)
        self.areas: list[int] = []

    def find(self, pixels: U8, *, area: int = text_boxes.AREA) -> list[TextBox]:
        self.areas.append(area)
        return self.found


class Reader:
    """Reads what it was told to, one answer per call."""

    def __init__(self, *answers: Spelling) -> None:
        self.answers = list(answers)
        self.calls = 0

    def read(self, crop: U8) -> Spelling:
        self.calls += 1
        return self.answers[(self.calls - 1) % len(self.answers)]


def box(left: float, top: float, right: float, bottom: float, probability: float = 0.8) -> TextBox:
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return TextBox(corners, probability)


def written(*lines: str, size: int = 28, ink: int = 20, paper: int = 240, turn: int = 0) -> U8:
    """A picture of lines in Pillow's own font, turned by *turn* degrees."""
    font = ImageFont.load_default(size)
    width = round(max(font.getlength(line) for line in lines)) + 60
    picture = Image.new("RGB", (width, 80 + round(size * 1.4 * len(lines))), (paper, paper, paper))
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        draw.text((30, 30 + number * size * 1.4), line, (ink, ink, ink), font=font)
    return np.asarray(picture.rotate(turn, expand=True, fillcolor=(paper, paper, paper)))


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader(threads=1)


SENTENCE = ("Meet me behind the station", "and bring the money")


@pytest.mark.parametrize(
    ("look", "lines"),
    [
        ({}, SENTENCE),
        ({"ink": 255, "paper": 40}, SENTENCE),
        ({"ink": 150, "paper": 200}, SENTENCE),
        ({"turn": 5}, SENTENCE),
        ({"turn": 180}, SENTENCE),
        ({"turn": 90}, SENTENCE[:1]),
        ({"turn": 270}, SENTENCE[:1]),
        ({"size": 12}, SENTENCE),
    ],
    ids=["plain", "on dark", "low contrast", "tilted", "upside down", "left", "right", "small"],
)
def test_text_is_read_as_it_is_found_in_pictures(
    reader: TextReader, look: dict[str, Any], lines: tuple[str, ...]
) -> None:
    """Contrast, size and turn do not change what is read, nor its order."""
    page = reader.page(written(*lines, **look))
    assert " ".join(line.text for line in page.lines).replace("  ", " ") == " ".join(lines)
    assert (page.unread, page.cut, page.late) == ((), False, False)


def test_boxes_lie_where_the_lines_are(reader: TextReader) -> None:
    """The first line's box is in the upper half, the second's in the lower one, both in [0, 1]."""
    first, second = (line.box for line in reader.read(written(*SENTENCE)))
    assert 0.0 <= first.left < first.right <= 1.0
    assert 0.0 <= first.top < first.bottom <= second.bottom <= 1.0
    assert (first.top + first.bottom) / 2 < 0.5 < (second.top + second.bottom) / 2


def test_a_picture_without_text_costs_no_reading() -> None:
    """The boxes are looked for first; without any, no line is read."""
    lines = Reader(Spelling("never", 1.0))
    page = TextReader(finder=Finder(), reader=lines).page(np.zeros((200, 300, 3), np.uint8))
    assert (page, lines.calls) == (ocr.Page(), 0)


def test_the_network_finds_no_text_in_noise(reader: TextReader) -> None:
    """Noise holds neither lines nor text that could not be read."""
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    page = reader.page(noise)
    assert (page.lines, page.unread) == ([], ())


def test_an_unknown_script_is_unread_and_not_clean(reader: TextReader) -> None:
    """Cyrillic comes out of the network as blanks, with confidence; it is reported all the same."""
    page = reader.page(written("Встретимся за вокзалом завтра", size=32))
    assert page.unread


@pytest.mark.parametrize(
    ("spelling", "shape", "unread", "shown"),
    [
        (Spelling("a plain line", 0.99), (240, 30), False, True),
        (Spelling("  .     ", 0.98), (240, 30), True, False),
        (Spelling("R3990H OMOO", 0.6), (240, 30), True, True),
        (Spelling("xx", 0.2), (240, 30), True, False),
        (Spelling("'λοι πρπει να παον", 0.95), (240, 30), True, True),
        (Spelling("5", 0.99), (25, 30), False, False),
        (Spelling("", 0.0), (240, 30), True, False),
        (Spelling("", 0.0), (40, 30), False, False),
        (Spelling("", 0.0), (390, 120), False, False),
        (Spelling("明天见", 0.97), (100, 30), False, True),
    ],
)
def test_what_counts_as_unread(spelling: Spelling, shape: tuple[int, int], unread: bool, shown: bool) -> None:
    """Long boxes with little confidence or few letters; stubby or huge ones are ornaments."""
    finder = Finder(box(5, 5, 5 + shape[0], 5 + shape[1]))
    page = TextReader(finder=finder, reader=Reader(spelling)).page(np.zeros((400, 400, 3), np.uint8))
    assert (bool(page.unread), bool(page.lines)) == (unread, shown)


def test_a_doubtful_line_is_read_upside_down_too() -> None:
    """The better of both readings counts, and the next line is tried that way first."""
    lines = Reader(Spelling("q6d", 0.4), Spelling("upside", 0.9), Spelling("down", 0.95))
    finder = Finder(box(10, 50, 200, 80), box(10, 90, 100, 120))
    page = TextReader(finder=finder, reader=lines).page(np.zeros((400, 400, 3), np.uint8))
    assert lines.calls == 3
    assert {line.text for line in page.lines} == {"upside", "down"}


def test_too_many_lines_are_cut_and_told() -> None:
    """The longest are read; that there were more is known."""
    found = [box(0, 5 * index, 50 + index, 5 * index + 4) for index in range(ocr.MOST_LINES + 5)]
    long = Reader(Spelling("a line that is as long as its box", 0.99))
    page = TextReader(finder=Finder(*found), reader=long).page(np.zeros((600, 400, 3), np.uint8))
    assert (len(page.lines), page.cut) == (ocr.MOST_LINES, True)


@pytest.mark.parametrize(("until", "lines"), [(0.0, 0), (2.5, 2), (None, 3)])
def test_time_that_runs_out_is_told(until: float | None, lines: int) -> None:
    """What was read by then stands; the rest is late."""
    ticks = iter(range(100))
    found = [box(0, 40 * index, 200, 40 * index + 30) for index in range(3)]
    reader = TextReader(
        finder=Finder(*found), reader=Reader(Spelling("word", 0.99)), clock=lambda: float(next(ticks))
    )
    page = reader.page(np.zeros((400, 400, 3), np.uint8), until=until)
    assert (len(page.lines), page.late) == (lines, until is not None)


@pytest.mark.parametrize(
    ("shape", "height", "looks"), [((2000, 2000), 20.0, 2), ((2000, 2000), 90.0, 1), ((500, 500), 10.0, 1)]
)
def test_small_letters_are_looked_at_closer(shape: tuple[int, int], height: float, looks: int) -> None:
    """A second look with more pixels, only where the picture has them."""
    finder = Finder(box(10, 10, 300, 10 + height))
    TextReader(finder=finder, reader=Reader(Spelling("word", 0.99))).boxes(np.zeros((*shape, 3), np.uint8))
    assert len(finder.areas) == looks


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_tiles_cover_the_picture_once(width: int, height: int) -> None:
    """No pixel is left out, none is looked at twice, and no tile is empty."""
    found = tiles(width, height)
    assert sum((right - left) * (bottom - top) for left, top, right, bottom in found) == width * height
    assert all(right > left and bottom > top for left, top, right, bottom in found)


class Lines:
    """Finds the white lines that are whole in what it is shown."""

    def find(self, pixels: U8, *, area: int = text_boxes.AREA) -> list[TextBox]:
        white = np.flatnonzero(np.diff(np.pad(pixels[:, 0, 0] > 0, 1)))
        return [box(5, top, 90, bottom) for top, bottom in zip(white[::2], white[1::2], strict=True)]


@pytest.mark.parametrize("place", range(0, 900, 50))
def test_a_line_on_the_cut_of_a_strip_is_found_whole_and_once(place: int) -> None:
    """Wherever it stands."""
    strip = np.zeros((1_000, 100, 3), np.uint8)
    strip[place + 40 : place + 56] = 255
    (found,) = TextReader(finder=Lines(), reader=Reader()).boxes(strip)
    assert (found.corners[:, 1].min(), found.corners[:, 1].max()) == (place + 40, place + 56)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60_000), st.integers(1, 60_000))
def test_the_networks_input_has_the_sides_that_it_needs(width: int, height: int) -> None:
    """Multiples of the step, about the wanted area and never without end."""
    across, down = input_size(width, height)
    assert across % STEP == 0
    assert down % STEP == 0
    assert across * down <= 2.5 * text_boxes.AREA + STEP * max(across, down)


def test_a_box_grows_around_its_island() -> None:
    """An island of probability becomes one box that holds it, in pixels of the picture."""
    chances = np.zeros((64, 128), np.float32)
    chances[20:30, 30:90] = 0.9
    (found,) = boxes(chances, 2.0, 2.0)
    left, top = found.corners[0]
    right, bottom = found.corners[2]
    assert (left, top) < (60, 40)
    assert left > 30
    assert right > 178
    assert bottom > 58
    assert 0.7 < found.probability <= 0.9


@pytest.mark.parametrize("value", [0.2, 0.35])
def test_faint_islands_are_no_boxes(value: float) -> None:
    """Below the thresholds nothing is found."""
    chances = np.zeros((64, 128), np.float32)
    chances[20:30, 30:90] = value
    assert boxes(chances, 1.0, 1.0) == []


def test_repeats_and_blanks_are_dropped() -> None:
    """The best path of the recogniser's output: a letter twice needs a blank between."""
    alphabet = ("", "a", "b")
    path = [1, 1, 0, 1, 2, 2, 0]
    chances = np.full((len(path), 3), 0.1, np.float32)
    chances[range(len(path)), path] = 0.8
    assert decoded(chances, alphabet) == Spelling("aab", pytest.approx(0.8))
    assert decoded(chances[[2, 6]], alphabet) == Spelling("", 0.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3000), st.integers(1, 300))
def test_crops_of_any_shape_fit_the_recogniser(width: int, height: int) -> None:
    """One row of the height that the network wants, within its widths, in [-1, 1]."""
    blob = prepared(np.full((height, width, 3), 255, np.uint8))
    assert blob.shape[:3] == (1, 3, text_lines.HEIGHT)
    assert text_lines.NARROWEST <= blob.shape[3] <= text_lines.WIDEST
    assert -1.0 <= float(blob.min()) <= float(blob.max()) <= 1.0 + 1e-6
