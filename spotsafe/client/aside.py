"""Checks that leave the request as jobs: how they are begun, and waited for where nobody holds a receipt."""

from __future__ import annotations

from spotsafe.client.jobs import Refusal, outcome_of
from spotsafe.client.plans import Circumstances, Plan, ask, nothing_known
from spotsafe.client.runtime import Runtime
from spotsafe.client.sending import finished
from spotsafe.core.content import Content
from spotsafe.core.errors import Failure
from spotsafe.core.ids import keyed
from spotsafe.core.seams import DetectRequest
from spotsafe.guard.deadline import Deadline
from spotsafe.guard.steps import Outcome


def order(runtime: Runtime, plan: Plan, content: Content, what: Circumstances, job_id: str) -> bool:
    """Have *content* checked as the job *job_id*, off the calling thread; whether that began."""
    jobs = None if plan.primary is None else plan.primary.jobs
    if jobs is None:
        return False
    return runtime.sending.start(jobs, job_id, _request(plan, content, what), _digest(content, what))


def ordered(plan: Plan, content: Content, what: Circumstances, job_id: str) -> Refusal | None:
    """As :func:`order`, on the calling thread: None once the job is under way, else why it is not."""
    jobs = None if plan.primary is None else plan.primary.jobs
    if jobs is None:
        return Refusal(Failure.INTERNAL.value)
    return jobs.submit(job_id, _request(plan, content, what), _digest(content, what))


def heard(runtime: Runtime, plan: Plan, content: Content, what: Circumstances, job_id: str) -> Outcome:
    """What a job that is begun now says in the end. Blocks: for a background thread."""
    jobs = None if plan.primary is None else plan.primary.jobs
    report, digest = None, _digest(content, what)
    if jobs is not None:
        report = finished(jobs, job_id, _request(plan, content, what), digest, runtime.background.pause)
    known = None if report is None else outcome_of(report, plan.policy, content, digest)
    return known or nothing_known(plan.policy)


def _request(plan: Plan, content: Content, what: Circumstances) -> DetectRequest:
    return ask(plan, content, Deadline(0.0, lambda: 0.0), what.context, None).request


def _digest(content: Content, what: Circumstances) -> str:
    """What a receipt for *content* says of it."""
    return keyed(what.key, "content", content.digest())
