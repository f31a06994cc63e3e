"""Reading the text of a picture: find boxes, read each, put the lines in order.

The boxes alone are looked for first; a picture without any costs no recognition. What was found and could not
be read (a script that the network does not know, letters too small or too blurred) is reported as unread, so
that nobody takes it for clean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.signals import Box
from spotsafe.detectors import weights
from spotsafe.detectors.image.layout import Place, blocks
from spotsafe.detectors.image.strips import tiles, widened
from spotsafe.detectors.image.text_boxes import AREA, TextBox, TextBoxFinder, input_size
from spotsafe.detectors.image.text_lines import UPRIGHT, LineReader, Spelling, cropped

U8 = NDArray[np.uint8]

DOUBTFUL = 0.5
"""Below this trust (see :attr:`_Read.trust`) what was read is not passed on."""

READ = 0.8
"""Below this a line is turned upside down and read again; if that does not help, it counts as unread."""

DENSITY = 0.6
"""Fewest letters for each line height of length. Latin letters come to about two, Chinese to one. A script
that the network does not know often comes out as blanks and stops, with great confidence."""

CERTAIN = 0.65
SLENDER = 2.5
SMALL_SHARE = 0.25
"""What was found and not read counts as text when its box is this probable, this many times longer than high,
and not higher than this share of the picture: edges and ornaments are found now and then, too. Chosen on
drawn sentences and benign pictures; the model card says what they reach."""

HALF_KNOWN = 3
"""So many Greek letters make a line unread: the network knows them without their accents, and drops the
rest."""

MOST_LINES = 80
"""Lines read in a picture, the longest first; more is cut."""

SMALL = 12.0
"""Where boxes are lower than this in the network's input and the picture has more pixels, it is looked at
closer."""

CLOSER = 3
"""How many times more pixels the closer look takes."""


class Line(NamedTuple):
    """A line of text: what it says, its upright bounding box, and the mean probability of its letters."""

    text: str
    box: Box
    confidence: float

    def __repr__(self) -> str:
        return f"<Line of {len(self.text)} characters, confidence {self.confidence:.2f}>"


class Page(NamedTuple):
    """What a picture says.

    *blocks* are lines that belong together, in the order of reading; *unread* the boxes of text that could
    not be read; *cut* says that there were more lines than are read, *late* that time ran out first.
    """

    blocks: tuple[tuple[Line, ...], ...] = ()
    unread: tuple[Box, ...] = ()
    cut: bool = False
    late: bool = False

    @property
    def lines(self) -> list[Line]:
        """All lines, in the order of reading."""
        return [line for block in self.blocks for line in block]


class _Read(NamedTuple):
    box: TextBox
    spelling: Spelling
    place: Place

    @property
    def trust(self) -> float:
        """The recogniser's confidence, less where its letters are too few for the line's length."""
        letters = sum(not letter.isspace() for letter in self.spelling.text)
        wanted = max(1.0, DENSITY * self.place.length / max(self.place.height, 1.0))
        return self.spelling.confidence * min(1.0, letters / wanted)


class Finder(Protocol):
    """Finds boxes of text in a picture, scaled to about *area* pixels."""

    def find(self, pixels: U8, *, area: int = AREA) -> list[TextBox]: ...


class Reader(Protocol):
    """Reads one line from left to right."""

    def read(self, crop: U8) -> Spelling: ...


class TextReader:
    """Reads text in pictures. *clock* is monotonic time in seconds, for the deadline alone; *finder* and
    *reader* are the networks, loaded here unless given."""

    def __init__(
        self,
        *,
        threads: int = weights.THREADS,
        clock: Callable[[], float] = monotonic,
        finder: Finder | None = None,
        reader: Reader | None = None,
    ) -> None:
        """Load both networks (about 30 MB on disk). Raises ConfigurationError."""
        self._finder = finder or TextBoxFinder(threads=threads)
        self._reader = reader or LineReader(threads=threads)
        self._clock = clock

    def read(self, pixels: U8) -> list[Line]:
        """The lines of *pixels* [height, width, 3] RGB, in the order of reading."""
        return self.page(pixels).lines

    def page(self, pixels: U8, *, until: float | None = None) -> Page:
        """The text of *pixels* [height, width, 3] RGB. Lines that are not reached before *until*, a time of
        the clock, are left out."""
        if self._late(until):
            return Page(late=True)
        found = sorted(self.boxes(pixels), key=lambda box: -max(box.width, box.height))
        read: list[_Read] = []
        turned = False
        for box in found[:MOST_LINES]:
            if self._late(until):
                return _page(read, pixels, cut=len(found) > MOST_LINES, late=True)
            entry, turned = self._line(pixels, box, turned)
            read.append(entry)
        return _page(read, pixels, cut=len(found) > MOST_LINES, late=False)

    def boxes(self, pixels: U8) -> list[TextBox]:
        """Boxes of text in *pixels*, looked for closer where letters are small."""
        height, width = pixels.shape[:2]
        found: list[TextBox] = []
        for tile in tiles(width, height):
            left, top, right, bottom = widened(tile, width, height)
            shift = np.array([left, top], np.float32)
            moved = [
                box._replace(corners=box.corners + shift)
                for box in self._within(pixels[top:bottom, left:right])
            ]
            found += [box for box in moved if tile[1] <= float(box.corners[:, 1].mean()) < tile[3]]
        return found

    def _within(self, tile: U8) -> list[TextBox]:
        boxes = self._finder.find(tile)
        if _wants_closer_look(boxes, tile):
            boxes = self._finder.find(tile, area=min(AREA * CLOSER, tile.shape[0] * tile.shape[1]))
        return boxes

    def _line(self, pixels: U8, box: TextBox, turned: bool) -> tuple[_Read, bool]:
        """The line read, and whether it stood upside down. *turned*: the line before did; tried first."""
        crop = cropped(pixels, box)
        read = _Read(box, self._reader.read(_upright(crop, turned)), _place(box, turned))
        if read.trust < READ:
            other = self._reader.read(_upright(crop, not turned))
            again = _Read(box, other, _place(box, not turned))
            if again.trust > read.trust:
                read, turned = again, not turned
        return read, turned and read.trust >= READ

    def _late(self, until: float | None) -> bool:
        return until is not None and self._clock() >= until


def _wants_closer_look(boxes: Sequence[TextBox], tile: U8) -> bool:
    height, width = tile.shape[:2]
    scale = input_size(width, height)[0] / width
    return scale < 0.8 and any(min(box.width, box.height) * scale < SMALL for box in boxes)


def _upright(crop: U8, turned: bool) -> U8:
    return np.ascontiguousarray(crop[::-1, ::-1]) if turned else crop


def _place(box: TextBox, turned: bool) -> Place:
    upright = box.height >= UPRIGHT * box.width
    # A high crop was turned against the clock, so that its line ran from the top to the bottom.
    along = box.corners[3] - box.corners[0] if upright else box.corners[1] - box.corners[0]
    along = along / np.float32(max(float(np.linalg.norm(along)), 1e-6))
    long, low = (box.height, box.width) if upright else (box.width, box.height)
    return Place(box.corners.mean(axis=0), -along if turned else along, long, low)


def _page(read: Sequence[_Read], pixels: U8, *, cut: bool, late: bool) -> Page:
    height, width = pixels.shape[:2]
    shown = [entry for entry in read if entry.trust >= DOUBTFUL]
    unread = [_bounds(entry.box, width, height) for entry in read if is_unread(entry, height)]
    ordered = [
        block
        for block in blocks([entry.place for entry in shown])
        if sum(len(shown[index].spelling.text.strip()) for index in block) > 1  # a lone sign is an ornament
    ]
    found = [
        tuple(
            Line(entry.spelling.text.strip(), _bounds(entry.box, width, height), entry.spelling.confidence)
            for entry in (shown[index] for index in block)
        )
        for block in ordered
    ]
    return Page(tuple(found), tuple(unread), cut, late)


def is_unread(entry: _Read, rows: int) -> bool:
    """Whether the box holds text, as far as can be told, that was not read. *rows*: height of the picture."""
    text = entry.spelling.text
    greek = sum("\u0370" <= letter <= "\u03ff" for letter in text) >= HALF_KNOWN
    if entry.trust >= READ and not greek:
        return False
    if entry.place.length < SLENDER * entry.place.height or entry.place.height > SMALL_SHARE * rows:
        return False
    blanks = bool(text) and text.isspace() and entry.spelling.confidence >= DOUBTFUL
    return greek or blanks or entry.box.probability >= CERTAIN


def _bounds(box: TextBox, width: int, height: int) -> Box:
    """The upright rectangle around *box*, in [0, 1]."""
    scaled = np.clip(box.corners / np.array([width, height], np.float32), 0.0, 1.0)
    left, top = scaled.min(axis=0).tolist()
    right, bottom = scaled.max(axis=0).tolist()
    return Box(round(left, 4), round(top, 4), round(right, 4), round(bottom, 4))
