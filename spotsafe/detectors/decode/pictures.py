"""Pictures and animations, by Pillow's own plug-ins for the accepted formats and no others.

The plug-in's class is called directly: ``Image.open`` would offer the file to formats that are not accepted,
and its check for huge pictures is a process-wide setting.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import missing_extra
from spotsafe.detectors.decode import shots, sniff
from spotsafe.detectors.decode.colours import as_rgb
from spotsafe.detectors.decode.decoded import Frame, Picture
from spotsafe.detectors.decode.decoder import DecodeError, check_size
from spotsafe.detectors.decode.limits import Limits, Reason

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

U8 = NDArray[np.uint8]

BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, Warning, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's plug-ins, written in Python, raise at damaged files; warnings where they are made errors."""

_CLASSES = {
    "jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "png": ("PIL.PngImagePlugin", "PngImageFile"),
    "gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
}
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
          7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
"""EXIF orientation → Pillow's name of the turn that makes the picture upright."""

_SIDEWAYS = ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
_ORIENTATION, _SHORT = 0x0112, 3
_AREAS = 8
"""All frames of an animation together may have so many times the pixels of the largest still."""

STRIP = 8
"""A long picture's side may be so many times the square's."""

_FRAME_SECONDS = 0.1
"""How long browsers show a frame that does not say so."""


def decode_picture(data: bytes, limits: Limits) -> Picture:
    """The picture of *data*, or :class:`DecodeError`."""
    if len(data) > limits.bytes:
        raise DecodeError(Reason.BYTES, limits)
    name = sniff.picture_format(data)
    if name is None:
        raise DecodeError(Reason.NESTING if sniff.refers_elsewhere(data) else Reason.UNREADABLE, limits)
    reason = Reason.UNREADABLE
    try:
        if name == "webp":
            check_size(sniff.webp_canvas(data), len(data), limits)
        return _decoded(_opened(data, name), name, data, limits)
    except DecodeError:
        raise
    except MemoryError:
        reason = Reason.MEMORY
    except BROKEN as error:
        reason = _reason(error)
    raise DecodeError(reason, limits)


def _opened(data: bytes, name: str) -> ImageFile:
    module, kind = _CLASSES[name]
    try:
        plugin = import_module(module)
    except ImportError:
        raise missing_extra("media", "decoding pictures") from None
    image: ImageFile = getattr(plugin, kind)(io.BytesIO(data))
    return image


def _reason(error: Exception) -> Reason:
    """Pillow says in words alone that compressed text outgrew its bound, or that memory ran out."""
    words = str(error)
    if "too large" in words or "Too much memory" in words:
        return Reason.RATIO
    return Reason.MEMORY if "out of memory" in words else Reason.UNREADABLE


def _decoded(image: ImageFile, name: str, data: bytes, limits: Limits) -> Picture:
    check_size(image.size, len(data), limits)
    width, height = image.size
    turn = _turn(image)
    if turn in _SIDEWAYS:
        width, height = height, width
    total = gif_frames(data, limits) if name == "gif" else int(getattr(image, "n_frames", 1))
    if total > 1:
        frames, cut = _animated(image, total, turn, limits)
        return Picture(frames, width, height, name, total, cut)
    by = reduction(image.size, limits.side)
    image.draft(None, (image.width // by, image.height // by))  # JPEG decodes at 1/2, 1/4 and 1/8 by itself
    pixels = as_rgb(image, reduction(image.size, limits.side), turn)
    return Picture((Frame(0.0, pixels),), width, height, name, max(1, total), cut=False)


def _animated(
    image: ImageFile, total: int, turn: str | None, limits: Limits
) -> tuple[tuple[Frame, ...], bool]:
    """The frames that differ most, and whether any were left out that had something new. Frames build on one
    another, so all are decoded in order, up to the limit."""
    if limits.visits < total * limits.coverage:
        raise DecodeError(Reason.FRAMES, limits)
    keys, time, area = shots.KeyFrames(limits.frames), 0.0, 0
    visits = min(total, limits.visits)
    for index in range(visits):
        image.seek(index)
        area += image.width * image.height
        if index and area > _AREAS * limits.pixels:
            return keys.frames(), True
        check_size(image.size, limits.pixels, limits)
        image.load()
        by = reduction(image.size, limits.side)
        keys.offer(time, _thumbnail(image), partial(_held, image, by, turn))
        time += _shown_for(image)
    return keys.frames(), keys.lost or visits < total


def _thumbnail(image: Image) -> U8:
    """``uint8[rows, columns, 3]`` of the frame as it is stored."""
    from PIL.Image import Resampling

    size = (shots.COLUMNS * shots.FINER, shots.ROWS * shots.FINER)
    return as_rgb(image.resize(size, Resampling.NEAREST), shots.FINER, None)


def _held(image: ImageFile, by: int, turn: str | None) -> Callable[[], U8]:
    """The current frame, kept while its file goes on to the next."""
    return partial(as_rgb, image.copy(), by, turn)


def _shown_for(image: Image) -> float:
    """Seconds that the current frame is shown."""
    stated = image.info.get("duration", 0)
    return stated / 1000 if isinstance(stated, (int, float)) and 0 < stated < 1e7 else _FRAME_SECONDS


def gif_frames(data: bytes, limits: Limits) -> int:
    """Frames of a GIF, counted by its block structure (GIF89a, sections 18 to 25) until they are too many to
    look at; Pillow would take minutes to count a million."""
    most = math.ceil(limits.visits / limits.coverage) + 1
    offset = 13 + _colour_table(data, 10)
    frames = 0
    while offset < len(data) and frames < most:
        kind = data[offset]
        if kind == 0x2C and offset + 10 < len(data):
            frames += 1
            offset += 11 + _colour_table(data, offset + 9)  # the descriptor, its colours, the code size
        elif kind == 0x21:
            offset += 2
        else:
            break
        while offset < len(data) and data[offset]:
            offset += data[offset] + 1
        offset += 1
    return frames


def _colour_table(data: bytes, flags: int) -> int:
    """Bytes of the colour table that the flags at that offset announce."""
    if flags >= len(data) or not data[flags] & 0x80:
        return 0
    return 3 << (data[flags] & 7) + 1


def reduction(size: tuple[int, int], side: int) -> int:
    """The least whole number by which both sides are divided to have no more pixels than a square of *side*,
    and no side more than :data:`STRIP` times that. By area rather than by the longest side, for what is
    written in the picture of a whole conversation is as small as on a screen. Means over whole pixels are
    several times faster than resampling to an exact size."""
    long, short = max(size), min(size)
    by = max(1, -(-long // (STRIP * side)), math.isqrt(long * short // side**2))
    while -(-long // by) * -(-short // by) > side**2:
        by += 1
    return by


def _turn(image: ImageFile) -> str | None:
    """Pillow's name of the turn that makes it upright, or None."""
    exif = image.info.get("exif")
    return _TURNS.get(orientation(exif)) if isinstance(exif, bytes) else None


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block is damaged or silent. Not by Pillow, which reads all of
    the block, and warns and logs with its contents. Layout: TIFF 6.0, section 2."""
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, offset)
        for entry in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", block, entry)
            if tag == _ORIENTATION and kind == _SHORT:
                return int(struct.unpack_from(f"{order}H", block, entry + 8)[0])
    except struct.error:
        pass
    return 1
