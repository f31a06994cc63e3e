"""A guarded block: ``with guarded("comments.create", body=text) as decision:``, sync and async."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import Any

from spotsafe.client import registry
from spotsafe.core.decision import Decision
from spotsafe.surface import context as running
from spotsafe.surface.enforce import enforce


class guarded:  # noqa: N801 - reads as a statement: ``with guarded("comments.create", body=text):``
    """Checks content as ``client.check`` does and runs the block only if it may go on.

    *content* are the parts by name. Entering raises SurfaceBlocked or SurfaceHeld; it gives the
    Decision, whose ``content`` is what to use where the decision redacts.
    """

    __slots__ = ("_actor", "_content", "_context", "_item", "_surface", "_token")

    def __init__(
        self,
        surface: str,
        /,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
        **content: Any,
    ) -> None:
        self._surface = surface
        self._item = item
        self._actor = actor
        self._context = context
        self._content = content
        self._token: Token[Decision | None] | None = None

    def __enter__(self) -> Decision:
        client = registry.current()
        decision = client.check(
            self._surface, item=self._item, actor=self._actor, context=self._context, **self._content
        )
        return self._entered(client, decision)

    async def __aenter__(self) -> Decision:
        client = registry.current()
        decision = await client.acheck(
            self._surface, item=self._item, actor=self._actor, context=self._context, **self._content
        )
        return self._entered(client, decision)

    def _entered(self, client: Any, decision: Decision) -> Decision:
        enforce(client, client.policy(self._surface), decision, item=self._item)
        self._token = running.enter(decision)
        return decision

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            running.leave(self._token)
            self._token = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<guarded {self._surface} {len(self._content)} parts>"
