"""``/healthz``, ``/readyz`` and ``/metrics``: for orchestrators and monitoring; no content in any."""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from spotsafe.service import holdings, job_table
from spotsafe.service.access import authorised
from spotsafe.service.state import Service, service_of
from spotsafe.service.store import StoreUnavailable

PROBE_SECONDS = 1.0
"""A write that went well counts for so long: whoever asks often must not wear the disk."""

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def alive(_: Request) -> Response:
    """The process answers. Says nothing of the detector or the store."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """200 only while the detector is loaded and the store took a write just now; else 503, and why."""
    service = service_of(request)
    engine = "ready" if service.engine.detector else "failed" if service.engine.failure else "loading"
    store = "ready" if await to_thread.run_sync(_writable, service) else "unavailable"
    fit = engine == store == "ready"
    headers = {} if fit else {"retry-after": str(service.limits.retry_after)}
    body = {"status": "ready" if fit else "not ready", "engine": engine, "store": store}
    return JSONResponse(body, 200 if fit else 503, headers)


def _writable(service: Service) -> bool:
    """Whether the store took a write less than :data:`PROBE_SECONDS` ago, or takes one now."""
    now = service.clock.monotonic()
    if service.probed is not None and now - service.probed < PROBE_SECONDS:
        return True
    try:
        service.store.probe(service.clock.now())
    except StoreUnavailable:
        service.probed = None
        return False
    service.probed = now
    return True


async def metrics(request: Request) -> Response:
    """All counters as Prometheus text. With keys configured any key of the service may read them."""
    service = service_of(request)
    authorised(request, service.keys, None)
    held, waiting = await to_thread.run_sync(_stored, service)
    gauges: list[tuple[str, dict[str, str], float]] = [
        ("spotsafe_detect_queue_items", {}, service.engine.waiting),
        ("spotsafe_engine_ready", {}, int(service.engine.detector is not None)),
        ("spotsafe_store_ready", {}, int(held is not None)),
    ]
    gauges += [("spotsafe_holds", {"state": state}, count) for state, count in (held or {}).items()]
    gauges += [("spotsafe_jobs", {"state": state}, count) for state, count in waiting.items()]
    faults = service.faults.counts.items()
    gauges += [("spotsafe_faults_total", {"place": place}, count) for place, count in faults]
    return PlainTextResponse(service.metrics.text(gauges), media_type=METRICS_MEDIA_TYPE)


def _stored(service: Service) -> tuple[dict[str, int] | None, dict[str, int]]:
    """Holds and jobs by state; None and nothing while the store cannot be read."""
    try:
        with service.store.reading() as connection:
            return holdings.counted(connection, service.clock.now()), job_table.counted(connection)
    except StoreUnavailable:
        return None, {}
