"""A service as its operators ask it: listings page by page, and decisions, with a key of scope ``admin``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from spotsafe.core.errors import ConfigurationError, DetectorError, Failure

if TYPE_CHECKING:
    from spotsafe.client.http import Exchange

TIMEOUT = 10.0
"""Seconds for one question."""


class ServiceDesk:
    """The routes of the service at *url* under *api_key*. What fails is a DetectorError that says how, or a
    ConfigurationError for a key that the service does not accept; *name* is what asks."""

    def __init__(self, url: str, api_key: str | None, name: str) -> None:
        from spotsafe.client.http import Exchange

        self._exchange: Exchange = Exchange(url, api_key, monotonic=time.monotonic)
        self._name = name

    def listed(self, route: str, member: str, state: str) -> list[dict[str, Any]]:
        """Every row in *state* that *route* lists as *member*, page by page."""
        rows: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            path = f"{route}?state={state}" + (f"&after={quote(after)}" if after else "")
            page = self._asked(path, b"", "GET")
            rows.extend(page.get(member, []))
            following = page.get("next")
            if not isinstance(following, str) or following == after:
                return rows
            after = following

    def changed(self, route: str, identifier: str, change: Mapping[str, object]) -> dict[str, Any] | None:
        """What *identifier* is after the *change*; None where the service knows nothing of it, or it does not
        stand so that this could be."""
        path = f"{route}/{quote(identifier, safe='')}"
        try:
            return self._asked(path, json.dumps(dict(change)).encode(), "POST")
        except DetectorError as error:
            if error.failure is Failure.REJECTED:
                return None
            raise

    def close(self) -> None:
        """Let go of the connection."""
        self._exchange.close()

    def _asked(self, path: str, body: bytes, method: str) -> dict[str, Any]:
        from spotsafe.client.remote import failure_of, parsed
        from spotsafe.guard.steps import Failed

        answer = self._exchange.post(path, body, TIMEOUT, method=method)
        failed = answer if isinstance(answer, Failed) else failure_of(answer)
        if failed is not None and failed.failure is Failure.UNAUTHORIZED:
            raise ConfigurationError("the service does not accept this key; --api-key needs the scope admin")
        document = None if isinstance(answer, Failed) else parsed(answer.body)
        if failed is None and not isinstance(document, dict):
            failed = Failed(Failure.MALFORMED)
        if failed is not None:
            raise DetectorError(failed.failure, detector=self._name)
        return dict(document or {})


def instant(seconds: object) -> str:
    """A Unix time as people read it."""
    if not isinstance(seconds, int | float):
        return "–"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
