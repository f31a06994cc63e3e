"""Media made on the spot: pictures, sound and films, whole and hostile."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


def scene(number: int, height: int = 120, width: int = 160) -> U8:
    """``uint8[height, width, 3]``: smooth colour fields, different for each *number*."""
    rng = np.random.default_rng(number)
    small = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    return np.kron(small, np.ones((height // 4, width // 5, 1))).astype(np.uint8)


def picture(kind: str, pixels: U8 | None = None, **options: Any) -> bytes:
    """An encoded still of Pillow's format *kind*."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(scene(1) if pixels is None else pixels).save(out, kind, **options)
    return out.getvalue()


def animation(kind: str, frames: Sequence[U8], milliseconds: int = 100) -> bytes:
    """An animated GIF, WebP, PNG or AVIF."""
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in frames]
    out = io.BytesIO()
    first.save(out, kind, save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return out.getvalue()


def tone(seconds: float, rate: int = 44_100, hertz: float = 440.0) -> NDArray[np.int16]:
    """A sine at half of full scale."""
    return (16_384 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def silence(seconds: float, rate: int = 8_000) -> NDArray[np.int16]:
    """Nothing to hear."""
    return np.zeros(round(seconds * rate), np.int16)


def sound(
    container: str, codec: str, samples: NDArray[np.int16] | None = None, rate: int = 44_100, **options: str
) -> bytes:
    """*samples* ``int16[n]`` or ``int16[channels, n]`` encoded."""
    import av

    samples = np.atleast_2d(tone(1.0, rate) if samples is None else samples)
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        layout = "mono" if len(samples) == 1 else "stereo"
        stream = target.add_stream(codec, rate=rate, layout=layout, options=options)
        _encode_sound(target, stream, samples)
    return out.getvalue()


def _encode_sound(target: Any, stream: Any, samples: NDArray[np.int16], begin: int = 0) -> None:
    import av

    context = stream.codec_context
    layout = "mono" if len(samples) == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16p", layout=layout)
    frame.sample_rate = context.rate
    frame.time_base = Fraction(1, context.rate)
    frame.pts = begin
    size = context.frame_size or None
    resampler = av.AudioResampler(format=context.format, layout=layout, rate=context.rate, frame_size=size)
    for block in (*resampler.resample(frame), *resampler.resample(None)):
        target.mux(stream.encode(block))
    target.mux(stream.encode(None))


@contextmanager
def ordinary_thread() -> Iterator[None]:
    """Inside, the calling thread may change how it is scheduled; afterwards it is as before. SVT-AV1, run by
    root, makes it and all that it starts later real-time: two threads of it that spin stop a machine."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def movie(
    frames: Sequence[U8],
    *,
    container: str = "mp4",
    codec: str = "libx264",
    rate: int = 10,
    samples: NDArray[np.int16] | None = None,
    **options: str,
) -> bytes:
    """*frames* at *rate* a second, with *samples* (44.1 kHz, mono) as its sound."""
    import av

    out = io.BytesIO()
    with ordinary_thread(), av.open(out, "w", format=container) as target:
        stream: Any = target.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        track: Any = target.add_stream("aac", rate=44_100, layout="mono") if samples is not None else None
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        if samples is not None:
            _encode_sound(target, track, np.atleast_2d(samples))
    return out.getvalue()


def with_cover(cover: bytes, frames: int) -> bytes:
    """A Matroska file with an attached PNG as its cover, a tone, and *frames* frames of film."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as target:
        film: Any = target.add_stream("libx264", rate=10) if frames else None
        if film is not None:
            film.width, film.height, film.pix_fmt = 160, 120, "yuv420p"
        track: Any = target.add_stream("flac", rate=44_100, layout="mono")
        target.add_attachment("cover.png", "image/png", cover)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(scene(1), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            target.mux(film.encode(frame))
        if film is not None:
            target.mux(film.encode(None))
        _encode_sound(target, track, np.atleast_2d(tone(0.3)))
    return out.getvalue()


def turned_movie(frames: Sequence[U8]) -> bytes:
    """A film whose frames are stored lying on their side, as phones do: the track's matrix says so."""
    data = bytearray(movie(frames))
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return bytes(data)


def two_tracks() -> bytes:
    """A sound file with two tracks."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as target:
        streams: list[Any] = [target.add_stream("aac", rate=44_100, layout="mono") for _ in range(2)]
        for stream in streams:
            _encode_sound(target, stream, np.atleast_2d(tone(0.5)))
    return out.getvalue()


def late_sound(seconds: float) -> bytes:
    """A film of two seconds whose sound begins *seconds* after it does."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as target:
        pictures: Any = target.add_stream("libx264", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 160, 120, "yuv420p"
        track: Any = target.add_stream("pcm_s16le", rate=44_100, layout="mono")
        for index in range(20):
            frame = av.VideoFrame.from_ndarray(scene(1), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            target.mux(pictures.encode(frame))
        target.mux(pictures.encode(None))
        _encode_sound(target, track, np.atleast_2d(tone(1.0)), round(seconds * 44_100))
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def flat_png(width: int, height: int, *extra: bytes) -> bytes:
    """A black one-bit PNG of any size; *extra* are chunks before the data."""
    rows = zlib.compressobj(9)
    row = bytes((width + 7) // 8 + 1)
    data = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def stated_png(width: int, height: int) -> bytes:
    """A PNG that states a size and has a few rows."""
    small = flat_png(width, 2)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return small[:8] + head + small[33:]


def deflated(zeros: int) -> bytes:
    """So many zeros, compressed."""
    return zlib.compress(bytes(zeros), 9)


def huge_webp() -> bytes:
    """A small WebP whose extended header states the largest canvas there is."""
    image = picture("WEBP")[12:]
    head = b"VP8X" + struct.pack("<IB3x", 10, 0) + b"\xff\x3f\0" * 2
    return b"RIFF" + struct.pack("<I", 4 + len(head) + len(image)) + b"WEBP" + head + image


def endless_gif(frames: int) -> bytes:
    """A GIF of *frames* single-pixel frames."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b"\x3b"
