"""Sound tracks: any codec that is accepted → mono samples at 16 kHz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.decode.container import Damage, decodable, frames_of, length, opened, start
from spotsafe.detectors.decode.decoded import RATE, Sound
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.limits import Limits, Reason

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

I16 = NDArray[np.int16]

RATES = range(4_000, 768_001)
"""Samples per second of files that are real; the resampler's filters grow with the ratio."""

CHANNELS = 64
CANCELLED = 100.0
"""The louder channel has so many times the energy of the mean where they cancel; two unrelated channels have
twice, one that is silent four times."""

LEAD = 60.0
"""Seconds of silence at most that stand for a track which begins after the file does."""


def decode_sound(data: bytes, limits: Limits) -> Sound:
    """The first sound track of *data*, or :class:`DecodeError`."""
    with opened(data, limits) as container:
        sound = read_sound(container, limits)
        if sound is None:
            raise DecodeError(Reason.UNREADABLE, limits)
        return sound


def read_sound(container: InputContainer, limits: Limits) -> Sound | None:
    """The first sound track; None where there is none. One that cannot be decoded is an error."""
    if not container.streams.audio:
        return None
    stream = container.streams.audio[0]
    if not decodable(stream):
        raise DecodeError(Reason.UNREADABLE, limits)
    stated = length(container, stream)
    if stated * limits.coverage > limits.seconds:
        raise DecodeError(Reason.SECONDS, limits)
    damage = Damage()
    samples, more = _collected(_blocks(container, stream, damage, limits), round(limits.seconds * RATE))
    if not len(samples):
        raise DecodeError(Reason.UNREADABLE, limits)
    cut = more or damage.matters or len(container.streams.audio) > 1
    seconds = len(samples) / RATE
    return Sound(as_floats(samples), RATE, max(stated, seconds) if more else seconds, cut)


def as_floats(samples: I16) -> NDArray[np.float32]:
    """16-bit samples as ``float32`` in [-1, 1)."""
    floats = samples.astype(np.float32)
    floats *= np.float32(1 / 32_768)
    return floats


def _collected(blocks: Iterator[I16], most: int) -> tuple[I16, bool]:
    """At most *most* samples, and whether there were more."""
    collected: list[I16] = []
    count = 0
    for block in blocks:
        collected.append(block)
        count += len(block)
        if count > most:
            break
    samples = np.concatenate(collected) if collected else np.zeros(0, np.int16)
    return samples[:most], count > most


def _blocks(container: InputContainer, stream: AudioStream, damage: Damage, limits: Limits) -> Iterator[I16]:
    """Resampled blocks. A stream may change its layout on the way, which a resampler cannot."""
    import av

    resampler: Any = None
    layout: tuple[object, ...] = ()
    began = False
    for frame in frames_of(container, stream, damage):
        if not began:
            began = True
            yield _silence(container, frame)
        if frame.sample_rate not in RATES or frame.layout.nb_channels > CHANNELS:
            raise DecodeError(Reason.UNREADABLE, limits)
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != layout:
            yield from _resampled(resampler, None)
            sides = "stereo" if frame.layout.nb_channels == 2 else "mono"
            resampler, layout = av.AudioResampler(format="s16", layout=sides, rate=RATE), now
        frame.pts = None  # gaps in the file's clock are not made up for
        yield from _resampled(resampler, frame)
    yield from _resampled(resampler, None)


def _silence(container: InputContainer, first: Any) -> I16:
    """What precedes the *first* frame, so that times in the sound are times in the film."""
    late = (first.time or 0.0) - start(container)
    return np.zeros(round(RATE * min(late, LEAD)) if late > 0.02 else 0, np.int16)


def _resampled(resampler: Any, frame: Any) -> Iterator[I16]:
    if resampler is not None:
        for block in resampler.resample(frame):
            channels = block.layout.nb_channels
            # Packed samples are one plane; PyAV's own conversion takes longer than the resampling.
            samples = np.frombuffer(block.planes[0], np.int16, block.samples * channels).copy()
            yield mixed(samples.reshape(-1, 2)) if channels == 2 else samples


def mixed(sides: I16) -> I16:
    """The mean of two channels ``int16[n, 2]``, or the louder one where the mean all but cancels them: a
    voice with one side turned upside down is plain to hear, and would be gone from the mean."""
    left, right = sides[:, 0].astype(np.float32), sides[:, 1].astype(np.float32)
    mean = (left + right) * np.float32(0.5)
    louder = left if np.dot(left, left) >= np.dot(right, right) else right
    kept = louder if np.dot(mean, mean) * CANCELLED < np.dot(louder, louder) else mean
    return kept.astype(np.int16)
