"""The registry of data that the shipped text models may be trained on.

``sources.json`` says how many rows of each set are used, with which weight, and what training reads into
them beyond their labels. What is known of a public set itself (file, SHA-256, origin, revision, licence and
its class, what its labels mean) stands once, in the registry of :mod:`spotsafe.evaluation.datasets`; a set of
one's own gives these facts beside the rest. A set that is in neither, whose licence class does not allow
training, or whose bytes differ, is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.evaluation.datasets import records as reading
from spotsafe.evaluation.datasets.registry import registered

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


_FACTS = ("file", "sha256", "origin", "revision", "licence", "licence_class", "labels")


def _source(name: str, entry: Mapping[str, Any]) -> Source:
    facts = {key: entry[key] for key in _FACTS} if "file" in entry else {**_registered_facts(name), **entry}
    return Source(
        name=name,
        **{key: str(facts[key]) for key in _FACTS if key != "labels"},
        weight=float(entry["weight"]),
        labels={key: tuple(codes) for key, codes in facts["labels"].items()},
        categories=entry.get("categories", {}),
        constant=entry.get("constant", {}),
        benign=bool(entry.get("benign", False)),
        cap=int(entry.get("cap", 0)),
        held_out=entry.get("held_out"),
        toxic_zero_unknown=tuple(entry.get("toxic_zero_unknown", ())),
        left_out=int(entry.get("left_out", 0)),
    )


def _registered_facts(name: str) -> Mapping[str, Any]:
    """What the registry of data sets knows of *name*. Of its mapping, the labels that come from a key of the
    same record count; their thresholds do not: training takes shares."""
    if name not in registered():
        raise KeyError("file")
    mapping = registered()[name]
    labels: dict[str, list[str]] = {}
    for code, rules in mapping.labels.items():
        for rule in rules:
            holder, _, key = ".".join(rule.column).partition(".")
            if holder == "labels":
                labels.setdefault(key, []).append(code)
    told = mapping.source
    return {
        "file": mapping.files,
        "sha256": mapping.sha256[mapping.files],
        "origin": told.origin,
        "revision": told.revision,
        "licence": told.licence,
        "licence_class": told.licence_class,
        "labels": labels,
    }


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
    if not path.is_file():
        raise ConfigurationError(
            f"{path}: absent; {source.name} is published at {source.origin} ({source.licence})"
        )
    if reading.digest(path) != source.sha256:
        raise ConfigurationError(f"{path}: its SHA-256 is not the registered one; fetch {source.name} again")
    for number, row in reading.records(path):
        if not isinstance(row.get("text"), str):
            raise ConfigurationError(f"{path}:{number}: is no row with a text; fetch {source.name} again")
        yield dict(row)
