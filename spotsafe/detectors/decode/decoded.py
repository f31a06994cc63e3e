"""What decoding gives: frames and samples as numpy arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Samples per second of every :class:`Sound`: what recognisers and fingerprints read."""


class Frame(NamedTuple):
    """One picture: *time* in seconds from the start, *pixels* ``uint8[height, width, 3]`` RGB (sRGB),
    upright, transparency flattened."""

    time: float
    pixels: NDArray[np.uint8]

    def __repr__(self) -> str:
        return f"<Frame at {self.time:.3f} s, {self.pixels.shape[1]} x {self.pixels.shape[0]}>"


class Picture(NamedTuple):
    """A still (one frame at 0.0) or an animation (some of its frames).

    *width* and *height* are those of the file, upright, in pixels; the frames may be smaller, in the same
    proportion. *format* is a lower-case name such as ``jpeg``. *total_frames* counts those of the file; *cut*
    says that frames were left out.
    """

    frames: tuple[Frame, ...]
    width: int
    height: int
    format: str
    total_frames: int
    cut: bool


class Sound(NamedTuple):
    """*samples* ``float32[n]`` in [-1, 1], mono, *rate* per second; *seconds* is the length of the file's
    sound as far as known, and *cut* says that its end was left out."""

    samples: NDArray[np.float32]
    rate: int
    seconds: float
    cut: bool

    def __repr__(self) -> str:
        return f"<Sound of {len(self.samples) / self.rate:.1f} s{', cut' if self.cut else ''}>"


class Movie(NamedTuple):
    """Key frames in order of time, and the sound track (None where there is none).

    *width* and *height* are the file's, upright, in pixels; *seconds* its length as far as known. *cut* says
    that its end, or shots within it, were left out.
    """

    frames: tuple[Frame, ...]
    width: int
    height: int
    seconds: float
    sound: Sound | None
    cut: bool
