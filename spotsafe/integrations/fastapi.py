"""FastAPI and Starlette: refusals become answers, and no route goes past its guard.

app = FastAPI(lifespan=…)
guard(app)

@app.post("/comments")                      # the router's decorator above,
@safe_surface("comments.create")            # the guard directly above ``def``
async def create_comment(comment: Comment) -> Comment: ...
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from spotsafe.core.errors import PROBLEM_MEDIA_TYPE, SurfaceBlocked, SurfaceHeld, missing_extra
from spotsafe.integrations.problems import problem_of
from spotsafe.integrations.routes import verify
from spotsafe.integrations.streams import aopened, opened

try:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
except ImportError:
    raise missing_extra("fastapi", "spotsafe.integrations.fastapi") from None

__all__ = ["aopened", "guard", "opened"]

OnHold = Callable[[Request, SurfaceHeld], "Awaitable[None] | None"]


def guard(app: Starlette, *, on_hold: OnHold | None = None) -> None:
    """Answer refusals of *app*'s guarded handlers with problem documents (422 refused, 202 held), and
    check its routes when it starts, or at its first request where nobody runs its lifespan.

    *on_hold* is called (or awaited) with the request and the SurfaceHeld before a held call is
    answered: there the product keeps its draft and the receipt. A route that serves the bare function
    behind a guard, and a handler that does not fit its manifest, is a ConfigurationError at that time.
    """

    async def held(request: Request, error: Exception) -> Response:
        if on_hold is not None and isinstance(error, SurfaceHeld):
            waiting = on_hold(request, error)
            if inspect.isawaitable(waiting):
                await waiting
        return _answer(request, error)

    async def blocked(request: Request, error: Exception) -> Response:
        return _answer(request, error)

    app.add_exception_handler(SurfaceHeld, held)
    app.add_exception_handler(SurfaceBlocked, blocked)
    app.add_middleware(_RoutesVerified, guarded=app)
    started = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(asgi: Any) -> AsyncIterator[Any]:
        # Inside of the product's own start-up, which configures the client and reads the manifests.
        async with started(asgi) as state:
            verify(app)
            yield state

    app.router.lifespan_context = lifespan


class _RoutesVerified:
    """Middleware that verifies the routes before the first request: routes can be added after start-up,
    and not every server runs the lifespan."""

    def __init__(self, app: ASGIApp, guarded: Starlette) -> None:
        self._app = app
        self._guarded = guarded
        self._verified = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._verified and scope["type"] != "lifespan":
            verify(self._guarded)
            self._verified = True
        await self._app(scope, receive, send)


def _answer(request: Request, error: Exception) -> Response:
    if not isinstance(error, (SurfaceBlocked, SurfaceHeld)):
        raise error
    problem = problem_of(error)
    return Response(problem.json(), problem.status, media_type=PROBLEM_MEDIA_TYPE)
