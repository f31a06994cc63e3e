"""One timeline of everything found in a recording: what, from when to when, how sure, and by which sense."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spotsafe.core.signals import Signal, TimeRange

GAP = 1.0
"""Seconds between two moments of the same kind that make them one."""

ALIKE = 0.15
"""Scores that differ by no more may be one moment; a loud one is not spread over the quiet ones around it."""

BLOCKS = " ▁▂▃▄▅▆▇█"
"""From nothing to a score of 1."""

TICKS = 4
"""Parts into which the scale below the lanes is divided."""


class Moment(NamedTuple):
    """*label* with *score* from *start* to *end* seconds of the part *part*; *modality* is the last word of
    the detector's id: ``speech``, ``text``, ``frames``, ``boxes``, ``known``, ``classes``."""

    start: float
    end: float
    label: str
    score: float
    modality: str
    part: str


def timeline(signals: Iterable[Signal], *, least: float = 0.0) -> tuple[Moment, ...]:
    """The moments of *signals* (those whose evidence holds a range of time, with a score of at least
    *least*), in order of their start. Neighbours with the same label, modality and part, at most
    :data:`GAP` apart and :data:`ALIKE`, become one with the higher score."""
    moments = sorted(
        Moment(place.start, place.end, signal.label, signal.score, modality(signal), signal.part)
        for signal in signals
        for place in signal.evidence
        if isinstance(place, TimeRange) and signal.score >= least
    )
    merged: list[Moment] = []
    last: dict[tuple[str, str, str], int] = {}
    for moment in moments:
        key = (moment.label, moment.modality, moment.part)
        index = last.get(key)
        if index is not None and _one(merged[index], moment):
            before = merged[index]
            end, score = max(before.end, moment.end), max(before.score, moment.score)
            merged[index] = before._replace(end=end, score=score)
        else:
            last[key] = len(merged)
            merged.append(moment)
    return tuple(merged)


def modality(signal: Signal) -> str:
    """By which sense something was found: the last word of the detector's id."""
    return signal.detector.rpartition(".")[2]


def render(moments: Sequence[Moment], seconds: float, width: int = 60) -> str:
    """*moments* of one part of *seconds* as lines of text for a terminal: a lane per label and modality,
    *width* characters wide, the height of a block telling the highest score in its share of the time; below,
    a scale. The lanes are in order of their highest score. Empty for no moments."""
    if not moments:
        return ""
    length = max(seconds, *(moment.end for moment in moments), 1e-3)
    lanes: dict[tuple[str, str], list[Moment]] = {}
    for moment in moments:
        lanes.setdefault((moment.label, moment.modality), []).append(moment)
    names = {key: f"{key[0]} · {key[1]}" for key in lanes}
    margin = max(map(len, names.values()))
    ordered = sorted(lanes, key=lambda key: (-_peak(lanes[key]), key))
    lines = [
        f"{names[key]:<{margin}} │{_lane(lanes[key], length, width)}│ {_peak(lanes[key]):.2f}"
        for key in ordered
    ]
    return "\n".join([*lines, f"{'':<{margin}} └{_scale(length, width)}"])


def clock(seconds: float) -> str:
    """``1:05`` or ``1:01:05``; below ten seconds with a tenth, ``0:05.3``."""
    if round(seconds, 1) < 10:
        return f"0:{seconds:04.1f}"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _one(before: Moment, moment: Moment) -> bool:
    return moment.start - before.end <= GAP and abs(moment.score - before.score) <= ALIKE


def _peak(lane: Sequence[Moment]) -> float:
    return max(moment.score for moment in lane)


def _lane(lane: Sequence[Moment], length: float, width: int) -> str:
    heights = [0] * width
    for moment in lane:
        first = min(int(moment.start / length * width), width - 1)
        last = max(first, min(-int(-moment.end / length * width // 1) - 1, width - 1))
        # Even the smallest score that is shown is seen.
        height = max(1, min(round(moment.score * (len(BLOCKS) - 1)), len(BLOCKS) - 1))
        for column in range(first, last + 1):
            heights[column] = max(heights[column], height)
    return "".join(BLOCKS[height] for height in heights)


def _scale(length: float, width: int) -> str:
    """Times below the lanes, each beginning at its place."""
    line = [" "] * (width + 8)
    for tick in range(TICKS + 1):
        at = round(tick / TICKS * width)
        for offset, character in enumerate(clock(tick / TICKS * length)):
            if at + offset < len(line):
                line[at + offset] = character
    return "".join(line).rstrip()
