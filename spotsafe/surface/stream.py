"""Streams, without I/O: which text is checked together, and what may be released when.

Text is cut into windows. Where a window ends depends only on the text so far, never on how it was cut
into chunks or on time, so the same answer is always checked and released in the same pieces. Each window
is checked together with what stands before it, and is released only when that check let it through.

The course of a stream is written once, as a generator of steps (:func:`relay`); the drivers in
:mod:`spotsafe.surface.streaming` perform them, one for each of Python's two worlds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

from spotsafe.core.signals import Span
from spotsafe.surface.masking import masked


class Windowing(NamedTuple):
    """How a stream is cut, in code points: a window ends at the first end of a sentence after *shortest*,
    or at the last space before *longest*; *context* of the text before it is checked with it."""

    shortest: int = 40
    longest: int = 400
    context: int = 200


class Window(NamedTuple):
    """*text* is what is checked; from *fresh* on it has not been released yet."""

    text: str
    fresh: int


_CLOSERS = r"\"'»”’)\]』」）】"
_SENTENCE_END = re.compile(
    # The character behind a sentence's end must be there: it decides where the end is, and must not
    # decide otherwise when it comes later.
    rf"(?:[.!?…؟।]+[{_CLOSERS}]*(?=\s)|[。！？]+[{_CLOSERS}]*(?=[^。！？{_CLOSERS}])|\n)"
)


def window_end(text: str, start: int, windowing: Windowing, *, ended: bool) -> int | None:
    """Where the window that begins at *start* of *text* ends; None where that needs more text.

    Adding text never changes an end that was given, except at the end of the stream (*ended*).
    """
    limit = start + windowing.longest
    for found in _SENTENCE_END.finditer(text, start, min(limit, len(text))):
        if found.end() - start >= windowing.shortest:
            return found.end()
    if len(text) >= limit:
        spaces = [i for i in range(start + windowing.longest // 2, limit - 1) if text[i].isspace()]
        # A number written in groups is one thing: cut within, its first half would be out before it is seen.
        between = [i for i in spaces if not (text[i - 1].isdigit() and text[i + 1].isdigit())]
        return max(between or spaces, default=limit - 1) + 1
    return len(text) if ended and len(text) > start else None


class Cutter:
    """Cuts text that arrives in chunks of any size; keeps no more of it than context and one window need."""

    __slots__ = ("_buffer", "_start", "_windowing")

    def __init__(self, windowing: Windowing) -> None:
        self._windowing = windowing
        self._buffer = ""
        self._start = 0

    def feed(self, text: str) -> None:
        self._buffer += text

    def next(self, *, ended: bool) -> Window | None:
        """The next window, or None where there is none yet."""
        end = window_end(self._buffer, self._start, self._windowing, ended=ended)
        if end is None:
            return None
        window = Window(self._buffer[:end], self._start)
        kept = max(0, end - self._windowing.context)
        self._buffer = self._buffer[kept:]
        self._start = end - kept
        return window


class Chunk(NamedTuple):
    """One item of the source that is not plain text: the item, its text, and where that ends."""

    item: Any
    text: str
    end: int


class Pull(NamedTuple):
    """Get the next item of the source; the reply is the item, or :data:`END`."""


class Check(NamedTuple):
    """Check *text*; the reply is the spans to mask. A refusal ends the stream."""

    text: str


class Release(NamedTuple):
    """Hand *item* to the consumer."""

    item: Any


Step = Pull | Check | Release
END: Any = object()


class Reader(NamedTuple):
    """How to handle items that are not ``str``: *text* of one, and a copy of it with other text."""

    text: Callable[[Any], str]
    edited: Callable[[Any, str], Any]


def relay(windowing: Windowing, reader: Reader) -> Generator[Step, Any, None]:
    """The course of one stream. Plain text is released window by window; other items are released whole,
    in order, as soon as all of their text was checked."""
    cutter = Cutter(windowing)
    waiting = _Waiting(reader)
    ended = False
    while not ended:
        item = yield Pull()
        ended = item is END
        if not ended:
            cutter.feed(waiting.take(item))
        while (window := cutter.next(ended=ended)) is not None:
            spans: Iterable[Span] = yield Check(window.text)
            waiting.checked(masked(window.text, spans)[window.fresh :])
            for out in waiting.releasable():
                yield Release(out)
        for out in waiting.releasable():
            yield Release(out)


class _Waiting:
    """What has arrived and may not be released yet. *_clear* is checked text that is not released."""

    __slots__ = ("_chunks", "_clear", "_read", "_reader", "_released")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._chunks: deque[Chunk] = deque()
        self._clear = ""
        self._read = 0
        self._released = 0

    def take(self, item: Any) -> str:
        """Queue *item*; returns its text."""
        text = item if isinstance(item, str) else self._reader.text(item)
        self._read += len(text)
        self._chunks.append(Chunk(item, text, self._read))
        return text

    def checked(self, text: str) -> None:
        self._clear += text

    def releasable(self) -> Iterator[Any]:
        """Items whose text is all checked, and checked text of an item of plain text."""
        while self._chunks:
            item, text, end = self._chunks[0]
            if isinstance(item, str):
                yield from self._plain()
                if self._chunks and self._chunks[0].end > self._released:
                    return
                continue
            if end > self._released + len(self._clear):
                return
            self._chunks.popleft()
            clear, self._clear = self._clear[: len(text)], self._clear[len(text) :]
            self._released = end
            yield item if clear == text else self._reader.edited(item, clear)

    def _plain(self) -> Iterator[str]:
        """The checked text of the run of plain items at the head, as one piece."""
        piece = ""
        while self._chunks and isinstance(self._chunks[0].item, str):
            room = self._chunks[0].end - self._released
            piece += self._clear[:room]
            self._released += min(room, len(self._clear))
            self._clear = self._clear[room:]
            if self._chunks[0].end > self._released:
                break
            self._chunks.popleft()
        if piece:
            yield piece
