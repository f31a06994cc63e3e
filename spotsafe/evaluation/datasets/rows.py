"""Rows of labelled content, and the data set that yields them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from spotsafe.core.content import Content
from spotsafe.core.signals import Span


class Source(NamedTuple):
    """Where a data set comes from and what may be done with it.

    *licence_class* is ``permissive…`` (weights fitted on it may ship), ``share-alike``, ``research`` or
    ``unknown``; *origin* names the publisher (a URL, or ``owner/repository``, or a package); *sha256* holds
    the hex digest of each file by its name; *splits* are those the publisher made; *cautions* say what the
    labels do not mean.
    """

    name: str
    title: str = ""
    licence: str = ""
    licence_class: str = "unknown"
    citation: str = ""
    origin: str = ""
    revision: str = ""
    sha256: Mapping[str, str] = {}
    splits: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


class Row(NamedTuple):
    """One labelled content.

    *labels*: taxonomy code → share in [0, 1] that says it applies; a code that is absent is *not
    annotated*, never 0. *language*: BCP 47 primary tag. *slices*: what metrics are broken down by, e.g.
    ``{"functionality": "F18", "target": "women"}``. *spans*: code → places in the text, for labels whose
    places were annotated (an empty tuple: none there). *inclusion*: probability in (0, 1] with which the row
    was drawn to be labelled. *group*: rows that belong together (a pair, one thread) and must not be split.
    *context*: what a request carries beside the content, e.g. ``{"thread": [earlier messages]}``.
    """

    id: str
    content: Content
    labels: Mapping[str, float]
    language: str | None = None
    slices: Mapping[str, str] = {}
    spans: Mapping[str, tuple[Span, ...]] = {}
    inclusion: float | None = None
    stratum: str | None = None
    group: str | None = None
    split: str | None = None
    context: Mapping[str, object] = {}

    def __repr__(self) -> str:
        return f"<Row {self.id} {self.content!r} {len(self.labels)} labels>"


class DataSet:
    """Rows that can be read again and again, one at a time.

    *labels* are the codes that at least one row may be annotated for; *sampled* tells that rows were drawn
    for labelling by score, so that unweighted metrics on them are wrong; *digest* is the SHA-256 (hex) of
    data and mapping; *size* is the number of rows where it is known without reading them.

    >>> one = DataSet("mine", lambda: iter([Row("1", Content(()), {"tone.toxic": 1.0})]), ["tone.toxic"])
    >>> [row.id for row in one], one
    (['1'], <DataSet mine 1 labels>)
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Iterator[Row]],
        labels: Sequence[str],
        *,
        source: Source | None = None,
        sampled: bool = False,
        digest: str = "",
        size: int | None = None,
    ) -> None:
        self.name = name
        self.source = source if source is not None else Source(name)
        self.labels = tuple(labels)
        self.sampled = sampled
        self.digest = digest
        self.size = size
        self._read = read

    def __iter__(self) -> Iterator[Row]:
        return self._read()

    def __repr__(self) -> str:
        return f"<DataSet {self.name} {len(self.labels)} labels>"
