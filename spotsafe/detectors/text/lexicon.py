"""Graded lexicon: words and phrases with labels, found in normalised text in one pass.

Each term has languages, labels of the taxonomy and a grade: ``strong`` (hardly ever harmless), ``medium``
(often harmful) or ``weak`` (ordinary words that add up). A hit never carries the matched text. Built by
``spotsafe/learning/text/lexicon_recipe.py``; sources and licences stand in the data file and its notice.
"""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from spotsafe.detectors.text.normalise import Normalised

GRADES = ("weak", "medium", "strong")
WEIGHTS = {"weak": 0.2, "medium": 0.5, "strong": 0.9}
GAP = 24
"""Code points that may stand between the two sides of a gapped phrase."""

_DATA = Path(__file__).with_name("lexicon_data.json.gz")
# Scripts written without spaces: their terms need no word boundary (katakana words do, among katakana).
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]+")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_ACCENTED = re.compile("[\u00e0-\u00f6\u00f8-\u017f]")
_BARE = {
    code: unicodedata.normalize("NFD", chr(code))[0]
    for code in range(0xE0, 0x180)
    if len(unicodedata.normalize("NFD", chr(code))) > 1
} | {0x131: "i", 0xF8: "o", 0x142: "l"}
_ANYWHERE = frozenset("*")
# English words that count in texts of other languages: the long ones and these, but for look-alikes there.
_LOANS = frozenset(("fuck", "shit", "cunt", "kike", "fags", "wtf", "stfu", "kys"))
_NO_LOANS = frozenset(("retard", "retards", "negro", "negros"))


class Hit(NamedTuple):
    """One label seen in the text: half-open offsets in the *original*, grade, its weight in [0, 1], and
    the languages of the term (``*``: any)."""

    label: str
    grade: str
    weight: float
    start: int
    end: int
    languages: frozenset[str]


class _Term(NamedTuple):
    """What the automaton's pattern stands for. *left*/*right*: whether a word boundary is needed there.
    *first* and *second* are the gapped phrases whose sides it is."""

    languages: frozenset[str]
    labels: tuple[tuple[str, str], ...]
    left: bool
    right: bool
    katakana: bool
    benign: bool
    ambiguous: bool
    abroad: bool
    first: tuple[int, ...]
    second: tuple[int, ...]


class _Match(NamedTuple):
    label: str
    grade: int
    start: int
    end: int
    languages: frozenset[str]
    ambiguous: bool
    abroad: bool


class Lexicon:
    """Terms compiled into one automaton. Immutable; one instance serves all threads."""

    __slots__ = ("_automaton", "_gapped", "_terms", "features")

    def __init__(self, data: dict[str, list[list[object]]]) -> None:
        """*data*: ``terms`` as [text, languages, flags, {label: grade}], ``gapped`` as [languages,
        {label: grade}], flags being words of ``stem benign first:N second:N``."""
        from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

        self._terms = [_term(row) for row in data["terms"]]
        self._gapped = [(_languages(row[0]), _labels(row[1])) for row in data["gapped"]]
        self._automaton = AhoCorasick(
            [str(row[0]) for row in data["terms"]],
            matchkind=MatchKind.Standard,
            implementation=Implementation.ContiguousNFA,
        )
        pairs = {pair for term in self._terms for pair in term.labels} | {
            p for _, ls in self._gapped for p in ls
        }
        self.features: tuple[tuple[str, str], ...] = tuple(sorted(pairs))
        """(label, grade) in the order in which :meth:`count` counts them."""

    def __len__(self) -> int:
        return len(self._terms)

    def __repr__(self) -> str:
        return f"<Lexicon {len(self._terms)} terms>"

    def find(self, normalised: Normalised, languages: Collection[str] = ()) -> list[Hit]:
        """What the text contains, by start. Of hits of one label inside one another the longest stays.

        *languages*: codes the text may be in. Terms of other languages are then left out, save strong
        English ones; without languages, short terms of one Latin-script language only are left out.
        """
        spoken = frozenset(languages)
        matches = _outermost(m for m in self._matches(normalised, spoken) if _counts(m, spoken))
        return [
            Hit(
                m.label,
                GRADES[m.grade],
                WEIGHTS[GRADES[m.grade]],
                *normalised.span(m.start, m.end),
                m.languages,
            )
            for m in matches
        ]

    def count(self, hits: Iterable[Hit]) -> list[int]:
        """How often each of :attr:`features` was hit."""
        places = {pair: at for at, pair in enumerate(self.features)}
        counts = [0] * len(places)
        for hit in hits:
            counts[places[hit.label, hit.grade]] += 1
        return counts

    def _matches(self, normalised: Normalised, languages: frozenset[str]) -> Iterator[_Match]:
        """Matches in the view, in it with stretched letters single, and (English) in it without accents."""
        text = normalised.text
        yield from self._search(text)
        for cut in _squeezed(text, normalised.stretched):
            yield from self._search_without(text, cut)
        english = not languages or "en" in languages
        if english and not text.isascii() and _ACCENTED.search(text) is not None:
            bare = text.translate(_BARE)
            for match in self._search(bare):
                changed = text[match.start : match.end] != bare[match.start : match.end]
                if changed and match.grade > 0 and "en" in match.languages:
                    yield match

    def _search_without(self, text: str, cut: frozenset[int]) -> Iterator[_Match]:
        """Matches that exist only once the positions *cut* are taken out of *text*."""
        kept = [at for at in range(len(text)) if at not in cut]
        removed = sorted(cut)
        for match in self._search("".join([text[at] for at in kept])):
            start, end = kept[match.start], kept[match.end - 1] + 1
            if end in cut:
                end += 1
            if bisect_left(removed, end) > bisect_left(removed, start):
                yield match._replace(start=start, end=end)

    def _search(self, text: str) -> Iterator[_Match]:
        found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        if not found:
            return
        kept = [(self._terms[at], start, end) for at, start, end in found]
        kept = [entry for entry in kept if _bounded(text, *entry)]
        benign = [(start, end) for term, start, end in kept if term.benign]
        seconds: list[tuple[int, int, int]] = []
        firsts: dict[int, list[tuple[int, int]]] = {}
        for term, start, end in kept:
            for gapped in term.first:
                firsts.setdefault(gapped, []).append((end, start))
            seconds += [(gapped, start, end) for gapped in term.second]
            if term.labels and not _inside(start, end, benign):
                for label, grade in term.labels:
                    yield _Match(
                        label, GRADES.index(grade), start, end, term.languages, term.ambiguous, term.abroad
                    )
        for gapped, start, end in seconds:
            begin = _last_before(firsts.get(gapped, ()), start)
            if begin is not None:
                languages, labels = self._gapped[gapped]
                for label, grade in labels:
                    yield _Match(label, GRADES.index(grade), begin, end, languages, False, True)


def load(path: Path = _DATA) -> Lexicon:
    """The shipped lexicon (some ten milliseconds; the caller keeps it). Raises OSError if it is not there."""
    return Lexicon(json.loads(gzip.decompress(path.read_bytes())))


def _languages(value: object) -> frozenset[str]:
    return frozenset(str(value).split(","))


def _labels(value: object) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(value.items())) if isinstance(value, dict) else ()


def _term(row: Sequence[object]) -> _Term:
    text, flags = str(row[0]), str(row[2]).split()
    languages = _languages(row[1])
    katakana = _KATAKANA.fullmatch(text) is not None
    unspaced = _UNSPACED.search(text) is not None and not katakana
    free_end = unspaced or "stem" in flags or _HANGUL.match(text[-1]) is not None
    return _Term(
        languages=languages,
        labels=_labels(row[3]),
        left=not unspaced and _is_word(text[0]),
        right=not free_end and _is_word(text[-1]),
        katakana=katakana,
        benign="benign" in flags,
        ambiguous=len(text) <= 4
        and text[0] < "\u0370"
        and languages.isdisjoint(("en", "*"))
        and "stem" not in flags,
        abroad="en" in languages and text not in _NO_LOANS and (len(text) > 4 or text in _LOANS),
        first=tuple(int(flag[6:]) for flag in flags if flag.startswith("first:")),
        second=tuple(int(flag[7:]) for flag in flags if flag.startswith("second:")),
    )


def _is_word(char: str) -> bool:
    """A letter, digit or a mark of a spaced script; the underscore is none (``so_bad``)."""
    return char.isalnum() or (char > "\u02ff" and unicodedata.category(char)[0] == "M")


def _bounded(text: str, term: _Term, start: int, end: int) -> bool:
    """Whether the match is a word (or begins one, for stems) where its script has words."""
    if term.katakana:
        around = text[start - 1 : start] + text[end : end + 1]
        return _KATAKANA.search(around) is None
    if term.left and start and _is_word(text[start - 1]) and _UNSPACED.match(text[start - 1]) is None:
        return False
    return not (term.right and end < len(text) and _is_word(text[end]) and _UNSPACED.match(text[end]) is None)


def _inside(start: int, end: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether a longer one of *ranges* (sorted by end) holds [start, end)."""
    at = bisect_left(ranges, end, key=lambda held: held[1])
    for low, high in ranges[at : at + 8]:
        if low <= start and end <= high and (low, high) != (start, end):
            return True
    return False


def _counts(match: _Match, languages: frozenset[str]) -> bool:
    """Whether a match counts in a text of *languages* (empty: not known)."""
    if not languages:
        return not match.ambiguous
    if match.languages == _ANYWHERE or not match.languages.isdisjoint(languages):
        return True
    return match.abroad and match.grade == 2


def _last_before(firsts: Sequence[tuple[int, int]], start: int) -> int | None:
    """Start of the last first side (sorted by end) that ends at most GAP before *start*."""
    at = bisect_left(firsts, (start, start + 1)) - 1
    if at < 0 or start - firsts[at][0] > GAP:
        return None
    return firsts[at][1]


def _squeezed(text: str, stretched: tuple[int, ...]) -> list[frozenset[int]]:
    """Which doubled letters to try as single: all of them, and those that end a word."""
    if not stretched:
        return []
    every = frozenset(stretched)
    ending = frozenset(at for at in stretched if at + 1 >= len(text) or not text[at + 1].isalpha())
    return [every] if ending in (every, frozenset()) else [every, ending]


def _outermost(matches: Iterable[_Match]) -> list[_Match]:
    """By start; of one label's matches inside one another the longest, at the best grade among them."""
    ordered = sorted(matches, key=lambda m: (m.label, m.start, -m.end, -m.grade))
    kept: list[_Match] = []
    for match in ordered:
        last = kept[-1] if kept else None
        if last is not None and last.label == match.label and match.end <= last.end:
            if match.grade > last.grade:
                kept[-1] = last._replace(grade=match.grade)
        else:
            kept.append(match)
    return sorted(kept, key=lambda m: (m.start, m.end, m.label))
