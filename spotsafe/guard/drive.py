"""The two drivers: short loops that perform each step a generator asks for, and hand back the reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")


def drive(steps: Generator[S, R, T], perform: Callable[[S], R]) -> T:
    """Run *steps* to its end on this thread; returns what the generator returned."""
    try:
        step = next(steps)
        while True:
            step = steps.send(perform(step))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


async def adrive(steps: Generator[S, R, T], perform: Callable[[S], Awaitable[R]]) -> T:
    """As :func:`drive`, awaiting each step. On cancellation the generator is closed at its step."""
    try:
        step = next(steps)
        while True:
            step = steps.send(await perform(step))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()
