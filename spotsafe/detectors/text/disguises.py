"""Disguises made of ordinary characters: leet, letters spelt apart, stretched letters, white space.

Every function works on case-folded text, in linear time, and leaves its own result as it is. What is
removed is told as half-open ranges of the text, so that the caller can keep offsets.
"""

from __future__ import annotations

import re

Range = tuple[int, int]

_LATIN = "a-z\u00df-\u00f6\u00f8-\u024f"
_LETTERS = (f"[{_LATIN}]", "[\u0370-\u03ff]", "[\u0400-\u052f]")
_LETTER = f"[{_LATIN}\u0370-\u03ff\u0400-\u052f]"

_LEET = str.maketrans("01345789@$!\u00a1\u20ac\u00a7", "oieastbgasiies")
_LEET_CHARS = "01345789@$!\u00a1\u20ac\u00a7"
_INSIDE = re.compile(f"[{_LATIN}][{_LEET_CHARS}]{{1,2}}[{_LATIN}]")
_LEET_HINT = re.compile(f"[{_LATIN}](?:\\$|[{_LEET_CHARS}]{{1,2}}[{_LATIN}])|\\$[{_LATIN}]")
_LEET_TOKEN = re.compile(f"[{_LATIN}{_LEET_CHARS}26]*[{_LEET_CHARS}][{_LATIN}{_LEET_CHARS}26]*")
_NOT_LEET = re.compile(
    f"[26]|[{_LEET_CHARS}]{{3}}|^(?:[0-9]+(?:h|m|s|d|w|hrs?|mins?|secs?|cm|mm|kg|ft|in)){{2,}}$"
)
_EDGES = re.compile("^[@!\u00a1]+|[@!\u00a1]+$")
_DOLLAR_FIRST = re.compile(f"^\\$(?=[{_LATIN}])")
_DOLLAR_LAST = re.compile(f"(?<=[{_LATIN}])\\${{1,2}}(?=!*$)")
_DIGIT = re.compile("[0-9]")
_ADDRESS = re.compile(r"://|(?<!\w)www\.|(?<=[\w.+-])@[\w-]{1,63}\.\w|\.[a-z]{2,6}/")

_SEPARATORS = "._*|~\u00b7-"
_GAP = f" ?[{_SEPARATORS}] ?| "
_APART = re.compile(
    "(?<![^\\s(\"'\\[{])(?:"
    + "|".join(
        f"{letter}(?P<gap{i}>{_GAP}){letter}(?:(?P=gap{i}){letter})+" for i, letter in enumerate(_LETTERS)
    )
    + ")(?=[.,!?;:)\"'\\]}]*(?:\\s|\\Z))"
)
_APART_HINT = re.compile(f"[ {_SEPARATORS}]{_LETTER}[ {_SEPARATORS}]")
_TYPED = str.maketrans(
    "\u2018\u2019\u02bc\u201a\u201c\u201d\u201e\u2010\u2012\u2013\u2014\u2212", "''''" + '"""' + "-----"
)
_BLANKS = re.compile(r" {2,}")
_OTHER_BLANK = re.compile(r"[^\S ]")
_STRETCHED = re.compile(r"([^\W\d_])\1\1+")
_STRETCHED_ASCII = re.compile(r"([a-z])\1\1")
_NOT_STRETCHED = frozenset(("www", "xxx", "kkk", "iii"))


def unleet(text: str) -> str:
    """*text* (white space as :func:`plain_signs` leaves it) with leet inside words read; same length.

    Prices, ordinals, versions, durations, e-mail and web addresses stay: a token is read as leet only if it
    has more letters than signs and a sign with letters on both sides (or, for ``$``, next to one).
    """
    if _LEET_HINT.search(text) is None:
        return text
    chunks = text.split(" ")
    for at, chunk in enumerate(chunks):
        if _LEET_HINT.search(chunk) is not None and _ADDRESS.search(chunk) is None:
            chunks[at] = _LEET_TOKEN.sub(_unleet_token, chunk)
    return " ".join(chunks)


def _unleet_token(match: re.Match[str]) -> str:
    token = match.group()
    if _NOT_LEET.search(token) is not None:
        return token
    if _INSIDE.search(token) is not None:
        signs = sum(map(token.count, _LEET_CHARS))
        return _unleet_core(token) if 2 * signs < len(token) else token
    if _DIGIT.search(token) is not None:
        return token
    return _DOLLAR_LAST.sub(lambda m: "s" * len(m.group()), _DOLLAR_FIRST.sub("s", token))


def _unleet_core(token: str) -> str:
    """All signs of a token read as letters, but for mentions and exclamation marks at its edges."""
    first, last = 0, len(token)
    for edge in _EDGES.finditer(token):
        first, last = (edge.end(), last) if edge.start() == 0 else (first, edge.start())
    return token[:first] + token[first:last].translate(_LEET) + token[last:]


def plain_signs(text: str) -> str:
    """*text* with every white-space character as a space, and typographic quotes and dashes as typed ones;
    same length."""
    if not text.isascii():
        text = text.translate(_TYPED)
    return text if _OTHER_BLANK.search(text) is None else _OTHER_BLANK.sub(" ", text)


def spelt_apart(text: str) -> list[Range]:
    """Ranges to remove so that three or more single letters set apart in one way join into a word."""
    if _APART_HINT.search(text) is None:
        return []
    removed: list[Range] = []
    for match in _APART.finditer(text):
        width = len(match["gap0"] or match["gap1"] or match["gap2"])
        removed += [(at, at + width) for at in range(match.start() + 1, match.end(), width + 1)]
    return removed


def blank_runs(text: str) -> list[Range]:
    """Ranges to remove so that white space is one space. Between single letters two stay: they tell apart
    words that are themselves spelt apart, and keep this from making new ones."""
    if "  " not in text:
        return []
    removed: list[Range] = []
    for match in _BLANKS.finditer(text):
        start, end = match.span()
        kept = 2 if _single(text, start - 1, -1) and _single(text, end, 1) else 1
        if end - start > kept:
            removed.append((start + kept, end))
    return removed


def _single(text: str, at: int, step: int) -> bool:
    """Whether the character at *at* is a letter by itself (looking outward by *step*) or a separator."""
    if not 0 <= at < len(text):
        return False
    if text[at] in _SEPARATORS:
        return True
    beyond = at + step
    return text[at].isalpha() and not _word(text, beyond)


def stretched(text: str) -> list[Range]:
    """Ranges to remove so that three or more of one letter become two (``www``, ``xxx`` … stay)."""
    if text.isascii() and _STRETCHED_ASCII.search(text) is None:
        return []
    removed: list[Range] = []
    for match in _STRETCHED.finditer(text):
        start, end = match.span()
        if match.group() in _NOT_STRETCHED and not _word(text, start - 1) and not _word(text, end):
            continue
        removed.append((start + 2, end))
    return removed


def _word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_")
