"""Text in the frames of a film: which frames are read, and what their text means over time.

Reading takes a hundred times as long as looking, so it has a budget. A frame that looks like one that was
read has its text; of the others those are read that look most as if they held text. What the budget leaves
unread is a gap, and the caller says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.seams import Detector
from spotsafe.core.signals import Cause, Missing, Signal
from spotsafe.detectors.decode import shots
from spotsafe.detectors.decode.decoded import Frame
from spotsafe.detectors.image.frames import FrameReading
from spotsafe.detectors.image.ocr import Line, Page
from spotsafe.detectors.image.picture_text import text_signals

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

A_MINUTE = 8
"""Frames read for each minute of film that has begun."""

SAME_WHOLE, SAME_PART = 0.35, 0.6
"""Changes (in shots and in captions, see :mod:`spotsafe.detectors.decode.shots`) up to which two frames hold
the same text."""

SAMPLES = 4
"""Every fourth row is enough to tell how much a frame looks like text."""

STROKE = 40
"""Grey levels between neighbouring pixels that make the edge of a stroke."""


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
    look most like text."""
    thumbnails = [_thumbnail(frame.pixels) for frame in frames]
    like: list[int] = []
    for index, thumbnail in enumerate(thumbnails):
        same = (other for other in dict.fromkeys(like) if _same(thumbnail, thumbnails[other]))
        like.append(next(same, index))
    different = list(dict.fromkeys(like))
    minutes = max(1, -int(-seconds // 60))
    ranked = sorted(different, key=lambda index: (-strokes(frames[index].pixels), index))
    return Choice(tuple(sorted(ranked[: a_minute * minutes])), tuple(like))


def strokes(pixels: U8) -> float:
    """How much a frame looks like text: the share of its most stroke-like block in which brightness jumps
    from one pixel to the next."""
    grey = (pixels[::SAMPLES].sum(axis=2, dtype=np.uint16) // 3).astype(np.int16)
    edges = np.abs(np.diff(grey, axis=1)) > STROKE
    rows, columns = max(1, edges.shape[0] // 16), max(1, edges.shape[1] // 8)
    whole = edges[: edges.shape[0] // rows * rows, : edges.shape[1] // columns * columns]
    if not whole.size:
        return 0.0
    blocks = whole.reshape(whole.shape[0] // rows, rows, whole.shape[1] // columns, columns)
    return float(blocks.mean(axis=(1, 3)).max())


def read(
    frames: Sequence[Frame], choice: Choice, reader: Reader, text: Detector, asked: Question
) -> list[FrameReading]:
    """Scores of the text of each frame that was read, and of those that look like it. The same lines are
    scored once, however many frames hold them."""
    known: dict[tuple[tuple[str, ...], ...], tuple[list[Signal], list[Missing]]] = {}
    of_frame: dict[int, tuple[list[Signal], list[Missing]]] = {}
    for index in choice.read:
        if asked.until is not None and asked.clock() >= asked.until:
            late = [Missing(label, asked.part, Cause.TIMEOUT) for label in asked.labels]
            of_frame[index] = ([], late)
            continue
        page = reader.page(frames[index].pixels, until=asked.until)
        key = _said(page)
        if key not in known or not key:
            known[key] = text_signals(page, text, asked.labels, part=asked.part, languages=asked.languages)
        of_frame[index] = known[key]
    return _readings(frames, choice, of_frame)


def _readings(
    frames: Sequence[Frame],
    choice: Choice,
    of_frame: Mapping[int, tuple[list[Signal], list[Missing]]],
) -> list[FrameReading]:
    found = []
    for frame, same in zip(frames, choice.like, strict=True):
        if same in of_frame:
            signals, missing = of_frame[same]
            found.append(FrameReading(frame.time, tuple(signals), tuple(missing)))
    return found


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
