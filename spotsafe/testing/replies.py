"""Answers of the fake service as values: a status and a document, problems as RFC 9457 has them."""

from __future__ import annotations

from typing import Any, NamedTuple

from spotsafe.core.errors import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE
from spotsafe.core.reading import WireError


class Reply(NamedTuple):
    """One answer; without a *document* it has no body. *retry_after* is its header, in seconds."""

    status: int
    document: Any = None
    media_type: str = "application/json"
    retry_after: int | None = None


def problem(status: int, slug: str, title: str, detail: str = "", pointer: str | None = None) -> Reply:
    """An answer with an error status."""
    document: dict[str, Any] = {"type": PROBLEM_TYPE + slug, "title": title, "status": status}
    if detail:
        document["detail"] = detail
    if pointer is not None:
        document["pointer"] = pointer
    return Reply(status, document, PROBLEM_MEDIA_TYPE)


def invalid(error: WireError) -> Reply:
    """A body of the wrong shape."""
    detail = f"{error.pointer or 'the body'} {error.problem}."
    return problem(422, "invalid-body", "The body does not have the expected shape", detail, error.pointer)


MALFORMED = problem(400, "malformed-body", "The body could not be read")
NOT_FOUND = problem(404, "not-found", "There is nothing here")
CONFLICT = problem(409, "conflict", "The state does not allow this")
TOO_LARGE = problem(413, "too-large", "The body is too large")
MISMATCH = problem(422, "content-mismatch", "The bytes are not those that were ordered")
UNAUTHORIZED = problem(401, "unauthorized", "A valid key is needed")
WIRE_VERSION = problem(400, "wire-version", "The wire version is not spoken here")
