"""Jobs in the store: ordered once, taken by one worker at a time, tried again, set aside in the end.

Every change is one statement with the old state in its condition, so that of two workers, or of a worker and
a client, exactly one makes it.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, case, delete, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from spotsafe.core.jobs import Asked, JobState
from spotsafe.service.tables import jobs

RECEIVING, QUEUED, RUNNING = JobState.RECEIVING.value, JobState.QUEUED.value, JobState.RUNNING.value
SET_ASIDE = JobState.SET_ASIDE.value
OVER = tuple(state.value for state in JobState if state.is_over)


class Job(NamedTuple):
    """One row; times are Unix seconds, *size* in bytes of texts and media."""

    job_id: str
    application: str
    state: JobState
    created_at: float
    changed_at: float
    due_at: float
    attempts: int
    failures: int
    losses: int
    size: int
    asked: Asked
    answer: str | None
    version: str | None
    cause: str | None

    def for_operator(self) -> dict[str, Any]:
        """What the person who looks after the service may know: nothing of the content but its kind of parts
        in number, and no answer."""
        shown = (
            "job_id", "application", "created_at", "changed_at", "failures", "losses", "size", "version",
            "cause",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in shown},
            "state": self.state.value,
            "parts": len(self.asked.parts),
        }


class Ended(NamedTuple):
    """How a job ended: *answer* is JSON, *version* the detector's, *cause* a word of
    :class:`~spotsafe.service.job_attempt.JobCause` where something was wrong."""

    state: JobState
    answer: str
    version: str
    cause: str | None


def as_job(row: Any) -> Job:
    """The job in *row*."""
    asked = Asked(tuple(json.loads(row["labels"])), json.loads(row["parts"]), row["digest"])
    fields = {name: row[name] for name in Job._fields if name not in ("asked", "state")}
    return Job(**fields, state=JobState(row["state"]), asked=asked)


def row_for(job_id: str, application: str, now: float, *, size: int, asked: Asked) -> dict[str, Any]:
    """A new job as a row."""
    return {
        "job_id": job_id, "application": application, "state": RECEIVING, "created_at": now,
        "changed_at": now, "due_at": now, "attempts": 0, "failures": 0, "losses": 0, "size": size,
        "digest": asked.digest, "labels": json.dumps(list(asked.labels)),
        "parts": json.dumps(dict(asked.parts)),
    }  # fmt: skip


def find(connection: Connection, job_id: str) -> Job | None:
    """The job of that id, or None."""
    row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
    return None if row is None else as_job(row)


def open_jobs(connection: Connection, application: str) -> int:
    """How many jobs of *application* are not over."""
    waiting = and_(jobs.c.application == application, jobs.c.state.not_in(OVER))
    return int(connection.execute(select(func.count()).where(waiting)).scalar_one())


def spooled(connection: Connection, aside_after: float, application: str | None = None) -> int:
    """Bytes of the content that is or will be in the spool, of one *application* or of all. Content of jobs
    set aside before *aside_after* is gone."""
    kept = _with_content(aside_after)
    if application is not None:
        kept = and_(kept, jobs.c.application == application)
    return int(connection.execute(select(func.coalesce(func.sum(jobs.c.size), 0)).where(kept)).scalar_one())


def queue(connection: Connection, job_id: str, now: float) -> bool:
    """All bytes are there: the job may be taken. False where it was queued before."""
    change = update(jobs).where(jobs.c.job_id == job_id, jobs.c.state == RECEIVING)
    return bool(connection.execute(change.values(state=QUEUED, due_at=now, changed_at=now)).rowcount)


def take(connection: Connection, now: float, lease: float) -> Job | None:
    """The job whose turn it is, taken for *lease* seconds. A running one whose lease is over counts as
    queued, and as lost once more: whoever had it neither ended nor gave it back. None where none is due."""
    due = and_(jobs.c.state.in_((QUEUED, RUNNING)), jobs.c.due_at <= now)
    # In order of turn; equal turns in order of id, which begins with the time.
    first = select(jobs.c.job_id).where(due).order_by(jobs.c.due_at, jobs.c.job_id).limit(1).scalar_subquery()
    lost = jobs.c.losses + case((jobs.c.state == RUNNING, 1), else_=0)
    change = (
        update(jobs)
        .where(jobs.c.job_id == first, due)
        .values(state=RUNNING, due_at=now + lease, changed_at=now, attempts=jobs.c.attempts + 1, losses=lost)
        .returning(*jobs.c)
    )
    row = connection.execute(change).mappings().first()
    return None if row is None else as_job(row)


def renew(connection: Connection, job: Job, due_at: float) -> bool:
    """Keep *job* until *due_at*. False where somebody else has it by now."""
    return bool(connection.execute(update(jobs).where(_mine(job)).values(due_at=due_at)).rowcount)


def put_back(connection: Connection, job: Job, due_at: float, now: float, cause: str | None = None) -> bool:
    """An attempt at *job* failed for *cause*: have it tried again at *due_at*. False where somebody else has
    it."""
    failed = {"state": QUEUED, "due_at": due_at, "changed_at": now, "failures": jobs.c.failures + 1}
    change = update(jobs).where(_mine(job)).values(**failed, cause=cause)
    return bool(connection.execute(change).rowcount)


def give_back(connection: Connection, job: Job, now: float) -> bool:
    """Nothing is wrong with *job*, but this worker stops: have it taken by the next one, at once. False where
    somebody else has it by now."""
    change = update(jobs).where(_mine(job))
    return bool(connection.execute(change.values(state=QUEUED, due_at=now, changed_at=now)).rowcount)


def finish(connection: Connection, job: Job, ended: Ended, now: float) -> bool:
    """*job* is over, with as many failures as it says. False where somebody else has it."""
    values = {
        "state": ended.state.value, "answer": ended.answer, "version": ended.version[:200],
        "cause": ended.cause, "changed_at": now, "failures": job.failures,
    }  # fmt: skip
    return bool(connection.execute(update(jobs).where(_mine(job)).values(**values)).rowcount)


def requeue(connection: Connection, job_id: str, now: float) -> bool:
    """Have a job that was set aside tried again as if it were new. False where it is not set aside."""
    afresh = {"state": QUEUED, "due_at": now, "changed_at": now, "failures": 0, "losses": 0}
    change = update(jobs).where(jobs.c.job_id == job_id, jobs.c.state == SET_ASIDE)
    return bool(connection.execute(change.values(**afresh, answer=None, version=None, cause=None)).rowcount)


def _mine(job: Job) -> ColumnElement[bool]:
    """The lease is told apart by its attempt: a worker that was given up for dead has an older one."""
    return and_(jobs.c.job_id == job.job_id, jobs.c.state == RUNNING, jobs.c.attempts == job.attempts)


def listed(connection: Connection, state: JobState, *, limit: int, after: str | None = None) -> list[Job]:
    """At most *limit* jobs in *state*, oldest first; *after* is the last id of the page before."""
    query = select(jobs).where(jobs.c.state == state.value).order_by(jobs.c.created_at, jobs.c.job_id)
    if after is not None:
        start = select(jobs.c.created_at).where(jobs.c.job_id == after).scalar_subquery()
        later = jobs.c.created_at > start
        query = query.where(or_(later, and_(jobs.c.created_at == start, jobs.c.job_id > after)))
    return [as_job(row) for row in connection.execute(query.limit(limit)).mappings()]


def counted(connection: Connection) -> dict[str, int]:
    """How many jobs there are in each state."""
    counts = dict.fromkeys((state.value for state in JobState), 0)
    for state, count in connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)):
        counts[state] = count
    return counts


def receiving(connection: Connection) -> list[str]:
    """Ids of the jobs whose bytes have not all come, as far as anybody noticed."""
    return list(connection.execute(select(jobs.c.job_id).where(jobs.c.state == RECEIVING)).scalars())


def prune(connection: Connection, now: float, *, receiving: float, retain: float) -> None:
    """Forget jobs whose bytes did not come within *receiving* seconds, and answers older than *retain*."""
    lost = and_(jobs.c.state == RECEIVING, jobs.c.created_at < now - receiving)
    old = and_(jobs.c.state.in_(OVER), jobs.c.changed_at < now - retain)
    connection.execute(delete(jobs).where(or_(lost, old)))


def with_content(connection: Connection, aside_after: float) -> set[str]:
    """Ids of the jobs whose content is needed, or may still be: see :func:`spooled`."""
    return set(connection.execute(select(jobs.c.job_id).where(_with_content(aside_after))).scalars())


def _with_content(aside_after: float) -> ColumnElement[bool]:
    aside = and_(jobs.c.state == SET_ASIDE, jobs.c.changed_at > aside_after)
    return or_(jobs.c.state.not_in(OVER), aside)
