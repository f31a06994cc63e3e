"""One HTTP exchange with somebody else's endpoint: bounded in time, size and attempts.

Whatever goes wrong becomes a :class:`~spotsafe.core.errors.DetectorError` with a closed cause and no other
exception behind it: foreign ones can quote what was sent. Keys stand in no ``repr`` and no message.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

import httpx

from spotsafe._version import __version__
from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.unlogged import install, unlogged

MOST_ANSWER = 8 << 20
"""Bytes of an answer; a longer one is malformed."""

UNBOUNDED = 30.0
"""Seconds for a request whose caller names no time, all attempts together."""

ATTEMPTS = 3
FIRST_PAUSE = 0.5
"""Seconds before the second attempt, doubled before the third; ``Retry-After`` wins where it is longer."""

_AGAIN = frozenset({Failure.CONNECT, Failure.OVERLOADED, Failure.SERVER})
_KEY = re.compile(r"[\x21-\x7e]+")


class Waiting(NamedTuple):
    """Time as a parameter: seconds from an arbitrary start, and a pause."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Endpoint:
    """Posts JSON to paths under *url* and gives the JSON that came back; threads may share it.

    *headers* may hold keys. *detector* is the id that errors name. *transport* replaces the network (an
    ``httpx`` transport). Raises ConfigurationError for an address that is none, or that would carry a key in
    the clear.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        detector: str,
        transport: httpx.BaseTransport | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.url = checked_url(url, keyed=bool(headers))
        self._detector = detector
        self._waiting = waiting or Waiting()
        agent = {"user-agent": f"spotsafe/{__version__}", "accept-encoding": "identity"}
        self._client = httpx.Client(headers={**agent, **(headers or {})}, transport=transport)
        install()

    def __repr__(self) -> str:
        return f"<Endpoint {self.url}>"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def post(
        self,
        path: str,
        body: object,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON that answers *body*. *timeout* bounds all attempts together, in seconds; the clock is
        looked at between network operations, each of which has what was left. Raises DetectorError."""
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        end = self._waiting.monotonic() + (UNBOUNDED if timeout is None else timeout)
        pause = FIRST_PAUSE
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                return self._once(path, content, end, headers or {})
            except DetectorError as error:
                wait = max(pause, error.retry_after or 0.0)
                last = not left or error.failure not in _AGAIN
                if last or self._waiting.monotonic() + wait >= end:
                    raise
            self._waiting.sleep(wait)
            pause *= 2
        raise self._failed(Failure.INTERNAL)

    def _once(self, path: str, content: bytes, end: float, headers: Mapping[str, str]) -> Any:
        left = end - self._waiting.monotonic()
        if left <= 0:
            raise self._failed(Failure.TIMEOUT)
        try:
            with (
                unlogged(),
                self._client.stream(
                    "POST",
                    self.url + path,
                    content=content,
                    headers={"content-type": "application/json", **headers},
                    timeout=left,
                ) as response,
            ):
                self._refuse(response)
                raw = self._read(response, end)
        except httpx.TimeoutException:
            raise self._failed(Failure.TIMEOUT) from None
        except (httpx.HTTPError, httpx.StreamError, OSError):
            raise self._failed(Failure.CONNECT) from None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise self._failed(Failure.MALFORMED) from None

    def _refuse(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status in (401, 403):
            raise self._failed(Failure.UNAUTHORIZED)
        if status in (429, 503):
            stated = response.headers.get("retry-after", "").strip()
            seconds = float(stated[:9]) if stated.isascii() and stated.isdigit() else None
            raise self._failed(Failure.OVERLOADED, seconds)
        raise self._failed(Failure.SERVER if status >= 500 else Failure.REJECTED)

    def _read(self, response: httpx.Response, end: float) -> bytes:
        raw = bytearray()
        for piece in response.iter_bytes():
            raw += piece
            if len(raw) > MOST_ANSWER:
                raise self._failed(Failure.MALFORMED)
            if self._waiting.monotonic() > end:
                raise self._failed(Failure.TIMEOUT)
        return bytes(raw)

    def _failed(self, failure: Failure, retry_after: float | None = None) -> DetectorError:
        return DetectorError(failure, detector=self._detector, retry_after=retry_after)


def checked_url(url: str, *, keyed: bool) -> str:
    """*url* without a slash at its end. Raises ConfigurationError, which never repeats a user part."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        raise ConfigurationError("an endpoint's address cannot be read; write https://HOST/PATH") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError("an endpoint's address begins with https:// (or http://) and names a host")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ConfigurationError(
            f"the address of {parsed.host} holds a user, a query or a fragment; give host and path alone: "
            f"keys come from the environment"
        )
    if keyed and parsed.scheme == "http" and not _is_loopback(parsed.host):
        raise ConfigurationError(
            f"{parsed.host}: a key would travel in the clear; use https://, or unset the key"
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bearer(key: str | None) -> dict[str, str]:
    """The header that carries *key*, or none. Raises ConfigurationError for one that no header can carry."""
    return {"authorization": f"Bearer {checked_key(key)}"} if key else {}


def checked_key(key: str) -> str:
    """*key* without white space around it. Raises ConfigurationError, which never repeats it."""
    if not _KEY.fullmatch(key.strip()):
        raise ConfigurationError("a key holds characters that no header can carry; copy it again")
    return key.strip()
