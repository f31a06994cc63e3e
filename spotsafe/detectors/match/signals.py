"""Matches as signals: what engines put into their answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Signal, TimeRange
from spotsafe.detectors.match.entries import Match

VERSION = "1"
"""Of the way media are recognised; it changes with hashes and thresholds, not with what the banks hold."""

MOST = 20
"""Signals of one label and part: the nearest matches."""


def known_signals(
    matches: Sequence[Match], wanted: Collection[str], *, part: str, detector: str
) -> list[Signal]:
    """One signal of score 1 for each match whose label is in *wanted*: a known item is known, whatever the
    distance. *detector* is ``local.image.known``, ``local.audio.known`` and so on. A match in a sound has its
    range as evidence.

    No match says nothing of a label: it gets no score of 0, because not being on a list is not being clean.
    """
    signals: list[Signal] = []
    given: dict[str, int] = {}
    for match in sorted(matches, key=lambda each: each.distance):
        if match.label not in wanted or given.get(match.label, 0) >= MOST:
            continue
        given[match.label] = given.get(match.label, 0) + 1
        evidence = (
            (TimeRange(match.start, match.end),) if match.start is not None and match.end is not None else ()
        )
        severity = LABELS[match.label].severity
        signals.append(Signal(match.label, 1.0, part, severity, detector, VERSION, evidence))
    return signals
