"""The OpenAPI document: ``pages/openapi.json`` with what every route has in common filled in."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe._version import __version__
from spotsafe.core.errors import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE
from spotsafe.core.labels import OPENAI_CATEGORIES
from spotsafe.core.signals import Cause
from spotsafe.service.problems import KINDS, OPENAI_PATH

_EVERYWHERE = ("misdirected", "overloaded", "internal")
_WITH_KEY = ("unauthorized", "forbidden")
_WITH_BODY = ("malformed-body", "slow-body", "too-large", "unsupported-media-type", "invalid-body")


async def document(_: Request) -> Response:
    """This API, machine-readable."""
    return JSONResponse(openapi())


@cache
def openapi() -> dict[str, Any]:
    """The whole document (OpenAPI 3.1). Each operation lists its problems by status."""
    text = (files("spotsafe.service.pages") / "openapi.json").read_text("utf-8")
    whole: dict[str, Any] = json.loads(text)
    whole["info"]["version"] = __version__
    schemas = whole["components"]["schemas"]
    schemas["Missing"]["properties"]["cause"]["enum"] = [cause.value for cause in Cause]
    schemas["ModerationResult"] = _moderation_result()
    for path, operations in whole["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    return whole


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add the problems that the operation can answer with; ``x-problems`` names its own."""
    slugs = [*operation.pop("x-problems", ()), *_EVERYWHERE]
    if operation.get("security") != []:
        slugs += _WITH_KEY
    if "requestBody" in operation:
        slugs += [slug for slug in _WITH_BODY if not (path == OPENAI_PATH and slug == "invalid-body")]
    schema = "OpenAIError" if path == OPENAI_PATH else "Problem"
    media_type = "application/json" if path == OPENAI_PATH else PROBLEM_MEDIA_TYPE
    by_status: dict[int, list[str]] = {}
    for kind in KINDS:
        if kind.slug in slugs:
            by_status.setdefault(kind.status, []).append(f"{kind.title} (`{PROBLEM_TYPE}{kind.slug}`).")
    for status, texts in by_status.items():
        content = {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
        answer = {"description": " ".join(texts), "content": content}
        operation["responses"].setdefault(str(status), answer)


def _moderation_result() -> dict[str, Any]:
    def each(schema: dict[str, Any]) -> dict[str, Any]:
        properties = dict.fromkeys(OPENAI_CATEGORIES, schema)
        return {"type": "object", "required": list(OPENAI_CATEGORIES), "properties": properties}

    kinds = {"type": "array", "items": {"enum": ["text", "image"]}}
    properties = {
        "flagged": {"type": "boolean"},
        "categories": each({"type": "boolean"}),
        "category_scores": each({"type": "number", "minimum": 0, "maximum": 1}),
        "category_applied_input_types": each(kinds),
    }
    return {"type": "object", "required": list(properties), "properties": properties}
