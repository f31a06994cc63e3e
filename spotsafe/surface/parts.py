"""What shapes take out of a value, and what redaction puts back into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spotsafe.core.content import Content, Part

FEW = 32
"""Parts that fit into one request (``core.wire.MAX_PARTS``, which is not imported until there are more)."""


class Parts:
    """Parts as they are collected. *names* gives the manifest's name for a leaf's path where they differ;
    *absent* are the names of parts that were None though nothing said that they may be."""

    __slots__ = ("absent", "found", "names")

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.found: list[Part] = []
        self.absent: list[str] = []

    def lacks(self, name: str, index: str) -> None:
        """Note that the part at *name* and *index* was None."""
        self.absent.append(self.names.get(name, name) + index)

    def content(self, languages: Sequence[str]) -> Content:
        """What was collected, as one content; long lists are folded into what one request may carry."""
        if len(self.found) <= FEW:
            return Content(self.found, languages)
        from spotsafe.core.wire import MAX_PARTS
        from spotsafe.surface.folding import folded

        return folded(self.found, languages, MAX_PARTS)


class Edits:
    """Parts as redaction left them, by name."""

    __slots__ = ("_names", "_parts")

    def __init__(self, names: Mapping[str, str], parts: Mapping[str, Part]) -> None:
        self._names = names
        self._parts = parts

    def part(self, name: str, index: str) -> Part | None:
        return self._parts.get(self._names.get(name, name) + index)
