"""What this room reads of a policy and calls on a client: the narrow view that tests can stand in for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from spotsafe.core.content import Content
from spotsafe.core.decision import Decision
from spotsafe.core.receipts import Receipt
from spotsafe.surface.declared import DeclaredPart

Who = tuple[str | None, str | None, Mapping[str, object] | None]
"""Item, actor and context of a call."""


class SurfacePolicy(Protocol):
    """The fields of a compiled surface policy that enforcement and extraction read."""

    name: str
    direction: str
    languages: tuple[str, ...]
    unlinked: bool
    broken: bool

    @property
    def content(self) -> Mapping[str, DeclaredPart]: ...

    @property
    def context(self) -> Mapping[str, object]: ...

    def notice(self, key: str | None, language: str | None) -> str | None:
        """The text for people under a notice key."""
        ...


class Guard(Protocol):
    """The client as surfaces use it. It is handed back the policy objects that it gave out."""

    @property
    def policies(self) -> Mapping[str, SurfacePolicy]:
        """Those that were resolved so far."""
        ...

    def policy(self, surface: str) -> SurfacePolicy: ...

    def hit(
        self,
        policy: Any,
        content: Content,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> Decision | None: ...

    def checked(self, policy: Any, content: Content, who: Who) -> Decision: ...

    async def achecked(self, policy: Any, content: Content, who: Who) -> Decision: ...

    def check_content(
        self,
        policy: Any,
        content: Content,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> Decision: ...

    async def acheck_content(
        self,
        policy: Any,
        content: Content,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> Decision: ...

    def hold(self, decision: Decision, policy: Any, *, item: str | None) -> Receipt: ...

    def declare(self, surface: str) -> None: ...
