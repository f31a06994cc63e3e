"""``/v1/jobs`` of the fake service."""

from __future__ import annotations

import json
import re
from typing import Any

from spotsafe.core.jobs import JobState
from spotsafe.core.reading import WireError
from spotsafe.testing.fake_jobs import FakeJobs
from spotsafe.testing.replies import CONFLICT, MALFORMED, NOT_FOUND, Reply, invalid, problem

_ROUTE = re.compile(r"/v1/jobs(?:/([^/?]+)(?:/parts/([^/?]+))?)?(?:\?state=(\w+))?\Z")


def replied(jobs: FakeJobs, method: str, path: str, raw: bytes) -> Reply | None:
    """The answer to a request of *method* on *path* with the body *raw*; None where it is not about jobs."""
    found = _ROUTE.match(path)
    if found is None:
        return None
    job_id, position, state = found.groups()
    if method == "PUT" and position is not None:
        return jobs.receive(job_id, position, raw)
    if method == "POST" and position is None:
        return _posted(jobs, job_id, raw)
    if method == "GET" and job_id is None:
        return Reply(200, {"jobs": jobs.listed(state or JobState.SET_ASIDE.value), "next": None})
    report = jobs.report(job_id) if method == "GET" and position is None else None
    return NOT_FOUND if report is None else Reply(200, report)


def _posted(jobs: FakeJobs, job_id: str | None, raw: bytes) -> Reply:
    try:
        body: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return MALFORMED
    if job_id is not None:
        return _requeued(jobs, job_id, body)
    try:
        return jobs.order(body)
    except WireError as error:
        return invalid(error)


def _requeued(jobs: FakeJobs, job_id: str, body: Any) -> Reply:
    if body != {"state": JobState.QUEUED.value}:
        return problem(422, "invalid-body", "The body does not have the expected shape", pointer="")
    report = jobs.report(job_id)
    if report is None:
        return NOT_FOUND
    if report["state"] != JobState.SET_ASIDE.value:
        return CONFLICT
    jobs.mend(job_id)
    return Reply(200, jobs.row(job_id))
