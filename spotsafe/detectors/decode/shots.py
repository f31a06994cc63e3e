"""Which frames of a film or an animation are worth looking at: those that differ from what was kept before.

A frame is described by a small thumbnail. It is a candidate when it differs enough from the *last kept* frame
(not from the one before it, which would miss every slow change): over the whole picture, as a new shot does,
or in one part of it, as a caption does. Where there are more candidates than the budget allows, the one that
differs least from its neighbour is dropped, so that what remains covers the most.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.decode.decoded import Frame

U8 = NDArray[np.uint8]

ROWS, COLUMNS = 36, 64
"""Cells of a thumbnail."""

FINER = 2
"""Each cell is the mean of 2 by 2 samples: fewer would see change in every texture that moves."""

BLOCK = 4
"""Cells to a block's side: 80 pixels of 1280, somewhat more than a line of a caption is high."""

SHOT = 16.0
"""Mean difference in grey levels of 255 that makes a candidate: unrelated shots differ by 40 to 80, and what
a hand-held camera sees a moment later by less than 10."""

CAPTION = 10.0
"""Mean difference within one block that makes a candidate: a line of letters inks a tenth of its block."""

CAPTION_SECONDS = 1.0
"""Candidates for a local change alone come at least so far apart: people move, and a caption stays longer."""

LOST = 2.0
"""Dropping a frame that differs by so many :data:`SHOT` loses a shot; less is a nearer look at the same."""


class Change(NamedTuple):
    """How much two frames differ: over the *whole* picture, in shots, and in their most different *part*, in
    captions."""

    whole: float
    part: float


NEW = Change(float("inf"), float("inf"))


class Kept(NamedTuple):
    """A frame to be made, its thumbnail, and its change from the kept one before it."""

    time: float
    thumbnail: U8
    change: Change
    pixels: Callable[[], U8]
    """Makes the frame."""


def change(thumbnail: U8, before: U8) -> Change:
    """Between two thumbnails ``uint8[ROWS, COLUMNS, channels]``; the channel that changes most counts."""
    if thumbnail.shape != before.shape:
        return NEW
    apart = (np.maximum(thumbnail, before) - np.minimum(thumbnail, before)).astype(np.uint16)
    blocks = _added(apart, BLOCK)
    whole = blocks.reshape(-1, blocks.shape[2]).sum(axis=0, dtype=np.uint32).max()
    cells = BLOCK * BLOCK
    return Change(
        float(whole) / (cells * blocks[..., 0].size) / SHOT,
        float(blocks.max()) / cells / CAPTION,
    )


def _added(cells: NDArray[Any], by: int) -> NDArray[Any]:
    """Sums of *by* times *by* neighbours: adding slices is much faster than a sum over short axes."""
    rows = sum(cells[start::by] for start in range(1, by)) + cells[::by]
    added: NDArray[Any] = sum(rows[:, start::by] for start in range(1, by)) + rows[:, ::by]
    return added


class KeyFrames:
    """At most *budget* frames, offered in order of time. ``lost`` says that a shot had to be dropped."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: list[Kept] = []
        self.lost = False

    def offer(self, time: float, thumbnail: U8, hold: Callable[[], Callable[[], U8]]) -> None:
        """Keep the frame if it brings something new. *hold* is called if so, and secures what makes the
        frame; the making itself waits until it is known which frames stay."""
        seen = NEW
        if self._kept:
            last = self._kept[-1]
            seen = change(thumbnail, last.thumbnail)
            if seen.whole < 1.0 and (seen.part < 1.0 or time - last.time < CAPTION_SECONDS):
                return
        self._kept.append(Kept(time, thumbnail, seen, hold()))
        if len(self._kept) > self._budget:
            self._drop()

    def _drop(self) -> None:
        """Let go of the frame that is worth least beside the one before it; the next has a new neighbour."""
        kept = self._kept
        least = min(range(1, len(kept)), key=self._worth)
        self.lost = self.lost or kept[least].change.whole >= LOST
        del kept[least]
        if least < len(kept):
            seen = change(kept[least].thumbnail, kept[least - 1].thumbnail)
            kept[least] = kept[least]._replace(change=seen)

    def _worth(self, index: int) -> float:
        """What decides who stays: a new shot first; then what changed in a part, and how long the frame
        before it lies back. So what stays is spread over the film, and a caption is seen that stays for as
        long as the frames that remain lie apart."""
        kept, before = self._kept[index], self._kept[index - 1]
        spacing = max(self._kept[-1].time, CAPTION_SECONDS) / self._budget
        alone = min(1.0, (kept.time - before.time) / spacing)
        return kept.change.whole + min(kept.change.part, 2.0) / 4 + alone

    def frames(self) -> tuple[Frame, ...]:
        """What was kept, in order of time."""
        return tuple(Frame(kept.time, kept.pixels()) for kept in self._kept)


def shrunk(plane: U8, finer: int = FINER) -> U8:
    """``uint8[ROWS, COLUMNS]`` of a plane ``[height, width]`` of any size; a cell is the mean of *finer* by
    *finer* samples. One is enough for planes that have no fine detail."""
    rows, columns = _middles(ROWS * finer, plane.shape[0]), _middles(COLUMNS * finer, plane.shape[1])
    samples = plane[rows][:, columns]
    if finer == 1:
        return samples
    return (_added(samples.astype(np.uint16), finer) // (finer * finer)).astype(np.uint8)


@lru_cache(maxsize=64)
def _middles(samples: int, size: int) -> NDArray[np.intp] | slice:
    """Where to take so many samples, evenly, of *size* pixels; a slice, which copies nothing, where these are
    as many times more, as in the common sizes of films."""
    if size % samples == 0:
        return slice(size // samples // 2, None, size // samples)
    middles: NDArray[np.intp] = (np.arange(samples) * 2 + 1) * size // (2 * samples)
    return middles
