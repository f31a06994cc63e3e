"""The card of a data set: what it holds, counted in one pass, as facts and as Markdown."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from spotsafe.evaluation.datasets.rows import DataSet, Row, Source

POSITIVE = 0.5
"""The share from which a row counts as positive on the card."""

UNKNOWN = "unknown"
_MOST_VALUES = 30


class Count(NamedTuple):
    """Rows annotated for something, and how many of them are positive."""

    annotated: int
    positive: int


class Facts(NamedTuple):
    """What was counted. *labels*: code → language or ``split:NAME`` or ``all`` → count; *languages*,
    *splits*, *kinds* → rows (kinds: parts); *slices*: name → value → rows; *unannotated*: rows without any
    label; *spans*: code → places; *lengths*: least, median, greatest code points of a row's text."""

    name: str
    source: Source
    digest: str
    sampled: bool
    rows: int
    unannotated: int
    with_inclusion: int
    labels: dict[str, dict[str, Count]]
    languages: dict[str, int]
    splits: dict[str, int]
    kinds: dict[str, int]
    slices: dict[str, dict[str, int]]
    spans: dict[str, int]
    lengths: tuple[int, int, int]

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        found = self._asdict() | {"source": self.source._asdict()}
        found["labels"] = {
            code: {where: count._asdict() for where, count in counts.items()}
            for code, counts in self.labels.items()
        }
        return found


class _Tally:
    """Counts of the rows read so far."""

    def __init__(self) -> None:
        self.rows = self.unannotated = self.with_inclusion = 0
        self.annotated: Counter[tuple[str, str]] = Counter()
        self.positive: Counter[tuple[str, str]] = Counter()
        self.languages: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.slices: dict[str, Counter[str]] = {}
        self.spans: Counter[str] = Counter()
        self.lengths: Counter[int] = Counter()

    def add(self, row: Row) -> None:
        self.rows += 1
        self.unannotated += not row.labels
        self.with_inclusion += row.inclusion is not None
        language, split = row.language or UNKNOWN, row.split
        self.languages[language] += 1
        if split is not None:
            self.splits[split] += 1
        places = ["all", language] + ([f"split:{split}"] if split is not None else [])
        for code, share in row.labels.items():
            for place in places:
                self.annotated[code, place] += 1
                self.positive[code, place] += share >= POSITIVE
        for name, value in row.slices.items():
            self.slices.setdefault(name, Counter())[value] += 1
        for code, found in row.spans.items():
            self.spans[code] += len(found)
        self.kinds.update(part.kind for part in row.content)
        self.lengths[sum(len(part.data) for part in row.content if part.kind == "text")] += 1


def facts(dataset: DataSet) -> Facts:
    """Counts over every row of *dataset*; holds counts only."""
    tally = _Tally()
    for row in dataset:
        tally.add(row)
    labels: dict[str, dict[str, Count]] = {code: {"all": Count(0, 0)} for code in dataset.labels}
    for (code, place), annotated in tally.annotated.items():
        labels.setdefault(code, {})[place] = Count(annotated, tally.positive[code, place])
    return Facts(
        dataset.name,
        dataset.source,
        dataset.digest,
        dataset.sampled,
        tally.rows,
        tally.unannotated,
        tally.with_inclusion,
        labels,
        dict(tally.languages.most_common()),
        dict(sorted(tally.splits.items())),
        dict(tally.kinds.most_common()),
        {name: dict(values.most_common(_MOST_VALUES)) for name, values in sorted(tally.slices.items())},
        dict(tally.spans),
        _lengths(tally.lengths),
    )


def _lengths(found: Counter[int]) -> tuple[int, int, int]:
    if not found:
        return (0, 0, 0)
    half, seen = sum(found.values()) / 2, 0
    for length in sorted(found):
        seen += found[length]
        if seen >= half:
            break
    return (min(found), length, max(found))


def markdown(card: Facts) -> str:
    """The card for people."""
    source = card.source
    lines = [f"# {_safe(source.title or card.name)}", ""]
    lines += [f"Data set `{card.name}`, {card.rows:,} rows.", ""]
    lines += ["| | |", "|---|---|"]
    for name, value in (
        ("Licence", f"{source.licence or UNKNOWN} ({source.licence_class})"),
        ("Citation", source.citation or UNKNOWN),
        ("Origin", " ".join(filter(None, (source.origin or UNKNOWN, source.revision)))),
        ("Parts", ", ".join(f"{kind} {count:,}" for kind, count in card.kinds.items()) or "none"),
        ("Text length", "{:,} to {:,} code points, median {:,}".format(*_ordered(card.lengths))),
        ("SHA-256", ", ".join(f"`{name}` `{digest}`" for name, digest in source.sha256.items())),
        ("Digest of data and mapping", f"`{card.digest}`"),
    ):
        lines.append(f"| {name} | {_cell(value)} |")
    lines += ["", *_labels(card), *_counts("Languages", card.languages), *_counts("Splits", card.splits)]
    for name, values in card.slices.items():
        lines += _counts(f"Slice: {_safe(name)}", values)
    return "\n".join([*lines, *_cautions(card)]).rstrip() + "\n"


def _ordered(lengths: tuple[int, int, int]) -> tuple[int, int, int]:
    return lengths[0], lengths[2], lengths[1]


def _safe(text: str) -> str:
    """Words of somebody's data as Markdown shows them: no markup of theirs."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")


def _cell(text: str) -> str:
    return _safe(text).replace("|", "\\|")


def _labels(card: Facts) -> list[str]:
    if not card.labels:
        return ["## Labels", "", "No row is annotated. That is not the same as harmless.", ""]
    lines = [
        "## Labels",
        "",
        "| label | where | annotated | positive | not annotated |",
        "|---|---|---|---|---|",
    ]
    for code, counts in card.labels.items():
        for place, count in sorted(counts.items(), key=lambda item: (item[0] != "all", item[0])):
            if place != "all" and len(card.languages) == 1 and place in card.languages:
                continue
            total = _total(card, place)
            share = f" ({count.positive / count.annotated:.1%})" if count.annotated else ""
            where = place.replace("split:", "split ")
            lines.append(
                f"| {code} | {_cell(where)} | {count.annotated:,} | {count.positive:,}{share} | "
                f"{total - count.annotated:,} |"
            )
    lines += ["", f"Positive: at least {POSITIVE:g} of those asked. Not annotated is unknown, never a no."]
    lines += [f"{count:,} places are annotated for {code}." for code, count in card.spans.items()]
    return [*lines, ""]


def _total(card: Facts, place: str) -> int:
    if place == "all":
        return card.rows
    if place.startswith("split:"):
        return card.splits[place.removeprefix("split:")]
    return card.languages[place]


def _counts(title: str, found: dict[str, int]) -> list[str]:
    if not found:
        return []
    lines = [f"## {title}", "", "| | rows |", "|---|---|"]
    return [*lines, *(f"| {_cell(name)} | {count:,} |" for name, count in found.items()), ""]


def _cautions(card: Facts) -> list[str]:
    found = [_safe(caution) for caution in card.source.cautions]
    if card.source.licence_class == UNKNOWN:
        found.append("The licence is not known: do not train on it what you ship.")
    if card.unannotated:
        found.append(f"{card.unannotated:,} rows are annotated for no label at all.")
    if card.sampled:
        known = f"{card.with_inclusion:,} of {card.rows:,} rows state with which probability"
        found.append(f"Rows were drawn for labelling by score ({known}): unweighted metrics are refused.")
    for code, counts in card.labels.items():
        whole = counts["all"]
        if whole.annotated and whole.positive in (0, whole.annotated):
            only = "positives" if whole.positive else "negatives"
            found.append(f"{code} has {only} only: no ranking can be measured on it alone.")
    return ["## Cautions", "", *(f"* {text}" for text in found)] if found else []
