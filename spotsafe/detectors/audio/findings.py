"""Findings in a recording, and the signals and gaps that tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Cause, Missing, Signal, Signals, TimeRange

ID = "local.audio"

NOTABLE = 0.2
"""From this score on each place where a label was heard is told of; below, only the highest one."""

MOST = 20
"""Stretches per label."""

DIGITS = 2
"""Times are rounded to a hundredth of a second."""


class Listening(NamedTuple):
    """What one recording is asked: *labels*, the *part*'s name, stated *languages*, until *ends* on the
    engine's clock (None: without end), and for whom: *source* begins the ids of the signals."""

    labels: Sequence[str]
    part: str
    languages: Sequence[str] = ()
    ends: float | None = None
    source: str = ID


class Found(NamedTuple):
    """*label* with *score* in the stretch *range* of the recording; None: nowhere in it."""

    label: str
    score: float
    range: TimeRange | None


def strongest(heard: Sequence[Found]) -> list[Found]:
    """Of findings of one label, the highest; then, down to :data:`NOTABLE`, each that overlaps none before
    it; :data:`MOST` at most."""
    kept: list[Found] = []
    for one in sorted(heard, key=_rank):
        if kept and (one.score < NOTABLE or len(kept) == MOST):
            break
        if not any(_overlap(one.range, other.range) for other in kept):
            kept.append(one)
    return kept


def signals(found: Iterable[Found], asked: Listening, how: str, version: str) -> list[Signal]:
    """Findings as signals of the detector ``SOURCE.HOW``."""
    detector = f"{asked.source}.{how}"
    made = []
    for one in found:
        place = () if one.range is None else (_rounded(one.range),)
        severity = LABELS[one.label].severity
        made.append(Signal(one.label, one.score, asked.part, severity, detector, version, place))
    return made


def lacking(labels: Iterable[str], part: str, causes: Iterable[Cause]) -> list[Missing]:
    """Each of *labels* missing for each of *causes*."""
    ordered = sorted(causes)
    return [Missing(label, part, cause) for label in labels for cause in ordered]


def answer(found: Iterable[Signal | Missing], version: str) -> Signals:
    """Scores and gaps of one content, without repeats."""
    entries = list(dict.fromkeys(found))
    scores = [entry for entry in entries if isinstance(entry, Signal)]
    return Signals(scores, [entry for entry in entries if isinstance(entry, Missing)], version)


def _rank(one: Found) -> tuple[float, float, float]:
    """Higher scores first, then shorter stretches, then earlier ones."""
    start, end = one.range or (0.0, 0.0)
    return -one.score, end - start, start


def _overlap(one: TimeRange | None, other: TimeRange | None) -> bool:
    if one is None or other is None:
        return True
    return one.start < other.end and other.start < one.end


def _rounded(place: TimeRange) -> TimeRange:
    return TimeRange(round(place.start, DIGITS), round(place.end, DIGITS))
