"""Masking that keeps positions: one ``█`` for each code point, so offsets behind it stay true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spotsafe.core.decision import MASK, Edit
from spotsafe.core.signals import Span


def masked(text: str, spans: Iterable[Span]) -> str:
    """*text* with each span (code points, clipped to the text) masked; the length never changes."""
    for start, end in spans:
        first, last = max(0, start), min(len(text), end)
        if first < last:
            text = text[:first] + MASK * (last - first) + text[last:]
    return text


def spans_of(edits: Iterable[Edit], part: str) -> Iterator[Span]:
    """The spans that *edits* name for *part*."""
    for edit in edits:
        if edit.part == part:
            yield from edit.spans
