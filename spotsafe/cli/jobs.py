"""``spotsafe jobs list | requeue``: what a service has to check after requests, and trying again what it set
aside."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from spotsafe.cli.desk import ServiceDesk, instant
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.jobs import JobState

if TYPE_CHECKING:
    from spotsafe.cli.output import Output

ROUTE = "v1/jobs"
COLUMNS = ("job", "application", "state", "cause", "failed", "lost", "bytes", "since")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("action", choices=("list", "requeue"), help="what to do")
    parser.add_argument("job", nargs="*", help="ids of jobs that were set aside, to be tried again")
    parser.add_argument("--service", metavar="URL", help="the service (default: $SPOTSAFE_SERVICE)")
    parser.add_argument(
        "--api-key", metavar="KEY", help="key with scope admin; better in $SPOTSAFE_API_KEY, which ps hides"
    )
    parser.add_argument(
        "--state", choices=[state.value for state in JobState], default=JobState.SET_ASIDE.value,
        help="which to list: jobs in one state (default: %(default)s)",
    )  # fmt: skip


def run(args: argparse.Namespace, out: Output) -> int:
    """List or requeue; 1 where a job could not be. Raises ConfigurationError."""
    service = args.service or os.environ.get("SPOTSAFE_SERVICE")
    if not service:
        raise ConfigurationError("name the service: --service URL, or SPOTSAFE_SERVICE")
    if (args.action == "requeue") != bool(args.job):
        raise ConfigurationError(
            "list takes no job ids; --state chooses which jobs are shown" if args.job
            else "name the jobs to requeue; `spotsafe jobs list` shows those that were set aside"
        )  # fmt: skip
    desk = ServiceDesk(service, args.api_key or os.environ.get("SPOTSAFE_API_KEY"), "jobs")
    try:
        return _listed(desk, args.state, out) if args.action == "list" else _requeued(desk, args.job, out)
    finally:
        desk.close()


def _listed(desk: ServiceDesk, state: str, out: Output) -> int:
    jobs = desk.listed(ROUTE, "jobs", state)
    out.json({"jobs": jobs})
    if not jobs:
        others = ", ".join(other.value for other in JobState if other.value != state)
        out.line(f"no job is {state.replace('_', ' ')}; --state lists those that are {others}")
    fields = ("job_id", "application", "state", "cause", "failures", "losses", "size")
    rows = [(*(job.get(field) for field in fields), instant(job.get("changed_at"))) for job in jobs]
    out.table(f"{len(rows)} {state.replace('_', ' ')}", COLUMNS, rows)
    return 0


def _requeued(desk: ServiceDesk, jobs: list[str], out: Output) -> int:
    outcomes = {job: desk.changed(ROUTE, job, {"state": JobState.QUEUED.value}) is not None for job in jobs}
    out.json({"requeued": [{"job_id": job, "done": done} for job, done in outcomes.items()]})
    for job, done in outcomes.items():
        if done:
            out.line(f"{job} is tried again", "good")
        else:
            out.line(
                f"{job} is not set aside, not known here, or its content is gone: then the client sends it "
                "again when it resumes the receipt",
                "warn",
            )
    return 0 if all(outcomes.values()) else 1
