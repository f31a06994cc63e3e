"""The running half of a client: everything that a forked child must have anew."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from threading import Lock
from typing import Any

from spotsafe.client.cache import SignalCache, slot_of
from spotsafe.client.plans import Plan, Result
from spotsafe.client.reporting import Reporting
from spotsafe.client.rungs import Rungs
from spotsafe.client.sending import Sending
from spotsafe.client.workers import Workers
from spotsafe.core.decision import Decision
from spotsafe.core.faults import FaultCounter
from spotsafe.core.seams import Clock
from spotsafe.policy.surface import SurfacePolicy
from spotsafe.telemetry.instruments import Telemetry

WORKERS, WAITING = 4, 64
BACKGROUND_WORKERS, BACKGROUND_WAITING = 2, 1_000


class Miss:
    """The span of one miss: ``headers`` carry its context to the service; ``decision`` and ``failure`` are
    set before it ends."""

    __slots__ = ("_policy", "_span", "_telemetry", "decision", "failure", "headers")

    def __init__(self, telemetry: Telemetry | None, policy: SurfacePolicy) -> None:
        self._telemetry = telemetry
        self._policy = policy
        self._span: Any = None
        self.headers: dict[str, str] = {}
        self.decision: Decision | None = None
        self.failure: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace that this check belongs to, 32 hex digits."""
        return None if self._telemetry is None else self._telemetry.trace_id(self._span)

    def __enter__(self) -> Miss:
        if self._telemetry is not None:
            self._span = self._telemetry.start_span(self._policy.name)
            self.headers = self._telemetry.headers(self._span)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._telemetry is not None:
            self._telemetry.end(self._span, self.decision, self._policy, failure=self.failure)


class Runtime:
    """Caches, threads and figures of one process. ``table`` (the cache's) is open to the hit
    path, and so are ``telemetry`` and ``put`` (the outbox's), each None where it is off."""

    def __init__(
        self,
        *,
        cache_items: int,
        cache_bytes: int,
        clock: Clock,
        random: Random,
        faults: FaultCounter,
        reporting: Reporting | None,
    ) -> None:
        self.cache = SignalCache(cache_items, cache_bytes, clock.monotonic)
        self.table = self.cache.table
        self._lock = Lock()
        self.workers = Workers("spotsafe", WORKERS, WAITING, faults)
        self.background = Workers("spotsafe-background", BACKGROUND_WORKERS, BACKGROUND_WAITING, faults)
        self.sending = Sending(self.background)
        self.rungs = Rungs(
            self.cache, self.workers, monotonic=clock.monotonic, jitter=random.random, faults=faults
        )
        self.reporting = reporting
        self.telemetry = None if reporting is None else reporting.telemetry
        self.put = None if reporting is None or reporting.outbox is None else reporting.outbox.put
        self.hits = self.fallback_hits = self.misses = self.bypassed = self.queued = self.stale = 0
        if self.telemetry is not None:
            self.telemetry.attach(lookups=self.lookups)
        self.rung_counts: dict[str, int] = {}

    def miss(self, policy: SurfacePolicy) -> Miss:
        """Around the course of one miss."""
        self.misses += 1
        return Miss(self.telemetry, policy)

    def set_aside(self, plan: Plan, decision: Decision) -> None:
        """Count a decision that was made without a check."""
        with self._lock:
            plan.tally[slot_of(decision.verdict)] += 1
            self.queued += decision.queued
            self.bypassed += decision.kill_switch is not None

    def ended(self, plan: Plan, decision: Decision, result: Result) -> None:
        """Count the end of a course."""
        with self._lock:
            plan.tally[slot_of(decision.verdict)] += 1
            self.bypassed += decision.kill_switch is not None
            self.stale += result.outcome.earlier is not None
            for rung in result.outcome.rungs:
                self.rung_counts[rung] = self.rung_counts.get(rung, 0) + 1
        failure = result.outcome.failure
        if failure is not None and self.telemetry is not None and plan.primary is not None:
            self.telemetry.count_failure(plan.primary.detector.id, failure.value)

    def lookups(self) -> dict[str, int]:
        """Look-ups in the cache so far, by result."""
        fresh = self.rung_counts.get("cache", 0)
        shared = self.rungs.flights.joins
        missed = max(0, self.misses - fresh - self.stale - shared)
        return {"fresh": self.hits + fresh, "stale": self.stale, "shared": shared, "miss": missed}

    def figures(self) -> dict[str, Any]:
        """What of ``stats()`` is counted here."""
        items, size = self.cache.sizes()
        failures: Mapping[Any, int] = self.rungs.failures
        return {
            "rungs": {"cache": self.hits, **self.rung_counts},
            "failures": {failure.value: count for failure, count in sorted(failures.items())},
            "cache": {
                "hits": self.hits + self.rung_counts.get("cache", 0),
                "fallback_hits": self.fallback_hits,
                "stale": self.stale,
                "misses": self.misses - self.rung_counts.get("cache", 0),
                "evictions": self.cache.evictions,
                "items": items,
                "bytes": size,
            },
            "overruns": self.rungs.overruns,
            "bypassed": self.bypassed,
            "queued": self.queued,
            "singleflight_joins": self.rungs.flights.joins,
            "refused_jobs": self.workers.refused + self.background.refused,
        }

    def close(self) -> None:
        """Take no more work; nothing is waited for."""
        self.workers.close()
        self.background.close()
        self.rungs.abandon()
