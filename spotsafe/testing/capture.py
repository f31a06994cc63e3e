"""Capturing decisions: what a client decided while a test ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spotsafe.core.decision import Decision

if TYPE_CHECKING:
    from spotsafe.client.client import Client


class Captured:
    """Decisions in the order in which they were made."""

    __slots__ = ("decisions",)

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def of(self, surface: str) -> list[Decision]:
        """The decisions on *surface*."""
        return [decision for decision in self.decisions if decision.surface == surface]

    @property
    def last(self) -> Decision:
        """The last decision; LookupError where there was none."""
        if not self.decisions:
            raise LookupError("no decision was made: is the call guarded, and does it carry content?")
        return self.decisions[-1]

    @property
    def actions(self) -> list[tuple[str, str]]:
        """``(surface, action)`` of each decision: the short form for assertions."""
        return [(decision.surface, decision.action) for decision in self.decisions]

    def __len__(self) -> int:
        return len(self.decisions)

    def __iter__(self) -> Iterator[Decision]:
        return iter(self.decisions)

    def __repr__(self) -> str:
        return f"<Captured {len(self.decisions)} decisions>"


@contextmanager
def capture_decisions(client: Client) -> Iterator[Captured]:
    """Captures every decision of *client* while the block runs, from decorated handlers and from its own
    methods, on any thread or task.

    >>> from spotsafe import Client
    >>> from spotsafe.testing import FakeDetector
    >>> client = Client(detector=FakeDetector(), app="tests")
    >>> with capture_decisions(client) as captured:
    ...     _ = client.check("comments.create", body="hello")
    >>> captured.actions
    [('comments.create', 'allow')]
    """
    captured = Captured()
    hit, checked, achecked = client.hit, client.checked, client.achecked

    def noted_hit(*args: Any) -> Decision | None:
        decision = hit(*args)
        if decision is not None:
            captured.decisions.append(decision)
        return decision

    def noted(*args: Any) -> Decision:
        decision = checked(*args)
        captured.decisions.append(decision)
        return decision

    async def anoted(*args: Any) -> Decision:
        decision = await achecked(*args)
        captured.decisions.append(decision)
        return decision

    # On the instance: other clients of the process are not captured.
    vars(client).update(hit=noted_hit, checked=noted, achecked=anoted)
    try:
        yield captured
    finally:
        for name in ("hit", "checked", "achecked"):
            vars(client).pop(name, None)
