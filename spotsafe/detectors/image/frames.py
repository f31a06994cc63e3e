"""Readings of single frames, and what they say of the animation together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spotsafe.core.signals import Evidence, Missing, Signal, TimeRange

NOTABLE = 0.2
"""Stretches of time are kept apart where the score reaches this and half of its peak; below it one entry
without a time is enough."""

MOST_STRETCHES = 20
"""Entries per label and detector, the highest first."""

LAST_FRAME = 0.1
"""Seconds for which the last frame is taken to be shown, where no frame before it says otherwise."""


class FrameReading(NamedTuple):
    """What is known of one frame: its *time* in seconds, scores, what could not be scored, and the *words*
    that were read, by blocks."""

    time: float
    signals: tuple[Signal, ...]
    missing: tuple[Missing, ...]
    words: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the words: they are content."""
        return f"<FrameReading at {self.time:.2f} s, {len(self.signals)} scored, {len(self.missing)} missing>"


def said(readings: Iterable[FrameReading]) -> str:
    """The words of all frames, in order, a line for each block; what was read before is not repeated."""
    blocks: dict[str, str] = {}
    for block in (block for reading in readings for block in reading.words):
        blocks.setdefault(" ".join(block.casefold().split()), block)
    return "\n".join(blocks.values())


def over_time(readings: Sequence[FrameReading]) -> tuple[list[Signal], list[Missing]]:
    """One entry per label, detector and stretch of time: the highest score in it, with the stretch and the
    boxes of its best frame as evidence. Boxes are those of the frame at the start of the range before them:
    that frame's own, where it is not the first of the stretch. A single frame's entries are given as they
    are."""
    if len(readings) == 1:
        return list(readings[0].signals), list(readings[0].missing)
    ends = _ends(readings)
    tracks: dict[tuple[str, str], list[Signal | None]] = {}
    for index, reading in enumerate(readings):
        for signal in reading.signals:
            track = tracks.setdefault((signal.label, signal.detector), [None] * len(readings))
            other = track[index]
            if other is None or signal.score > other.score:
                track[index] = signal
    found: list[Signal] = []
    for track in tracks.values():
        found += _stretches(track, readings, ends)
    return found, list(dict.fromkeys(entry for reading in readings for entry in reading.missing))


def _stretches(
    track: Sequence[Signal | None], readings: Sequence[FrameReading], ends: Sequence[float]
) -> list[Signal]:
    present = [signal for signal in track if signal is not None]
    peak = max(present, key=lambda signal: signal.score)
    if peak.score < NOTABLE:
        return [peak]
    least = max(NOTABLE, peak.score / 2)
    found: list[_Stretch] = []
    for index, signal in enumerate(track):
        if signal is None or signal.score < least:
            continue
        if found and found[-1].last == index - 1:
            stretch = found[-1]._replace(last=index)
            better = signal.score > stretch.signal.score
            found[-1] = stretch._replace(signal=signal, best=index) if better else stretch
        else:
            found.append(_Stretch(signal, index, index, index))
    found = sorted(found, key=lambda stretch: -stretch.signal.score)[:MOST_STRETCHES]
    starts = [reading.time for reading in readings]
    return [_timed(stretch, starts, ends) for stretch in found]


class _Stretch(NamedTuple):
    """Frames from *first* to *last*, and of them the *best* with its *signal*."""

    signal: Signal
    first: int
    last: int
    best: int


def _timed(stretch: _Stretch, starts: Sequence[float], ends: Sequence[float]) -> Signal:
    boxes = stretch.signal.evidence
    ranges = [_range(starts[stretch.first], ends[stretch.last])]
    if boxes and stretch.first < stretch.best:
        ranges.append(_range(starts[stretch.best], ends[stretch.best]))
    evidence: tuple[Evidence, ...] = (*ranges, *boxes)
    return stretch.signal._replace(evidence=evidence)


def _range(start: float, end: float) -> TimeRange:
    return TimeRange(round(start, 3), round(end, 3))


def _ends(readings: Sequence[FrameReading]) -> list[float]:
    """When each frame gives way to the next."""
    times = [reading.time for reading in readings]
    last = times[-1] - times[-2] if len(times) > 1 else LAST_FRAME
    return [*times[1:], times[-1] + max(last, LAST_FRAME)]
