"""The app: routes, limits, access and store put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from spotsafe.core.clock import SystemClock
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.seams import Clock, Detector
from spotsafe.service import (
    adoption_routes,
    bank_routes,
    bundle,
    detection,
    health,
    hold_routes,
    intake,
    job_desk,
    job_routes,
    job_sweep,
    moderations,
    openapi,
    page_routes,
    shadow_routes,
)
from spotsafe.service.edge import Edge, routed
from spotsafe.service.engine import EngineSlot, Load
from spotsafe.service.keys import KeyRing
from spotsafe.service.limits import Limits
from spotsafe.service.problems import HANDLED, answer_problem
from spotsafe.service.state import Service
from spotsafe.service.store import Store, StoreUnavailable

if TYPE_CHECKING:
    from spotsafe.policy.surface import PolicySet

ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("POST", "/v1/detect", detection.detect),
    ("GET", "/v1/labels", detection.labels),
    ("POST", "/v1/jobs", job_routes.order),
    ("GET", "/v1/jobs", job_desk.listing),
    ("GET", "/v1/jobs/{job_id}", job_routes.show),
    ("POST", "/v1/jobs/{job_id}", job_desk.requeue),
    ("PUT", "/v1/jobs/{job_id}/parts/{position}", job_routes.receive),
    ("POST", "/v1/events", intake.events),
    ("POST", "/v1/feedback", intake.feedback),
    ("GET", "/v1/holds", hold_routes.listing),
    ("GET", "/v1/holds/{decision_id}", hold_routes.show),
    ("POST", "/v1/holds/{decision_id}", hold_routes.decide),
    ("POST", "/v1/moderations", moderations.moderations),
    ("GET", "/v1/policies/bundle", bundle.policies),
    ("GET", "/v1/adoption", adoption_routes.adoption),
    ("GET", "/v1/shadow", shadow_routes.shadow),
    ("GET", "/v1/banks", bank_routes.listing),
    ("POST", "/v1/banks/{bank}", bank_routes.add),
    ("DELETE", "/v1/banks/entries/{entry_id}", bank_routes.remove),
    ("GET", "/healthz", health.alive),
    ("GET", "/readyz", health.ready),
    ("GET", "/metrics", health.metrics),
    ("GET", "/openapi.json", openapi.document),
    ("GET", "/docs", page_routes.docs),
    ("GET", "/", page_routes.home),
)
"""Method, path and endpoint of every route; the OpenAPI document is tested against it."""


def create_app(
    store: Store,
    detector: Detector | Load,
    *,
    keys: KeyRing | None = None,
    clock: Clock | None = None,
    limits: Limits | None = None,
    policies: PolicySet | None = None,
    hosts: Sequence[str] | None = None,
    banks: Path | None = None,
) -> Starlette:
    """The service as an ASGI app on *store*, which it closes when it shuts down.

    *detector* is one, or a callable that loads one at start-up in a thread. Without *keys* every caller
    may do everything: then bind loopback only. *policies* are served as the bundle; *hosts* are the Host
    names answered to (None: any); *banks* is the folder of known media that ``/v1/banks`` keeps.
    """
    limits = limits or Limits()
    faults = FaultCounter()
    engine = EngineSlot(detector, limits, faults)
    service = Service(
        store,
        engine,
        keys=keys,
        clock=clock or SystemClock(),
        limits=limits,
        faults=faults,
        policies=policies,
        banks=banks,
    )
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Edge, service=service, hosts=hosts)],
        exception_handlers=dict.fromkeys(HANDLED, answer_problem),
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


def _routes() -> list[Route]:
    """One Starlette route a path, so that a wrong method is a 405 that names all the right ones."""
    by_path: dict[str, dict[str, Callable[..., Any]]] = {}
    for method, path, endpoint in ROUTES:
        by_path.setdefault(path, {})[method] = endpoint
    return [
        Route(path, routed(path, _by_method(endpoints)), methods=list(endpoints))
        for path, endpoints in by_path.items()
    ]


def _by_method(endpoints: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    async def chosen(request: Any) -> Any:
        method = "GET" if request.method == "HEAD" else request.method
        return await endpoints[method](request)

    return chosen


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    service: Service = app.state.service
    await service.engine.start()
    service.jobs.start()
    sweeper = asyncio.create_task(_sweeping(service))
    try:
        yield
    finally:
        sweeper.cancel()
        await service.jobs.stop()
        await service.engine.stop()
        await to_thread.run_sync(service.store.close)


async def _sweeping(service: Service) -> None:
    while True:
        await sweep(service)
        await asyncio.sleep(service.limits.sweep_seconds)


async def sweep(service: Service) -> None:
    """Drop what is older than its retention; a fault or a busy store is left to the next time."""
    surfaces = service.policies.surfaces if service.policies is not None else {}
    by_surface = {name: policy.retain for name, policy in surfaces.items()}
    retain = service.limits.retain_seconds
    try:
        with contained("service.sweep", service.faults):
            sweeping = partial(service.store.sweep, days=service.limits.adoption_days)
            dropped = await to_thread.run_sync(sweeping, service.clock.now(), retain, by_surface)
            service.metrics.count("spotsafe_events_swept_total", dropped)
            if await to_thread.run_sync(job_sweep.sweep, service):
                service.jobs.wake()
    except StoreUnavailable:
        service.faults.note("service.sweep", "StoreUnavailable")
