"""Progress of a long job: a line that rewrites itself on a terminal, silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO, TypeVar

T = TypeVar("T")


class Progress:
    """Writes to *stream* where that is a terminal. No clock: it counts, it does not estimate."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None

    def over(self, items: Sequence[T], what: str) -> Iterator[T]:
        """*items*, with a percentage shown as they are taken."""
        shown = -1
        for index, item in enumerate(items):
            share = index * 100 // len(items)
            if share != shown:
                self._write(f"\r\x1b[K{what} {share:3d} %")
                shown = share
            yield item
        self._write(f"\r\x1b[K{what} done\n")

    def say(self, line: str) -> None:
        """One line about a step."""
        self._write(f"\r\x1b[K{line}\n")

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()
