"""``/v1/holds``: what waits for a person, asked for by the client that holds the receipt and decided by
an administrator."""

from __future__ import annotations

from collections.abc import Mapping

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.core.receipts import HoldState
from spotsafe.service import holdings
from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.event_records import is_identifier
from spotsafe.service.holdings import Hold
from spotsafe.service.keys import Principal
from spotsafe.service.problems import CONFLICT, INVALID, NOT_FOUND, Problem
from spotsafe.service.queries import Page, page_of
from spotsafe.service.state import Service, service_of

NOTE = 1000
"""Longest note in characters."""
_STATES = tuple(state.value for state in HoldState)


async def show(request: Request) -> Response:
    """Where one hold stands. A key sees the holds of its own application, ``admin`` all."""
    service = service_of(request)
    principal = authorised(request, service.keys, "events")
    hold = await to_thread.run_sync(_found, service, request.path_params["decision_id"], principal)
    return JSONResponse(hold.for_reviewer() if principal.may("admin") else hold.public())


async def decide(request: Request) -> Response:
    """Release or reject a pending hold. The same decision again is answered alike; another is a 409."""
    service = service_of(request)
    principal = authorised(request, service.keys, "admin")
    async with json_body(request, service.limits, service.budget, most=service.limits.small_bytes) as body:
        state, note = _decision(body)
    decision_id = request.path_params["decision_id"]
    hold = await to_thread.run_sync(_decided, service, decision_id, state, note, principal)
    return JSONResponse(hold.for_reviewer())


async def listing(request: Request) -> Response:
    """Holds in one state (``pending`` unless ``state`` says otherwise), oldest first, page by page."""
    service = service_of(request)
    authorised(request, service.keys, "admin")
    page = page_of(request, _STATES, holdings.PENDING, service.limits.page, of="decision")
    found = await to_thread.run_sync(_listed, service, page)
    more = found[-1].decision_id if len(found) == page.limit else None
    return JSONResponse({"holds": [hold.for_reviewer() for hold in found], "next": more})


def _decision(body: object) -> tuple[str, str | None]:
    allowed = (holdings.RELEASED, holdings.REJECTED)
    if not isinstance(body, Mapping) or set(body) - {"state", "note"}:
        raise Problem(INVALID, 'Send an object {"state": …, "note": …}.', pointer="")
    state, note = body.get("state"), body.get("note")
    if state not in allowed:
        raise Problem(INVALID, f"state is one of {', '.join(allowed)}.", pointer="/state")
    if note is not None and (not isinstance(note, str) or len(note) > NOTE):
        raise Problem(INVALID, f"note is a string of at most {NOTE} characters.", pointer="/note")
    return str(state), note


def _found(service: Service, decision_id: str, principal: Principal) -> Hold:
    hold = None
    if is_identifier(decision_id):
        with service.store.reading() as connection:
            hold = holdings.find(connection, decision_id, service.clock.now())
    if hold is None or not (principal.may("admin") or hold.application == principal.application):
        raise Problem(
            NOT_FOUND, "No hold with this id. Its event may not have arrived yet: ask again in a minute."
        )
    return hold


def _decided(service: Service, decision_id: str, state: str, note: str | None, principal: Principal) -> Hold:
    now = service.clock.now()
    if is_identifier(decision_id):
        with service.store.writing() as connection:
            holdings.decide(connection, decision_id, state, note=note, by=principal.application, now=now)
    hold = _found(service, decision_id, principal)
    if hold.state != state:
        raise Problem(CONFLICT, f"The hold is {hold.state}; only a pending one can be decided.")
    return hold


def _listed(service: Service, page: Page) -> list[Hold]:
    with service.store.reading() as connection:
        return holdings.listed(connection, service.clock.now(), **page._asdict())
