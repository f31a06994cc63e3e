"""``/v1/jobs``: content that is checked after the request. It is ordered, its bytes follow, and its state is
asked for; every step may be repeated without harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from anyio import to_thread
from sqlalchemy import Connection
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from spotsafe.core.jobs import Asked, JobOrder, JobState, decode_order, encode_report
from spotsafe.core.reading import WireError
from spotsafe.core.wire import lengths
from spotsafe.service import job_bounds, job_table
from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.detection import bounded, checked_wire_version
from spotsafe.service.event_records import is_identifier
from spotsafe.service.job_table import Job
from spotsafe.service.problems import (
    CONFLICT,
    MALFORMED,
    NO_ROOM,
    NOT_FOUND,
    SLOW_BODY,
    TOO_LARGE,
    TOO_MANY,
    Problem,
)
from spotsafe.service.state import Service, service_of
from spotsafe.service.store import insert_new
from spotsafe.service.tables import jobs

_TAKEN = "This id is taken by other content. Use a new one for each job."


async def order(request: Request) -> Response:
    """Order a job: 201, or 200 where it was ordered before. ``needs`` names the parts whose bytes have to
    follow."""
    service = service_of(request)
    principal = authorised(request, service.keys, "detect")
    checked_wire_version(request)
    limits = service.limits
    async with json_body(request, limits, service.budget, most=limits.detect_bytes) as body:
        wanted = _readable(body, limits.job_bytes)
        new, job, needs = await to_thread.run_sync(_ordered, service, wanted, body, principal.application)
    if job.state is JobState.QUEUED:
        service.jobs.wake()
    service.metrics.count("spotsafe_jobs_ordered_total", int(new))
    return JSONResponse(encode_report(job.job_id, job.state, job.asked, needs=needs), 201 if new else 200)


async def receive(request: Request) -> Response:
    """The bytes of one media part, as they are. With the last one the job is queued."""
    service = service_of(request)
    principal = authorised(request, service.keys, "detect")
    job_id, position = request.path_params["job_id"], request.path_params["position"]
    job = await to_thread.run_sync(_found, service, job_id, principal.application)
    if job.state is not JobState.RECEIVING:
        return Response(status_code=204)
    wanted = await to_thread.run_sync(_kept, service, job_id)
    number = int(position) if position.isascii() and position.isdigit() and len(position) < 4 else -1
    if number not in wanted.media:
        raise Problem(NOT_FOUND, "The job has no media part at this position; its needs name them.")
    if number not in job_bounds.wanted(wanted, service.limits):
        raise Problem(
            TOO_LARGE,
            "The part is larger than what is looked into and was not asked for; send what needs names.",
        )
    seconds = service.limits.job_receive_seconds
    try:
        async with asyncio.timeout(seconds):
            await service.spool.receive(wanted, number, _chunks(request))
    except FileNotFoundError:  # the job ended meanwhile, by another upload, or because it took too long
        raise Problem(NOT_FOUND, "The job no longer waits for bytes. Ask for its state.") from None
    except TimeoutError:
        raise Problem(SLOW_BODY, f"Send each part within {seconds:g} seconds.") from None
    if await to_thread.run_sync(complete, service, wanted):
        service.jobs.wake()
    return Response(status_code=204)


async def show(request: Request) -> Response:
    """Where a job stands, with the answer once it is over. A key sees the jobs of its own application."""
    service = service_of(request)
    principal = authorised(request, service.keys, "detect")
    job_id = request.path_params["job_id"]
    job, needs = await to_thread.run_sync(_standing, service, job_id, principal.application)
    answer = None if job.answer is None else json.loads(job.answer)
    return JSONResponse(encode_report(job_id, job.state, job.asked, needs=needs, answer=answer))


def _readable(body: object, most: int) -> JobOrder:
    wanted = decode_order(body)
    if not is_identifier(wanted.id):
        raise WireError("/id", "must be a lower-case UUID")
    bounded(wanted.request({}), "")
    for index, part in enumerate(wanted.parts):
        if part.size > most:
            raise Problem(
                TOO_LARGE, f"A part of a job has at most {most} bytes.", pointer=f"/parts/{index}/size"
            )
    return wanted


def _ordered(
    service: Service, wanted: JobOrder, body: Any, application: str
) -> tuple[bool, Job, tuple[int, ...]]:
    """Whether the job is new, how it stands now, and which parts it needs."""
    written = job_bounds.kept(body)
    size = job_bounds.room(wanted, written, service.limits)
    asked = Asked(wanted.labels, lengths(wanted.request({}).content), wanted.digest)
    new = _entered(service, wanted.id, application, size, asked)
    job = _found(service, wanted.id, application)
    if job.state is JobState.RECEIVING:
        # The first order counts: bytes that arrived belong to it.
        if new or not service.spool.holds(wanted.id):
            service.spool.begin(wanted.id, written)
        first = _kept(service, wanted.id)
        if first.parts != wanted.parts:
            raise Problem(CONFLICT, _TAKEN)
        complete(service, first)
    return (new, *_standing(service, wanted.id, application))


def _entered(service: Service, job_id: str, application: str, size: int, asked: Asked) -> bool:
    """Whether the job is entered now; False where it was before, for the same content."""
    row = job_table.row_for(job_id, application, service.clock.now(), size=size, asked=asked)
    with service.store.writing() as connection:
        job = job_table.find(connection, job_id)
        if job is None:
            _admit(service, connection, application, size)
            if insert_new(connection, jobs, "job_id", [row]):
                return True
            job = job_table.find(connection, job_id)
    if job is None or job.application != application or not _same(job, asked, size):
        # Also of the same application: it would take the answer for what it had not sent.
        raise Problem(CONFLICT, _TAKEN)
    return False


def _same(job: Job, asked: Asked, size: int) -> bool:
    """Whether *job* is about the same content; without a digest, by what else is known of it."""
    agree = job.asked.digest == asked.digest and dict(job.asked.parts) == asked.parts
    return agree and (asked.digest != "" or job.size == size)


def _admit(service: Service, connection: Connection, application: str, size: int) -> None:
    """Raise :class:`Problem` 413 where the job alone has too much, 429 where the key has its share, 507 where
    the spool is full."""
    limits, seconds = service.limits, service.limits.retry_after
    most = min(limits.spool_bytes, limits.spool_bytes_per_key)
    if size > most:
        raise Problem(TOO_LARGE, f"Texts and media of a job have at most {most} bytes together; split it.")
    if job_table.open_jobs(connection, application) >= limits.jobs_per_key:
        raise Problem(
            TOO_MANY, f"{limits.jobs_per_key} jobs of this key wait. Try again when some of them are over.",
            retry_after=seconds,
        )  # fmt: skip
    aside_after = service.clock.now() - limits.job_aside_seconds
    if job_table.spooled(connection, aside_after, application) + size > limits.spool_bytes_per_key:
        raise Problem(
            TOO_MANY,
            f"Jobs of this key have at most {limits.spool_bytes_per_key} bytes together. Try again when some "
            "of them are over.",
            retry_after=seconds,
        )
    if job_table.spooled(connection, aside_after) + size > limits.spool_bytes:
        raise Problem(
            NO_ROOM,
            f"Jobs of all keys have at most {limits.spool_bytes} bytes together. Try again later; the "
            "operator can raise spool_bytes.",
            retry_after=seconds,
        )


def complete(service: Service, wanted: JobOrder) -> bool:
    """Queue the job if nothing is missing any more; whether that happened now."""
    if service.spool.needs(wanted.id, job_bounds.wanted(wanted, service.limits)):
        return False
    with service.store.writing() as connection:
        return job_table.queue(connection, wanted.id, service.clock.now())


def _found(service: Service, job_id: str, application: str) -> Job:
    job = None
    if is_identifier(job_id):
        with service.store.reading() as connection:
            job = job_table.find(connection, job_id)
    if job is None or job.application != application:
        raise Problem(NOT_FOUND, "No job with this id; answers are kept for a week. Order it again.")
    return job


def _kept(service: Service, job_id: str) -> JobOrder:
    try:
        return service.spool.order(job_id)
    except (OSError, ValueError):
        raise Problem(NOT_FOUND, "The order of this job is gone. Order it again.") from None


def _standing(service: Service, job_id: str, application: str) -> tuple[Job, tuple[int, ...]]:
    """The job, and which parts it needs."""
    job = _found(service, job_id, application)
    if job.state is not JobState.RECEIVING:
        return job, ()
    try:
        wanted = job_bounds.wanted(_kept(service, job_id), service.limits)
    except Problem:  # it may have gone on, and its content with it, since its row was read
        if (job := _found(service, job_id, application)).state is JobState.RECEIVING:
            raise
        return job, ()
    return job, service.spool.needs(job_id, wanted)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise Problem(MALFORMED, "The connection ended before the part did. Send it again.") from None
