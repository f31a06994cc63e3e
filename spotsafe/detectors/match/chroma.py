"""Chromaprint fingerprints of sound: 32 bits for every eighth of a second.

The algorithm and its constants are those of Chromaprint's default configuration ("TEST2"; L. Lalinský, "How
does Chromaprint work?", 2011, and the library's sources, 1.5): frames of 0.37 s, energy per note of the
scale, smoothed over five frames and normalised, then 16 box filters over notes and time, each quantised to
two bits in Gray code. Computed here in numpy, it agrees with the library in about 99 % of the bits, so that
fingerprints made by ``fpcalc`` can be imported; no native code sees the sound.

Frames are cut at half the sound's own rate: a transform over 0.37 s has the same frequencies at any rate,
which saves resampling to 11,025 Hz. For the same reason a sound that was played faster or slower than the
original is fingerprinted as the original would be by making the frames shorter or longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Samples a second of the sound that is fingerprinted."""

ITEM_SECONDS = 1365 / 11025
"""Time between two items of a fingerprint."""

SPAN_ITEMS = 19
"""Frames that one item needs beyond its own: 15 of the widest filter, 4 of the smoothing."""

FRAME_SECONDS = 4096 / 11025
"""Length of a frame."""

_LOWEST, _HIGHEST, _BASE = 28.0, 3520.0, 27.5
_SMOOTHING = np.array([0.25, 0.75, 1.0, 0.75, 0.25])
_SILENT = 0.01
_FRAMES_AT_ONCE = 256
_GRAY = np.array([0, 1, 3, 2], np.uint32)
_TAPS = np.arange(-31, 32)
_LOW_PASS = (np.sinc(_TAPS * 0.5) * np.hamming(63) * 0.5).astype(np.float32)
"""Passes what lies below 3,520 Hz and takes away what halving the rate would fold onto it."""


class Filter(NamedTuple):
    """A box filter: *kind* 0 to 5 (how the box is split), first *note*, *notes* and *frames* it covers, and
    the three *steps* of its quantiser."""

    kind: int
    note: int
    notes: int
    frames: int
    steps: tuple[float, float, float]


FILTERS = (
    Filter(0, 4, 3, 15, (1.98215, 2.35817, 2.63523)),
    Filter(4, 4, 6, 15, (-1.03809, -0.651211, -0.282167)),
    Filter(1, 0, 4, 16, (-0.298702, 0.119262, 0.558497)),
    Filter(3, 8, 2, 12, (-0.105439, 0.0153946, 0.135898)),
    Filter(3, 4, 4, 8, (-0.142891, 0.0258736, 0.200632)),
    Filter(4, 0, 3, 5, (-0.826319, -0.590612, -0.368214)),
    Filter(1, 2, 2, 9, (-0.557409, -0.233035, 0.0534525)),
    Filter(2, 7, 3, 4, (-0.0646826, 0.00620476, 0.0784847)),
    Filter(2, 6, 2, 16, (-0.192387, -0.029699, 0.215855)),
    Filter(2, 1, 3, 2, (-0.0397818, -0.00568076, 0.0292026)),
    Filter(5, 10, 1, 15, (-0.53823, -0.369934, -0.190235)),
    Filter(3, 6, 2, 10, (-0.124877, 0.0296483, 0.139239)),
    Filter(2, 1, 1, 14, (-0.101475, 0.0225617, 0.231971)),
    Filter(3, 5, 6, 4, (-0.0799915, -0.00729616, 0.063262)),
    Filter(1, 9, 2, 12, (-0.272556, 0.019424, 0.302559)),
    Filter(3, 4, 2, 14, (-0.164292, -0.0321188, 0.0846339)),
)
"""Chromaprint's sixteen classifiers; the first gives the highest two bits."""


def fingerprint(samples: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Mono samples in [-1, 1] at :data:`RATE` → uint32[n], one item every :data:`ITEM_SECONDS`; empty for
    less than about 2.8 s."""
    return fingerprints(samples, (1.0,))[0]


def fingerprints(samples: NDArray[np.float32], speeds: Sequence[float]) -> list[NDArray[np.uint32]]:
    """The fingerprint that the original has if the sound is the original played at each of *speeds*: 1.02 for
    2 % too fast. Items are :data:`ITEM_SECONDS` of the original apart."""
    if not len(samples):
        return [np.empty(0, np.uint32) for _ in speeds]
    halved = np.convolve(samples, _LOW_PASS, "same")[::2].astype(np.float32)
    return [_items(_notes(halved, speed)) for speed in speeds]


def _notes(samples: NDArray[np.float32], speed: float) -> NDArray[np.float64]:
    """Energy per note of the original's scale in each frame: float64[frames, 12]."""
    frame = round(FRAME_SECONDS * RATE / 2 / speed)
    hop = ITEM_SECONDS * RATE / 2 / speed
    count = int((len(samples) - frame) // hop) + 1 if len(samples) >= frame else 0
    if not count:
        return np.empty((0, 12))
    starts = np.rint(np.arange(count) * hop).astype(np.int64)
    window, bands, first = _plan(frame)
    frames = np.lib.stride_tricks.sliding_window_view(samples, frame)
    found = np.empty((count, 12))
    for begin in range(0, count, _FRAMES_AT_ONCE):
        chosen = starts[begin : begin + _FRAMES_AT_ONCE]
        spectrum = np.fft.rfft(frames[chosen] * window, axis=1)[:, first : first + len(bands)]
        found[begin : begin + len(chosen)] = (spectrum.real**2 + spectrum.imag**2) @ bands
    return found


@lru_cache(maxsize=32)
def _plan(frame: int) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """For frames of that many samples: window, spectrum line → note, and the first line used. A line's
    frequency in the original is the same for every length of the frame."""
    window = (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(frame) / (frame - 1))) * (4096 / frame)
    lines = np.arange(round(_LOWEST * FRAME_SECONDS), round(_HIGHEST * FRAME_SECONDS))
    octave = np.log2(lines / FRAME_SECONDS / _BASE)
    notes = np.floor(12 * (octave - np.floor(octave))).astype(int)
    return window.astype(np.float32), np.eye(12, dtype=np.float32)[notes], int(lines[0])


def _items(notes: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Energy per note float64[frames, 12] → items uint32[frames - SPAN_ITEMS]."""
    count = len(notes) - SPAN_ITEMS
    if count <= 0:
        return np.empty(0, np.uint32)
    smooth = np.zeros((len(notes) - 4, 12))
    for start, weight in enumerate(_SMOOTHING):
        smooth += weight * notes[start : start + len(smooth)]
    norms = np.linalg.norm(smooth, axis=1, keepdims=True)
    area = np.zeros((len(smooth) + 1, 13))
    area[1:, 1:] = np.where(norms < _SILENT, 0.0, smooth / np.maximum(norms, _SILENT)).cumsum(0).cumsum(1)
    items = np.zeros(count, np.uint32)
    for each in FILTERS:
        level = np.searchsorted(np.array(each.steps), _response(area, each, count), side="right")
        items = (items << np.uint32(2)) | _GRAY[level]
    return items


def _response(area: NDArray[np.float64], each: Filter, count: int) -> NDArray[np.float64]:
    """The filter's response at the first *count* frames: log of one part of the box over the other."""
    at = np.arange(count)

    def box(frame: int, note: int, frames: int, notes: int) -> NDArray[np.float64]:
        low, high = each.note + note, each.note + note + notes
        until = area[at + frame + frames]
        since = area[at + frame]
        return np.asarray(until[:, high] - until[:, low] - since[:, high] + since[:, low])

    wide, high = each.frames, each.notes
    half_wide, half_high, third_wide, third_high = wide // 2, high // 2, wide // 3, high // 3
    whole = box(0, 0, wide, high)
    if each.kind == 0:
        inner, outer = whole, np.zeros(count)
    elif each.kind == 1:
        outer = box(0, 0, wide, half_high)
        inner = whole - outer
    elif each.kind == 2:
        outer = box(0, 0, half_wide, high)
        inner = whole - outer
    elif each.kind == 3:
        inner = box(0, half_high, half_wide, high - half_high)
        inner = inner + box(half_wide, 0, wide - half_wide, half_high)
        outer = whole - inner
    elif each.kind == 4:
        inner = box(0, third_high, wide, third_high)
        outer = whole - inner
    else:
        inner = box(third_wide, 0, third_wide, high)
        outer = whole - inner
    return np.asarray(np.log1p(np.maximum(inner, 0.0)) - np.log1p(np.maximum(outer, 0.0)))
