"""``GET /v1/adoption``: which surfaces are guarded, how, and what is not."""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.service import adoption_cells
from spotsafe.service.access import authorised
from spotsafe.service.event_records import WORD
from spotsafe.service.problems import BAD_REQUEST, Problem
from spotsafe.service.queries import whole
from spotsafe.service.state import Service, service_of
from spotsafe.telemetry.adoption_table import AdoptionTable, summarise


async def adoption(request: Request) -> Response:
    """The adoption table, of one environment or application and of the last days where the query says so."""
    service = service_of(request)
    authorised(request, service.keys, "admin")
    table = await asked_table(service, request)
    return JSONResponse(table.to_json())


async def asked_table(service: Service, request: Request) -> AdoptionTable:
    """The table that the query of *request* asks for. Raises :class:`Problem` 400."""
    query = request.query_params
    environment, application = query.get("environment"), query.get("application")
    days = query.get("days")
    most = service.limits.adoption_days
    if max(len(environment or ""), len(application or "")) > WORD:
        raise Problem(BAD_REQUEST, f"environment and application have at most {WORD} characters.")
    since = None if days is None else service.clock.now() - (whole(days, "days", most) - 1) * 86_400.0
    return await to_thread.run_sync(_table, service, environment, application, since)


def _table(
    service: Service, environment: str | None, application: str | None, since: float | None
) -> AdoptionTable:
    with service.store.reading() as connection:
        rows = adoption_cells.rows(connection, application=application)
    return summarise(rows, now=service.clock.now(), environment=environment, since=since)
