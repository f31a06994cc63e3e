"""The registry of data that the shipped text models may be trained on.

``sources.json`` holds, for each set: file, SHA-256, origin, revision, licence and its class, the mapping of
its labels to our taxonomy, how many rows are used and with which weight. A set that is not in it, whose
licence class does not allow training, or whose bytes differ, is refused.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text.labels import COLUMN

ALLOWED = ("permissive", "share-alike")
"""A licence class must begin with one of these words."""


class Source(NamedTuple):
    """One set of labelled texts.

    *labels*: its label keys → our codes; *categories*: a row's category → targets, for sets that have
    categories rather than labels; *constant*: targets of every row; *benign*: rows without labels count as
    weak negatives; *cap*: most rows used (0: all); *held_out*: share of rows kept for measuring, where the
    set's own split is not used; *toxic_zero_unknown*: codes whose 0 on a row that is toxic means "offensive,
    not sure whether that" and counts as not annotated; *left_out*: the group with which the set is left out
    whole for measuring (0: never).
    """

    name: str
    file: str
    sha256: str
    origin: str
    revision: str
    licence: str
    licence_class: str
    weight: float
    labels: Mapping[str, tuple[str, ...]]
    categories: Mapping[str, Mapping[str, float]]
    constant: Mapping[str, float]
    benign: bool
    cap: int
    held_out: float | None
    toxic_zero_unknown: tuple[str, ...]
    left_out: int


def shipped_registry() -> tuple[Source, ...]:
    """The registry that comes with the package."""
    return parse_registry(resources.files(__package__).joinpath("sources.json").read_text("utf-8"))


def read_registry(path: Path) -> tuple[Source, ...]:
    """A registry of one's own, in the same format. Raises ConfigurationError."""
    try:
        return parse_registry(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); give a registry file") from None


def parse_registry(text: str, place: str = "sources.json") -> tuple[Source, ...]:
    """Sources sorted by name. Raises ConfigurationError naming *place*, the set and the remedy."""
    try:
        entries = json.loads(text)["sources"]
        found = tuple(_source(name, entries[name]) for name in sorted(entries))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{place}: not a registry of sources ({type(error).__name__}: {error}); see sources.json for "
            f"the shape"
        ) from None
    for source in found:
        _refuse_unfit(source, place)
    return found


def _source(name: str, entry: Mapping[str, Any]) -> Source:
    return Source(
        name=name,
        **{
            key: str(entry[key])
            for key in ("file", "sha256", "origin", "revision", "licence", "licence_class")
        },
        weight=float(entry["weight"]),
        labels={key: tuple(codes) for key, codes in entry["labels"].items()},
        categories=entry.get("categories", {}),
        constant=entry.get("constant", {}),
        benign=bool(entry.get("benign", False)),
        cap=int(entry.get("cap", 0)),
        held_out=entry.get("held_out"),
        toxic_zero_unknown=tuple(entry.get("toxic_zero_unknown", ())),
        left_out=int(entry.get("left_out", 0)),
    )


def _refuse_unfit(source: Source, place: str) -> None:
    if not source.licence_class.startswith(ALLOWED):
        raise ConfigurationError(
            f"{place}: {source.name}: licence class {source.licence_class!r} does not allow training; "
            f"remove the set"
        )
    used = {code for codes in source.labels.values() for code in codes} | source.constant.keys()
    used |= {code for targets in source.categories.values() for code in targets}
    unknown = sorted(used - COLUMN.keys())
    if unknown:
        raise ConfigurationError(f"{place}: {source.name}: unknown labels {unknown}; use {sorted(COLUMN)}")
    if "/" in source.file or source.file.startswith("."):
        raise ConfigurationError(f"{place}: {source.name}: file must be a plain name inside the data folder")


def records(source: Source, folder: Path) -> Iterator[dict[str, Any]]:
    """The set's rows as they stand in its file. Raises ConfigurationError where the file is absent, differs
    from the registered bytes, or holds a line that is no JSON object."""
    path = folder / source.file
    try:
        raw = path.read_bytes()
    except OSError:
        raise ConfigurationError(
            f"{path}: absent; {source.name} is published at {source.origin} ({source.licence})"
        ) from None
    if hashlib.sha256(raw).hexdigest() != source.sha256:
        raise ConfigurationError(f"{path}: its SHA-256 is not the registered one; fetch {source.name} again")
    try:
        # Not splitlines(): texts may hold U+2028 and its like, which are no line ends in JSON lines.
        for number, line in enumerate(gzip.decompress(raw).decode("utf-8").split("\n"), 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise ValueError(f"line {number} is no row with a text")
            yield row
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"{path}: not JSON lines under gzip ({type(error).__name__})") from None
