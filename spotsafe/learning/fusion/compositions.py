"""Compositions: annotated rows put into several senses, with their truth known by construction.

A recipe decides what is typed, what a picture shows, what a recording says, and whether it says so over
music. Media are made from it, and read and heard again, elsewhere: here are words alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from spotsafe.detectors.text.labels import LABELS
from spotsafe.learning.fusion.completion import Group
from spotsafe.learning.text.rows import Row

SURE, SURELY_NOT = 0.6, 0.2
"""A target from the first on counts as harmful, up to the second as harmless; between them a row has no truth
for that label."""

SHORTEST, LONGEST = 25, 220
"""Code points of a row that is put into a picture or said; three to twenty seconds of speech."""

FEWEST_WORDS = 6
"""Words of a row that is cut in two."""

QUOTED_ANSWERS = ("violence.threat", "violence.incitement", "harass.bullying", "harass.targeted")
"""Labels for which the line of a song, quoted as its title, is no longer what it says."""

TITLES = ('"{}"', "“{}”", "♪ {} ♪", "'{}' (live)", "{}", "{} (official video)", "New song: {}")


class Composition(NamedTuple):
    """What is to be made: the words *typed*, *shown* in a picture and *said* in a recording (empty: no such
    part), the recording over *music* or not. *truth*: label → 0 or 1, a label that is absent is not known.
    *group*: what it was made of; compositions that share it never fall on two sides of a cut. *family*: which
    sets it comes from."""

    recipe: str
    family: str
    group: str
    truth: Mapping[str, int]
    typed: str = ""
    shown: str = ""
    said: str = ""
    music: bool = False

    def __repr__(self) -> str:
        return (
            f"<Composition {self.recipe} of {self.family}, {len(self.typed + self.shown + self.said)} chars>"
        )

    @property
    def medium(self) -> str:
        """``picture``, ``sound`` or ``film``: where what was not typed is."""
        if self.shown and self.said:
            return "film"
        return "sound" if self.said else "picture"


def truth(row: Row) -> dict[str, int]:
    """What is known of a row: harmless rows are harmless for every label, others by their targets."""
    if row.benign:
        return dict.fromkeys(LABELS, 0)
    sure = {label: value for label, value in row.targets.items() if value >= SURE or value <= SURELY_NOT}
    return {label: int(value >= SURE) for label, value in sure.items()}


def fitting(row: Row) -> bool:
    """Whether a row can be shown and said: English, not fitted on, of fitting length, mostly plain letters,
    no addresses."""
    text = row.text
    plain = sum(one.isascii() and (one.isalpha() or one in " ,.!?'") for one in text)
    return (
        row.held_out
        and row.language == "en"
        and SHORTEST <= len(text) <= LONGEST
        and plain >= 0.9 * len(text)
        and "http" not in text
        and len(text.split()) >= FEWEST_WORDS
    )


def ordered(rows: Sequence[Row]) -> list[Row]:
    """*rows* in an order that depends on nothing but their texts."""
    return sorted(rows, key=lambda row: digest(row.text))


def chosen(rows: Sequence[Row], each: int) -> list[Row]:
    """For every label up to *each* harmful and *each* harmless rows, in turn over their sets, without
    repeats."""
    found: dict[str, Row] = {}
    for label in LABELS:
        for wanted in (1, 0):
            having = [row for row in rows if not row.benign and truth(row).get(label) == wanted]
            for row in _in_turn(having)[:each]:
                found[digest(row.text)] = row
    return [found[key] for key in sorted(found)]


def split(row: Row, family: str, medium: str) -> Composition:
    """The row cut near its middle. *medium* ``picture`` or ``sound``: one half is typed; ``film``: one half
    is shown and the other said. Which half is where depends on the row."""
    words = row.text.split()
    middle = len(words) // 2 + int(digest(row.text)[0], 16) % 3 - 1
    first, last = " ".join(words[:middle]), " ".join(words[middle:])
    return _placed("split", family, row, (first, last), medium)


def whole(row: Row, beside: Row, family: str, medium: str, sense: str) -> Composition:
    """The row in *sense* (``typed``, ``read``, ``spoken``), the harmless row *beside* in the other of
    *medium*."""
    place = {"typed": "typed", "read": "shown", "spoken": "said"}[sense]
    other = next(one for one in _SENSES[medium] if one != place)
    words = {place: row.text, other: beside.text}
    return _made(f"whole-{sense}", family, row, words)


def pair(one: Row, other: Row, family: str, medium: str) -> Composition:
    """Two harmless rows that have nothing to do with each other."""
    return _placed("benign-pairs", family, one, (one.text, other.text), medium)


def completed(group: Group, medium: str, most: int) -> list[Composition]:
    """Up to *most* harmful combinations of *group* and twice as many of their harmless twins."""
    found: list[Composition] = []
    combinations = (
        (1, [(a, b) for a in group.harm for b in group.end]),
        (0, [(a, b) for a in group.twin for b in group.end]),
        (0, [(a, b) for a in group.harm for b in group.mild]),
    )
    for harmful, halves in combinations:
        known = dict.fromkeys(group.labels, harmful) if harmful else dict.fromkeys(LABELS, 0)
        for a, b in sorted(halves, key=lambda both: digest(" ".join(both)))[:most]:
            row = Row(f"{a} {b}", "en", "completion", {}, 1.0, True, False)
            made = _placed("completion", "own", row, (a, b), medium)
            found.append(made._replace(group=f"{group.name}/{digest(a)}", truth=known))
    return found


def lyrics(row: Row, beside: Row, family: str) -> list[Composition]:
    """A line that is a title: sung about (said over music: no threat, whatever it says); said without music,
    and beside unrelated talk with and without music (the title is what it says)."""
    known = truth(row)
    quoted = {label: 0 if label in QUOTED_ANSWERS else value for label, value in known.items()}
    title = TITLES[int(digest(row.text)[:4], 16) % len(TITLES)].format(row.text.strip(" \"'"))
    group = digest(row.text)
    return [
        Composition("lyric", family, group, quoted, typed=title, said=row.text, music=True),
        Composition("lyric-said", family, group, known, typed=title, said=row.text),
        Composition("lyric-unrelated", family, group, known, typed=title, said=beside.text, music=True),
        Composition("lyric-talk", family, group, known, typed=title, said=beside.text),
    ]


def digest(text: str) -> str:
    """Of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


_SENSES = {"picture": ("typed", "shown"), "sound": ("typed", "said"), "film": ("shown", "said")}


def _placed(recipe: str, family: str, row: Row, halves: tuple[str, str], medium: str) -> Composition:
    """*halves* in the two senses of *medium*, in either order."""
    one, other = _SENSES[medium]
    if int(digest(row.text)[1], 16) % 2:
        one, other = other, one
    return _made(recipe, family, row, {one: halves[0], other: halves[1]})


def _made(recipe: str, family: str, row: Row, words: Mapping[str, str]) -> Composition:
    """*words*: ``typed``, ``shown``, ``said`` → what stands there."""
    typed, shown, said = (words.get(name, "") for name in ("typed", "shown", "said"))
    return Composition(recipe, family, digest(row.text), truth(row), typed, shown, said)


def _in_turn(rows: Sequence[Row]) -> list[Row]:
    """*rows* so that their sets take turns."""
    columns: dict[str, list[Row]] = {}
    for row in rows:
        columns.setdefault(row.source, []).append(row)
    most = max((len(column) for column in columns.values()), default=0)
    turns: Iterator[Iterator[Row]] = (
        (column[index] for _, column in sorted(columns.items()) if index < len(column))
        for index in range(most)
    )
    return list(chain.from_iterable(turns))
