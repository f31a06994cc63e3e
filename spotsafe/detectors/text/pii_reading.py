"""A text as the patterns of personal data read it, with the way back to its own offsets.

Who writes an address with invisible characters in it, in full-width or mathematical letters, or with marks as
characters of their own (as file names on some systems are), has still written it. Every other sign stays as
it is, for a place here must be the place in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e01ef"
)
_MARKS = "\u0300-\u034e\u0350-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
"""Marks of no alphabet of its own; vowel signs of Arabic or Hindi, say, are letters of their words."""

_CLINGING = re.compile(f"[{_INVISIBLE}{_MARKS}]")
_CLUSTER = re.compile(f"(?s:(?P<base>.)(?P<marks>(?:[{_INVISIBLE}]*[{_MARKS}])*)[{_INVISIBLE}]*)")
_MARK = re.compile(f"[{_MARKS}]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")

_SIGNS = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
"""Dashes that stand for a hyphen between digits; their compatibility form, if any, is themselves."""


class Reading(NamedTuple):
    """*text* to search in; *places* gives the range of the original that each of its characters stands for,
    None where the offsets are the same."""

    text: str
    places: Sequence[tuple[int, int]] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A half-open range of *text* as one of the original, with the marks on its last character, and
        without what is invisible behind it: a sign that ends a change of direction stays."""
        if self.places is None or start >= end:
            return start, end
        return self.places[start][0], self.places[end - 1][1]


def reading(text: str) -> Reading:
    """*text* without what cannot be seen, its marks joined to their letters or dropped, and each look-alike
    of an ASCII character (another script's digit, a full-width or mathematical letter, a blank, a dash) as
    that character."""
    if text.isascii():
        return Reading(text, None)
    if _CLINGING.search(text) is None:
        return Reading(_BEYOND_ASCII.sub(_seen, text), None)
    read: list[str] = []
    places: list[tuple[int, int]] = []
    for cluster in _CLUSTER.finditer(text):
        base, marks = cluster.group("base", "marks")
        if _CLINGING.match(base):  # at the start of the text: nothing that it could cling to
            continue
        read.append(_plain(_joined(base, marks)))
        places.append((cluster.start(), cluster.end("marks")))
    return Reading("".join(read), places)


def _seen(match: re.Match[str]) -> str:
    return _plain(match.group())


def _joined(base: str, marks: str) -> str:
    """One character: *base* with those of its *marks* that make another letter with it."""
    for mark in _MARK.findall(marks):
        together = unicodedata.normalize("NFC", base + mark)
        if len(together) == 1:
            base = together
    return base


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """The ASCII character that *char* stands for; itself where it stands for none, or for several."""
    if char < "\x80":
        return char
    value = unicodedata.decimal(char, None)
    if value is not None:
        return str(value)
    same = _SIGNS.get(char) or unicodedata.normalize("NFKC", char)
    return same if len(same) == 1 and same < "\x80" else char
