"""Applying a verdict's edits to content, and joining the verdicts of two passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spotsafe.core.content import Content
from spotsafe.core.decision import MASK, Edit, Reason, Verdict
from spotsafe.core.signals import Span

REMOVED = "[removed]"
LONG = 40
"""Runs up to this many characters are masked one by one; longer ones are replaced by one mark."""


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Sorted spans without overlaps; touching ones are joined."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def apply_edits(content: Content, edits: Sequence[Edit]) -> Content:
    """*content* with the spans of *edits* replaced by runs of ``█`` (or ``[removed]`` for long ones).

    Spans are code points of the original part; what lies outside the text is cut off. Parts that are
    not text or are not named are unchanged, and the input is never altered.
    """
    by_part: dict[str, list[Span]] = {}
    for edit in edits:
        by_part.setdefault(edit.part, []).extend(edit.spans)
    parts = []
    for part in content.parts:
        spans = by_part.get(part.name)
        if spans and isinstance(part.data, str):
            part = part.replaced(_masked(part.data, spans))  # noqa: PLW2901 - the same part, edited
        parts.append(part)
    return Content(parts, content.languages)


def _masked(text: str, spans: Iterable[Span]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in merge_spans(spans):
        start, end = max(0, start), min(len(text), end)  # noqa: PLW2901 - clipped to the text
        if start >= end:
            continue
        pieces.append(text[position:start])
        pieces.append(MASK * (end - start) if end - start <= LONG else REMOVED)
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def merge_edits(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """One edit per part, with merged spans, in the order of first appearance."""
    by_part: dict[str, list[Span]] = {}
    for edit in edits:
        by_part.setdefault(edit.part, []).extend(edit.spans)
    return tuple(Edit(part, merge_spans(spans)) for part, spans in by_part.items())


def join(first: Verdict, second: Verdict) -> Verdict:
    """The stricter of both: highest disposition, union of effects, worst status, all reasons.

    Edits are those of the *first* verdict: a second pass runs over redacted text, so its offsets do
    not fit the original.
    """
    would = None
    if first.would is not None or second.would is not None:
        would = join(first.would or plain(first), second.would or plain(second))
    lead = first if first.disposition >= second.disposition else second
    other = second if lead is first else first
    return Verdict(
        max(first.disposition, second.disposition),
        first.effects | second.effects,
        status=max(first.status, second.status),
        reasons=_unique((*first.reasons, *second.reasons)),
        edits=first.edits,
        notice=lead.notice or _lent(lead, other),
        waivers=dict.fromkeys((*first.waivers, *second.waivers)),
        would=would,
    )


def _lent(lead: Verdict, other: Verdict) -> str | None:
    """The notice of *other* for a stricter *lead* without one: that content waits for a check would be wrong
    of what is refused."""
    fired = any(reason.trigger == "score" and reason.notice == other.notice for reason in other.reasons)
    return other.notice if fired or lead.disposition is other.disposition else None


def plain(verdict: Verdict) -> Verdict:
    """*verdict* without ``would``."""
    if verdict.would is None:
        return verdict
    return Verdict(
        verdict.disposition,
        verdict.effects,
        status=verdict.status,
        reasons=verdict.reasons,
        edits=verdict.edits,
        notice=verdict.notice,
        waivers=verdict.waivers,
    )


def _unique(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
