"""Where speech is, and how it is packed for the recogniser."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.detectors.audio.chunks import LONGEST, Chunk, packed
from spotsafe.detectors.audio.voice import CONTEXT, MARGIN, WINDOW, Stretch, VoiceActivity, stretches
from spotsafe.detectors.decode.decoded import RATE

M = round(MARGIN * RATE)


def windows(*runs: tuple[float, int]) -> np.ndarray:
    """So many windows of each probability."""
    return np.concatenate([np.full(count, chance, np.float32) for chance, count in runs])


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(0.1, 100)], []),
        ([(0.1, 30), (0.9, 30), (0.1, 40)], [(30, 60)]),
        ([(0.1, 30), (0.9, 5), (0.1, 40)], []),
        ([(0.4, 30), (0.9, 30), (0.4, 20), (0.1, 40)], [(30, 80)]),
        ([(0.9, 30), (0.1, 10), (0.9, 30)], [(0, 70)]),
        ([(0.9, 30), (0.1, 60), (0.9, 30)], [(0, 30), (90, 120)]),
    ],
    ids=["silence", "one word", "a click", "a voice that fades", "a short pause", "a long pause"],
)
def test_stretches_of_speech(runs: list[tuple[float, int]], expected: list[tuple[int, int]]) -> None:
    """Speech starts where it is likely, ends where it is unlikely for half a second; clicks are dropped."""
    chances = windows(*runs)
    length = len(chances) * WINDOW
    wanted = [Stretch(max(0, start * WINDOW - M), min(length, end * WINDOW + M)) for start, end in expected]
    assert stretches(chances, length) == wanted


chances = st.lists(st.floats(0, 1, width=32), max_size=3_000).map(lambda some: np.array(some, np.float32))


@given(chances, st.integers(0, WINDOW - 1))
@settings(max_examples=60, deadline=None)
def test_chunks_hold_the_speech_once_and_in_order(some: np.ndarray, missing: int) -> None:
    """Chunks are not longer than the recogniser reads, and together hold every sample of speech once."""
    length = max(0, len(some) * WINDOW - missing)
    found = stretches(some, length)
    chunks = packed(found, some)
    pieces = [piece for chunk in chunks for piece in chunk.pieces]
    assert all(chunk.pieces and chunk.seconds * RATE <= LONGEST + 1e-6 for chunk in chunks)
    assert all(0 <= piece.start < piece.end <= length for piece in pieces)
    assert all(before.end <= after.start for before, after in itertools.pairwise(pieces))
    assert sum(one.end - one.start for one in pieces) == sum(one.end - one.start for one in found)


def test_a_long_stretch_is_cut_where_it_is_least_like_speech() -> None:
    """The cut of two minutes of speech falls into the pause, not into a word."""
    some = windows((0.9, 700), (0.45, 4), (0.9, 700))
    first = packed(stretches(some, len(some) * WINDOW), some)[0]
    assert 700 * WINDOW <= first.pieces[-1].end <= 704 * WINDOW


def test_a_chunk_knows_where_its_moments_were() -> None:
    """Times within a chunk are told as times of the recording, on the right side of a gap."""
    chunk = Chunk((Stretch(2 * RATE, 3 * RATE), Stretch(10 * RATE, 12 * RATE)))
    assert (chunk.starts_at(0.5), chunk.starts_at(1.0), chunk.ends_at(1.0)) == (2.5, 10.0, 3.0)
    assert (chunk.ends_at(2.5), chunk.ends_at(99.0)) == (11.5, 12.0)
    assert chunk.samples(np.arange(12 * RATE, dtype=np.float32))[RATE] == 10 * RATE


class _Network:
    """Answers with its state, so that a test sees what is carried from window to window."""

    def __init__(self) -> None:
        self.inputs: list[np.ndarray] = []

    def run(self, outputs: None, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.inputs.append(given["input"][0])
        chance = np.full((1, 1), given["state"][0, 0, 0] / 10, np.float32)
        return [chance, given["state"] + 1]


def test_the_network_sees_context_and_keeps_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each window comes with the 64 samples before it, and with the state that the one before it left."""
    network = _Network()
    monkeypatch.setattr("spotsafe.detectors.audio.voice.weights.session", lambda *_, **__: network)
    samples = np.arange(1, 3 * WINDOW, dtype=np.float32)
    found = VoiceActivity().probabilities(samples)
    assert found.tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert network.inputs[0][:CONTEXT].tolist() == [0.0] * CONTEXT
    assert network.inputs[1][:CONTEXT].tolist() == samples[WINDOW - CONTEXT : WINDOW].tolist()
    assert network.inputs[2][-1] == 0.0


def test_the_search_for_speech_ends_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked once a second of sound whether to go on, and what was found until then is given."""
    monkeypatch.setattr("spotsafe.detectors.audio.voice.weights.session", lambda *_, **__: _Network())
    answers = iter([True, True, False])
    found = VoiceActivity().probabilities(np.zeros(10 * RATE, np.float32), lambda: next(answers))
    assert len(found) == 2 * (RATE // WINDOW)
