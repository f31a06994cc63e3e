"""One HTTP exchange with the service: bytes out, bytes in, bounded in time and size.

What goes wrong comes back as a value (:class:`~spotsafe.guard.steps.Failed`), not as an exception, so
no foreign exception, whose text or cause could carry content, ever travels on.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from spotsafe._version import __version__
from spotsafe.client import registry
from spotsafe.client.network import DeadlineBackend, Resolver, ResolvingBackend, Until
from spotsafe.client.options import checked_address
from spotsafe.core.errors import Failure
from spotsafe.core.unlogged import install, unlogged
from spotsafe.core.wire import WIRE_HEADER, WIRE_VERSION
from spotsafe.guard.steps import Failed

MOST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer; a longer one is malformed."""

LEAST_ANSWER, ANSWER_PER_BYTE = 256 * 1024, 64
"""An answer may have 64 bytes for each byte that was asked about (a place of evidence takes 42), and 256 KiB
in any case: reading more than a question can be worth would take longer than its deadline."""

KEEP_ALIVE = 30.0
CONNECTIONS = 32


class Answer(NamedTuple):
    """Status, headers (lower-case names) and body of an answer that arrived whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


_TIMEOUTS = (httpcore.TimeoutException, httpx.TimeoutException, TimeoutError)
_BROKEN = (
    httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, httpcore.ConnectionNotAvailable,
    httpx.TransportError, OSError, EOFError,
)  # fmt: skip


_LoopPool = tuple[httpcore.AsyncConnectionPool, AsyncGenerator[None, None]]


class Exchange:
    """The connections to one service. *transport* replaces the network (an ``httpx`` transport).

    The sync side runs in the calling thread under :class:`DeadlineBackend`; the async side keeps one
    connection pool per event loop, under ``asyncio.timeout``.
    """

    def __init__(
        self, url: str, api_key: str | None, *, monotonic: Callable[[], float], transport: Any = None
    ) -> None:
        self._url = httpx.URL(checked_address(url).rstrip("/") + "/")
        self._headers = [
            (b"content-type", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", f"spotsafe/{__version__}".encode()),
            (WIRE_HEADER.encode(), str(WIRE_VERSION).encode()),
        ]
        if api_key:
            self._headers.append((b"authorization", f"Bearer {api_key}".encode()))
        install()
        self._monotonic = monotonic
        self._given = transport
        self._inherited: list[object] = []
        self._closed = False
        self._connectionless()
        self._proxy = None if transport else _proxy(self._url)
        self._ssl = None if transport or self._url.scheme != "https" else httpx.create_ssl_context()
        self._targets: dict[str, httpcore.URL] = {}

    def _connectionless(self) -> None:
        self._until = Until()
        self._resolver = Resolver(self._monotonic)
        self._sync: httpcore.ConnectionPool | None = None
        self._async: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPool]
        self._async = weakref.WeakKeyDictionary()

    def after_fork(self) -> None:
        """In a forked child: connections anew. The parent's are kept, unused, so that the child's garbage
        collector does not close what the parent still speaks through."""
        self._inherited.append((self._sync, self._async))
        self._connectionless()

    def post(
        self,
        path: str,
        body: bytes,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
    ) -> Answer | Failed:
        """Send *body* to *path*; at most *timeout* seconds in all."""
        if self._closed:
            return Failed(Failure.CLOSED)
        self._until.end = self._monotonic() + timeout
        try:
            if self._given is not None:
                response = self._given.handle_request(self._httpx(method, path, body, timeout, headers))
                return _answer(response.status_code, response.headers.raw, b"".join(response.stream))
            request = self._request(method, path, body, timeout, headers, sync=True)
            with unlogged():
                return self._post(request, _most_answer(body))
        except _TIMEOUTS:
            return Failed(Failure.TIMEOUT)
        except _BROKEN:
            return Failed(Failure.CONNECT)

    def _post(self, request: httpcore.Request, most: int) -> Answer | Failed:
        response = self._pool().handle_request(request)
        pieces, size = [], 0
        try:
            for piece in response.iter_stream():
                size += len(piece)
                if size > most:
                    return Failed(Failure.MALFORMED)
                if self._monotonic() > self._until.end:
                    return Failed(Failure.TIMEOUT)
                pieces.append(piece)
        finally:
            response.close()
        return _answer(response.status, response.headers, b"".join(pieces))

    async def apost(
        self,
        path: str,
        body: bytes,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
    ) -> Answer | Failed:
        """As :meth:`post`."""
        if self._closed:
            return Failed(Failure.CLOSED)
        try:
            async with asyncio.timeout(timeout):
                if self._given is not None:
                    request = self._httpx(method, path, body, timeout, headers)
                    response = await self._given.handle_async_request(request)
                    return _answer(response.status_code, response.headers.raw, await response.aread())
                asked = self._request(method, path, body, timeout, headers, sync=False)
                with unlogged():
                    return await self._apost(asked, _most_answer(body))
        except _TIMEOUTS:
            return Failed(Failure.TIMEOUT)
        except _BROKEN:
            return Failed(Failure.CONNECT)

    async def _apost(self, request: httpcore.Request, most: int) -> Answer | Failed:
        response = await (await self._apool()).handle_async_request(request)
        pieces, size = [], 0
        try:
            async for piece in response.aiter_stream():
                size += len(piece)
                if size > most:
                    return Failed(Failure.MALFORMED)
                pieces.append(piece)
        finally:
            await response.aclose()
        return _answer(response.status, response.headers, b"".join(pieces))

    def _request(
        self,
        method: str,
        path: str,
        body: bytes,
        timeout: float,
        extra: Mapping[str, str] | None,
        *,
        sync: bool,
    ) -> httpcore.Request:
        registry.require_live_calls(self._url.host)
        target = self._targets.get(path)
        if target is None:
            url = self._url.join(path.lstrip("/"))
            target = httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            )
            if len(self._targets) < 16:
                self._targets[path] = target
        headers = [(b"host", self._url.netloc), (b"content-length", str(len(body)).encode())]
        headers += self._with(extra)
        return httpcore.Request(
            method, target, headers=headers, content=body,
            # Of these times only the pool's counts, and only in the calling thread: everything else is
            # bounded by the deadline itself, sync in its streams, async by its task.
            extensions={"timeout": {"pool": timeout} if sync else {}},
        )  # fmt: skip

    def _httpx(
        self, method: str, path: str, body: bytes, timeout: float, extra: Mapping[str, str] | None
    ) -> httpx.Request:
        times = dict.fromkeys(("connect", "read", "write", "pool"), timeout)
        url = self._url.join(path.lstrip("/"))
        return httpx.Request(
            method, url, headers=self._with(extra), content=body, extensions={"timeout": times}
        )

    def _with(self, extra: Mapping[str, str] | None) -> list[tuple[bytes, bytes]]:
        """The headers of every request and *extra*, which wins where both name one."""
        if not extra:
            return self._headers
        given = [(name.lower().encode(), value.encode()) for name, value in extra.items()]
        names = {name for name, _ in given}
        return [*(header for header in self._headers if header[0] not in names), *given]

    def _pool(self) -> httpcore.ConnectionPool:
        if self._sync is None:
            backend = DeadlineBackend(self._resolver, self._until, self._monotonic)
            self._sync = httpcore.ConnectionPool(**self._options(), network_backend=backend)
        return self._sync

    async def _apool(self) -> httpcore.AsyncConnectionPool:
        loop = asyncio.get_running_loop()
        found = self._async.get(loop)
        if found is not None:
            return found[0]
        for other in tuple(self._async):
            if other.is_closed():
                self._async.pop(other, None)
        pool = httpcore.AsyncConnectionPool(
            **self._options(), network_backend=ResolvingBackend(self._resolver)
        )
        end = _closed_with_its_loop(pool)
        self._async[loop] = (pool, end)
        await anext(end)
        return pool

    def _options(self) -> dict[str, Any]:
        return {
            "max_connections": CONNECTIONS,
            "max_keepalive_connections": CONNECTIONS,
            "keepalive_expiry": KEEP_ALIVE,
            "ssl_context": self._ssl,
            "proxy": self._proxy,
        }

    def close(self) -> None:
        """Close idle sync connections, and open no more; those of event loops end with their loop."""
        self._closed = True
        pool, self._sync = self._sync, None
        if pool is not None:
            pool.close()


async def _closed_with_its_loop(pool: httpcore.AsyncConnectionPool) -> AsyncGenerator[None, None]:
    """Once started, closes *pool* when its loop shuts down its generators, as ``asyncio.run`` does last:
    the one hook that asyncio has for the end of a loop."""
    try:
        yield
    finally:
        await pool.aclose()


def _most_answer(body: bytes) -> int:
    """Bytes that an answer to *body* may have; what is asked without a body may be a list of anything."""
    return min(MOST_ANSWER, LEAST_ANSWER + ANSWER_PER_BYTE * len(body)) if body else MOST_ANSWER


def _answer(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer | Failed:
    if len(body) > MOST_ANSWER:
        return Failed(Failure.MALFORMED)
    read = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    return Answer(status, read, body)


def _proxy(url: httpx.URL) -> httpcore.Proxy | None:
    """The proxy that the process environment names for *url*, as other HTTP clients honour it."""
    named = getproxies().get(url.scheme)
    if not named or url.host in registry.LOOPBACK or proxy_bypass(url.host):
        return None
    parsed = httpx.URL(named if "://" in named else f"http://{named}")
    auth = (parsed.username, parsed.password) if parsed.username else None
    bare = parsed.copy_with(username=None, password=None) if auth else parsed
    return httpcore.Proxy(str(bare), auth=auth)
