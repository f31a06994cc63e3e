"""Checks that leave the request as jobs: how they are begun, and waited for where nobody holds a receipt."""

from __future__ import annotations

from spotsafe.client.jobs import finished, outcome_of
from spotsafe.client.plans import Circumstances, Plan, ask, nothing_known
from spotsafe.client.runtime import Runtime
from spotsafe.core.content import Content
from spotsafe.core.seams import DetectRequest
from spotsafe.guard.deadline import Deadline
from spotsafe.guard.steps import Outcome


def order(runtime: Runtime, plan: Plan, content: Content, what: Circumstances, job_id: str) -> bool:
    """Have *content* checked as the job *job_id*, off the calling thread; whether that began."""
    jobs = None if plan.primary is None else plan.primary.jobs
    return jobs is not None and runtime.sending.start(jobs, job_id, _request(plan, content, what))


def heard(runtime: Runtime, plan: Plan, content: Content, what: Circumstances, job_id: str) -> Outcome:
    """What a job that is begun now says in the end. Blocks: for a background thread."""
    jobs = None if plan.primary is None else plan.primary.jobs
    report = None
    if jobs is not None:
        report = finished(jobs, job_id, _request(plan, content, what), runtime.background.pause)
    known = None if report is None else outcome_of(report, plan.policy, content)
    return known or nothing_known(plan.policy)


def _request(plan: Plan, content: Content, what: Circumstances) -> DetectRequest:
    return ask(plan, content, Deadline(0.0, lambda: 0.0), what.context, None).request
