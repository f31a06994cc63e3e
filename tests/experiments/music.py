"""Songs composed from a seed, and what happens to songs: excerpts, other speeds, noise, low bit rates.

A song has a key, a tempo, a chord progression, a melody, a bass, drums and instruments of its own; two seeds
have nothing in common but the rules of harmony, which is what makes songs hard to tell apart.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
RATE = 16_000
MODES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 10))
PROGRESSIONS = (
    (0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 4, 4), (0, 5, 3, 4), (1, 4, 0, 0), (0, 3, 0, 4), (5, 4, 3, 4),
    (0, 2, 3, 4), (0, 6, 3, 0), (3, 0, 4, 5),
)  # fmt: skip


def song(seed: int, seconds: float = 60.0) -> F32:
    """A song: mono float32 at :data:`RATE`, in [-1, 1]."""
    chance = np.random.default_rng((11, seed))
    beat = 60 / chance.uniform(70, 165)
    root, mode = int(chance.integers(40, 52)), MODES[chance.integers(len(MODES))]
    mix = np.zeros(round(seconds * RATE) + RATE)
    parts = [[PROGRESSIONS[chance.integers(len(PROGRESSIONS))] for _ in range(2)] for _ in range(2)]
    voices = [_instrument(chance) for _ in range(3)]
    levels = chance.uniform(0.3, 1.0, 4) * (1, 1, 0.8, 0.7)
    rhythm = chance.random((2, 8)) < chance.uniform(0.4, 0.9)
    motif = chance.integers(-3, 8, (4, 8))
    drums = chance.random((3, 8)) < np.array([[0.4], [0.3], [0.7]])
    kit = _kit(chance)
    bars = int(seconds / (4 * beat)) + 1
    for bar in range(bars):
        section = (bar // 8) % 2
        degree = parts[section][(bar // 4) % 2][bar % 4]
        start = bar * 4 * beat
        for note in (0, 2, 4):
            _add(mix, voices[0](_pitch(root + 12, mode, degree + note), 4 * beat) * levels[0], start)
        for eighth in range(8):
            at = start + eighth * beat / 2
            if rhythm[section, eighth]:
                step = int(motif[(bar + section) % 4, eighth]) + int(chance.random() < 0.15)
                _add(mix, voices[1](_pitch(root + 24, mode, degree + step), beat * 0.8) * levels[1], at)
            if eighth % 2 == 0 or rhythm[1 - section, eighth]:
                _add(mix, voices[2](_pitch(root - 12, mode, degree), beat / 2) * levels[2], at)
            for drum in range(3):
                if drums[drum, eighth]:
                    _add(mix, kit[drum] * levels[3], at)
    mix = mix[: round(seconds * RATE)]
    return (mix / (np.abs(mix).max() * 1.05)).astype(np.float32)


def _pitch(root: int, mode: tuple[int, ...], degree: int) -> float:
    octave, step = divmod(degree, 7)
    return float(440 * 2 ** ((root + 12 * octave + mode[step] - 69) / 12))


Voice = Callable[[float, float], NDArray[np.float64]]


def _instrument(chance: np.random.Generator) -> Voice:
    overtones = chance.uniform(0, 1, 8) / np.arange(1, 9) ** chance.uniform(0.5, 2)
    overtones[0] = 1
    attack, decay = chance.uniform(0.005, 0.08), chance.uniform(0.5, 6)
    vibrato, detune = chance.uniform(0, 0.004), chance.uniform(-0.003, 0.003)
    made: dict[tuple[int, int], NDArray[np.float64]] = {}

    def play(pitch: float, seconds: float) -> NDArray[np.float64]:
        key = (round(pitch * 100), round(seconds * 1000))
        if key not in made:
            time = np.arange(round(seconds * RATE)) / RATE
            phase = 2 * np.pi * pitch * (1 + detune) * (time + vibrato * np.sin(2 * np.pi * 5 * time) / 31)
            tone = sum(
                level * np.sin(number * phase)
                for number, level in enumerate(overtones, 1)
                if number * pitch < 7000
            )
            made[key] = tone * np.minimum(time / attack, 1) * np.exp(-decay * time)
        return made[key]

    return play


def _kit(chance: np.random.Generator) -> list[NDArray[np.float64]]:
    time = np.arange(RATE // 4) / RATE
    kick = np.sin(2 * np.pi * chance.uniform(45, 70) * time * (1 + 0.5 * np.exp(-30 * time)))
    hiss = chance.standard_normal(len(time))
    return [
        kick * np.exp(-12 * time) * 2,
        hiss * np.exp(-22 * time),
        np.diff(hiss, append=0) * np.exp(-60 * time),
    ]


def _add(mix: NDArray[np.float64], sound: NDArray[np.float64], at: float) -> None:
    start = round(at * RATE)
    room = max(0, len(mix) - start)
    mix[start : start + len(sound)] += sound[:room]


# ── what happens to songs ───────────────────────────────────────────────────────────────────────────


def excerpt(sound: F32, start: float, seconds: float) -> F32:
    """*seconds* of the sound from *start* on."""
    first = round(start * RATE)
    return sound[first : first + round(seconds * RATE)]


def at_speed(sound: F32, speed: float) -> F32:
    """The sound played at *speed*: 1.02 is 2 % faster, and higher."""
    from scipy.signal import resample

    return np.asarray(resample(sound, round(len(sound) / speed)), np.float32)


def with_noise(sound: F32, decibels: float, seed: int, *, pink: bool = False) -> F32:
    """The sound with noise *decibels* below it."""
    noise = np.random.default_rng((13, seed)).standard_normal(len(sound))
    if pink:
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(sound))
    scale = np.sqrt(np.mean(sound.astype(float) ** 2) / np.mean(noise**2)) * 10 ** (-decibels / 20)
    mixed = sound + noise * scale
    return (mixed / max(1.0, np.abs(mixed).max())).astype(np.float32)


def reencoded(sound: F32, codec: str, container: str, rate: int, *, hertz: int = RATE) -> F32:
    """The sound after a trip through *codec* at *rate* bits a second, sampled at *hertz* inside it."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=hertz, bit_rate=rate, layout="mono")
        wanted = av.AudioResampler(stream.codec_context.format or "fltp", "mono", hertz)
        frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        frame.rate = RATE
        size = stream.codec_context.frame_size or 1024
        fifo = av.AudioFifo()
        for piece in (*wanted.resample(frame), *wanted.resample(None)):
            piece.pts = None
            fifo.write(piece)
        while (piece := fifo.read(size, partial=True)) is not None:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    buffer.seek(0)
    back = av.AudioResampler("flt", "mono", RATE)
    with av.open(buffer) as file:
        frames = [made for read in file.decode(audio=0) for made in back.resample(read)]
        frames += back.resample(None)
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]).astype(np.float32)
