"""Two engines on the same traffic: one answers, the other is asked beside it, and only counts come of that.

Nothing of the content is kept, and nothing that the second engine does reaches a caller: neither its scores
nor its time nor its failures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from queue import Full, Queue
from random import Random, SystemRandom
from threading import Lock, Thread
from typing import Any, NamedTuple

from spotsafe.core.errors import SpotsafeError
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.seams import Capabilities, Detector, DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.detectors import loading

WAITING = 256
"""Answers that may wait to be compared; beyond it traffic is not compared, which is counted."""

MOST_BYTES = 64 * 1024 * 1024
"""Size of the content that may wait with them."""

STEPS = 20
"""Score differences are counted in steps of one twentieth, from -1 to 1."""

AT = 0.5
"""The threshold at which two engines agree or not, for labels without one of their own."""


class Agreement(NamedTuple):
    """One label on the same parts of the same traffic. *both*, *first* and *second* count the parts that
    both, only the live, or only the shadowed engine scored at or above the threshold; *neither* the rest.
    *lost* and *gained* count parts that only the live, or only the shadowed one, had a score for. *steps*
    counts the differences (shadow less live), see :data:`STEPS`; *mean* is their mean."""

    label: str
    at: float
    both: int
    first: int
    second: int
    neither: int
    lost: int
    gained: int
    mean: float
    steps: tuple[int, ...]

    @property
    def compared(self) -> int:
        """Parts that both gave a score for."""
        return self.both + self.first + self.second + self.neither


class _Tally:
    """The running sums of one label."""

    __slots__ = ("counts", "gained", "lost", "steps", "total")

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0]
        self.lost = self.gained = 0
        self.total = 0.0
        self.steps = [0] * (2 * STEPS + 1)

    def add(self, live: float | None, shadow: float | None, at: float) -> None:
        if live is None or shadow is None:
            self.lost += shadow is None and live is not None
            self.gained += live is None and shadow is not None
            return
        self.counts[2 * (live < at) + (shadow < at)] += 1
        self.total += shadow - live
        self.steps[round((shadow - live) * STEPS) + STEPS] += 1

    def agreement(self, label: str, at: float) -> Agreement:
        both, first, second, neither = self.counts
        compared = sum(self.counts)
        mean = self.total / compared if compared else 0.0
        return Agreement(
            label, at, both, first, second, neither, self.lost, self.gained, mean, tuple(self.steps)
        )


class ShadowDetector:
    """Answers as *live*; asks *shadow* about a *share* of the requests on a thread of its own, and compares.

    *thresholds*: label → where it acts. *random* draws the share; requests for which there is no room are
    left out, so that the shadow never slows the live one.
    """

    def __init__(
        self,
        live: Detector,
        shadow: Detector,
        *,
        share: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
        random: Random | None = None,
        faults: FaultCounter | None = None,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._live = live
        self._shadow = shadow
        self._share = share
        self._thresholds = dict(thresholds or {})
        self._random = random or SystemRandom()
        self._faults = faults or FaultCounter()
        self._queue: Queue[tuple[Sequence[DetectRequest], list[Signals]] | None] = Queue(WAITING)
        self._lock = Lock()
        self._tallies: dict[str, _Tally] = {}
        self._start = start or _daemon
        self._started = False
        self._waiting = 0
        self.compared = self.skipped = self.failed = 0
        """Requests that both answered, for which there was no room, and on which the shadow failed."""

    @property
    def id(self) -> str:
        return self._live.id

    @property
    def version(self) -> str:
        return self._live.version

    def capabilities(self) -> Capabilities | None:
        """Those of the live engine."""
        return self._live.capabilities()

    def warm(self) -> None:
        """Load both."""
        loading.warm(self._live, self._shadow)

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """The live engine's answer."""
        answer = self._live.detect(requests, timeout=timeout)
        if self._random.random() < self._share:
            self._offer(requests, answer)
        return answer

    def _offer(self, requests: Sequence[DetectRequest], answer: list[Signals]) -> None:
        size = _size(requests)
        with self._lock:
            if not self._started:
                self._started = True
                self._start(self._work)
            if self._waiting + size > MOST_BYTES:
                self.skipped += len(requests)
                return
            self._waiting += size
        try:
            self._queue.put_nowait((requests, answer))
        except Full:
            with self._lock:
                self._waiting -= size
                self.skipped += len(requests)

    def _work(self) -> None:
        while (entry := self._queue.get()) is not None:
            self._compare(*entry)
            with self._lock:
                self._waiting -= _size(entry[0])
            self._queue.task_done()
        self._queue.task_done()

    def _compare(self, requests: Sequence[DetectRequest], answer: Sequence[Signals]) -> None:
        said: list[Signals] = []
        try:
            with contained("detectors.shadow", self._faults):
                said = self._shadow.detect(requests)
        except SpotsafeError as error:
            self._faults.note("detectors.shadow", type(error).__name__)
        with self._lock:
            if len(said) != len(requests):
                self.failed += len(requests)
                return
            for request, live, shadow in zip(requests, answer, said, strict=True):
                self._count(request, live, shadow)
            self.compared += len(requests)

    def _count(self, request: DetectRequest, live: Signals, shadow: Signals) -> None:
        first, second = _scores(live), _scores(shadow)
        for label in request.labels:
            tally = self._tallies.setdefault(label, _Tally())
            at = self._thresholds.get(label, AT)
            for part in request.content:
                place = (label, part.name)
                tally.add(first.get(place), second.get(place), at)

    def agreements(self) -> tuple[Agreement, ...]:
        """What was compared so far, by label; labels that neither engine ever scored are left out."""
        with self._lock:
            found = [
                tally.agreement(label, self._thresholds.get(label, AT))
                for label, tally in sorted(self._tallies.items())
            ]
        return tuple(entry for entry in found if entry.compared or entry.lost or entry.gained)

    def report(self) -> dict[str, Any]:
        """All counts as JSON values."""
        return {
            "live": {"id": self._live.id, "version": self._live.version},
            "shadow": {"id": self._shadow.id, "version": self._shadow.version},
            "requests": {"compared": self.compared, "skipped": self.skipped, "failed": self.failed},
            "labels": [{**entry._asdict(), "compared": entry.compared} for entry in self.agreements()],
        }

    def drain(self) -> None:
        """Wait until everything that waits was compared."""
        if self._started:
            self._queue.join()

    def close(self) -> None:
        """End the thread once it has compared what waits."""
        if self._started:
            self._queue.put(None)


def _size(requests: Sequence[DetectRequest]) -> int:
    return sum(len(part.data) for request in requests for part in request.content)


def _scores(signals: Signals) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for signal in signals.scores:
        place = (signal.label, signal.part)
        found[place] = max(signal.score, found.get(place, 0.0))
    return found


def _daemon(work: Callable[[], None]) -> None:
    Thread(target=work, name="spotsafe-shadow", daemon=True).start()
