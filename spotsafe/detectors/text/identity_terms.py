"""Neutral names of groups in English, in normalised text, which has no capitals. Slurs are none of them."""

from __future__ import annotations

from typing import NamedTuple


class Group(NamedTuple):
    """A group's names: *adjective* (also before a noun), *one* and *many* of its members."""

    adjective: str
    one: str
    many: str


def _nouns(names: str) -> tuple[Group, ...]:
    """Groups whose adjective is a noun too, with a regular plural."""
    return tuple(Group(name, name, f"{name}s") for name in names.split(", "))


def _adjectives(names: str) -> tuple[Group, ...]:
    """Groups whose name stands before a noun."""
    return tuple(Group(name, f"{name} person", f"{name} people") for name in names.split(", "))


_RELIGION = (
    *_nouns("christian, muslim, hindu, buddhist, catholic, protestant, sikh, taoist, mormon, atheist"),
    *_nouns("evangelical"),
    Group("jewish", "jew", "jews"),
    *_adjectives("islamic"),
)
_ORIENTATION_AND_GENDER = (
    *_nouns("lesbian, bisexual, homosexual, heterosexual, transsexual, asexual, pansexual"),
    *_adjectives("transgender, trans, cisgender, cis, nonbinary, non-binary, intersex, genderqueer"),
    *_adjectives("lgbt, lgbtq"),
    Group("gay", "gay man", "gays"),
    Group("queer", "queer person", "queers"),
)
_ORIGIN = (
    *_nouns("asian, latino, latina, hispanic, arab, african, african american, african-american, american"),
    *_nouns("native american, european, mexican, canadian, indian, korean, filipino, pakistani, iranian"),
    *_nouns("iraqi, syrian, afghan, palestinian, israeli, moroccan, algerian, somali, nigerian, ethiopian"),
    *_nouns("russian, german, italian, romanian, albanian, greek, cuban, brazilian, colombian"),
    *_adjectives("black, white, latinx, middle eastern, chinese, japanese, vietnamese, portuguese"),
    Group("turkish", "turk", "turks"),
    Group("kurdish", "kurd", "kurds"),
)
_AGE = (
    *_adjectives("elderly, middle-aged, middle aged, young, younger, older"),
    *_nouns("millennial, adolescent, pensioner"),
    Group("teenage", "teenager", "teenagers"),
)
_DISABILITY = _adjectives("blind, deaf, disabled, autistic, paralyzed, handicapped, dyslexic, epileptic")

GROUPS: dict[str, Group] = {
    group.adjective: group for group in (*_RELIGION, *_ORIENTATION_AND_GENDER, *_ORIGIN, *_AGE, *_DISABILITY)
}
"""Groups by adjective. Women and men are none: every other text names them, and what is hostile to women has
its own label, which is about who is named. Words that mostly mean something else (straight, polish) name
nobody."""

ALIASES: dict[str, tuple[str, int]] = {
    "blacks": ("black", 2),
    "whites": ("white", 2),
    "millenial": ("millennial", 0),
    "paralysed": ("paralyzed", 0),
}
"""Other words → adjective of the group and form (index into a :class:`Group`)."""

PANEL: tuple[Group, ...] = tuple(
    GROUPS[name] for name in ("christian", "muslim", "lesbian", "transgender", "black")
)
"""Those whose names stand in for any other: groups that are often named, with friendliness and with hate.
Chosen for an even false-positive rate on templates, at no loss of AUPRC on hateful texts."""
