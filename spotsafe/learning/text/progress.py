"""Progress of a long job: percentages handed to whoever shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """Calls *show* with a line whenever a percentage changes. No clock: it counts, it does not estimate."""

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self._show = show or _silent

    def over(self, items: Sequence[T], what: str) -> Iterator[T]:
        """*items*, with the share of them that is done shown as they are taken."""
        shown = -1
        for index, item in enumerate(items):
            share = index * 100 // len(items)
            if share != shown:
                self._show(f"{what} {share} %")
                shown = share
            yield item


def _silent(line: str) -> None:
    """Nobody is watching."""
