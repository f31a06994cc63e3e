"""Cases: compositions as the senses have them, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from spotsafe.core.errors import ConfigurationError

FILE = "sensed.jsonl"

SENSES = ("typed", "read", "spoken")


class Case(NamedTuple):
    """One content. *recipe*, *family*, *group* and *truth* as in
    :class:`~spotsafe.learning.fusion.compositions.Composition`; *medium*: ``picture``, ``sound`` or ``film``;
    *words*: sense → its words, for the senses that have some; *music*: share of the sound that is music.
    *drawn* in [0, 1]: its place in the order, mixed by hash, in which cases were made."""

    recipe: str
    family: str
    medium: str
    group: str
    truth: Mapping[str, int]
    words: Mapping[str, str]
    music: float = 0.0
    drawn: float = 1.0

    def __repr__(self) -> str:
        return f"<Case {self.recipe}, {self.medium}, {', '.join(self.words)}>"


def write(path: Path, found: Iterable[Case]) -> None:
    """One line per case."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines(found))


def lines(found: Iterable[Case]) -> Iterator[str]:
    """Each case as JSON in one line, in ASCII."""
    for one in found:
        yield json.dumps(one._asdict(), sort_keys=True)


def read(path: Path) -> list[Case]:
    """The cases of a file, or of ``sensed.jsonl`` in a folder. Raises ConfigurationError naming file and
    line."""
    place = path / FILE if path.is_dir() else path
    try:
        text = place.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{place}: cannot be read ({type(error).__name__}); `python -m tests.experiments.fusion_sense` "
            "in a checkout makes one"
        ) from None
    return [
        parsed(line, f"{place}:{number}") for number, line in enumerate(text.split("\n"), 1) if line.strip()
    ]


def parsed(line: str, place: str) -> Case:
    """The case of one line. Raises ConfigurationError naming *place*, and nothing of the line."""
    try:
        entry = json.loads(line)
        found = Case(
            str(entry["recipe"]),
            str(entry["family"]),
            str(entry["medium"]),
            str(entry["group"]),
            {str(label): int(value) for label, value in entry["truth"].items()},
            {str(sense): str(text) for sense, text in entry["words"].items()},
            float(entry.get("music", 0.0)),
            float(entry.get("drawn", 1.0)),
        )
        if not set(found.words) <= set(SENSES) or not set(found.truth.values()) <= {0, 1}:
            raise ValueError("senses or truth")
    except (ValueError, KeyError, TypeError, AttributeError):
        # What stands there is content: the message names the place alone.
        raise ConfigurationError(
            f"{place}: no case; it needs recipe, family, medium, group, truth {{label: 0 or 1}} and words "
            f"{{{', '.join(SENSES)}}}"
        ) from None
    return found
