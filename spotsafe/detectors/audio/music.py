"""How much of a recording sounds like music, whether or not somebody speaks or sings over it.

Notes stand still: a partial of an instrument keeps its frequency for a quarter of a second and longer, while
those of a voice glide. Counted is the time in which several partials stand still at once. A hum stands still
for much longer than a note and does not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.decode.decoded import RATE

F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]

FRAME, HOP = 1024, 512
"""Samples of one spectrum, and from one to the next: 64 and 32 ms. Its bins are 15.6 Hz wide."""

LOWEST, HIGHEST = 100, 3500
"""Hertz: where the partials of notes are strong."""

PROMINENT, AROUND = 3.0, 6
"""Decibels by which a partial stands above the mean of six bins on either side."""

HELD = 8
"""Spectra through which a partial stands still: a quarter of a second."""

HUM = 156
"""Spectra (5 s) from which on it is a hum."""

LEAST = 2
"""Partials that stand still at once. One is met in the vowels of synthetic voices, too."""

QUIET = 10 ** (-50 / 20)
"""Spectra this far below the loudest are silence."""

BLOCK = 60 * RATE
"""Samples looked at in one go."""


def music(samples: F32) -> float:
    """Share, in [0, 1], of the time of *samples* (``float32[n]``, 16 kHz) with sound in it that sounds like
    music; 0 for silence and for less than a quarter of a second."""
    blocks = [_partials(samples[start : start + BLOCK]) for start in range(0, max(1, len(samples)), BLOCK)]
    counts = np.concatenate([count for count, _ in blocks])
    loudness = np.concatenate([loud for _, loud in blocks])
    sounding = loudness > QUIET * loudness.max(initial=0.0)
    return float((counts[sounding] >= LEAST).mean()) if sounding.any() else 0.0


def _partials(samples: F32) -> tuple[NDArray[np.intp], F32]:
    """For each spectrum how many partials stand still in it, and its loudest bin."""
    if len(samples) < FRAME + HELD * HOP:
        return np.zeros(0, np.intp), np.zeros(0, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    bins = slice(LOWEST * FRAME // RATE, HIGHEST * FRAME // RATE)
    levels = np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1))[:, bins]
    levels = levels.astype(np.float32)
    peaks = _peaks(20 * np.log10(levels + 1e-6))
    return (_held(peaks, HELD) & ~_held(peaks, HUM)).sum(axis=1), levels.max(axis=1)


def _peaks(decibels: F32) -> Flags:
    """Where the spectra [spectra, bins] have a partial."""
    found = np.zeros(decibels.shape, np.bool_)
    wide = np.pad(decibels, ((0, 0), (AROUND, AROUND)), mode="edge")
    sums = np.cumsum(np.pad(wide, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    mean = (sums[:, 2 * AROUND + 1 :] - sums[:, : -2 * AROUND - 1]) / (2 * AROUND + 1)
    inner = decibels[:, 1:-1]
    found[:, 1:-1] = (
        (inner > decibels[:, :-2]) & (inner >= decibels[:, 2:]) & (inner > mean[:, 1:-1] + PROMINENT)
    )
    return found


def _held(peaks: Flags, length: int) -> Flags:
    """Those of *peaks* [spectra, bins] that belong to *length* or more in a row in the same bin."""
    if len(peaks) < length:
        return np.zeros(peaks.shape, np.bool_)
    sums = np.cumsum(np.pad(peaks, ((1, 0), (0, 0))), axis=0, dtype=np.int32)
    starts = sums[length:] - sums[:-length] == length
    padded = np.pad(starts, ((length, length - 1), (0, 0)))
    covered = np.cumsum(padded, axis=0, dtype=np.int32)
    held: Flags = covered[length:] - covered[:-length] > 0
    return held
