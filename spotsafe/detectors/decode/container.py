"""Sound and video files, opened by PyAV so that FFmpeg reads this file's bytes and nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from spotsafe.core.errors import missing_extra
from spotsafe.detectors.decode import sniff
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.limits import Limits, Reason

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

CODECS = frozenset({
    "h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "h263",
    "theora", "libvpx", "libvpx-vp9",
    "aac", "mp3", "mp3float", "mp2", "mp2float", "opus", "libopus", "vorbis", "libvorbis", "flac", "alac",
    "ac3", "eac3", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb",
    "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be",
    "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be",
})  # fmt: skip
"""Decoders that are used: what phones, browsers, cameras and studios write. FFmpeg has five hundred."""

PROBE_BYTES = 8 << 20
PROBE_MICROSECONDS = 5_000_000
"""How much of a file without a table of contents is read to learn what is in it."""

MICROSECONDS = 1_000_000


class NestedFile(OSError):
    """FFmpeg asked for another file."""


@contextmanager
def opened(data: bytes, limits: Limits) -> Iterator[InputContainer]:
    """The container of *data*. Damage found while it is open becomes :class:`DecodeError`, too."""
    if len(data) > limits.bytes:
        raise DecodeError(Reason.BYTES, limits)
    name = sniff.container_format(data)
    if name is None:
        raise DecodeError(Reason.NESTING if sniff.refers_elsewhere(data) else Reason.UNREADABLE, limits)
    try:
        import av
    except ImportError:
        raise missing_extra("media", "decoding sound and video") from None
    av.logging.set_level(None)  # FFmpeg's messages quote the file
    reason = Reason.UNREADABLE
    try:
        options = _options(name, limits)
        with av.open(io.BytesIO(data), "r", format=name, options=options, io_open=_refuse) as container:
            if len(container.streams) > limits.nesting:
                raise DecodeError(Reason.NESTING, limits)
            yield container
            return
    except NestedFile:
        reason = Reason.NESTING
    except MemoryError:
        reason = Reason.MEMORY
    except (av.FFmpegError, EOFError, ArithmeticError, LookupError, OSError, TypeError, ValueError):
        reason = Reason.UNREADABLE
    raise DecodeError(reason, limits)


def _options(name: str, limits: Limits) -> dict[str, str]:
    return {
        "format_whitelist": ",".join(_demuxers(name)),
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(sorted(CODECS)),
        "max_pixels": str(limits.pixels),
        "max_streams": str(limits.nesting + 1),
        "probesize": str(PROBE_BYTES),
        "analyzeduration": str(PROBE_MICROSECONDS),
        "threads": "1",
    }


def _demuxers(name: str) -> tuple[str, ...]:
    """FFmpeg's whitelist compares whole names, and two demuxers go by several."""
    if name == "mov":
        return ("mov", "mp4", "m4a", "3gp", "3g2", "mj2")
    return ("matroska", "webm") if name == "matroska" else (name,)


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise NestedFile("media must not open other files")


def decodable(stream: Stream) -> bool:
    """Whether the stream's codec is one of those that are used."""
    context: Any = stream.codec_context
    return context is not None and context.codec.name in CODECS


def length(container: InputContainer, stream: Stream) -> float:
    """Seconds that the file states, the longer of container and stream; 0 where it states none."""
    whole = 0.0 if container.duration is None else container.duration / MICROSECONDS
    return max(whole, own_length(stream, 0.0))


def own_length(stream: Stream, otherwise: float) -> float:
    """Seconds that the file states for this stream alone; *otherwise* where it states none."""
    if stream.duration is None or stream.time_base is None:
        return otherwise
    return float(stream.duration * stream.time_base)


@dataclass(slots=True)
class Damage:
    """What could not be decoded on the way through a stream."""

    packets: int = 0
    lost: int = 0
    stopped: bool = False

    @property
    def matters(self) -> bool:
        """Whether part of the stream went by unseen; one bad packet in a hundred is common, and harmless."""
        return self.stopped or self.lost * 100 > self.packets


def frames_of(container: InputContainer, stream: Stream, damage: Damage) -> Iterator[Any]:
    """All frames of *stream*. Packets that cannot be decoded are counted and passed over, as players do."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.InvalidDataError, OSError) as error:
            if isinstance(error, NestedFile):
                raise
            damage.stopped = True
            return
        if packet is None:
            return
        damage.packets += 1
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            damage.lost += 1
            continue
        yield from frames


def start(container: InputContainer) -> float:
    """Seconds that the file's clock shows at its start."""
    return (container.start_time or 0) / MICROSECONDS
