"""Interleaved measurement: in each round every item runs for a few milliseconds, and what is reported are
ratios within a round. A machine that is busy for a second is busy for both sides of a ratio.

Two clocks run: the wall's, and the CPU time of the measuring thread. What only computes is compared by CPU
time, which does not tick while another process has the core; what waits for a network, a lock or another
thread is compared by the wall's. The other clock's ratio is reported beside it.

Garbage collection is off inside a slice and runs between rounds; arguments are made before a slice starts,
so that neither side pays for the other's strings.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median, quantiles
from time import perf_counter_ns, thread_time_ns
from typing import Any, NamedTuple


class Spent(NamedTuple):
    """Nanoseconds by both clocks."""

    wall: float
    cpu: float


Run = Callable[[list[Any]], Spent]
"""Calls the subject once for each argument; returns what all of them together took."""

WARM_UP = 30
"""Calls before a slice that are not timed: what ran in between has emptied the processor's caches, which
would cost most whoever runs the most code."""


def nothing() -> None:
    return None


class Item(NamedTuple):
    """One subject. *about* says what one call includes; *fresh* makes that many arguments, never used
    before; *before* and *after* run around a slice and are not timed; *millis* is how long a slice should
    take, of at most *most* calls."""

    name: str
    about: str
    run: Run
    fresh: Callable[[int], list[Any]]
    before: Callable[[], None] = nothing
    after: Callable[[], None] = nothing
    millis: float = 2.0
    most: int = 4000


class Quotient(NamedTuple):
    """``(over - less) / under``, by item name. *at_most* or *at_least* is the target, *gate* the limit with
    room for a noisy machine; neither: for information. *clock* is ``cpu`` or ``wall``."""

    code: str
    title: str
    over: str
    under: str
    less: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    gate: float | None = None
    clock: str = "cpu"
    note: str = ""


def timed(call: Callable[[Any], Any]) -> Run:
    """Slices of a function of one argument."""

    def run(arguments: list[Any]) -> Spent:
        wall, cpu = perf_counter_ns(), thread_time_ns()
        for argument in arguments:
            call(argument)
        return Spent(cpu=thread_time_ns() - cpu, wall=perf_counter_ns() - wall)

    return run


def awaited(loop: asyncio.AbstractEventLoop, call: Callable[[Any], Awaitable[Any]]) -> Run:
    """Slices of a coroutine function, awaited one after the other in one task of *loop*."""

    async def task(arguments: list[Any]) -> Spent:
        wall, cpu = perf_counter_ns(), thread_time_ns()
        for argument in arguments:
            await call(argument)
        return Spent(cpu=thread_time_ns() - cpu, wall=perf_counter_ns() - wall)

    return lambda arguments: loop.run_until_complete(task(arguments))


def calibrated(item: Item) -> int:
    """Calls that fill a slice. The best of three counts: a slice in which another process had the core
    says nothing."""
    _slice(item, 3)
    calls = 1
    while True:
        each = min(_slice(item, calls).wall for _ in range(3))
        if each * calls * 2 >= item.millis * 1e6 or calls >= item.most:
            return max(1, min(item.most, round(item.millis * 1e6 / each)))
        calls *= 2


def _slice(item: Item, calls: int) -> Spent:
    """What one call took."""
    before = min(WARM_UP, calls // 4)
    warm, arguments = item.fresh(before), item.fresh(calls)
    item.before()
    try:
        if warm:
            item.run(warm)
        wall, cpu = item.run(arguments)
        return Spent(wall / calls, cpu / calls)
    finally:
        item.after()


def measure(
    items: Sequence[Item], rounds: int, *, progress: Callable[[str], None], collect: bool = False
) -> tuple[dict[str, list[Spent]], dict[str, int]]:
    """What one call of each item took in each round, and the calls in a slice. Every second round runs
    backwards, so that no item always follows the same one. *collect* leaves the collector on in slices."""
    calls: dict[str, int] = {}
    for number, item in enumerate(items, 1):
        progress(f"warming up {number}/{len(items)}: {item.name}")
        calls[item.name] = calibrated(item)
    times: dict[str, list[Spent]] = {item.name: [] for item in items}
    gc.collect()
    gc.freeze()
    try:
        for number in range(rounds):
            progress(f"round {number + 1}/{rounds}")
            gc.collect()
            if not collect:
                gc.disable()
            for item in items if number % 2 == 0 else reversed(items):
                times[item.name].append(_slice(item, calls[item.name]))
            gc.enable()
    finally:
        gc.enable()
        gc.unfreeze()
    return times, calls


class Spread(NamedTuple):
    """Median, 10th and 90th percentile."""

    median: float
    p10: float
    p90: float


def spread(values: Sequence[float]) -> Spread:
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    tenths = quantiles(values, n=10, method="inclusive")
    return Spread(median(values), tenths[0], tenths[-1])


def ratios(quotient: Quotient, times: Mapping[str, Sequence[Spent]], clock: str) -> list[float]:
    """One ratio for each round, by *clock*."""
    over, under = by(clock, times[quotient.over]), by(clock, times[quotient.under])
    less = by(clock, times[quotient.less]) if quotient.less else [0.0] * len(over)
    return [(one - minus) / other for one, minus, other in zip(over, less, under, strict=True)]


def by(clock: str, spent: Sequence[Spent]) -> list[float]:
    """Nanoseconds by ``cpu`` or ``wall``."""
    return [each.cpu if clock == "cpu" else each.wall for each in spent]
