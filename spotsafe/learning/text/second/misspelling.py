"""Misspelling as people do it to slip past a filter, or by haste: copies of training texts with small damage.

Disguises that normalisation undoes (look-alikes, leet, spacing) need no copies; these are what remains.
"""

from __future__ import annotations

import random
import re

SHARE = 0.35
"""Share of the words of a damaged text that are touched, at most."""

_WORD = re.compile(r"[A-Za-z]{4,}")
_NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip


def damaged(text: str, seed: str) -> str:
    """*text* with one to a third of its longer words misspelt; the same *seed* gives the same result."""
    chance = random.Random(seed)  # noqa: S311  (no secret depends on it)
    found = list(_WORD.finditer(text))
    if not found:
        return text
    most = max(1, int(len(found) * SHARE))
    chosen = sorted(chance.sample(found, chance.randint(1, most)), key=lambda match: -match.start())
    for match in chosen:
        text = text[: match.start()] + _damaged_word(match.group(), chance) + text[match.end() :]
    return text


def _damaged_word(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    near = chance.choice(_NEAR.get(letter.lower(), letter))
    sign, gap = chance.choice("*.-#"), chance.choice(" -_")
    forms = (
        before + after[0] + letter + after[1:],  # letters change places
        before + after,  # one is lost
        before + letter * 2 + after,  # one is doubled
        before + near + after,  # the key beside it
        word[0] + re.sub("[aeiou]", "", word[1:-1]) + word[-1],  # vowels go
        before + sign + after,  # a sign stands for a letter
        before + gap + letter + after,  # the word is cut
        re.sub("s$", "z", word.replace("ck", "k").replace("er", "a").replace("you", "u")),
    )
    return chance.choice(forms)
