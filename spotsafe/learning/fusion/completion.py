"""The grammar of completions: halves that are harmless alone, and harmful or harmless together."""

from __future__ import annotations

import re
from importlib import resources
from typing import NamedTuple

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text.labels import COLUMN

FILE = "completion.txt"

KINDS = ("harm", "twin", "end", "mild")

_HEADER = re.compile(r"\[(\w+)((?: [\w.]+)+)\]")


class Group(NamedTuple):
    """Beginnings and ends for the same *labels*: a *harm* with an *end* is harmful, a *twin* with an *end*
    and a *harm* with a *mild* end are not."""

    name: str
    labels: tuple[str, ...]
    harm: tuple[str, ...]
    twin: tuple[str, ...]
    end: tuple[str, ...]
    mild: tuple[str, ...]


def load() -> tuple[Group, ...]:
    """The shipped groups."""
    return parse(resources.files(__package__).joinpath(FILE).read_text("utf-8"), FILE)


def parse(text: str, place: str) -> tuple[Group, ...]:
    """Groups in order. Raises ConfigurationError naming *place* and line for what is no group, no label, or
    has a kind of half too few."""
    found: list[tuple[int, str, tuple[str, ...], dict[str, list[str]]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        header = _HEADER.fullmatch(line.strip())
        if header:
            labels = tuple(header[2].split())
            if unknown := [label for label in labels if label not in COLUMN]:
                raise ConfigurationError(
                    f"{place}:{number}: no label {unknown[0]!r}; there are {', '.join(COLUMN)}"
                )
            found.append((number, header[1], labels, {kind: [] for kind in KINDS}))
            continue
        kind, _, half = (part.strip() for part in line.partition(":"))
        if not found or kind not in KINDS or not half:
            raise ConfigurationError(
                f"{place}:{number}: neither '[name label …]' nor one of {', '.join(KINDS)} with ': words'"
            )
        found[-1][3][kind].append(half)
    for number, name, _, halves in found:
        if lacking := [kind for kind in KINDS if not halves[kind]]:
            raise ConfigurationError(f"{place}:{number}: the group {name} has no line '{lacking[0]}: …'")
    return tuple(
        Group(name, labels, *(tuple(halves[kind]) for kind in KINDS)) for _, name, labels, halves in found
    )
