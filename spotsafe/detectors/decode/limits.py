"""What decoding may cost, per kind of media, and the words for what went over it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from spotsafe.core.signals import Cause

MIB = 1 << 20
GIB = 1 << 30


class Limits(NamedTuple):
    """Bounds for one kind of media. Those marked *cut* shorten the result and say so; others refuse it."""

    bytes: int
    """Size of the encoded file."""
    pixels: int
    """Width times height of one frame, as the file states it and before anything is allocated for it."""
    side: int
    """Frames given back have at most as many pixels as a square of this side; larger ones are scaled down,
    pictures by whole numbers, films to this as their longest side. Refuses nothing."""
    frames: int
    """Frames given back (*cut*)."""
    visits: int
    """Frames decoded in order to choose those (*cut*)."""
    seconds: float
    """Length of sound or video that is decoded, from its start (*cut*)."""
    coverage: float
    """Least share of the file's frames and seconds that must fit into *visits* and *seconds*. A film of which
    less would be seen is refused rather than cut: a hundredth of it says nothing of the rest."""
    ratio: float
    """Decoded bytes for each encoded byte, where decoding takes more than :attr:`unpacked` bytes."""
    unpacked: int
    """Decoded bytes of one frame that are allowed at any ratio: flat drawings compress very well."""
    nesting: int
    """Streams in one container; containers of other files (playlists, archives) are never opened."""
    wall: float
    """Seconds that decoding may take, and twice that in processor time."""
    memory: int
    """Address space of the decoding process beyond what it needs when idle."""


IMAGE = Limits(
    bytes=25 * MIB,
    pixels=50_000_000,
    side=2560,
    frames=8,
    visits=500,
    seconds=0.0,
    coverage=0.01,
    ratio=2_000.0,
    unpacked=64 * MIB,
    nesting=1,
    wall=10.0,
    memory=GIB,
)
"""Defaults for pictures. 50 million pixels are beyond most phones' cameras; 8 frames for an animation."""

AUDIO = Limits(
    bytes=128 * MIB,
    pixels=0,
    side=0,
    frames=0,
    visits=0,
    seconds=3_600.0,
    coverage=0.01,
    ratio=2_000.0,
    unpacked=256 * MIB,
    nesting=16,
    wall=60.0,
    memory=GIB,
)
"""Defaults for sound: an hour of it takes 230 MB as 16 kHz ``float32``."""

VIDEO = Limits(
    bytes=256 * MIB,
    pixels=9_000_000,
    side=1280,
    frames=48,
    visits=3_600,
    seconds=3_600.0,
    coverage=0.01,
    ratio=2_000.0,
    unpacked=64 * MIB,
    nesting=16,
    wall=120.0,
    memory=2 * GIB,
)
"""Defaults for movies: up to 4K; 48 key frames, looked for in 3,600 decoded ones."""


class Reason(str, Enum):
    """Why media gave nothing; closed."""

    UNREADABLE = "unreadable"
    BYTES = "bytes"
    PIXELS = "pixels"
    FRAMES = "frames"
    SECONDS = "seconds"
    RATIO = "ratio"
    NESTING = "nesting"
    WALL = "wall"
    MEMORY = "memory"
    CRASH = "crash"

    @property
    def cause(self) -> Cause:
        """What the labels asked for are missing for."""
        return _CAUSES.get(self, Cause.SIZE)


_CAUSES = {Reason.UNREADABLE: Cause.ERROR, Reason.CRASH: Cause.ERROR, Reason.WALL: Cause.TIMEOUT}
