"""What sounds like music: notes, and neither gliding voices nor noise nor hum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.detectors.audio.music import music
from spotsafe.detectors.decode.decoded import RATE
from tests.experiments.music import song


def time(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def chords(seconds: float = 8.0) -> np.ndarray:
    """A chord of three notes each second, one of four in turn."""
    moments = time(seconds)
    roots = np.array([220.0, 261.6, 196.0, 246.9])[moments.astype(int) % 4]
    return sum(np.sin(2 * np.pi * roots * ratio * moments) for ratio in (1, 1.25, 1.5)).astype(np.float32) / 4


def voice(seconds: float = 8.0) -> np.ndarray:
    """Twelve harmonics that glide up and down by a third, three times a second: no word, but its melody."""
    moments = time(seconds)
    phase = 2 * np.pi * np.cumsum(140 * (1 + 0.3 * np.sin(2 * np.pi * 3 * moments))) / RATE
    return sum(np.sin(number * phase) / number for number in range(1, 13)).astype(np.float32) / 4


def hum(seconds: float = 12.0) -> np.ndarray:
    """The mains."""
    moments = time(seconds)
    return sum(np.sin(2 * np.pi * 50 * n * moments) / n for n in range(1, 9)).astype(np.float32) / 4


def noise(seconds: float = 8.0) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(round(seconds * RATE)).astype(np.float32) / 8


SOUNDS = {
    "chords": (chords(), 0.9, 1.0),
    "a song": (song(4, 12.0), 0.7, 1.0),
    "a voice over chords": (voice() + chords() / 2, 0.3, 1.0),
    "a voice": (voice(), 0.0, 0.05),
    "noise": (noise(), 0.0, 0.05),
    "a voice in noise": (voice() + noise(), 0.0, 0.05),
    "hum": (hum(), 0.0, 0.05),
    "silence": (np.zeros(2 * RATE, np.float32), 0.0, 0.0),
    "nothing": (np.zeros(0, np.float32), 0.0, 0.0),
    "a click": (np.ones(300, np.float32), 0.0, 0.0),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_notes_that_stand_still_are_music(name: str) -> None:
    """Whatever is said over them; gliding harmonics, noise and hum are none."""
    samples, low, high = SOUNDS[name]
    assert low <= music(samples.astype(np.float32)) <= high


def test_only_the_time_with_notes_counts() -> None:
    """Half chords, half voice: about a half."""
    assert 0.35 <= music(np.concatenate([chords(), voice()])) <= 0.65


def test_loudness_does_not_count() -> None:
    """A quiet recording is as musical as a loud one."""
    assert music(chords()) == pytest.approx(music(chords() / 50), abs=0.02)


def test_long_recordings_are_looked_at_piece_by_piece() -> None:
    """Beyond a minute the share stays what it is."""
    assert music(np.concatenate([chords(60.0), voice(60.0)])) == pytest.approx(0.5, abs=0.06)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2 * RATE), st.integers(0, 2**32 - 1), st.floats(0, 1, width=32))
def test_it_is_a_share_of_whatever_is_heard(length: int, seed: int, loud: float) -> None:
    """In [0, 1], for any samples of any length."""
    samples = np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32) * np.float32(loud)
    assert 0.0 <= music(samples) <= 1.0
