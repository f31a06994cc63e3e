"""How a decoding process answers: fixed binary records, of which the reader believes nothing.

The process has read a stranger's file and may be in the stranger's hands. What comes back is therefore no
pickle and no text, only numbers and pixels of stated sizes; each size is checked against the limits that the
question was asked with before anything is allocated for it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from spotsafe.detectors.decode.decoded import RATE, Frame, Movie, Picture, Sound
from spotsafe.detectors.decode.limits import Limits, Reason
from spotsafe.detectors.decode.sniff import PICTURES
from spotsafe.detectors.decode.sounds import as_floats

Buffer = bytes | memoryview
Media = Picture | Sound | Movie
Fill = Callable[[memoryview], None]
"""Fills a buffer whole, or raises."""


class Kind(IntEnum):
    """What is asked for."""

    PICTURE = 0
    SOUND = 1
    MOVIE = 2


class Task(NamedTuple):
    """A question: *size* bytes of an encoded file wait in the shared file. The *first* of its kind in this
    process is answered twice: when the libraries are loaded, and when the file is decoded."""

    kind: Kind
    first: bool
    size: int
    limits: Limits


_TASK = struct.Struct(f"<4sBBQ{len(Limits._fields)}d")
_MARK = b"SSD1"
_REPLY = struct.Struct("<4sB")
_PICTURE = struct.Struct("<IIBIBI")
_FRAME = struct.Struct("<dII")
_SOUND = struct.Struct("<dBQ")
_MOVIE = struct.Struct("<IIdBBI")

TASK_SIZE = _TASK.size
REPLY_SIZE = _REPLY.size
READY = _REPLY.pack(_MARK, 0xFF)
"""What a process says when it can be asked, and when it has loaded the libraries of a kind."""

_REASONS = tuple(Reason)
_INTEGERS = {name for name, kind in Limits.__annotations__.items() if "int" in str(kind)}
_LONGEST_SECONDS = 1e9


class FramingError(ValueError):
    """The answer does not hold what an answer holds."""


def pack_task(task: Task) -> bytes:
    """The question as :data:`TASK_SIZE` bytes."""
    return _TASK.pack(_MARK, task.kind, task.first, task.size, *task.limits)


def unpack_task(raw: bytes) -> Task:
    """What :func:`pack_task` wrote."""
    _, kind, first, size, *values = _TASK.unpack(raw)
    named = zip(Limits._fields, values, strict=True)
    limits = {name: int(value) if name in _INTEGERS else value for name, value in named}
    return Task(Kind(kind), bool(first), size, Limits(**limits))


def pack_reply(reason: Reason | None) -> bytes:
    """Whether it worked (None), or why not."""
    return _REPLY.pack(_MARK, 0 if reason is None else 1 + _REASONS.index(reason))


def unpack_reply(raw: bytes) -> Reason | None:
    """What :func:`pack_reply` wrote; raises :class:`FramingError`."""
    mark, code = _REPLY.unpack(raw)
    if mark != _MARK or code > len(_REASONS):
        raise FramingError("no reply")
    return _REASONS[code - 1] if code else None


def pack_media(media: Media) -> Iterator[Buffer]:
    """The records of what was decoded, in the order in which they are written."""
    if isinstance(media, Sound):
        yield from _pack_sound(media)
    elif isinstance(media, Movie):
        has_sound = media.sound is not None
        yield _MOVIE.pack(media.width, media.height, media.seconds, media.cut, has_sound, len(media.frames))
        yield from _pack_frames(media.frames)
        if media.sound is not None:
            yield from _pack_sound(media.sound)
    else:
        yield _PICTURE.pack(
            media.width, media.height, PICTURES.index(media.format), media.total_frames, media.cut,
            len(media.frames),
        )  # fmt: skip
        yield from _pack_frames(media.frames)


def _pack_frames(frames: tuple[Frame, ...]) -> Iterator[Buffer]:
    for frame in frames:
        height, width = frame.pixels.shape[:2]
        yield _FRAME.pack(frame.time, width, height)
        yield np.ascontiguousarray(frame.pixels).data.cast("B")


def _pack_sound(sound: Sound) -> Iterator[Buffer]:
    """Samples go as the 16-bit integers that they were, at half the size; so none can be no number."""
    yield _SOUND.pack(sound.seconds, sound.cut, len(sound.samples))
    yield (sound.samples * np.float32(32_768)).astype("<i2").data.cast("B")


class Reader:
    """Reads records with *fill*, which fills a buffer whole or raises, within *limits*."""

    def __init__(self, fill: Fill, limits: Limits) -> None:
        self._fill = fill
        self._limits = limits

    def media(self, kind: Kind) -> Media:
        """What :func:`pack_media` wrote; raises :class:`FramingError`."""
        if kind is Kind.SOUND:
            return self._sound()
        return self._movie() if kind is Kind.MOVIE else self._picture()

    def _record(self, record: struct.Struct) -> tuple[float, ...]:
        raw = bytearray(record.size)
        self._fill(memoryview(raw))
        return record.unpack(raw)

    def _picture(self) -> Picture:
        width, height, form, total, cut, count = map(int, self._record(_PICTURE))
        _within(form, len(PICTURES) - 1)
        _within(count, total)
        _within(width * height, self._limits.pixels)
        if not count:
            raise FramingError("a picture without frames")
        return Picture(self._frames(count), width, height, PICTURES[form], total, bool(cut))

    def _movie(self) -> Movie:
        raw = self._record(_MOVIE)
        width, height, cut, has_sound, count = (int(raw[index]) for index in (0, 1, 3, 4, 5))
        seconds = _finite(raw[2])
        _within(width * height, self._limits.pixels)
        frames = self._frames(count)
        return Movie(frames, width, height, seconds, self._sound() if has_sound else None, bool(cut))

    def _frames(self, count: int) -> tuple[Frame, ...]:
        _within(count, self._limits.frames)
        return tuple(self._frame() for _ in range(count))

    def _frame(self) -> Frame:
        time, width, height = self._record(_FRAME)
        columns, rows = int(width), int(height)
        _within(columns * rows, self._limits.side**2)
        if not columns or not rows:
            raise FramingError("an empty frame")
        pixels = np.empty((rows, columns, 3), np.uint8)
        self._fill(pixels.data.cast("B"))
        return Frame(_finite(time), pixels)

    def _sound(self) -> Sound:
        seconds, cut, count = self._record(_SOUND)
        _within(int(count), math.ceil(self._limits.seconds * RATE))
        if not count:
            raise FramingError("sound without samples")
        samples = np.empty(int(count), "<i2")
        self._fill(samples.data.cast("B"))
        return Sound(as_floats(samples.astype(np.int16, copy=False)), RATE, _finite(seconds), bool(cut))


def _within(value: int, most: int) -> None:
    if value > most:
        raise FramingError("a size beyond its limit")


def _finite(seconds: float) -> float:
    if not 0.0 <= seconds <= _LONGEST_SECONDS:
        raise FramingError("no time")
    return seconds
