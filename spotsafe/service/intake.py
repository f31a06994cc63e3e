"""``POST /v1/events`` and ``POST /v1/feedback``: what clients report, kept once."""

from __future__ import annotations

from collections.abc import Mapping
from random import SystemRandom
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.core.ids import uuid7
from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.event_records import Event, Refused, read_event
from spotsafe.service.problems import INVALID, Problem
from spotsafe.service.state import service_of
from spotsafe.service.store import Added

_random = SystemRandom()
_MOST_NAMED = 50
"""Unreadable events named in one answer."""
_FEEDBACK_FIELDS = {"decision_id", "verdict", "label", "reporter", "event_id"}


async def events(request: Request) -> Response:
    """Keep a batch of events, or nothing of it. Sent again, an event counts as duplicate and changes
    nothing. Where events cannot be read the answer names them: send the others without them."""
    service = service_of(request)
    principal = authorised(request, service.keys, "events")
    limits = service.limits
    async with json_body(request, limits, service.budget, most=limits.events_bytes) as body:
        entries = _batch(body, limits.events_batch)
        good: list[Event] = []
        refused: list[dict[str, object]] = []
        for index, entry in enumerate(entries):
            try:
                good.append(read_event(entry, most=limits.event_bytes))
            except Refused as error:
                refused.append({"index": index, "pointer": _at(index, error), "problem": error.problem})
    service.metrics.count("spotsafe_events_total", len(refused), result="refused")
    if refused:
        raise _unreadable(refused)
    now = service.clock.now()
    added = Added(0, 0)
    if good:
        added = await to_thread.run_sync(service.store.add_events, good, principal.application, now)
    service.metrics.count("spotsafe_events_total", added.accepted, result="accepted")
    service.metrics.count("spotsafe_events_total", added.duplicate, result="duplicate")
    return JSONResponse({"accepted": added.accepted, "duplicate": added.duplicate})


def _unreadable(refused: list[dict[str, object]]) -> Problem:
    first = refused[0]
    detail = (
        f"{len(refused)} event(s) cannot be read, the first at {first['pointer']}: {first['problem']}. "
        "Nothing was kept: send the batch without them."
    )
    return Problem(INVALID, detail, pointer=str(first["pointer"]), extra={"refused": refused[:_MOST_NAMED]})


def _batch(body: object, most: int) -> list[Any]:
    entries = body.get("events") if isinstance(body, Mapping) else None
    if not isinstance(entries, list):
        raise Problem(INVALID, 'Send an object {"events": [ … ]}.', pointer="/events")
    if len(entries) > most:
        raise Problem(INVALID, f"Send at most {most} events in one request.", pointer="/events")
    return entries


def _at(index: int, error: Refused) -> str:
    return f"/events/{index}/{error.field}" if error.field else f"/events/{index}"


async def feedback(request: Request) -> Response:
    """Keep one verdict on a decision: ``agree``, ``too_strict`` or ``too_lax``, with a label if one was
    wrong. ``event_id``, where given, makes it idempotent."""
    service = service_of(request)
    principal = authorised(request, service.keys, "events")
    limits = service.limits
    now = service.clock.now()
    async with json_body(request, limits, service.budget, most=limits.small_bytes) as body:
        if not isinstance(body, Mapping):
            raise Problem(INVALID, "Send an object with decision_id and verdict.", pointer="")
        if set(body) - _FEEDBACK_FIELDS:
            raise Problem(INVALID, f"Known fields are {', '.join(sorted(_FEEDBACK_FIELDS))}.", pointer="")
        event_id = body.get("event_id") or uuid7(int(now * 1000), _random)
        try:
            entry = read_event(
                {**body, "event_id": event_id, "kind": "feedback", "at": now}, most=limits.event_bytes
            )
        except Refused as error:
            pointer = f"/{error.field}" if error.field else ""
            raise Problem(INVALID, f"{pointer or 'The body'} {error.problem}.", pointer=pointer) from None
    added = await to_thread.run_sync(service.store.add_events, [entry], principal.application, now)
    return JSONResponse({"feedback_id": entry.event_id, "duplicate": bool(added.duplicate)}, 201)
