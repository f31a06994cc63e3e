"""``/v1/jobs``: content that is checked after the request. It is ordered, its bytes follow, and its state is
asked for; every step may be repeated without harm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from spotsafe.core.jobs import JobOrder, JobState, decode_order, encode_report
from spotsafe.core.reading import WireError
from spotsafe.core.wire import lengths
from spotsafe.service import job_table
from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.detection import bounded, checked_wire_version
from spotsafe.service.event_records import is_identifier
from spotsafe.service.job_table import Job
from spotsafe.service.problems import CONFLICT, MALFORMED, NOT_FOUND, OVERLOADED, TOO_LARGE, TOO_MANY, Problem
from spotsafe.service.state import Service, service_of
from spotsafe.service.store import insert_new
from spotsafe.service.tables import jobs


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
    return JSONResponse(encode_report(job.job_id, job.state, needs=needs), 201 if new else 200)


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
    try:
        await service.spool.receive(job_id, number, wanted.parts[number].size, _chunks(request))
    except FileNotFoundError:  # the job ended meanwhile, by another upload, or because it took too long
        raise Problem(NOT_FOUND, "The job no longer waits for bytes. Ask for its state.") from None
    if await to_thread.run_sync(_complete, service, wanted):
        service.jobs.wake()
    return Response(status_code=204)


async def show(request: Request) -> Response:
    """Where a job stands, with the answer once it is over. A key sees the jobs of its own application."""
    service = service_of(request)
    principal = authorised(request, service.keys, "detect")
    job_id = request.path_params["job_id"]
    job = await to_thread.run_sync(_found, service, job_id, principal.application)
    needs = await to_thread.run_sync(_needs, service, job) if job.state is JobState.RECEIVING else ()
    answer = None if job.answer is None else json.loads(job.answer)
    report = encode_report(job_id, job.state, needs=needs, labels=job.labels, parts=job.parts, answer=answer)
    return JSONResponse(report)


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
    now, size = service.clock.now(), sum(part.size for part in wanted.parts)
    parts = lengths(wanted.request({}).content)
    row = job_table.row_for(wanted.id, application, now, size=size, labels=wanted.labels, parts=parts)
    with service.store.writing() as connection:
        job = job_table.find(connection, wanted.id)
        if job is None:
            _admit(service, connection, application, size)
            insert_new(connection, jobs, "job_id", [row])
    new = job is None
    if job is not None and (job.application, job.size, dict(job.parts)) != (application, size, parts):
        # Also of the same application: it would take the answer for what it had not sent.
        raise Problem(CONFLICT, "This id is taken. Use a new one for each job.")
    if job is None or job.state is JobState.RECEIVING:
        # The first order counts: bytes that arrived belong to it.
        if new or not service.spool.holds(wanted.id):
            service.spool.begin(wanted.id, body)
        _complete(service, service.spool.order(wanted.id))
    job = _found(service, wanted.id, application)
    return new, job, _needs(service, job) if job.state is JobState.RECEIVING else ()


def _admit(service: Service, connection: Any, application: str, size: int) -> None:
    limits = service.limits
    seconds = limits.retry_after
    if job_table.open_jobs(connection, application) >= limits.jobs_per_key:
        raise Problem(TOO_MANY, "Too many jobs of this key wait. Try again later.", retry_after=seconds)
    if job_table.spooled(connection) + size > limits.spool_bytes:
        raise Problem(OVERLOADED, "Too many bytes wait to be checked. Try again later.", retry_after=seconds)


def _complete(service: Service, wanted: JobOrder) -> bool:
    """Queue the job if nothing is missing any more; whether that happened now."""
    if service.spool.needs(wanted.id, wanted):
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


def _needs(service: Service, job: Job) -> tuple[int, ...]:
    return service.spool.needs(job.job_id, _kept(service, job.job_id))


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise Problem(MALFORMED, "The connection ended before the part did. Send it again.") from None
