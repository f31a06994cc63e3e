"""Text in the frames of a film: which frames are read, and what their text means over time.

Reading takes a hundred times as long as looking, so it has a budget. A frame that looks like one that was
read, or whose strokes stand where they stood in one, has its text; of the others those are read that look
most as if they held text. What the budget leaves unread is a gap, and the caller says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.seams import Detector
from spotsafe.core.signals import Cause, Missing
from spotsafe.detectors.decode import shots
from spotsafe.detectors.decode.decoded import Frame
from spotsafe.detectors.image.frames import FrameReading
from spotsafe.detectors.image.ocr import Line, Page
from spotsafe.detectors.image.picture_text import text_signals, words

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]

A_MINUTE = 8
"""Frames read for each minute of film that has begun."""

SAME_WHOLE, SAME_PART = 0.35, 0.6
"""Changes (in shots and in captions, see :mod:`spotsafe.detectors.decode.shots`) up to which two frames hold
the same text."""

SAMPLES = 4
"""Every fourth row is enough to tell how much a frame looks like text."""

STROKE = 40
"""Grey levels between neighbouring pixels that make the edge of a stroke."""

BLOCKS = (16, 8)
"""Rows and columns of blocks; one holds a short word of a caption."""

LETTERS = 0.04
"""Share of edges from which on a block may hold letters: a line of small ones has a tenth."""

STANDING = 0.6
"""Share of a block's edges that stand where they stood in another frame, for both to hold the same letters,
whatever moves behind them. Different words share about a quarter of theirs."""

BOLD = 0.5
"""Share of the most stroke-like block's edges from which on a block counts when frames are ranked."""


class Reader(Protocol):
    """Reads the text of one frame; see :class:`~spotsafe.detectors.image.ocr.TextReader`."""

    def page(self, pixels: U8, *, until: float | None = None) -> Page: ...


class Choice(NamedTuple):
    """*read*: the frames to read, by index; *like*: frame → the frame, read or not, that holds the same text
    (itself for the first of its kind)."""

    read: tuple[int, ...]
    like: tuple[int, ...]

    @property
    def unread(self) -> bool:
        """Whether there are frames whose text nobody knows."""
        return not set(self.like) <= set(self.read)


class Question(NamedTuple):
    """What the text of the frames is asked: *labels* (which the text detector can give), for the part
    *part* in the stated *languages*, until a time of the *clock*."""

    labels: Sequence[str]
    part: str
    languages: Sequence[str]
    until: float | None
    clock: Callable[[], float]


def chosen(frames: Sequence[Frame], seconds: float, a_minute: int = A_MINUTE) -> Choice:
    """Which of *frames* to read: of those that differ, *a_minute* for each minute begun, those first that
    look most like text and least like the text of those before them."""
    thumbnails = [_thumbnail(frame.pixels) for frame in frames]
    like: list[int] = []
    for index, thumbnail in enumerate(thumbnails):
        same = (other for other in dict.fromkeys(like) if _same(thumbnail, thumbnails[other]))
        like.append(next(same, index))
    looks = {index: strokes(frames[index].pixels) for index in dict.fromkeys(like)}
    budget = a_minute * max(1, -int(-seconds // 60))
    news = {index: look.most for index, look in looks.items()}
    read: list[int] = []
    while news and len(read) < budget:
        best = max(news, key=lambda index: (news[index], -index))
        read.append(best)
        del news[best]
        for index in list(news):
            if looks[index].stand_in(looks[best]):
                like = [best if other == index else other for other in like]
                del news[index]
            else:
                fresh = looks[index].most * (1.0 - looks[index].share_in(looks[best]))
                news[index] = min(news[index], fresh)
    return Choice(tuple(sorted(read)), tuple(like))


class Strokes(NamedTuple):
    """Where a frame looks like text: *edges* of strokes, ``bool[BLOCKS[0], height, BLOCKS[1], width]`` by
    blocks, and their *shares* in each block."""

    edges: Flags
    shares: F32

    @property
    def most(self) -> float:
        """The share in the most stroke-like block."""
        return float(self.shares.max())

    def share_in(self, other: Strokes) -> float:
        """How many of the edges in this frame's boldest blocks stand in the *other*, too: in [0, 1]."""
        if self.edges.shape != other.edges.shape or not self.most:
            return 0.0
        bold = self.shares >= BOLD * self.most
        return float(self._standing(other)[bold].sum() / self.shares[bold].sum())

    def stand_in(self, other: Strokes) -> bool:
        """Whether all letters of this frame, if it has any, stand in the *other*, too."""
        letters = self.shares >= LETTERS
        if self.edges.shape != other.edges.shape or not letters.any():
            return False
        return bool((self._standing(other)[letters] >= STANDING * self.shares[letters]).all())

    def _standing(self, other: Strokes) -> F32:
        standing: F32 = (self.edges & other.edges).mean(axis=(1, 3), dtype=np.float32)
        return standing


def strokes(pixels: U8) -> Strokes:
    """How a frame ``uint8[height, width, 3]`` looks like text: where brightness jumps from one pixel to the
    next."""
    grey = (pixels[::SAMPLES].sum(axis=2, dtype=np.uint16) // 3).astype(np.int16)
    found = np.abs(np.diff(grey, axis=1)) > STROKE
    height, width = (max(1, -(-size // count)) for size, count in zip(found.shape, BLOCKS, strict=True))
    whole = np.zeros((BLOCKS[0] * height, BLOCKS[1] * width), np.bool_)
    whole[: found.shape[0], : found.shape[1]] = found
    edges = whole.reshape(BLOCKS[0], height, BLOCKS[1], width)
    return Strokes(edges, edges.mean(axis=(1, 3), dtype=np.float32))


def read(
    frames: Sequence[Frame], choice: Choice, reader: Reader, text: Detector, asked: Question
) -> list[FrameReading]:
    """Scores of the text of each frame that was read, and of those that look like it. The same lines are
    scored once, however many frames hold them."""
    known: dict[tuple[tuple[str, ...], ...], FrameReading] = {}
    of_frame: dict[int, FrameReading] = {}
    for index in choice.read:
        if asked.until is not None and asked.clock() >= asked.until:
            late = tuple(Missing(label, asked.part, Cause.TIMEOUT) for label in asked.labels)
            of_frame[index] = FrameReading(0.0, (), late)
            continue
        page = reader.page(frames[index].pixels, until=asked.until)
        key = _said(page)
        if key not in known or not key:
            signals, missing = text_signals(
                page, text, asked.labels, part=asked.part, languages=asked.languages
            )
            known[key] = FrameReading(0.0, tuple(signals), tuple(missing), words(page))
        of_frame[index] = known[key]
    return _readings(frames, choice, of_frame)


def _readings(
    frames: Sequence[Frame],
    choice: Choice,
    of_frame: Mapping[int, FrameReading],
) -> list[FrameReading]:
    """One per frame; nothing is said of those that nobody read, so that no stretch reaches across them."""
    nothing = FrameReading(0.0, (), ())
    return [
        of_frame.get(same, nothing)._replace(time=frame.time)
        for frame, same in zip(frames, choice.like, strict=True)
    ]


def _said(page: Page) -> tuple[tuple[str, ...], ...]:
    """The page's words, without case and place, as far as all of it was read."""
    if page.unread or page.cut or page.late:
        return ()
    return tuple(tuple(_plain(line) for line in block) for block in page.blocks)


def _plain(line: Line) -> str:
    return " ".join(line.text.casefold().split())


def _thumbnail(pixels: U8) -> U8:
    return np.stack([shots.shrunk(pixels[..., channel]) for channel in range(3)], axis=-1)


def _same(thumbnail: U8, other: U8) -> bool:
    seen = shots.change(thumbnail, other)
    return seen.whole <= SAME_WHOLE and seen.part <= SAME_PART
