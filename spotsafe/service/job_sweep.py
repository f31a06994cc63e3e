"""Keeping the jobs in order: what a crash left half-done is brought to its end, what is old is forgotten."""

from __future__ import annotations

from spotsafe.service import job_table
from spotsafe.service.job_routes import complete
from spotsafe.service.state import Service


def sweep(service: Service) -> bool:
    """Queue jobs whose last bytes came just before a crash, forget jobs that no longer wait for anything, and
    content whose job is gone; whether something was queued. Runs at the start and from time to time.
    Blocking."""
    queued = _resumed(service)
    limits, now = service.limits, service.clock.now()
    with service.store.writing() as connection:
        job_table.prune(
            connection, now, receiving=limits.job_receive_seconds, retain=limits.job_retain_seconds
        )
        # A job's row comes before its content: what has no row is left over.
        needed = job_table.with_content(connection, now - limits.job_aside_seconds)
        retired = service.spool.retire(needed)
    # Deleting gigabytes takes its time, and whoever writes to the store waits for nobody's files.
    service.spool.sweep(retired, limits.job_receive_seconds)
    return queued > 0


def _resumed(service: Service) -> int:
    with service.store.reading() as connection:
        waiting = job_table.receiving(connection)
    queued = 0
    for job_id in waiting:
        try:
            queued += complete(service, service.spool.order(job_id))
        except (OSError, ValueError):  # its content never came, or is going just now
            continue
    return queued
