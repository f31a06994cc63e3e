"""Own sentences: harmful lines and their harmless twins, for what public sets hold too little of.

The files in ``contrast/`` are plain text. ``[slot name]`` starts a list of fillers, ``[en label=1
other=.5]`` starts
lines of that language with those targets; every label that the header does not name is annotated as 0.
``{name}`` in a line is filled from the slot of that name. ``#`` starts a comment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import resources

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.text.rows import Row

SOURCE = "own_contrast"
FILLINGS = 16
"""How many fillings of a template are used, at most."""

HELD_OUT_SHARE = 0.12
"""Share of lines (a template with all its fillings) that only calibration sees."""

TEMPLATE_WEIGHT = 2.0
LINE_WEIGHT = 6.0

_SLOT = re.compile(r"\{(\w+)\}")


def load() -> list[Row]:
    """All own lines, expanded, in the order of their files. Held-out ones serve calibration; no figure that
    is published as measured counts them."""
    folder = resources.files(__package__).joinpath("contrast")
    slots: dict[str, list[str]] = {}
    found: list[Row] = []
    for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".txt")):
        found += parse(folder.joinpath(name).read_text("utf-8"), name, slots)
    return found


def parse(text: str, place: str, slots: dict[str, list[str]]) -> list[Row]:
    """Rows of one file; its slots are added to *slots* (those of earlier files may be used). Raises
    ConfigurationError with *place* and line for a header that cannot be read."""
    blocks: list[tuple[str, Mapping[str, float], list[str]]] = []
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith("["):
            lines.append(line.strip())
            continue
        lines = []
        kind, *rest = line.strip("[] \n").split()
        if kind == "slot":
            slots[rest[0]] = lines
        else:
            blocks.append((kind, _targets(rest, f"{place}:{number}"), lines))
    return [row for block in blocks for row in _expanded(block, slots)]


def _targets(words: list[str], place: str) -> dict[str, float]:
    targets = dict.fromkeys(LABELS, 0.0)
    for word in words:
        label, _, value = word.partition("=")
        if label not in COLUMN or not re.fullmatch(r"\d*\.?\d+", value):
            raise ConfigurationError(f"{place}: {word!r} is not label=target; labels are {', '.join(LABELS)}")
        targets[label] = float(value)
    return targets


def _expanded(
    block: tuple[str, Mapping[str, float], list[str]], slots: Mapping[str, list[str]]
) -> Iterator[Row]:
    language, targets, lines = block
    for line in lines:
        names = _SLOT.findall(line)
        weight = TEMPLATE_WEIGHT if names else LINE_WEIGHT
        held_out = _unit(line) < HELD_OUT_SHARE
        for number in range(min(FILLINGS, max((len(slots[name]) for name in names), default=1))):
            picked = {name: _pick(slots[name], line, number) for name in names}
            yield Row(line.format_map(picked), language, SOURCE, targets, weight, held_out, False)


def _pick(choices: list[str], line: str, number: int) -> str:
    """The *number*-th choice of a fixed shuffle that depends on the line."""
    ordered = sorted(choices, key=lambda choice: _unit(f"{line}\0{choice}"))
    return ordered[number % len(ordered)]


def _unit(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
