"""Spans: precision, recall and F1 of places found in texts, by characters and by entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spotsafe.core.signals import Span
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import F64, logit_delta, wilson

Places = Sequence[Span]

LEAST_TEXTS = 10
"""Texts below which no interval is given: they, and not their characters, are what was sampled."""


class SpanFigures(NamedTuple):
    """*rows*: texts counted over. ``n`` of precision and recall are found and right units."""

    rows: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


def span_figures(rows: Iterable[tuple[Places, Places]]) -> Mapping[str, SpanFigures]:
    """Figures by ``characters``, ``exact`` and ``partial`` over *rows* of (right places, found places).

    ``characters``: each code point is a unit. ``exact``: an entity is found where a place has its very
    bounds. ``partial``: the scheme of SemEval-2013 task 9 (Segura-Bedmar et al.): entities and places are
    matched one to one, exact bounds first and then by overlap; an overlap counts one half. Places are merged
    where they overlap, for characters alone.

    Units of one text hang together, so intervals are those of a ratio over texts: logit-delta of
    ``Σ tp / Σ found``, with the texts as the independent rows. Refused under ten texts or without units.
    """
    counted: dict[str, list[tuple[float, float, float]]] = {"characters": [], "exact": [], "partial": []}
    for right, found in rows:
        counted["characters"].append(_characters(right, found))
        exact, partial = _entities(right, found)
        counted["exact"].append((exact, len(set(found)), len(set(right))))
        counted["partial"].append((partial, len(set(found)), len(set(right))))
    return {name: _figures(np.array(values, np.float64).reshape(-1, 3)) for name, values in counted.items()}


def _characters(right: Places, found: Places) -> tuple[float, float, float]:
    one, other = _merged(right), _merged(found)
    shared = sum(max(0, min(a.end, b.end) - max(a.start, b.start)) for a in one for b in other)
    return shared, sum(b.end - b.start for b in other), sum(a.end - a.start for a in one)


def _merged(places: Places) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(places):
        if merged and start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(end, merged[-1].end))
        elif end > start:
            merged.append(Span(start, end))
    return merged


def _entities(right: Places, found: Places) -> tuple[float, float]:
    """Entities found exactly, and the partial credit: 1 for these, one half for overlaps of the rest, longest
    overlaps matched first."""
    exact = set(right) & set(found)
    left, rest = sorted(set(right) - exact), sorted(set(found) - exact)
    overlaps = sorted(
        (-(min(a.end, b.end) - max(a.start, b.start)), a, b)
        for a in left
        for b in rest
        if min(a.end, b.end) > max(a.start, b.start)
    )
    used: set[tuple[str, Span]] = set()
    halves = 0
    for _, a, b in overlaps:
        if ("right", a) not in used and ("found", b) not in used:
            used |= {("right", a), ("found", b)}
            halves += 1
    return float(len(exact)), len(exact) + halves / 2


def _figures(counts: F64) -> SpanFigures:
    hits, found, right = counts.T
    return SpanFigures(
        len(counts),
        _ratio(hits, found, right, "places found"),
        _ratio(hits, right, right, "places to find"),
        _ratio(2 * hits, found + right, right, "places"),
    )


def _ratio(top: F64, bottom: F64, right: F64, what: str) -> Estimate:
    n, total, units = len(top), float(bottom.sum()), int(right.sum())
    if n < LEAST_TEXTS or total == 0:
        why = f"no {what}" if n >= LEAST_TEXTS else f"{n} texts; at least {LEAST_TEXTS} are needed"
        return refusal(why, n=int(total), positives=units)
    value = float(top.sum()) / total
    if value in (0.0, 1.0):
        texts = int((bottom > 0).sum())
        low, high = wilson(value * texts, texts)
        return Estimate(value, float(low), float(high), int(total), units, "wilson over texts")
    variance = float(((top - value * bottom) ** 2).sum()) * n / (n - 1) / total**2
    low, high = logit_delta(value, variance**0.5)
    return Estimate(value, float(low), float(high), int(total), units, "logit-delta over texts")
