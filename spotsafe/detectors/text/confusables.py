"""Look-alike letters folded into Latin, where that undoes a disguise and does no harm to a language.

A token is folded only when it mixes Latin with letters of another script, or when all of it looks Latin
and nothing else in the text shows that its script is really being written (so Russian or Greek stay).
"""

from __future__ import annotations

import re
import unicodedata

from spotsafe.detectors.text.confusables_data import ALWAYS, LOOKALIKES

# Phonetic signs and small capitals: no language writes words with them, so they fold wherever they stand.
PHONETIC: dict[str, str] = {char: latin for latin, chars in ALWAYS.items() for char in chars}

_STRICT: dict[str, str] = {char: latin for latin, chars in LOOKALIKES.items() for char in chars}

# Rough shapes (faux Cyrillic and Greek): read only inside a token that is already mixed.
_ROUGH = {
    "a": "дλ", "b": "бвьъђћβ", "c": "ς", "d": "δđð", "e": "эєзεξə", "f": "ф", "g": "ґ", "h": "нңһ",
    "i": "ı", "j": "ј", "k": "кқκ", "l": "лł", "m": "мμ", "n": "ипηπ", "o": "фөθøφ", "r": "яг", "t": "тτ",
    "u": "цμ", "w": "шщωɯ", "x": "жχ", "y": "ұ",
}  # fmt: skip

# Capitals that look Latin stand for their small letters too: ``Н`` looks like H, so ``н`` reads as h here.
_MIXED = {char.lower(): latin for char, latin in _STRICT.items()}
for _latin, _chars in _ROUGH.items():
    for _char in _chars:
        _MIXED.setdefault(_char, _latin)
_MIXED |= _STRICT

_OTHER_SCRIPTS = (
    "\u0370-\u03ff\u1f00-\u1fff\u0400-\u052f\u0530-\u058f\u13a0-\u13ff\uab70-\uabbf\u1400-\u167f\u16a0-\u16ff"
    "\u2c80-\u2cff\u2d30-\u2d7f\ua4d0-\ua4ff\ua640-\ua69f\U00010280-\U000118ff\U00016f00-\U00016f9f\U0001d200-\U0001d245"
)
_LATIN = "a-zA-Z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0250-\u02af\u1e00-\u1eff"
_OTHER = re.compile(f"[{_OTHER_SCRIPTS}]")
_LATIN_LETTER = re.compile(f"[{_LATIN}]")
_TOKEN = re.compile(f"[{_LATIN}{_OTHER_SCRIPTS}0-9@$!]+")
_MIX = re.compile(f"[{_LATIN}][0-9@$!]*[{_OTHER_SCRIPTS}]|[{_OTHER_SCRIPTS}][0-9@$!]*[{_LATIN}]")


def _evidence(low: int, high: int, others: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Two searches that settle most texts: a letter of this script that looks like no Latin one, and
    any letter of the *others*."""
    own = [chr(code) for code in range(low, high) if chr(code).isalpha()]
    plain = [char for char in own if char not in _STRICT and char.lower() not in _STRICT]
    return re.compile(f"[{''.join(plain)}]"), re.compile(f"[{others}]")


_SETTLED = (
    _evidence(0x400, 0x500, _OTHER_SCRIPTS.replace("\u0400-\u052f", "").replace("\ua640-\ua69f", "")),
    _evidence(0x370, 0x400, _OTHER_SCRIPTS.replace("\u0370-\u03ff\u1f00-\u1fff", "")),
)


def fold_lookalikes(text: str) -> str:
    """*text* with look-alike tokens in Latin: same length, so offsets stay.

    Expects NFKC text; linear in its length. Folding its own (case-folded) result changes nothing: tokens
    that stay are the evidence for their script, and they still are the next time.
    """
    if _OTHER.search(text) is None or _is_settled(text):
        return text
    edits: list[tuple[int, str]] = []
    whole: list[tuple[int, str, str]] = []
    written: set[str] = set()
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token.isascii() or _OTHER.search(token) is None:
            continue
        if _LATIN_LETTER.search(token) is not None:
            edits.append((match.start(), _fold_mixed(token)))
            continue
        latin = _fold_whole(token)
        if latin is None:
            written |= _scripts(token)
        else:
            whole.append((match.start(), token, latin))
    edits += [(start, latin) for start, token, latin in whole if written.isdisjoint(_scripts(token))]
    return _applied(text, edits)


def _is_settled(text: str) -> bool:
    """Whether the text plainly is written in one script besides Latin, without mixing: nothing to fold."""
    if _MIX.search(text) is not None:
        return False
    return any(plain.search(text) and others.search(text) is None for plain, others in _SETTLED)


def _applied(text: str, edits: list[tuple[int, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, replacement in sorted(edits):
        pieces += (text[at:start], replacement)
        at = start + len(replacement)
    pieces.append(text[at:])
    return "".join(pieces)


def _fold_mixed(token: str) -> str:
    """A token of mixed scripts: all Latin if every letter can be read so, else its exact look-alikes."""
    folded = "".join([char if char.isascii() else _base(char) for char in token])
    if folded.isascii():
        return folded
    return "".join([_STRICT.get(char) or _STRICT.get(char.lower(), char) for char in token])


def _base(char: str) -> str:
    """The Latin letter that *char*, without its accents, can be read as; *char* itself if there is none."""
    bare = unicodedata.normalize("NFD", char)[0]
    small = bare.lower()
    return bare if bare.isascii() else _MIXED.get(bare) or _MIXED.get(small) or char


def _fold_whole(token: str) -> str | None:
    """A token without Latin letters, in Latin if each letter (as written, or small) is a look-alike."""
    # Letter by letter: lower-casing a whole token would look at its end for the Greek final sigma.
    for form in (token, "".join([char.lower() for char in token])):
        folded = "".join([_STRICT.get(char, char) for char in form])
        if folded.isascii() and len(folded) == len(token):
            return folded
    return None


def _scripts(token: str) -> set[str]:
    return {_script(char) for char in token if not char.isascii()}


def _script(char: str) -> str:
    if "\u0400" <= char <= "\u052f" or "\ua640" <= char <= "\ua69f":
        return "Cyrillic"
    if "\u0370" <= char <= "\u03ff" or "\u1f00" <= char <= "\u1fff":
        return "Greek"
    if "\u0530" <= char <= "\u058f":
        return "Armenian"
    return "other"
