"""Putting signals of different rungs together without ever turning doubt into clean."""

from __future__ import annotations

from collections.abc import Sequence

from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Cause, Missing, Signals

GRAVE = 4
"""Severity from which a stale score counts for nothing."""


def filled(known: Signals, extra: Signals, parts: Sequence[str]) -> tuple[Signals, bool]:
    """*known* with the scores of *extra* where *known* failed, and whether any was used.

    A label stays missing, with the cause that *known* gave, for each part for which *extra* has no
    score. What *known* has a score for, or cannot score by its reach, is left alone.
    """
    failed = {
        (entry.label, part): entry.cause
        for entry in known.missing
        if entry.cause.is_failure
        for part in ((entry.part,) if entry.part else parts)
    }
    named = {(entry.label, entry.part) for entry in known.missing if entry.cause.is_failure}
    for signal in known.scores:
        if (signal.label, signal.part) not in named:  # else its score was in doubt, and stays so
            failed.pop((signal.label, signal.part), None)
    taken = tuple(s for s in extra.scores if (s.label, s.part) in failed)
    if not taken:
        return known, False
    found = {(s.label, s.part) for s in taken}
    kept = [entry for entry in known.missing if not entry.cause.is_failure]
    still = [Missing(*place, cause) for place, cause in failed.items() if place not in found]
    return Signals((*known.scores, *taken), (*kept, *still), known.engine or extra.engine), True


def aged(signals: Signals) -> Signals:
    """What cached signals past their ttl still say: nothing for labels of severity 4."""
    scores = [s for s in signals.scores if LABELS[s.label].severity < GRAVE]
    grave = (s for s in signals.scores if LABELS[s.label].severity >= GRAVE)
    gone = [Missing(s.label, s.part, Cause.STALE) for s in grave]
    return Signals(scores, (*signals.missing, *gone), signals.engine)


def complete(signals: Signals, labels: Sequence[str], parts: Sequence[str]) -> Signals:
    """*signals* with what a detector left unsaid as missing with cause ``error``: silence is not clean."""
    told = {(s.label, s.part) for s in signals.scores} | {(m.label, m.part) for m in signals.missing}
    silent = [
        Missing(label, part, Cause.ERROR)
        for label in labels
        if (label, "") not in told
        for part in parts
        if (label, part) not in told
    ]
    return Signals(signals.scores, (*signals.missing, *silent), signals.engine) if silent else signals
