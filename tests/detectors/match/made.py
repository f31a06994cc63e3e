"""Pictures and sounds made from seeds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def picture(seed: int, height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    """A picture with the spectrum of natural scenes: uint8[height, width, 3]."""
    chance = np.random.default_rng(seed)
    noise = np.fft.rfft2(chance.standard_normal((height, width)))
    radius = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    field = np.fft.irfft2(noise / np.maximum(radius, 1) ** 1.3, (height, width))
    low, high = np.percentile(field, [1, 99])
    grey = np.clip((field - low) / (high - low), 0, 1) * 255
    return np.stack([grey, grey * 0.8, 255 - grey * 0.6], axis=2).astype(np.uint8)


@lru_cache(maxsize=32)
def song(seed: int, seconds: float = 14.0) -> NDArray[np.float32]:
    """Notes of random pitch and length over a drone: mono float32 at 16,000 a second."""
    chance = np.random.default_rng(seed)
    total = np.zeros(round(seconds * 16_000))
    at = 0
    while at < len(total):
        length = round(chance.uniform(0.15, 0.6) * 16_000)
        time = np.arange(min(length, len(total) - at)) / 16_000
        for pitch in 220 * 2 ** (chance.integers(-12, 24, 3) / 12):
            tones = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in (1, 2, 3))
            total[at : at + len(time)] += tones * np.exp(-3 * time)
        at += length
    return (total / np.abs(total).max() * 0.9).astype(np.float32)
