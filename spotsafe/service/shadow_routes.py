"""``/v1/shadow``: what a second engine would have said of the same traffic, as counts."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.detectors.shadow import ShadowDetector
from spotsafe.service.access import authorised
from spotsafe.service.problems import NOT_FOUND, Problem
from spotsafe.service.state import service_of


async def shadow(request: Request) -> Response:
    """How far the live and the shadowed engine agree, by label, since the service started."""
    service = service_of(request)
    authorised(request, service.keys, "admin")
    detector = service.engine.detector
    if not isinstance(detector, ShadowDetector):
        raise Problem(
            NOT_FOUND,
            "No engine is shadowed here: start the service with --shadow DIR, or promote a model to shadow.",
        )
    return JSONResponse({**detector.report(), "registry": service.registered})
