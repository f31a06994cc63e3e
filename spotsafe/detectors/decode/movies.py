"""Films: key frames at changes of scene, and the sound track.

A film that is short enough is decoded whole: an encoder need not put its own key frames where something
changes, and may be made not to. Of a longer one only the encoder's key frames are decoded, which costs a
tenth; where these lie so far apart that something may pass unseen between them, the result says that it is
cut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.decode import shots
from spotsafe.detectors.decode.container import (
    Damage,
    decodable,
    frames_of,
    length,
    opened,
    own_length,
    start,
)
from spotsafe.detectors.decode.decoded import Frame, Movie, Sound
from spotsafe.detectors.decode.decoder import DecodeError, check_size
from spotsafe.detectors.decode.limits import Limits, Reason
from spotsafe.detectors.decode.pictures import decode_picture
from spotsafe.detectors.decode.sounds import read_sound

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane
    from av.video.stream import VideoStream

U8 = NDArray[np.uint8]

UNSEEN = 10.0
"""Seconds between two frames that were looked at, beyond which the film counts as cut. The common encoders
put a key frame at least every 250 frames."""

BLACK = (36, 64)
"""Rows and columns of the picture that stands for none."""

_PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")
"""Layouts whose planes hold one byte for each sample."""


def decode_movie(data: bytes, limits: Limits) -> Movie:
    """The film in *data*, or :class:`DecodeError`. A cover picture comes before the film's own frames; a file
    with sound alone is a black picture."""
    with opened(data, limits) as container:
        covers, streams = _by_purpose(container)
        film = _Film(container, streams[0], len(data), limits, len(covers)) if streams else None
        if film is not None:
            film.read()
    sound = _sound(data, limits)
    cover = _cover(data, limits) if covers else None
    unseen = len(covers) > (cover is not None) or len(streams) > 1
    if film is None:
        return _without_film(sound, cover, limits, unseen=unseen)
    frames = film.frames if cover is None else (cover, *film.frames)
    cut = film.cut or unseen or len(frames) > limits.frames or (sound is not None and sound.cut)
    return Movie(frames[: limits.frames], film.width, film.height, film.seconds, sound, cut)


def _by_purpose(container: InputContainer) -> tuple[list[VideoStream], list[VideoStream]]:
    """Covers, which are stills that belong to the file, and films."""
    from av.stream import Disposition

    covers: list[VideoStream] = []
    films: list[VideoStream] = []
    for stream in container.streams.video:
        (covers if stream.disposition & Disposition.attached_pic else films).append(stream)
    return covers, films


def _cover(data: bytes, limits: Limits) -> Frame | None:
    """The first cover, in its own format; None where it cannot be decoded."""
    with opened(data, limits) as container:
        covers, _ = _by_purpose(container)
        packet = next(container.demux(covers[0]), None)
        encoded = b"" if packet is None else bytes(packet)
    try:
        return decode_picture(encoded, limits).frames[0]
    except DecodeError:
        return None


def _without_film(sound: Sound | None, cover: Frame | None, limits: Limits, *, unseen: bool) -> Movie:
    """What a player shows of a sound file: its cover, or nothing."""
    if sound is None:
        raise DecodeError(Reason.UNREADABLE, limits)
    frame = cover or Frame(0.0, np.zeros((*BLACK, 3), np.uint8))
    height, width = frame.pixels.shape[:2]
    return Movie((frame,), width, height, sound.seconds, sound, unseen or sound.cut)


def _sound(data: bytes, limits: Limits) -> Sound | None:
    with opened(data, limits) as container:
        return read_sound(container, limits)


class _Film:
    """One pass through a video stream. The results are attributes after :meth:`read`."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, encoded: int, limits: Limits, covers: int
    ) -> None:
        """*encoded*: bytes of the file; *covers*: its stills, of which one takes a place among the frames."""
        self._container = container
        self._stream = stream
        self._encoded = encoded
        self._limits = limits
        self._keys = shots.KeyFrames(max(1, limits.frames - min(1, covers)))
        self.frames: tuple[Any, ...] = ()
        self.width = self.height = 0
        self.seconds = 0.0
        self.cut = False
        self._sparse = False
        self._last = 0.0

    def read(self) -> None:
        """Decode and choose."""
        if not decodable(self._stream):
            raise DecodeError(Reason.UNREADABLE, self._limits)
        stated = length(self._container, self._stream)
        if stated * self._limits.coverage > self._limits.seconds:
            raise DecodeError(Reason.SECONDS, self._limits)
        self._prepare(stated)
        damage = Damage()
        complete = self._visit(damage)
        if not self.width:
            raise DecodeError(Reason.UNREADABLE, self._limits)
        self.frames = self._keys.frames()
        self.seconds = max(self.seconds, stated) if not complete or self._sparse else self.seconds
        unseen = self._sparse and own_length(self._stream, stated) - self._last > UNSEEN
        self.cut = self.cut or unseen or not complete or self._keys.lost or damage.matters

    def _prepare(self, stated: float) -> None:
        """Bounds for the codec, and whether it decodes everything."""
        context = self._stream.codec_context
        check_size((context.width, context.height), self._encoded, self._limits)
        context.thread_count = 1
        context.options = {"max_pixels": str(self._limits.pixels)}
        expected = self._stream.frames or stated * float(self._stream.average_rate or 0)
        if expected > self._limits.visits:
            self._skip()

    def _skip(self) -> None:
        """From here on only the encoder's key frames."""
        self._sparse = True
        self._stream.codec_context.skip_frame = "NONKEY"

    def _visit(self, damage: Damage) -> bool:
        """Offer each frame; whether the end was reached. More frames than the file states are gone through
        by key frames, so that a wrong statement hides nothing."""
        visits = 0
        for frame in frames_of(self._container, self._stream, damage):
            time = self._time(frame, visits)
            if time > self._limits.seconds or visits >= 2 * self._limits.visits:
                return False
            self._offer(frame, time)
            self.cut = self.cut or time - self._last > UNSEEN
            self.seconds = max(self.seconds, time + float(1 / (self._stream.average_rate or 25)))
            visits, self._last = visits + 1, time
            if visits == self._limits.visits and not self._sparse:
                self._skip()
        return True

    def _time(self, frame: Any, index: int) -> float:
        if frame.time is None:
            return index / float(self._stream.average_rate or 25)
        return max(0.0, float(frame.time) - start(self._container))

    def _offer(self, frame: VideoFrame, time: float) -> None:
        size = (frame.width, frame.height)
        check_size(size, self._encoded, self._limits)
        if not self.width:
            self.width, self.height = size if frame.rotation % 180 == 0 else size[::-1]
        self._keys.offer(time, thumbnail(frame), partial(_held, frame, fitted_size(size, self._limits.side)))


def fitted_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """*size* in the same proportion, its longest side at most *side*."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _held(frame: VideoFrame, size: tuple[int, int]) -> Callable[[], U8]:
    """What makes the frame's pixels: the frame itself or, where these take less, they."""
    make = partial(as_rgb, frame, size)
    if size == (frame.width, frame.height):
        return make
    pixels = make()
    return lambda: pixels


def as_rgb(frame: VideoFrame, size: tuple[int, int]) -> U8:
    """``uint8[height, width, 3]`` of the frame, scaled to *size* and then turned upright."""
    return np.ascontiguousarray(np.rot90(_rgb(frame, size), round(frame.rotation / 90)))


def _rgb(frame: VideoFrame, size: tuple[int, int]) -> U8:
    # One thread: as many as there are processors take memory, and are refused in a confined process.
    pixels: Any = frame.reformat(width=size[0], height=size[1], format="rgb24", threads=1).to_ndarray()
    return np.asarray(pixels, np.uint8)


def thumbnail(frame: VideoFrame) -> U8:
    """``uint8[rows, columns, 3]`` for :mod:`~spotsafe.detectors.decode.shots`. Planes of the common layouts
    are sampled as they are; the others are converted first, which takes ten times as long."""
    name = frame.format.name
    if name not in _PLANAR or len(frame.planes) != 3:
        size = (shots.COLUMNS * shots.FINER, shots.ROWS * shots.FINER)
        small = _rgb(frame, size)
        return np.stack([shots.shrunk(small[..., channel]) for channel in range(3)], axis=-1)
    light, *colour = (_plane(plane) for plane in frame.planes)
    return np.stack([shots.shrunk(light), *(shots.shrunk(plane, 1) for plane in colour)], axis=-1)


def _plane(plane: VideoPlane) -> U8:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
