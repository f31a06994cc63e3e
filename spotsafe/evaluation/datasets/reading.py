"""Records into rows, by a mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spotsafe.core.content import PART_TYPES, Content, Part
from spotsafe.core.signals import Span
from spotsafe.evaluation.datasets.columns import (
    CellFault,
    Column,
    cell,
    entries,
    inner,
    key,
    named,
    number,
    share,
    spans,
    word,
)
from spotsafe.evaluation.datasets.mapping import LabelRule, MappingModel, PartRule, SpanRule, WordRule
from spotsafe.evaluation.datasets.media import media
from spotsafe.evaluation.datasets.rows import Row

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_][A-Za-z0-9]{1,8})*")
UNDETERMINED = ("und", "mul", "zxx")


class RowReader:
    """Turns one file's records into rows. *path* is the data file: media are named relative to it, and rows
    without an id are named after it."""

    def __init__(self, mapping: MappingModel, path: Path, split: str | None) -> None:
        self._mapping = mapping
        self._folder = path.parent
        self._stem = path.name.partition(".")[0]
        self._split = split

    def row(self, place: int, record: Mapping[str, Any]) -> Row | None:
        """The row at *place*; None where it has no content and the mapping says to skip such rows.
        Raises CellFault."""
        mapping = self._mapping
        parts = [part for name, rule in mapping.content.items() if (part := self._part(name, rule, record))]
        if not parts:
            if mapping.skip_empty:
                return None
            columns = ", ".join(repr(named(rule.column)) for rule in mapping.content.values())
            raise CellFault(f"no content in {columns}", "correct the column, or state `skip_empty: true`")
        language = _language(mapping.language, record)
        # A script subtag says more than detectors are told: they know languages.
        told = (language,) if language and "-" not in language else ()
        places = _all_spans(mapping.spans, record, parts)
        # Where only places were annotated, they say whether the label applies at all.
        labels = {code: float(bool(found)) for code, found in places.items() if code not in mapping.labels}
        return Row(
            id=_column_word(mapping.id, record) or f"{self._stem}:{place}",
            content=Content(parts, told),
            labels=labels | _labels(mapping.labels, record),
            language=language,
            slices={
                name: found
                for name, rule in mapping.slices.items()
                if (found := _word(rule, record)) is not None
            },
            spans=places,
            inclusion=_inclusion(mapping.inclusion, record),
            stratum=_column_word(mapping.stratum, record),
            group=_joined(mapping.group, record),
            split=self._split if mapping.split is None else _word(mapping.split, record) or self._split,
            context={
                name: value
                for name, columns in mapping.context.items()
                if (value := _context(name, columns, record)) is not None
            },
        )

    def _part(self, name: str, rule: PartRule, record: Mapping[str, Any]) -> Part | None:
        value = cell(record, rule.column)
        if value is None:
            return None
        if rule.kind != "text":
            data, mime = media(value, rule.column, self._folder)
            return PART_TYPES[rule.kind](data, name, mime=mime, provenance=rule.provenance)
        if not isinstance(value, str):
            raise CellFault(
                f"column {named(rule.column)!r} holds no text", "a text part reads a column of strings"
            )
        return PART_TYPES["text"](value, name, provenance=rule.provenance)


def _labels(rules: Mapping[str, list[LabelRule]], record: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for code, listed in rules.items():
        shares = [value for rule in listed if (value := label_share(rule, record)) is not None]
        if shares:
            found[code] = max(shares)
    return found


def label_share(rule: LabelRule, record: Mapping[str, Any]) -> float | None:
    """What *rule* says of the record, a share in [0, 1]; None for not annotated. Raises CellFault."""
    if rule.constant is not None:
        return rule.constant
    value = cell(record, rule.column)
    if value is None:
        return None
    if rule.values:
        return _by_words(rule, value)
    if rule.at_least is None:
        return share(value, rule.column, scale=rule.scale or (0.0, 1.0))
    found = number(value, rule.column)
    if found >= rule.at_least:
        return 1.0
    return 0.0 if found < (rule.at_least if rule.below is None else rule.below) else None


def _by_words(rule: LabelRule, value: Any) -> float | None:
    """The highest that any word of *value* (one, or a list) means."""
    shares: list[float | None] = []
    for entry in value if isinstance(value, list) else [value]:
        known = word(entry, rule.column)
        if known not in rule.values and "other" not in rule.model_fields_set:
            raise CellFault(
                f"column {named(rule.column)!r} holds a word that `values` does not list",
                "list it, or state `other: 0` or `other: missing`",
            )
        shares.append(rule.values.get(known, rule.other))
    if isinstance(value, list) and not value:
        shares.append(rule.other)
    return max((found for found in shares if found is not None), default=None)


def _word(rule: WordRule, record: Mapping[str, Any]) -> str | None:
    if rule.constant is not None:
        return rule.constant
    found = _column_word(rule.column, record)
    return None if found is None else rule.values.get(found, found)


def _column_word(column: Column, record: Mapping[str, Any]) -> str | None:
    value = cell(record, column) if column else None
    return None if value is None else word(value, column) or None


def _joined(columns: list[Column], record: Mapping[str, Any]) -> str | None:
    values = [(cell(record, column), column) for column in columns]
    if all(value is None for value, _ in values):
        return None
    return "|".join("" if value is None else key(value, column) for value, column in values)


def _language(rule: WordRule | None, record: Mapping[str, Any]) -> str | None:
    """Primary subtag, with the script where one is given (``hi-Latn``); None where it is not known."""
    found = None if rule is None else _word(rule, record)
    if found is None:
        return None
    match = _TAG.fullmatch(found)
    if match is None:
        raise CellFault(
            f"column {named(rule.column if rule else ())!r} holds no language tag",
            "write BCP 47 tags such as en or pt-BR, or translate words with `values:`",
        )
    primary, script = match[1].lower(), match[2]
    if primary in UNDETERMINED:
        return None
    return f"{primary}-{script.title()}" if script else primary


def _inclusion(column: Column, record: Mapping[str, Any]) -> float | None:
    value = cell(record, column) if column else None
    if value is None:
        return None
    found = share(value, column)
    if found == 0:
        raise CellFault(
            f"column {named(column)!r} holds an inclusion probability of 0",
            "what could not be drawn cannot be in the sample: probabilities lie above 0",
        )
    return found


def _all_spans(
    rules: Mapping[str, SpanRule], record: Mapping[str, Any], parts: list[Part]
) -> dict[str, tuple[Span, ...]]:
    found = {}
    for code, rule in rules.items():
        value = cell(record, rule.column)
        text = next(
            (part for part in parts if part.kind == "text" and rule.part in ("", part.name)),
            None,
        )
        if value is None or text is None:
            continue
        listed = entries(value, rule.column)
        if rule.kind is not None and rule.kinds:
            listed = [entry for entry in listed if inner(entry, rule.kind) in rule.kinds]
        found[code] = spans(listed, rule.column, (rule.start, rule.end), len(text.data))
    return found


def _context(name: str, columns: list[Column], record: Mapping[str, Any]) -> object:
    values = [value for column in columns if (value := cell(record, column)) is not None]
    if name == "thread":
        return [text for value in values for text in (value if isinstance(value, list) else [value])] or None
    return values[0] if values else None
