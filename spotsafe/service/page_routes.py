"""The pages that people open in a browser."""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from spotsafe.service import holdings
from spotsafe.service.access import authorised
from spotsafe.service.adoption_routes import asked_table
from spotsafe.service.openapi import openapi
from spotsafe.service.pages.overview import overview
from spotsafe.service.pages.reference import reference
from spotsafe.service.pages.shell import page
from spotsafe.service.state import Service, service_of


async def home(request: Request) -> Response:
    """The overview. With keys configured the browser asks for one: it is the password of HTTP Basic."""
    service = service_of(request)
    authorised(request, service.keys, "admin", page=True)
    table = await asked_table(service, request)
    held = await to_thread.run_sync(_holds, service)
    detector = service.engine.detector
    version = detector.version if detector is not None else None
    return page("Overview", overview(table, held, version, service.registered))


async def docs(_: Request) -> Response:
    """The API reference."""
    return page("API", reference(openapi()))


def _holds(service: Service) -> dict[str, int]:
    with service.store.reading() as connection:
        return holdings.counted(connection, service.clock.now())
