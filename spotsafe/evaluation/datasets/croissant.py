"""A data set described as Croissant 1.0 (JSON-LD), as data catalogues read it.

Format: MLCommons, Croissant Format Specification 1.0 (http://mlcommons.org/croissant/1.0). Files are named,
not held: what a reader needs besides is the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from spotsafe.evaluation.datasets.columns import Column
from spotsafe.evaluation.datasets.mapping import LabelRule
from spotsafe.evaluation.datasets.opening import DataFile, MappedSet
from spotsafe.evaluation.datasets.records import format_of

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of the specification, appendix 1."""

_ENCODINGS = {
    "jsonl": "application/jsonlines",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/x-parquet",
}
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def croissant(dataset: MappedSet) -> dict[str, Any]:
    """The description of *dataset* as plain data, ready for :func:`json.dumps`."""
    source = dataset.source
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset.name,
        "description": _description(dataset),
        "license": source.licence or None,
        "citeAs": source.citation or None,
        "url": _url(source.origin),
        "version": source.revision if _VERSION.fullmatch(source.revision) else None,
        "rai:dataLimitations": "\n".join(source.cautions) or None,
        "distribution": [_file(dataset, file) for file in dataset.files],
        "recordSet": [_record_set(dataset, file) for file in dataset.files],
    }
    return {key: value for key, value in found.items() if value is not None}


def _description(dataset: MappedSet) -> str:
    labels = ", ".join(dataset.labels) or "none"
    origin = " ".join(filter(None, (dataset.source.origin, dataset.source.revision)))
    return (
        f"{dataset.source.title or dataset.name}. Labels, as codes of the spotsafe taxonomy: {labels}. "
        f"A value that is absent means not annotated, never 0. Origin: {origin or 'unknown'}. Licence class: "
        f"{dataset.source.licence_class}."
    )


def _url(origin: str) -> str | None:
    if origin.startswith(("https://", "http://")):
        return origin
    return f"https://github.com/{origin}" if _REPOSITORY.fullmatch(origin) else None


def _file(dataset: MappedSet, file: DataFile) -> dict[str, Any]:
    kind = format_of(file.path, dataset.mapping.format)
    if ".tsv" in file.path.suffixes:
        kind = "tsv"
    return {
        "@type": "cr:FileObject",
        "@id": file.path.name,
        "name": file.path.name,
        "contentUrl": file.path.name,
        "contentSize": f"{file.path.stat().st_size} B",
        "encodingFormat": _ENCODINGS[kind],
        "sha256": file.sha256,
    }


def _record_set(dataset: MappedSet, file: DataFile) -> dict[str, Any]:
    name = "rows" if len(dataset.files) == 1 else f"rows_{file.path.name.partition('.')[0]}"
    fields = []
    taken: set[str] = set()
    for title, column, kind, told in _fields(dataset):
        identifier = _unique(re.sub(r"[^A-Za-z0-9_.-]", "_", title), taken)
        fields.append(
            {
                "@type": "cr:Field",
                "@id": f"{name}/{identifier}",
                "name": identifier,
                "description": told,
                "dataType": kind,
                "source": _place(file, column),
            }
        )
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _unique(name: str, taken: set[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found


def _place(file: DataFile, column: Column) -> dict[str, Any]:
    keys = column
    if len(column) == 1 and column[0] not in (file.survey.columns or ()):
        keys = tuple(column[0].split("."))
    found: dict[str, Any] = {"fileObject": {"@id": file.path.name}, "extract": {"column": keys[0]}}
    if len(keys) > 1:
        found["transform"] = {"jsonPath": "$." + ".".join(_quoted(key) for key in keys[1:])}
    return found


def _quoted(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else f"'{key}'"


def _fields(dataset: MappedSet) -> Iterator[tuple[str, Column, str, str]]:
    """``(name, column, data type, description)`` of each column that the mapping reads."""
    mapping = dataset.mapping
    if mapping.id:
        yield "id", mapping.id, "sc:Text", "The row's name."
    for name, part in mapping.content.items():
        told = "text" if part.kind == "text" else f"path of the {part.kind}, relative to the data file"
        yield name, part.column, "sc:Text", f"Content: {told}."
    if mapping.language is not None and mapping.language.column:
        yield "language", mapping.language.column, "sc:Text", "Language tag (BCP 47)."
    for code, rules in mapping.labels.items():
        for rule in rules:
            if rule.column:
                kind = "sc:Text" if rule.values else "sc:Float"
                yield f"label.{code}", rule.column, kind, f"{code}: {_meaning(rule)}; absent: not annotated."
    for code, places in mapping.spans.items():
        yield f"spans.{code}", places.column, "sc:Text", f"Places of {code}: half-open, in code points."
    for name, slice_ in mapping.slices.items():
        if slice_.column:
            yield f"slice.{name}", slice_.column, "sc:Text", f"Slice {name}."
    if mapping.split is not None and mapping.split.column:
        yield "split", mapping.split.column, "sc:Text", "Split."
    if mapping.inclusion:
        yield "inclusion", mapping.inclusion, "sc:Float", "Probability with which the row was drawn."
    if mapping.stratum:
        yield "stratum", mapping.stratum, "sc:Text", "The stratum that the row was drawn from."


def _meaning(rule: LabelRule) -> str:
    if rule.values:
        known = ", ".join(
            f"{word} is {'unknown' if v is None else f'{v:g}'}" for word, v in rule.values.items()
        )
        return f"by its words ({known})"
    if rule.at_least is not None:
        return f"applies from {rule.at_least:g} on"
    low, high = rule.scale or (0.0, 1.0)
    return f"share from {low:g} to {high:g}"
