"""The senses: what was typed, read in pictures, spoken in recordings, and seen; and the words of each.

Engines hand out the words beside their scores, so that another stage can look at them together. Words are
user content: they live as long as the request, and no ``repr`` shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Signal, Signals

TYPED, READ, SPOKEN, SEEN = SENSES = ("typed", "read", "spoken", "seen")
"""Text parts; text in pictures and frames; speech in sound and video; the picture itself. The first three
have words."""

KNOWN = "known"
"""Last word of the ids of detectors that look content up in a bank: no sense, they judge nothing."""

_BY_ENDING = {"text": READ, "speech": SPOKEN, "classes": SEEN, "frames": SEEN, "boxes": SEEN}


class Sensed(NamedTuple):
    """The words of one *sense* in the part named *part*, in order. *music*: share of the recording's time
    that sounds like music, in [0, 1]; 0 for anything but sound."""

    sense: str
    part: str
    text: str
    music: float = 0.0

    def __repr__(self) -> str:
        return f"<Sensed {self.sense} in {self.part!r}, {len(self.text)} characters, music {self.music:.2f}>"


class Perceived(NamedTuple):
    """What a detector says of one request, and the words behind it."""

    signals: Signals
    sensed: tuple[Sensed, ...] = ()


@runtime_checkable
class Sensing(Protocol):
    """A detector that hands out the words that it read or heard."""

    def perceive(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Perceived]:
        """As :meth:`~spotsafe.core.seams.Detector.detect`, whose answers are the first halves of these."""
        ...


def perceived(
    detector: Detector, requests: Sequence[DetectRequest], *, timeout: float | None = None
) -> list[Perceived]:
    """What *detector* says of *requests*, with words where it hands them out. Raises DetectorError."""
    if isinstance(detector, Sensing):
        return detector.perceive(requests, timeout=timeout)
    return [Perceived(signals) for signals in detector.detect(requests, timeout=timeout)]


def typed(request: DetectRequest) -> tuple[Sensed, ...]:
    """The words of the request's text parts."""
    return tuple(
        Sensed(TYPED, part.name, part.data)
        for part in request.content
        if part.kind == "text" and isinstance(part.data, str)
    )


def sense_of(signal: Signal, kind: str) -> str | None:
    """By which sense *signal*, of a part of that *kind*, was found; None for what a bank knows."""
    ending = signal.detector.rpartition(".")[2]
    if ending == KNOWN:
        return None
    return TYPED if kind == "text" else _BY_ENDING.get(ending)


def by_sense(signals: Iterable[Signal], kinds: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Sense → label → its highest score. *kinds*: name of a part → its kind."""
    found: dict[str, dict[str, float]] = {}
    for signal in signals:
        sense = sense_of(signal, kinds.get(signal.part, ""))
        if sense is not None:
            scores = found.setdefault(sense, {})
            scores[signal.label] = max(signal.score, scores.get(signal.label, 0.0))
    return found


def words(sensed: Iterable[Sensed]) -> dict[str, str]:
    """Sense → its words in all parts, for the senses that have some, in the order of :data:`SENSES`."""
    found: dict[str, list[str]] = {}
    for one in sensed:
        if one.text.strip():
            found.setdefault(one.sense, []).append(one.text.strip())
    return {sense: "\n".join(found[sense]) for sense in SENSES if sense in found}


def joined(found: Mapping[str, str]) -> str:
    """The words of all senses as one text: typed, read, spoken."""
    return "\n".join(found[sense] for sense in SENSES if sense in found)


def music(sensed: Iterable[Sensed]) -> float:
    """The most musical recording's share of music; 0 where there is none."""
    return max((one.music for one in sensed), default=0.0)
