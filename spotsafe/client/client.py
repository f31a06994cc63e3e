"""The client that a product embeds: one per process, shared by threads and tasks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from random import Random
from types import TracebackType
from typing import Any

from spotsafe.client.gather import gather
from spotsafe.client.options import CACHE_BYTES, CACHE_ITEMS, Paths, options_from
from spotsafe.client.resuming import Resuming
from spotsafe.client.stats import figures
from spotsafe.core.clock import SystemClock
from spotsafe.core.decision import Decision
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS
from spotsafe.core.records import FEEDBACK_VERDICTS
from spotsafe.core.seams import Clock, Detector
from spotsafe.policy.kill import KillSwitch

MANY_AT_ONCE = 16
"""Checks of one ``acheck_many`` that run at the same time."""


class Client(Resuming):
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

        return list(await asyncio.gather(*(one(entry) for entry in items)))

    # ── what people say and see ─────────────────────────────────────────────────────────────────

    def feedback(self, decision_id: str, *, verdict: str, label: str | None = None) -> None:
        """Report what a person thinks of a decision: *verdict* is ``agree``, ``too_strict`` or
        ``too_lax``, *label* the code it is about. ConfigurationError for anything else."""
        if verdict not in FEEDBACK_VERDICTS:
            raise ConfigurationError(f"feedback verdict must be one of {', '.join(FEEDBACK_VERDICTS)}")
        if label is not None and label not in LABELS:
            raise ConfigurationError("feedback label is not in the taxonomy; GET /v1/labels lists the codes")
        self._ensure_started()
        if self._reporting is not None:
            self._reporting.feedback(decision_id, verdict, label)

    def kill(self, target: str = "", *, until: float, reason: str) -> None:
        """Stop enforcement in this process until *until* (Unix seconds): of everything, of the surface
        *target*, or of one qualified rule (``comments.create#pii``). Detection and records go on;
        ``would`` says what was held back. Logged, recorded and shown as bypass."""
        if not reason.strip() or until <= self._clock.now():
            raise ConfigurationError("a kill switch needs a reason, and an end in the future (Unix seconds)")
        scope = "rule" if "#" in target else "surface" if target else "process"
        self._ensure_started()
        others = [switch for switch in self._kills if (switch.scope, switch.target) != (scope, target)]
        self._switched((*others, KillSwitch(scope, target, until, reason)))

    def lift(self, target: str = "") -> None:
        """Take the kill switch of *target* away again."""
        self._switched(tuple(switch for switch in self._kills if switch.target != target))

    def stats(self) -> dict[str, Any]:
        """Figures of this process since it started, JSON-safe and without content: decisions by status
        and disposition, rungs, failures, cache, breaker, outbox, internal faults."""
        return figures(self)

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
