"""The seam: bytes of a file in, decoded media out, or a :class:`DecodeError`."""

from __future__ import annotations

from typing import Protocol

from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.signals import Cause
from spotsafe.detectors.decode.decoded import Movie, Picture, Sound
from spotsafe.detectors.decode.limits import Limits, Reason

_WORDS = {
    Reason.UNREADABLE: ("the file is damaged, or no format that is decoded", "send it in a common format"),
    Reason.BYTES: ("the file is larger than {limits.bytes} bytes", "compress it, or raise Limits.bytes"),
    Reason.PIXELS: (
        "a frame has more than {limits.pixels} pixels", "scale it down, or raise Limits.pixels",
    ),
    Reason.FRAMES: (
        "it has far more frames than the {limits.visits} that are looked at",
        "shorten it, or raise Limits.visits",
    ),
    Reason.SECONDS: (
        "it lasts far longer than {limits.seconds:g} seconds", "shorten it, or raise Limits.seconds",
    ),
    Reason.RATIO: (
        "decoding gives more than {limits.ratio:g} bytes for each byte of the file",
        "save it anew, or raise Limits.ratio",
    ),
    Reason.NESTING: (
        "the file refers to other files, or holds more than {limits.nesting} streams",
        "send the media file itself, or raise Limits.nesting",
    ),
    Reason.WALL: (
        "decoding took longer than the time given, at most {limits.wall:g} seconds",
        "shorten the file, raise Limits.wall, or start more decoding processes",
    ),
    Reason.MEMORY: (
        "decoding needs more than {limits.memory} bytes of memory", "scale it down, or raise Limits.memory",
    ),
    Reason.CRASH: (
        "the decoding process ended before it had read the file", "save it anew with another program",
    ),
}  # fmt: skip

_FAILURES = {Reason.WALL: Failure.TIMEOUT, Reason.CRASH: Failure.INTERNAL}


class DecodeError(DetectorError):
    """Media could not be decoded within its limits. ``reason`` says which; ``cause`` is what the labels asked
    for are missing for. The message names the limit and the remedy, and nothing of the content."""

    def __init__(self, reason: Reason, limits: Limits) -> None:
        super().__init__(_FAILURES.get(reason, Failure.REJECTED), detector="decode")
        self.reason = reason
        self.limits = limits
        self.what, self.remedy = (words.format(limits=limits) for words in _WORDS[reason])
        self.args = (f"{self.what}: {self.remedy}",)

    @property
    def cause(self) -> Cause:
        return self.reason.cause

    def __reduce__(self) -> tuple[type[DecodeError], tuple[Reason, Limits]]:
        return type(self), (self.reason, self.limits)


BYTES_A_PIXEL = 4
"""What a decoder holds for each pixel: Pillow keeps colours in four bytes, films take less."""


def check_size(size: tuple[int, int], encoded: int, limits: Limits) -> None:
    """Refuse a frame of *size* (width, height) in a file of *encoded* bytes before anything is allocated."""
    pixels = size[0] * size[1]
    if pixels > limits.pixels:
        raise DecodeError(Reason.PIXELS, limits)
    unpacked = pixels * BYTES_A_PIXEL
    if unpacked > limits.unpacked and unpacked > limits.ratio * encoded:
        raise DecodeError(Reason.RATIO, limits)


class Decoder(Protocol):
    """Decodes whole files. Every method raises :class:`DecodeError`, and
    :class:`~spotsafe.core.errors.ConfigurationError` without the extra ``media``; *timeout* in seconds bounds
    the call where it is shorter than the limits' own."""

    def picture(self, data: bytes, *, timeout: float | None = None) -> Picture:
        """A still, or frames spread over an animation."""
        ...

    def sound(self, data: bytes, *, timeout: float | None = None) -> Sound:
        """The first sound track of an audio or video file."""
        ...

    def movie(self, data: bytes, *, timeout: float | None = None) -> Movie:
        """Key frames and sound track of a video file."""
        ...
