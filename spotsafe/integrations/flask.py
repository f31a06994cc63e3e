"""Flask: refusals become answers, and no route goes past its guard.

app = Flask(__name__)
guard(app)

@app.post("/comments")                      # the router's decorator above,
@safe_surface("comments.create")            # the guard directly above ``def``
def create_comment(...): ...
"""

from __future__ import annotations

from collections.abc import Callable

from spotsafe.core.errors import PROBLEM_MEDIA_TYPE, SurfaceBlocked, SurfaceHeld, missing_extra
from spotsafe.integrations.problems import problem_of
from spotsafe.integrations.routes import verify
from spotsafe.integrations.streams import opened

try:
    from flask import Flask, Response
except ImportError:
    raise missing_extra("flask", "spotsafe.integrations.flask") from None

__all__ = ["guard", "opened"]

OnHold = Callable[[SurfaceHeld], None]


def guard(app: Flask, *, on_hold: OnHold | None = None) -> None:
    """Answer refusals of *app*'s guarded views with problem documents (422 refused, 202 held), and check
    its routes before its first request.

    *on_hold* is called with the SurfaceHeld, inside the request, before a held call is answered: there
    the product keeps its draft and the receipt. A route that serves the bare function behind a guard,
    and a view that does not fit its manifest, is a ConfigurationError (a 500, in every request).
    """

    def held(error: SurfaceHeld) -> Response:
        if on_hold is not None:
            on_hold(error)
        return _answer(error)

    verified = False

    def verify_once() -> None:
        nonlocal verified
        if not verified:
            verify(app)
            verified = True

    app.register_error_handler(SurfaceHeld, held)
    app.register_error_handler(SurfaceBlocked, _answer)
    app.before_request(verify_once)


def _answer(error: SurfaceBlocked | SurfaceHeld) -> Response:
    problem = problem_of(error)
    return Response(problem.json(), problem.status, content_type=PROBLEM_MEDIA_TYPE)
