"""Guarded streams as HTTP answers: a refusal before the first piece can still become a status code."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from typing import TypeVar

from spotsafe.core.errors import SurfaceBlocked, SurfaceHeld

T = TypeVar("T")

Refusal = SurfaceBlocked | SurfaceHeld

_log = logging.getLogger("spotsafe.integrations")


def opened(stream: Iterator[T], *, on_refusal: Callable[[Refusal], T] | None = None) -> Iterator[T]:
    """*stream* with its first piece already there: what refuses the prompt, or the first window of the
    answer, raises here, before a response has begun. A refusal later on ends the stream with what
    *on_refusal* returns; without it the stream just ends, with one log line: a response that has begun
    has no status code left to give."""
    first = list(_first(stream))

    def pieces() -> Iterator[T]:
        try:
            yield from chain(first, stream)
        except (SurfaceBlocked, SurfaceHeld) as refusal:
            if on_refusal is None:
                _note(refusal)
            else:
                yield on_refusal(refusal)
        finally:
            if (close := getattr(stream, "close", None)) is not None:
                close()

    return pieces()


async def aopened(
    stream: AsyncIterator[T], *, on_refusal: Callable[[Refusal], T] | None = None
) -> AsyncIterator[T]:
    """As :func:`opened`, for an async stream: ``StreamingResponse(await aopened(answer(prompt)))``."""
    first = [piece async for piece in _afirst(stream)]

    async def pieces() -> AsyncIterator[T]:
        try:
            for piece in first:
                yield piece
            async for piece in stream:
                yield piece
        except (SurfaceBlocked, SurfaceHeld) as refusal:
            if on_refusal is None:
                _note(refusal)
            else:
                yield on_refusal(refusal)
        finally:
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()

    return pieces()


def _note(refusal: Refusal) -> None:
    word = "blocked" if isinstance(refusal, SurfaceBlocked) else "held"
    _log.warning(
        "surface %s: a stream was ended, its next piece is %s (decision %s)",
        refusal.surface, word, refusal.decision_id,
    )  # fmt: skip


def _first(stream: Iterator[T]) -> Iterator[T]:
    for piece in stream:
        yield piece
        return


async def _afirst(stream: AsyncIterator[T]) -> AsyncIterator[T]:
    try:
        yield await stream.__anext__()
    except StopAsyncIteration:
        return
