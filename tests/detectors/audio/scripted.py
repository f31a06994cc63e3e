"""Ears that say what a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.audio.recogniser import Reading, Word
from spotsafe.detectors.audio.voice import WINDOW
from spotsafe.detectors.decode.decoded import RATE, Sound

F32 = NDArray[np.float32]


class Loud:
    """Voice activity: whoever makes any sound speaks."""

    def probabilities(self, samples: F32, running: Callable[[], bool] = lambda: True) -> F32:
        if not running():
            return np.zeros(0, np.float32)
        padded = np.zeros(-(-len(samples) // WINDOW) * WINDOW, np.float32)
        padded[: len(samples)] = samples
        return (np.abs(padded).reshape(-1, WINDOW).max(axis=1) > 0).astype(np.float32)


class Script:
    """A recogniser that gives *readings* one after the other, the last again and again. *heard* keeps the
    seconds of each chunk; *during* is called with each."""

    version = "script"

    def __init__(self, *readings: Reading, during: Callable[[], object] = lambda: None) -> None:
        self.heard: list[float] = []
        self._readings = readings
        self._during = during

    def read(self, samples: F32) -> Reading:
        self._during()
        self.heard.append(len(samples) / RATE)
        return self._readings[min(len(self.heard), len(self._readings)) - 1]


class Tape:
    """A decoder of sound that is there already."""

    def __init__(self, sound: Sound | Exception) -> None:
        self._sound = sound
        self.timeouts: list[float | None] = []

    def sound(self, data: bytes, *, timeout: float | None = None) -> Sound:
        self.timeouts.append(timeout)
        if isinstance(self._sound, Exception):
            raise self._sound
        return self._sound

    def picture(self, data: bytes, *, timeout: float | None = None) -> Any:
        raise AssertionError("no picture was sent")

    movie = picture


def reading(
    text: str, *, each: float = 0.5, confidence: float = -0.2, silence: float = 0.0, repetition: float = 1.2
) -> Reading:
    """*text*, one word each *each* seconds from the chunk's start."""
    words = tuple(
        Word(index * each, (index + 1) * each, f" {word}") for index, word in enumerate(text.split())
    )
    return Reading(words, confidence, silence, repetition)


def sound(*pieces: tuple[float, float], cut: bool = False) -> Sound:
    """A recording of *pieces*, each so many seconds of sound after so many of silence."""
    samples = np.concatenate(
        [np.r_[np.zeros(round(quiet * RATE)), np.full(round(loud * RATE), 0.1)] for quiet, loud in pieces]
        or [np.zeros(RATE)]
    ).astype(np.float32)
    return Sound(samples, RATE, len(samples) / RATE, cut)


def ranges(evidence: Sequence[Any]) -> list[tuple[float, float]]:
    """Ranges of time as plain pairs."""
    return [tuple(one) for one in evidence]
