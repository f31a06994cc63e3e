"""One content on its way through the cache and down the ladder."""

from __future__ import annotations

from spotsafe.client.sources import Source
from spotsafe.core.seams import DetectRequest
from spotsafe.guard.deadline import Deadline


class Question:
    """What is asked, of whom and until when. *hash* is the content's key without a namespace; *keep* are
    ttl and stale in seconds; *headers* carry the trace to the service."""

    __slots__ = (
        "deadline", "fallback", "hash", "headers", "parts", "primary", "request", "size", "stale", "ttl",
    )  # fmt: skip

    def __init__(
        self,
        request: DetectRequest,
        key: bytes,
        deadline: Deadline,
        *,
        primary: Source,
        fallback: Source | None,
        keep: tuple[float, float],
        headers: dict[str, str] | None = None,
    ) -> None:
        self.request = request
        self.hash = key
        self.deadline = deadline
        self.primary = primary
        self.fallback = fallback
        self.ttl, self.stale = keep
        self.headers = headers
        self.parts = tuple(part.name for part in request.content)
        self.size = sum(len(part.data) for part in request.content)
