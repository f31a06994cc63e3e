"""Jobs in the store: ordered once, taken by one worker at a time, tried again, set aside in the end.

Every change is one statement with the old state in its condition, so that of two workers, or of a worker and
a client, exactly one makes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from spotsafe.core.jobs import JobState
from spotsafe.service.tables import jobs

RECEIVING, QUEUED, RUNNING = JobState.RECEIVING.value, JobState.QUEUED.value, JobState.RUNNING.value
OVER = tuple(state.value for state in JobState if state.is_over)


class Job(NamedTuple):
    """One row; times are Unix seconds, *size* in bytes of media."""

    job_id: str
    application: str
    state: JobState
    created_at: float
    changed_at: float
    due_at: float
    attempts: int
    size: int
    labels: tuple[str, ...]
    parts: Mapping[str, int | None]
    answer: str | None
    version: str | None


def as_job(row: Any) -> Job:
    """The job in *row*."""
    fields = {**row, "state": JobState(row["state"])}
    return Job(**{**fields, "labels": tuple(json.loads(row["labels"])), "parts": json.loads(row["parts"])})


def row_for(
    job_id: str,
    application: str,
    now: float,
    *,
    size: int,
    labels: Sequence[str],
    parts: Mapping[str, int | None],
) -> dict[str, Any]:
    """A new job as a row."""
    times = {"created_at": now, "changed_at": now, "due_at": now}
    return {
        "job_id": job_id, "application": application, "state": RECEIVING, "attempts": 0, "size": size,
        "labels": json.dumps(list(labels)), "parts": json.dumps(dict(parts)), **times,
    }  # fmt: skip


def find(connection: Connection, job_id: str) -> Job | None:
    """The job of that id, or None."""
    row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
    return None if row is None else as_job(row)


def open_jobs(connection: Connection, application: str) -> int:
    """How many jobs of *application* are not over."""
    waiting = and_(jobs.c.application == application, jobs.c.state.not_in(OVER))
    return int(connection.execute(select(func.count()).where(waiting)).scalar_one())


def spooled(connection: Connection) -> int:
    """Bytes of media of all jobs that are not over, as announced."""
    total = select(func.coalesce(func.sum(jobs.c.size), 0)).where(jobs.c.state.not_in(OVER))
    return int(connection.execute(total).scalar_one())


def queue(connection: Connection, job_id: str, now: float) -> bool:
    """All bytes are there: the job may be taken. False where it was queued before."""
    change = update(jobs).where(jobs.c.job_id == job_id, jobs.c.state == RECEIVING)
    return bool(connection.execute(change.values(state=QUEUED, due_at=now, changed_at=now)).rowcount)


def take(connection: Connection, now: float, lease: float) -> Job | None:
    """The job whose turn it is, taken for *lease* seconds; a running one whose lease is over counts as
    queued. Its attempts go up by one. None where none is due."""
    due = and_(jobs.c.state.in_((QUEUED, RUNNING)), jobs.c.due_at <= now)
    # In order of turn; equal turns in order of id, which begins with the time.
    first = select(jobs.c.job_id).where(due).order_by(jobs.c.due_at, jobs.c.job_id).limit(1).scalar_subquery()
    change = (
        update(jobs)
        .where(jobs.c.job_id == first, due)
        .values(state=RUNNING, due_at=now + lease, changed_at=now, attempts=jobs.c.attempts + 1)
        .returning(*jobs.c)
    )
    row = connection.execute(change).mappings().first()
    return None if row is None else as_job(row)


def renew(connection: Connection, job: Job, due_at: float) -> bool:
    """Keep *job* until *due_at*. False where somebody else has it by now."""
    return bool(connection.execute(update(jobs).where(_mine(job)).values(due_at=due_at)).rowcount)


def put_back(connection: Connection, job: Job, due_at: float, now: float) -> bool:
    """Have *job* tried again at *due_at*. False where somebody else has it by now."""
    change = update(jobs).where(_mine(job))
    return bool(connection.execute(change.values(state=QUEUED, due_at=due_at, changed_at=now)).rowcount)


def finish(
    connection: Connection, job: Job, state: JobState, *, answer: str, version: str, now: float
) -> bool:
    """*job* is over, with *answer*. False where somebody else has it by now."""
    values = {"state": state.value, "answer": answer, "version": version[:200], "changed_at": now}
    return bool(connection.execute(update(jobs).where(_mine(job)).values(**values)).rowcount)


def _mine(job: Job) -> Any:
    """The lease is told apart by its attempt: a worker that was given up for dead has an older one."""
    return and_(jobs.c.job_id == job.job_id, jobs.c.state == RUNNING, jobs.c.attempts == job.attempts)


def counted(connection: Connection) -> dict[str, int]:
    """How many jobs there are in each state."""
    counts = dict.fromkeys((state.value for state in JobState), 0)
    for state, count in connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)):
        counts[state] = count
    return counts


def prune(connection: Connection, now: float, *, receiving: float, retain: float) -> None:
    """Forget jobs whose bytes did not come within *receiving* seconds, and answers older than *retain*."""
    lost = and_(jobs.c.state == RECEIVING, jobs.c.created_at < now - receiving)
    old = and_(jobs.c.state.in_(OVER), jobs.c.changed_at < now - retain)
    connection.execute(delete(jobs).where(or_(lost, old)))


def alive(connection: Connection) -> set[str]:
    """Ids of the jobs whose content is still needed."""
    return set(connection.execute(select(jobs.c.job_id).where(jobs.c.state.not_in(OVER))).scalars())
