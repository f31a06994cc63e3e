"""Celery: what becomes of a task whose content is refused or held.

@app.task                                   # Celery's decorator above,
@settled(retry_in=60, keep=save)            # then what a hold means,
@safe_surface("playlists.edit")             # the guard directly above ``def``
def edit_playlist(playlist: str, title: Annotated[str, Text]) -> None: ...
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from spotsafe.core.errors import ConfigurationError, SurfaceHeld, missing_extra
from spotsafe.core.receipts import HoldReason, Receipt

try:
    from celery import current_task
except ImportError:
    raise missing_extra("celery", "spotsafe.integrations.celery") from None

P = ParamSpec("P")
R = TypeVar("R")


def settled(
    *, retry_in: float = 60.0, max_retries: int | None = 10, keep: Callable[[Receipt], Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Retry a task that is held because nobody could check it; let it fail where a rule held it.

    An outage passes, so such a task runs again *retry_in* seconds later, at most *max_retries* times
    (None: without end). A hold by policy waits for a person: *keep* gets its receipt, also after the
    last retry, and the task fails with SurfaceHeld. A refused task fails with SurfaceBlocked. Neither
    exception carries content.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if hasattr(function, "apply_async"):
            raise ConfigurationError(
                "@settled stands below the decorator of Celery (@app.task), directly above @safe_surface"
            )

        @functools.wraps(function)
        def task(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except SurfaceHeld as held:
                if held.receipt.reason is HoldReason.OUTAGE and _may_retry(max_retries):
                    tries = current_task.request.retries + 1
                    raise current_task.retry(exc=held, countdown=retry_in, max_retries=tries) from None
                if keep is not None:
                    keep(held.receipt)
                raise

        return task

    return decorate


def _may_retry(max_retries: int | None) -> bool:
    """Whether a worker runs this task (not an eager call) and it has tries left."""
    if not current_task or current_task.request.is_eager or current_task.request.called_directly:
        return False
    return max_retries is None or current_task.request.retries < max_retries
