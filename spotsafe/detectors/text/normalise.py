"""Text as matching sees it: disguises undone, with offsets back into the original.

:func:`normalise` undoes compatibility forms, invisible characters, stacked marks, look-alike letters, leet,
letters spelt apart and stretched letters, and folds case. It is for matching only, never for display.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from functools import lru_cache

from spotsafe.detectors.text.confusables import PHONETIC, fold_lookalikes
from spotsafe.detectors.text.confusables_data import EXTENDERS
from spotsafe.detectors.text.disguises import (
    Range,
    blank_runs,
    plain_signs,
    spelt_apart,
    stretched,
    unleet,
)

# What makes a non-ASCII text need the slow path even when it is in NFKC: marks that are not part of an
# alphabet, format characters, fillers, controls, surrogates, phonetic signs, negative squared letters.
_STRIPPED_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_VARIATION = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_FILLERS = "\u00ad\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b-\u180f"
_FORMAT = (
    "\u0600-\u0605\u061c\u0640\u06dd\u070f\u08e2\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_NEGATIVE = "\U0001f150-\U0001f169\U0001f170-\U0001f189"
_SURROGATES = "\ud800-\udfff"
_DROPPED = re.compile(f"[{_STRIPPED_MARKS}{_VARIATION}{_CONTROLS}{_FILLERS}{_FORMAT}]")
_ODD = re.compile(
    f"[{_STRIPPED_MARKS}{_VARIATION}{_CONTROLS}{_FILLERS}{_FORMAT}{_NEGATIVE}{_SURROGATES}"
    f"{''.join(PHONETIC)}{''.join(PHONETIC).upper()}\u2028\u2029\x85]"
)
_ODD_ASCII = re.compile("[\x00-\x08\x0e-\x1f\x7f]")

# A run of ASCII or of other plain characters, or one character with all that clings to it.
_CLUSTER = re.compile(
    f"(?P<ascii>[ -~\t\n\r]+(?![{EXTENDERS}]))"
    f"|(?P<plain>[^\x00-\x7f{_SURROGATES}{EXTENDERS}]+(?![{EXTENDERS}]))|(?s:[^{EXTENDERS}]?[{EXTENDERS}]+|.)"
)
_EXTENDER = re.compile(f"[{EXTENDERS}]")
_MARKS = re.compile("[\u0300-\u036f]")
_TAGS = re.compile("[\U000e0020-\U000e007e]")
_BLACK_FLAG = "\U0001f3f4"
_CACHED_CLUSTER = 8


class Normalised:
    """What :func:`normalise` gives: ``text`` for matching, and the way back to the original's offsets.

    ``stretched`` holds where in ``text`` a run of three or more letters was cut to two (index of the
    second one): a matcher may try such a pair as one letter.
    """

    __slots__ = ("_length", "_starts", "stretched", "text")

    def __init__(
        self, text: str, *, length: int, starts: array[int] | None = None, stretched: tuple[int, ...] = ()
    ) -> None:
        self.text = text
        self.stretched = stretched
        self._length = length
        self._starts = starts

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Half-open offsets in ``text`` → half-open offsets in code points of the original.

        Monotone in both; a non-empty range maps to one that covers all of what it was made of. Offsets
        outside the text are clamped.
        """
        start = min(max(start, 0), len(self.text))
        end = min(max(end, start), len(self.text))
        if self._starts is None:
            return start, end
        starts = self._starts
        first = starts[start]
        if end == start:
            return first, first
        last = starts[end - 1]
        while starts[end] == last and end < len(self.text):  # one character may have become several
            end += 1
        return first, max(starts[end], last)

    def __repr__(self) -> str:
        return f"<Normalised {self._length} -> {len(self.text)} code points>"


def normalise(text: str) -> Normalised:
    """*text* as matching sees it. Linear in its length; accepts any string, lone surrogates included.

    Normalising the result's ``text`` again changes nothing.
    """
    folded, starts = _folded(text)
    folded = unleet(plain_signs(folded))
    for find in (spelt_apart, blank_runs):
        removed = find(folded)
        if removed:
            folded, starts = _without(folded, starts, removed, len(text))
    removed = stretched(folded)
    doubled: tuple[int, ...] = ()
    if removed:
        doubled = _positions(removed)
        folded, starts = _without(folded, starts, removed, len(text))
    return Normalised(folded, length=len(text), starts=starts, stretched=doubled)


def _folded(text: str) -> tuple[str, array[int] | None]:
    """Compatibility forms, invisible characters, marks, look-alikes and case undone, with starts
    (None: nothing moved)."""
    if text.isascii():
        if _ODD_ASCII.search(text) is None:
            return text.lower(), None
    elif _ODD.search(text) is None and unicodedata.is_normalized("NFKC", text):
        folded = fold_lookalikes(text).lower()
        if len(folded) == len(text) and unicodedata.is_normalized("NFKC", folded):
            return folded, None
    folded, starts = _folded_by_cluster(text)
    return fold_lookalikes(folded), starts


def _folded_by_cluster(text: str) -> tuple[str, array[int]]:
    pieces: list[str] = []
    starts = array("I")
    at = 0
    for match in _CLUSTER.finditer(text):
        cluster = match.group()
        run = match.lastgroup is not None
        folded = _fold_run(cluster) if run else None
        if folded is not None:
            starts.extend(range(at, at + len(cluster)))
            pieces.append(folded)
            at += len(cluster)
            continue
        for part in cluster if run else (cluster,):
            folded = _fold_cluster(part) if len(part) <= _CACHED_CLUSTER else _fold_uncached(part)
            pieces.append(folded)
            starts.extend([at] * len(folded))
            at += len(part)
    starts.append(at)
    return "".join(pieces), starts


def _fold_run(run: str) -> str | None:
    """A run of characters to which nothing clings, folded one to one; None where that is not possible.

    No two of them compose, so the same length means that each became one character.
    """
    if run.isascii():
        return run.lower()
    folded = _nfkc(_nfkc(run).lower()).translate(_SINGLE_CODES)
    return folded if len(folded) == len(run) and _EXTENDER.search(folded) is None else None


def _fold_uncached(cluster: str) -> str:
    """One character and what clings to it, folded until nothing changes (three rounds do)."""
    for _ in range(4):
        folded = _fold_once(cluster)
        if folded == cluster:
            break
        cluster = folded
    return cluster


_fold_cluster = lru_cache(maxsize=4096)(_fold_uncached)


def _fold_once(cluster: str) -> str:
    hidden = "" if cluster.startswith(_BLACK_FLAG) else _hidden_ascii(cluster)
    joiners = _keeps_joiners(cluster[:1])
    text = _nfkc("".join([char for char in cluster if _stays(char, joiners)]))
    if len(cluster) > 3:
        bare = unicodedata.normalize("NFD", text)
        if len(_MARKS.findall(bare)) > 2:
            text = unicodedata.normalize("NFC", _MARKS.sub("", bare))
    text = _nfkc(_MARKS.sub("", text).lower())
    return "".join([_SINGLE.get(c, c) if not "\ud800" <= c <= "\udfff" else "\ufffd" for c in text]) + hidden


def _stays(char: str, joiners: bool) -> bool:
    """Whether *char* takes part in composition: not invisible, or a mark, or a joiner with a meaning."""
    return (
        _DROPPED.match(char) is None or _MARKS.match(char) is not None or (joiners and char in "\u200c\u200d")
    )


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


# Letters on dark squares and circles, which NFKC leaves alone; line separators.
_SINGLE: dict[str, str] = PHONETIC | {"\u2028": "\n", "\u2029": "\n", "\x85": "\n"}
for _first in (0x1F150, 0x1F170):
    for _offset in range(26):
        _SINGLE[chr(_first + _offset)] = chr(ord("a") + _offset)
_SINGLE_CODES = {ord(char): letter for char, letter in _SINGLE.items()}


def _keeps_joiners(base: str) -> bool:
    """Whether joiners mean something after *base*: Arabic to Mongolian scripts, and emoji."""
    pictures = "\u2190" <= base <= "\u2bff" or "\U0001f000" <= base <= "\U0001faff"
    return pictures or "\u0590" <= base <= "\u1cff"


def _hidden_ascii(cluster: str) -> str:
    """Text smuggled in as invisible tag characters, as the ASCII that it encodes."""
    return "".join([chr(ord(tag) - 0xE0000) for tag in _TAGS.findall(cluster)]).lower()


def _without(
    text: str, starts: array[int] | None, removed: list[Range], length: int
) -> tuple[str, array[int]]:
    """*text* and its starts with the ranges *removed* taken out."""
    pieces: list[str] = []
    kept = array("I")
    at = 0
    for start, end in (*removed, (len(text), len(text))):
        pieces.append(text[at:start])
        kept.extend(range(at, start) if starts is None else starts[at:start])
        at = end
    kept.append(length)
    return "".join(pieces), kept


def _positions(removed: list[Range]) -> tuple[int, ...]:
    """Where, in the text without *removed*, the second letter of each shortened run stands."""
    gone = 0
    found = []
    for start, end in removed:
        found.append(start - 1 - gone)
        gone += end - start
    return tuple(found)
