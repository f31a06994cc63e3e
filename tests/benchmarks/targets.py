"""Which ratios are reported, and what they should be at most or at least."""

from __future__ import annotations

from tests.benchmarks.rounds import Quotient

R1 = "cachetools"
"""The hit that hits are compared with."""

QUOTIENTS = (
    Quotient("T1", "guarded hit / cachetools hit", "guarded hit", R1, at_most=2.5, gate=4.0),
    Quotient(
        "T2", "guarded async hit, less the bare handler / cachetools hit", "guarded async hit", R1,
        less="bare async handler", at_most=2.5, gate=4.0,
    ),
    Quotient(
        "T3", "guarded hit, OpenTelemetry API without SDK / cachetools hit", "guarded hit, telemetry", R1,
        at_most=3.5, gate=5.0,
    ),
    Quotient(
        "T6a", "OpenFeature in-memory flag / guarded hit", "OpenFeature", "guarded hit",
        at_least=4.0, gate=2.5,
    ),
    Quotient(
        "T6b", "LaunchDarkly variation() / guarded hit", "LaunchDarkly", "guarded hit",
        at_least=4.0, gate=2.5,
    ),
    Quotient(
        "T12a", "stamina / breaker, retry and deadline", "stamina", "retry machinery", at_least=6.0, gate=4.0,
        note="a part of a miss, measured by itself as its rival is",
    ),
    Quotient(
        "T12b", "tenacity / breaker, retry and deadline", "tenacity", "retry machinery",
        at_least=6.0, gate=4.0,
    ),
    Quotient(
        "T13 sync", "guarded miss / bare httpx post", "guarded miss", "httpx sync",
        at_most=1.05, gate=1.15, clock="wall",
        note="names are resolved ahead, so the tighter of the two targets holds",
    ),
    Quotient(
        "T13 async", "guarded async miss / bare httpx post, awaited", "guarded async miss", "httpx async",
        at_most=1.05, gate=1.15, clock="wall",
    ),
    Quotient(
        "T15", "64 identical async misses at once / one", "64 tasks, slow", "one slow miss",
        at_most=2.0, gate=3.0, clock="wall", note="the service takes 20 ms",
    ),
    Quotient(
        "T16", "fallback with the breaker open / cachetools hit", "breaker open", R1, at_most=4.0, gate=6.0
    ),
    Quotient(
        "T20", "guarded hit on 1 MiB / one sha256 of it", "guarded 1 MiB", "sha256 1 MiB",
        at_most=1.1, gate=1.3,
    ),
    Quotient("", "client.check hit / cachetools hit", "client.check hit", R1),
    Quotient(
        "", "guarded hit while events are delivered / cachetools hit", "guarded hit, delivering", R1,
        clock="wall",
        note="calls without a pause, the delivery thread beside them",
    ),
    Quotient(
        "", "64 threads with identical misses / one", "64 threads, slow", "one slow sync miss", clock="wall",
        note="the service takes 20 ms",
    ),
    Quotient(
        "", "64 identical async misses at once / one, without waiting", "64 tasks", "guarded async miss",
        clock="wall",
        note="the service answers at once: what is left is the work of 64 tasks",
    ),
)  # fmt: skip
"""T numbers and targets are those of the design's budgets; rows without a number are for information."""
