"""The client that a product embeds: one per process, shared by threads and tasks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from random import Random
from types import TracebackType
from typing import Any

from spotsafe.client.gather import gather
from spotsafe.client.holds import receipt_for
from spotsafe.client.options import CACHE_BYTES, CACHE_ITEMS, Paths, options_from
from spotsafe.client.starting import Starting
from spotsafe.core.clock import SystemClock
from spotsafe.core.decision import Decision
from spotsafe.core.receipts import Receipt
from spotsafe.core.seams import Clock, Detector
from spotsafe.policy.surface import SurfacePolicy

MANY_AT_ONCE = 16
"""Checks of one ``acheck_many`` that run at the same time."""

RESERVED = ("item", "actor", "context")


class Client(Starting):
    """Checks content against the policy of a surface.

    *manifests*: files or folders of YAML; *service*: address of the central service, None makes the
    local engine the primary detector; *detector*: another primary; *fallback*: what answers when the
    primary cannot (``"auto"``: the local engine where it is installed; ``"local"``: it must be; None:
    nothing); *tenant_key* keys what leaves the process in place of actors and items, and signs receipts;
    *outbox*: a file in which events wait and survive the process; *transport*: an ``httpx`` transport for
    tests. Constructing does no I/O and starts nothing; ConfigurationError for an option that cannot be.
    """

    def __init__(
        self,
        *,
        manifests: Paths = None,
        service: str | None = None,
        api_key: str | None = None,
        waivers: str | os.PathLike[str] | None = None,
        detector: Detector | str | None = None,
        fallback: Detector | str | None = "auto",
        app: str | None = None,
        environment: str | None = None,
        tenant_key: bytes | str | None = None,
        outbox: str | os.PathLike[str] | None = None,
        cache_items: int = CACHE_ITEMS,
        cache_bytes: int = CACHE_BYTES,
        telemetry: bool = True,
        clock: Clock | None = None,
        random: Random | None = None,
        environ: Mapping[str, str] | None = None,
        transport: Any = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        options = options_from(
            environ,
            manifests=manifests, service=service, api_key=api_key, waivers=waivers, detector=detector,
            fallback=fallback, app=app, environment=environment, tenant_key=tenant_key, outbox=outbox,
            cache_items=cache_items, cache_bytes=cache_bytes, telemetry=telemetry, transport=transport,
        )  # fmt: skip
        random = random or Random(secrets.randbits(128))  # noqa: S311 - ids must be unique, not secret
        super().__init__(options, environ, clock or SystemClock(), random)

    @classmethod
    def unconfigured(cls) -> Client:
        """The client of a process that configured none: everything is held, status ``unchecked``."""
        client = cls(telemetry=False, fallback=None)
        client._nobody = True
        return client

    # ── checks ──────────────────────────────────────────────────────────────────────────────────

    def check(
        self,
        surface: str,
        /,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
        **content: object,
    ) -> Decision:
        """The decision on *content*, given by keyword under the names of the manifest: ``str``, ``bytes``
        of a declared kind, parts, or lists of these. *item* and *actor* identify what is checked and who
        sent it; *context* holds what rules' ``when`` reads. Enforcing the decision is the caller's part.
        """
        policy = self.policy(surface)
        return self.check_content(
            policy, gather(policy, content), item=_text(item), actor=_text(actor), context=context
        )

    async def acheck(
        self,
        surface: str,
        /,
        *,
        item: str | None = None,
        actor: str | None = None,
        context: Mapping[str, object] | None = None,
        **content: object,
    ) -> Decision:
        """As :meth:`check`."""
        policy = self.policy(surface)
        return await self.acheck_content(
            policy, gather(policy, content), item=_text(item), actor=_text(actor), context=context
        )

    def check_many(self, surface: str, /, items: Iterable[Mapping[str, Any]]) -> list[Decision]:
        """Decisions for *items* in order: mappings of the keywords of :meth:`check`."""
        return [self.check(surface, **entry) for entry in items]

    async def acheck_many(self, surface: str, /, items: Iterable[Mapping[str, Any]]) -> list[Decision]:
        """As :meth:`check_many`, several at a time."""
        import asyncio

        turns = asyncio.Semaphore(MANY_AT_ONCE)

        async def one(entry: Mapping[str, Any]) -> Decision:
            async with turns:
                return await self.acheck(surface, **entry)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(entry)) for entry in items]
        return [task.result() for task in tasks]

    # ── holds ───────────────────────────────────────────────────────────────────────────────────

    def hold(self, decision: Decision, policy: SurfacePolicy, *, item: str | None = None) -> Receipt:
        """The receipt for a held *decision*, kept where the surface's policy says so."""
        content = decision.content
        if content is None:
            raise ValueError("a decision without content cannot be held")
        now = self._clock.now()
        receipt = receipt_for(decision, policy, content, _text(item), now=now, key=self._key)
        if self._holding is not None:
            self._holding.store.keep(
                receipt, policy.hold.on_expiry, content if policy.hold.keep == "outbox" else None
            )
        return receipt

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"<Client {self._state}>"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
