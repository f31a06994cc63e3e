"""Metrics and spans by the OpenTelemetry API alone.

Counting on the hot path is plain arithmetic on a list, without a lock: CPython changes threads between
certain bytecodes only, and none of them lies within ``cell[n] += 1`` (a build without the GIL may lose a
count). Observable instruments read the lists when somebody exports. A span is made only where a detector
is asked, and never made current: that costs eight times as much; the request carries its context
explicitly. ``opentelemetry`` is imported by :meth:`Telemetry.start` and the first span, not here.
"""

from __future__ import annotations

import os
import threading
import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from spotsafe.core.decision import Decision, Disposition, Mode, Status
from spotsafe.telemetry.events import RecordedPolicy, failed_open
from spotsafe.telemetry.identity import Identity

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from spotsafe.core.faults import FaultCounter
    from spotsafe.telemetry.delivery import Delivery
    from spotsafe.telemetry.outbox import Outbox

SCOPE = "spotsafe"
DURATION_BOUNDS = (
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds in seconds: from a cache hit (microseconds) to a deadline that somebody set to ten."""
MAX_SURFACES = 2_000
_PARTIAL = int(Status.PARTIAL)  # looking a member up on its class costs more than the rest of the check

Point = tuple[float, tuple[str, ...]]
"""A value and the values of the metric's attributes, in the catalogue's order."""
CellKey = tuple[str, Disposition, Status, Mode]
Cell = list[float]
"""Seconds, then decisions by bucket of DURATION_BOUNDS."""
Counts = dict[tuple[str, ...], int]


class Telemetry:
    """Counts what happens on surfaces and exports it; one per client.

    With *enabled* False every method returns at once. Providers default to the process-wide ones.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        enabled: bool = True,
    ) -> None:
        self.identity = identity
        self.enabled = enabled
        self._meter_provider = meter_provider
        self._tracer_provider = tracer_provider
        self._tracer: Any = None
        self._started = False
        self._outbox: Outbox | None = None
        self._delivery: Delivery | None = None
        self._faults: FaultCounter | None = None
        self._kill_switches: Callable[[], Iterable[str]] = tuple
        self._lookups: Callable[[], Mapping[str, int]] = dict
        self._reset()
        _live.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[CellKey, Cell] = {}
        self._surfaces: set[str] = set()
        self._counts: dict[str, Counts] = {}

    def attach(
        self,
        *,
        outbox: Outbox | None = None,
        delivery: Delivery | None = None,
        faults: FaultCounter | None = None,
        kill_switches: Callable[[], Iterable[str]] | None = None,
        lookups: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        """Export the figures of these too; *kill_switches* names those that are on, *lookups* gives cache
        look-ups by result."""
        self._outbox = outbox or self._outbox
        self._delivery = delivery or self._delivery
        self._faults = faults or self._faults
        self._kill_switches = kill_switches or self._kill_switches
        self._lookups = lookups or self._lookups

    def start(self) -> None:
        """Create the instruments. Idempotent; without an SDK this is all that ever happens."""
        if self._started or not self.enabled:
            return
        self._started = True
        from spotsafe.telemetry.export import create_instruments

        create_instruments(weakref.ref(self), self._meter_provider)

    # ── counting ────────────────────────────────────────────────────────────────────────────────

    def count(self, decision: Decision, policy: RecordedPolicy, seconds: float) -> None:
        """One decision under *policy*, for which the guard took *seconds*. The hot path."""
        if not self.enabled:
            return
        verdict = decision.verdict
        cell = self._cells.get((decision.surface, verdict.disposition, verdict.status, policy.mode))
        if cell is None:
            cell = self._new_cell((decision.surface, verdict.disposition, verdict.status, policy.mode))
        tally(cell, seconds)
        if _is_rare(decision, policy):
            self._count_rare(decision, policy)

    def cell(self, decision: Decision, policy: RecordedPolicy) -> Cell | None:
        """Where decisions like this one are counted (by :func:`tally`), for a caller that makes many of
        them; None where more than that is to be counted of each."""
        if not self.enabled or _is_rare(decision, policy):
            return None
        verdict = decision.verdict
        key = (decision.surface, verdict.disposition, verdict.status, policy.mode)
        return self._cells.get(key) or self._new_cell(key)

    def _new_cell(self, key: CellKey) -> Cell:
        with self._lock:
            if key[0] not in self._surfaces and len(self._surfaces) >= MAX_SURFACES:
                # Not kept under the key that was asked for: a product that makes up surface names pays
                # with time, not with memory.
                key = ("other", *key[1:])
            self._surfaces.add(key[0])
            return self._cells.setdefault(key, [0.0] + [0] * (len(DURATION_BOUNDS) + 1))

    def _count_rare(self, decision: Decision, policy: RecordedPolicy) -> None:
        verdict = decision.verdict
        surface = decision.surface if decision.surface in self._surfaces else "other"
        if verdict.would is not None:
            self.add("spotsafe.would", surface, verdict.would.disposition.word)
        if failed_open(verdict, decision.signals, decision.kill_switch):
            self.add("spotsafe.failures.let_through", surface)
        if policy.unlinked:
            self.add("spotsafe.surfaces.unlinked", surface)
        if decision.kill_switch is not None:
            self.add("spotsafe.bypassed", surface)

    def count_failure(self, detector: str, failure: str) -> None:
        """One detector that gave no answer; *failure* from :class:`spotsafe.core.errors.Failure`."""
        self.add("spotsafe.detector.failures", detector, failure)

    def add(self, name: str, *attributes: str) -> None:
        """Add one to the counter *name* at *attributes*, given in the catalogue's order."""
        if self.enabled:
            with self._lock:
                counts = self._counts.setdefault(name, {})
                counts[attributes] = counts.get(attributes, 0) + 1

    def stats(self) -> dict[str, Any]:
        """Totals since the process started: ``decisions`` by surface, disposition and status, and every
        other counter by its name and attributes."""
        with self._lock:
            decisions = [(key, sum(cell[1:])) for key, cell in self._cells.items()]
            counts = {name: dict(found) for name, found in self._counts.items()}
        nested: dict[str, Any] = {}
        for (surface, disposition, status, _), number in decisions:
            of_surface = nested.setdefault(surface, {"dispositions": {}, "statuses": {}})
            for group, word in (("dispositions", disposition.word), ("statuses", status.word)):
                of_surface[group][word] = of_surface[group].get(word, 0) + number
        flat = {name: {"/".join(key): n for key, n in found.items()} for name, found in counts.items()}
        return {"decisions": nested, **flat}

    # ── reading, for the instruments ────────────────────────────────────────────────────────────

    def points(self, name: str) -> list[Point]:
        """The value of the metric *name* at each combination of attribute values."""
        if name == "spotsafe.decisions":
            with self._lock:
                cells = [(sum(cell[1:]), key) for key, cell in self._cells.items()]
            return [(n, (surface, d.word, s.word, m.value)) for n, (surface, d, s, m) in cells]
        if name.startswith("spotsafe.guard.duration."):
            return self._duration_points(name.rpartition(".")[2])
        if name == "spotsafe.kill_switch":
            return [(1, (switch,)) for switch in self._kill_switches()]
        if name == "spotsafe.internal_faults":
            return [] if self._faults is None else [(n, (p,)) for p, n in dict(self._faults.counts).items()]
        if name.startswith("spotsafe.outbox."):
            return self._outbox_points(name.rpartition(".")[2])
        if name == "spotsafe.cache":
            counts: Counts = {(result,): number for result, number in self._lookups().items() if number}
        else:
            with self._lock:
                counts = dict(self._counts.get(name, {}))
        return [(number, key) for key, number in counts.items()]

    def _duration_points(self, part: str) -> list[Point]:
        with self._lock:
            cells = [(key[0], list(cell)) for key, cell in self._cells.items()]
        durations: dict[str, Cell] = {}
        for surface, cell in cells:
            found = durations.get(surface)
            durations[surface] = cell if found is None else [a + b for a, b in zip(found, cell, strict=True)]
        if part == "sum":
            return [(cell[0], (surface,)) for surface, cell in durations.items()]
        if part == "count":
            return [(sum(cell[1:]), (surface,)) for surface, cell in durations.items()]
        bounds = [*(f"{bound:g}" for bound in DURATION_BOUNDS), "+Inf"]
        return [
            (passed, (surface, bound))
            for surface, cell in durations.items()
            for bound, passed in zip(bounds, accumulate(cell[1:]), strict=True)
        ]

    def _outbox_points(self, part: str) -> list[Point]:
        if part == "delivered":
            return [] if self._delivery is None else [(self._delivery.stats()["delivered"], ())]
        if self._outbox is None:
            return []
        if part == "dropped":
            return [(number, (reason,)) for reason, number in self._outbox.drops().items()]
        return [(self._outbox.stats()[part], ())]

    # ── spans ───────────────────────────────────────────────────────────────────────────────────

    def start_span(self, surface: str) -> Span | None:
        """A span for a check that asks a detector; a child of the caller's. None when switched off."""
        if not self.enabled:
            return None
        if self._tracer is None:
            from opentelemetry.trace import get_tracer

            self._tracer = get_tracer(SCOPE, self.identity.sdk, tracer_provider=self._tracer_provider)
        from spotsafe.telemetry.catalogue import SPAN_NAME

        span: Span = self._tracer.start_span(SPAN_NAME, attributes={"spotsafe.surface": surface})
        return span

    def headers(self, span: Span | None) -> dict[str, str]:
        """The headers that carry *span*'s context to the service (W3C ``traceparent`` by default)."""
        if span is None:
            return {}
        from opentelemetry.propagate import inject
        from opentelemetry.trace import set_span_in_context

        carrier: dict[str, str] = {}
        inject(carrier, context=set_span_in_context(span))
        return carrier

    def trace_id(self, span: Span | None) -> str | None:
        """The trace id of *span*, 32 hex digits; None where nothing is traced."""
        context = None if span is None else span.get_span_context()
        return f"{context.trace_id:032x}" if context is not None and context.is_valid else None

    def end(
        self,
        span: Span | None,
        decision: Decision | None,
        policy: RecordedPolicy,
        *,
        failure: str | None = None,
    ) -> None:
        """End *span*. Its attributes are those of the catalogue; nothing of the content, no exception."""
        if span is None:
            return
        if span.is_recording():
            attributes = _span_attributes(decision, policy, failure)
            span.set_attributes(attributes)
            if decision is None:
                from opentelemetry.trace import StatusCode

                span.set_status(StatusCode.ERROR)
        span.end()

    def after_fork(self) -> None:
        """In a forked child: count from nought; the parent exports what it has counted."""
        self._reset()


def tally(cell: Cell, seconds: float) -> None:
    """One more decision in *cell*, for which the guard took *seconds*."""
    cell[0] += seconds
    cell[bisect_left(DURATION_BOUNDS, seconds) + 1] += 1


def _is_rare(decision: Decision, policy: RecordedPolicy) -> bool:
    """Whether more than the duration is counted of it."""
    verdict = decision.verdict
    return (
        verdict.would is not None
        or policy.unlinked
        or verdict.status >= _PARTIAL
        or decision.kill_switch is not None
    )


def _span_attributes(
    decision: Decision | None, policy: RecordedPolicy, failure: str | None
) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "spotsafe.mode": policy.mode.value,
        "spotsafe.policy_version": policy.version,
    }
    if decision is not None:
        attributes["spotsafe.decision_id"] = decision.id
        attributes["spotsafe.disposition"] = decision.disposition.word
        attributes["spotsafe.effects"] = sorted(effect.value for effect in decision.effects)
        attributes["spotsafe.status"] = decision.status.word
    if failure is not None:
        attributes["spotsafe.failure"] = failure
    return attributes


_live: weakref.WeakSet[Telemetry] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for telemetry in list(_live):
        telemetry.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
