"""The mapping file: which columns of somebody's data are what, as pydantic models.

The descriptions below are shown in errors; ``docs/evaluation-data.md`` has examples. Read by the manifest's
own YAML reader: what is wrong is told with file, line and column, all at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from spotsafe.core.content import KINDS
from spotsafe.core.errors import ConfigurationError, Fault
from spotsafe.core.labels import LABELS
from spotsafe.policy.document import read_document
from spotsafe.policy.fields import label_hint, problem
from spotsafe.policy.model import Shortened, Strict
from spotsafe.policy.validation import validated

SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
"""File suffix (before ``.gz``) → format."""

MISSING = "missing"


def _column(value: object) -> tuple[str, ...]:
    keys = value if isinstance(value, list | tuple) else [value]
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise problem("not a column", "write its name, names with dots, or a list of keys from the top")
    return tuple(keys)


def _columns(value: object) -> list[Any]:
    """One column, or several whose words are joined (a list of lists or names)."""
    listed = value if isinstance(value, list) else [value]
    return [_column(entry) for entry in listed] or [_column(None)]


def _label(value: str) -> str:
    if value not in LABELS:
        raise problem(f"{value[:40]!r} is no label of the taxonomy", label_hint(value))
    return value


def _share(value: object) -> float | None:
    """A share from 0 to 1; None for the word ``missing``."""
    if value == MISSING:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise problem("is no share from 0 to 1", "write e.g. 1, 0, 0.5, or missing for not annotated")
    return float(value)


ColumnField = Annotated[Any, BeforeValidator(_column)]
ColumnsField = Annotated[Any, BeforeValidator(_columns)]
ShareOrMissing = Annotated[Any, BeforeValidator(_share)]
Code = Annotated[str, AfterValidator(_label)]


class PartRule(Shortened):
    """One part of the content. Short: `body: column`."""

    short_key: ClassVar[str] = "column"

    column: ColumnField
    """The column of the text, of the path of a media file, or of its bytes."""
    kind: Literal[KINDS] = "text"  # type: ignore[valid-type]  # one source for the words
    """text, image, audio or video. A media column names a file in the data file's folder."""
    provenance: Literal["user", "generated", "retrieved", "tool"] = "user"
    """Who wrote the part."""


class LabelRule(Shortened):
    """How one column speaks of one label. Short: `tone.toxic: column`.

    A number counts as a share from 0 to 1, or with `at_least` as yes and no.
    """

    short_key: ClassVar[str] = "column"

    column: ColumnField = ()
    """The column. Absent, null or empty: the row is not annotated for the label."""
    values: dict[str, ShareOrMissing] = Field(default_factory=dict)
    """What each word of the column means: a share from 0 to 1, or `missing` for not annotated."""
    other: ShareOrMissing = None
    """What a word means that `values` does not list; without it such a word is an error."""
    scale: list[float] | None = Field(default=None, min_length=2, max_length=2)
    """Lowest and highest number of the column; they become 0 and 1."""
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    """The number (on the column's own scale) from which the label applies; below it does not."""
    below: float | None = Field(default=None, allow_inf_nan=False)
    """With `at_least`: what lies between the two is not annotated."""
    constant: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    """The share of every row, for sets of which the label holds throughout."""

    @model_validator(mode="after")
    def _one_way(self) -> LabelRule:
        if bool(self.column) == (self.constant is not None):
            raise problem("gives neither column nor constant, or both", "write `column:` or `constant:`")
        numeric = self.scale is not None or self.at_least is not None
        if self.values and numeric:
            raise problem("has values and numbers", "words take `values`, numbers `scale` or `at_least`")
        if self.scale is not None and (self.at_least is not None or self.scale[0] >= self.scale[1]):
            raise problem("has a scale that does not fit", "write `scale: [lowest, highest]`, or `at_least`")
        if self.below is not None and (self.at_least is None or self.below > self.at_least):
            raise problem("has `below` without a higher `at_least`", "write e.g. at_least: 0.6, below: 0.4")
        if "other" in self.model_fields_set and not self.values:
            raise problem("has `other` without `values`", "list the words that are known in `values`")
        return self


class SpanRule(Shortened):
    """Where the places of a label stand. Short: `privacy.pii_exposure: column`."""

    short_key: ClassVar[str] = "column"

    column: ColumnField
    """A column with a list of places, or with JSON of one."""
    start: str | int = 0
    """Position (from 0) or key of the first code point in each entry."""
    end: str | int = 1
    """Position or key of the code point after the last."""
    kind: str | int | None = None
    """Position or key of the entry's kind, where only some kinds count."""
    kinds: list[str] = Field(default_factory=list)
    """The kinds that count; empty for all."""
    part: str = ""
    """The text part that the places are in; empty for the first."""


class WordRule(Shortened):
    """A short word of each row: its language, a slice. Short: `language: column`."""

    short_key: ClassVar[str] = "column"

    column: ColumnField = ()
    """The column."""
    values: dict[str, str] = Field(default_factory=dict)
    """Words to put in place of others; one that is not listed stays."""
    constant: str | None = Field(default=None, min_length=1, max_length=200)
    """The word of every row."""

    @model_validator(mode="after")
    def _one_way(self) -> WordRule:
        if bool(self.column) == (self.constant is not None):
            raise problem("gives neither column nor constant, or both", "write `column:` or `constant:`")
        return self


class SourceModel(Strict):
    """Where the data come from. What is not told here stands as unknown on the data set's card."""

    title: str = ""
    """A name for people."""
    licence: str = ""
    """The licence's name, SPDX where it has one."""
    licence_class: str = "unknown"
    """permissive…, share-alike, research or unknown. Only the first two may train what ships."""
    citation: str = ""
    """How to cite it."""
    origin: str = ""
    """Who publishes it: a URL, owner/repository, or a package."""
    revision: str = ""
    """The version fetched."""
    splits: list[str] = Field(default_factory=list)
    """The splits that its publisher made."""
    cautions: list[str] = Field(default_factory=list)
    """What the labels do not mean, what is known to be wrong."""


def _label_rules(value: object) -> object:
    return value if isinstance(value, list) else [value]


LabelRules = Annotated[list[LabelRule], BeforeValidator(_label_rules), Field(min_length=1)]


class MappingModel(Strict):
    """The whole mapping file."""

    mapping: Literal[1]
    """The version of this format: 1."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """The data set's name."""
    files: Any = Field(default=None)
    """The data: one file, a list of files, or split: file. Beside the mapping file."""
    format: Literal["jsonl", "csv", "parquet"] | None = None
    """What the files are, where their suffixes do not say."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """What separates the cells of a CSV file; a comma, and a tab in .tsv."""
    sha256: dict[str, str] = Field(default_factory=dict)
    """File → the SHA-256 (hex) that it must have."""
    source: SourceModel = Field(default_factory=SourceModel)
    """Where it comes from."""
    id: ColumnField = ()
    """The column of the row's name; without it rows are named by file and line."""
    content: dict[str, PartRule] = Field(min_length=1, max_length=32)
    """Part → its column."""
    language: WordRule | None = None
    """The language of the row (BCP 47)."""
    labels: dict[Code, LabelRules] = Field(default_factory=dict)
    """Label of the taxonomy → column, rule, or list of rules, of which the highest counts."""
    spans: dict[Code, SpanRule] = Field(default_factory=dict)
    """Label → where its places stand."""
    slices: dict[str, WordRule] = Field(default_factory=dict)
    """Name → what metrics are broken down by."""
    context: dict[str, ColumnsField] = Field(default_factory=dict)
    """Context field → its column; `thread` takes a list of columns, oldest message first."""
    inclusion: ColumnField = ()
    """The column of the probability with which the row was drawn to be labelled."""
    stratum: ColumnField = ()
    """The column of the stratum that it was drawn from."""
    group: ColumnsField = Field(default_factory=list)
    """The column, or columns, that rows belonging together share."""
    split: WordRule | None = None
    """The column of the split."""
    sampled: bool = False
    """Whether rows were drawn for labelling by score; then `inclusion` is needed for most metrics."""
    skip_empty: bool = False
    """Whether rows without any content are left out; otherwise they are errors."""

    @field_validator("files", mode="after")
    @classmethod
    def _files(cls, value: object) -> object:
        listed = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(entry, str) and entry for entry in listed):
            raise problem("not a file, a list of files or split: file", "write {train: a.csv, test: b.csv}")
        return value


def read_mapping(path: Path) -> MappingModel:
    """The mapping in *path*. Raises ConfigurationError with every fault, each with line and remedy."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}); give the mapping file's path"
        ) from None
    return parse_mapping(raw, str(path))


def parse_mapping(raw: str | bytes, place: str) -> MappingModel:
    """The mapping in *raw*, which stands at *place*. Raises ConfigurationError as :func:`read_mapping`."""
    faults: list[Fault] = []
    document = read_document(place, raw, faults)
    if document is None:
        faults = [f._replace(hint="see docs/evaluation-data.md") if "init" in f.hint else f for f in faults]
    model = None if document is None else validated(MappingModel, document, (), faults)
    if faults or model is None:
        raise ConfigurationError("the mapping cannot be used\n" + "\n".join(str(fault) for fault in faults))
    return model
