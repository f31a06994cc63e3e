"""``/v1/jobs`` for operators: which jobs stand where, and having one that was set aside tried again."""

from __future__ import annotations

from collections.abc import Mapping

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.core.jobs import JobState
from spotsafe.service import job_bounds, job_table
from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.event_records import is_identifier
from spotsafe.service.job_table import Job
from spotsafe.service.problems import CONFLICT, INVALID, NOT_FOUND, Problem
from spotsafe.service.queries import Page, page_of
from spotsafe.service.state import Service, service_of

_STATES = tuple(state.value for state in JobState)
_GONE = "Its content is gone. The client orders it again when it resumes the receipt with the content."


async def listing(request: Request) -> Response:
    """Jobs in one state (``set_aside`` unless ``state`` says otherwise), oldest first, page by page; of all
    applications, and nothing of their content."""
    service = service_of(request)
    authorised(request, service.keys, "admin")
    page = page_of(request, _STATES, job_table.SET_ASIDE, service.limits.page, of="job")
    found = await to_thread.run_sync(_listed, service, page)
    more = found[-1].job_id if len(found) == page.limit else None
    return JSONResponse({"jobs": [job.for_operator() for job in found], "next": more})


async def requeue(request: Request) -> Response:
    """Have a job that was set aside tried again, with all its attempts, while its content is still here."""
    service = service_of(request)
    authorised(request, service.keys, "admin")
    async with json_body(request, service.limits, service.budget, most=service.limits.small_bytes) as body:
        if not isinstance(body, Mapping) or dict(body) != {"state": JobState.QUEUED.value}:
            raise Problem(INVALID, 'Send {"state": "queued"}.', pointer="")
    job = await to_thread.run_sync(_requeued, service, request.path_params["job_id"])
    service.jobs.wake()
    return JSONResponse(job.for_operator())


def _listed(service: Service, page: Page) -> list[Job]:
    with service.store.reading() as connection:
        return job_table.listed(connection, JobState(page.state), limit=page.limit, after=page.after)


def _requeued(service: Service, job_id: str) -> Job:
    job = _found(service, job_id)
    if job.state is JobState.SET_ASIDE and not _has_content(service, job_id):
        raise Problem(CONFLICT, _GONE)
    with service.store.writing() as connection:
        if not job_table.requeue(connection, job_id, service.clock.now()):
            raise Problem(
                CONFLICT, f"The job is {job.state.value}; only one that was set aside is tried again."
            )
    return _found(service, job_id)


def _has_content(service: Service, job_id: str) -> bool:
    try:
        order = service.spool.order(job_id)
    except (OSError, ValueError):
        return False
    return not service.spool.needs(job_id, job_bounds.wanted(order, service.limits))


def _found(service: Service, job_id: str) -> Job:
    job = None
    if is_identifier(job_id):
        with service.store.reading() as connection:
            job = job_table.find(connection, job_id)
    if job is None:
        raise Problem(NOT_FOUND, "No job with this id; answers are kept for a week.")
    return job
