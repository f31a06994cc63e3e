"""Errors as RFC 9457 problem documents, and in OpenAI's shape on the route that speaks it.

A problem never repeats input: it names the place by a JSON pointer and says what to do instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from spotsafe.core.errors import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE, DetectorError
from spotsafe.core.reading import WireError

OPENAI_PATH = "/v1/moderations"
"""The one route whose errors have OpenAI's shape."""


class Kind(NamedTuple):
    """A kind of problem: its slug, HTTP status, title, and OpenAI's ``error.type`` for it."""

    slug: str
    status: int
    title: str
    openai: str = "invalid_request_error"


# fmt: off
MALFORMED = Kind("malformed-body", 400, "The body could not be read")
BAD_REQUEST = Kind("bad-request", 400, "The request could not be read")
WIRE_VERSION = Kind("wire-version", 400, "The wire version is not spoken here")
UNAUTHORIZED = Kind("unauthorized", 401, "A valid key is needed", "authentication_error")
FORBIDDEN = Kind("forbidden", 403, "The key lacks the scope", "permission_error")
NOT_FOUND = Kind("not-found", 404, "There is nothing here")
METHOD = Kind("method-not-allowed", 405, "The method is not allowed here")
SLOW_BODY = Kind("slow-body", 408, "The body took too long to arrive")
CONFLICT = Kind("conflict", 409, "The state does not allow this")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
MEDIA_TYPE = Kind("unsupported-media-type", 415, "The body's type or encoding is not supported")
MISDIRECTED = Kind("misdirected", 421, "The host is not served here")
INVALID = Kind("invalid-body", 422, "The body does not have the expected shape")
MISMATCH = Kind("content-mismatch", 422, "The bytes are not those that were ordered")
TOO_MANY = Kind("too-many-requests", 429, "This key has too much in the queue", "rate_limit_error")
INTERNAL = Kind("internal", 500, "An internal fault", "server_error")
OVERLOADED = Kind("overloaded", 503, "The service is at its limit", "server_error")
NOT_READY = Kind("not-ready", 503, "The service is not ready yet", "server_error")
DETECTOR_FAILED = Kind("detector-failed", 503, "The detector gave no answer", "server_error")
STORE_FAILED = Kind("store-unavailable", 503, "The store cannot be used at the moment", "server_error")
NO_ROOM = Kind("insufficient-storage", 507, "The service has no room for this now", "server_error")
# fmt: on

KINDS = (
    MALFORMED, BAD_REQUEST, WIRE_VERSION, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, METHOD, SLOW_BODY, CONFLICT,
    TOO_LARGE, MEDIA_TYPE, MISDIRECTED, INVALID, MISMATCH, TOO_MANY, INTERNAL, OVERLOADED, NOT_READY,
    DETECTOR_FAILED, STORE_FAILED, NO_ROOM,
)  # fmt: skip
"""Every kind, for the documentation and its test."""

_BY_STATUS = {400: BAD_REQUEST, 404: NOT_FOUND, 405: METHOD, 413: TOO_LARGE, 415: MEDIA_TYPE}


class Problem(Exception):
    """An answer with an error status. *detail* says what is wrong and the remedy, in fixed words;
    *pointer* is the JSON pointer of the place; *retry_after* in seconds; *code* is OpenAI's
    ``error.code`` where it has one of its own; *extra* are further members of the document."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        pointer: str | None = None,
        retry_after: int | None = None,
        code: str | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.detail = detail
        self.pointer = pointer
        self.code = code
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)
        super().__init__(f"{kind.slug}: {detail}")


def problem_response(problem: Problem, *, path: str, request_id: str) -> Response:
    """The answer for *problem* in the dialect of the route at *path*."""
    if path == OPENAI_PATH:
        body, media_type = _openai(problem), "application/json"
    else:
        body, media_type = _rfc9457(problem, request_id), PROBLEM_MEDIA_TYPE
    return Response(json.dumps(body), problem.kind.status, problem.headers, media_type)


def _rfc9457(problem: Problem, request_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": PROBLEM_TYPE + problem.kind.slug,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": f"urn:uuid:{request_id}",
    }
    if problem.pointer is not None:
        body["pointer"] = problem.pointer
    return {**body, **problem.extra}


def _openai(problem: Problem) -> dict[str, Any]:
    param = None
    if problem.pointer is not None:
        param = problem.pointer.strip("/").replace("/", ".") or None
    code = problem.code or problem.kind.slug.replace("-", "_")
    message = f"{problem.kind.title}: {problem.detail}"
    return {"error": {"message": message, "type": problem.kind.openai, "param": param, "code": code}}


def from_wire(error: WireError) -> Problem:
    """A body of the wrong shape."""
    return Problem(INVALID, f"{error.pointer or 'the body'} {error.problem}.", pointer=error.pointer)


def from_detector(error: DetectorError) -> Problem:
    """A detector that gave no answer; its cause is a closed word and carries no content.

    Without Retry-After: it may fail on this content alone, and a client that was told to wait would
    send nothing else meanwhile.
    """
    return Problem(
        DETECTOR_FAILED, f"The detector failed ({error.failure.value}); nothing was checked. Try again."
    )


def from_http(error: HTTPException) -> Problem:
    """What the router itself refuses, without its texts."""
    kind = _BY_STATUS.get(error.status_code, BAD_REQUEST)
    details = {
        NOT_FOUND: "No such path; GET /docs lists them.",
        METHOD: "Use one of the methods in the Allow header; GET /docs lists them.",
    }
    return Problem(kind, details.get(kind, "GET /docs says what is expected."), headers=error.headers)


async def answer_problem(request: Request, error: Exception) -> Response:
    """Starlette's exception handler for every kind of refusal."""
    problem = error if isinstance(error, Problem) else _translated(error)
    return problem_response(
        problem, path=request.url.path, request_id=request.scope.get("spotsafe.request_id", "")
    )


def _translated(error: Exception) -> Problem:
    if isinstance(error, WireError):
        return from_wire(error)
    if isinstance(error, DetectorError):
        return from_detector(error)
    if isinstance(error, HTTPException):
        return from_http(error)
    return Problem(INTERNAL, "The fault was counted. Try again; quote the instance when you report it.")


HANDLED: tuple[type[Exception], ...] = (Problem, WireError, DetectorError, HTTPException)
"""What :func:`answer_problem` is registered for."""
