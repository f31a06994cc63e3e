"""Speech put together for the recogniser, which reads up to 30 seconds at once and takes as long for three.

Stretches of speech are packed into chunks without the silence between them; a chunk knows where in the
recording each of its moments was.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.signals import TimeRange
from spotsafe.detectors.audio.voice import WINDOW, Stretch
from spotsafe.detectors.decode.decoded import RATE

F32 = NDArray[np.float32]

LONGEST = 28 * RATE
"""Samples of a chunk: a little less than the recogniser reads, for it does better with silence at the end."""

SEARCHED = 8 * RATE
"""A stretch that is longer is cut at the least speech-like moment in the last 8 seconds that fit."""


class Chunk(NamedTuple):
    """Stretches of a recording, one after the other."""

    pieces: tuple[Stretch, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return sum(piece.end - piece.start for piece in self.pieces) / RATE

    @property
    def range(self) -> TimeRange:
        """From its first to its last moment in the recording."""
        return TimeRange(self.pieces[0].start / RATE, self.pieces[-1].end / RATE)

    def samples(self, recording: F32) -> F32:
        """``float32[n]``: the pieces of *recording* joined."""
        return np.concatenate([recording[piece.start : piece.end] for piece in self.pieces])

    def starts_at(self, seconds: float) -> float:
        """The moment of the recording, in seconds, that is *seconds* into the chunk. Between two pieces it is
        the start of the later one."""
        return self._moment(round(seconds * RATE), closed=False)

    def ends_at(self, seconds: float) -> float:
        """As :meth:`starts_at`, but between two pieces the end of the earlier one."""
        return self._moment(round(seconds * RATE), closed=True)

    def _moment(self, offset: int, *, closed: bool) -> float:
        for piece in self.pieces:
            length = piece.end - piece.start
            if offset < length or (closed and offset == length):
                return (piece.start + max(offset, 0)) / RATE
            offset -= length
        return self.pieces[-1].end / RATE


def packed(stretches: list[Stretch], probabilities: F32) -> list[Chunk]:
    """The *stretches* in order, in as few chunks as the order allows. *probabilities* of speech per window
    say where a stretch that is too long is cut."""
    found: list[Chunk] = []
    pieces: list[Stretch] = []
    room = LONGEST
    for whole in stretches:
        for piece in _pieces(whole, probabilities):
            if piece.end - piece.start > room:
                found.append(Chunk(tuple(pieces)))
                pieces, room = [], LONGEST
            pieces.append(piece)
            room -= piece.end - piece.start
    if pieces:
        found.append(Chunk(tuple(pieces)))
    return found


def _pieces(whole: Stretch, probabilities: F32) -> list[Stretch]:
    """*whole* in parts that fit into a chunk."""
    found = []
    start = whole.start
    while whole.end - start > LONGEST:
        last = (start + LONGEST) // WINDOW
        first = last - SEARCHED // WINDOW
        cut = (first + int(np.argmin(probabilities[first:last]))) * WINDOW + WINDOW // 2
        found.append(Stretch(start, cut))
        start = cut
    found.append(Stretch(start, whole.end))
    return found
