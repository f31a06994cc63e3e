"""``POST /v1/moderations``: OpenAI's endpoint, so that its clients work against this service unchanged."""

from __future__ import annotations

from random import SystemRandom

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.core.ids import uuid7
from spotsafe.core.seams import DetectRequest
from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.detection import scored
from spotsafe.service.openai_shape import MODERATED, read_moderation, result, unscored
from spotsafe.service.state import service_of

NOT_CHECKED_HEADER = "spotsafe-categories-not-checked"
"""Names the categories that the loaded detector cannot say anything of: their ``false`` means unknown."""

_random = SystemRandom()


async def moderations(request: Request) -> Response:
    """One result for each string, or one for all parts together, in OpenAI's shape."""
    service = service_of(request)
    principal = authorised(request, service.keys, "detect")
    limits = service.limits
    async with json_body(request, limits, service.budget, most=limits.detect_bytes) as body:
        model, contents = read_moderation(body)
        one = isinstance(body["input"], str) or (len(contents) == 1 and len(contents[0]) > 1)
        wanted = [DetectRequest(content, MODERATED) for content in contents]
        found = await scored(service, wanted, principal.application)
        places = ["/input"] if one else [f"/input/{index}" for index in range(len(contents))]
        results = [
            result(content, signals, at) for content, signals, at in zip(contents, found, places, strict=True)
        ]
    service.metrics.count("spotsafe_detect_items_total", len(contents), route="/v1/moderations")
    identifier = uuid7(int(service.clock.now() * 1000), _random).replace("-", "")
    silent = unscored(results)
    headers = {NOT_CHECKED_HEADER: ", ".join(silent)} if silent else {}
    return JSONResponse({"id": f"modr-{identifier}", "model": model, "results": results}, headers=headers)
