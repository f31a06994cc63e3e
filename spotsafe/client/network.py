"""Sockets under a wall-clock deadline, for the sync transport.

HTTP libraries bound each operation, so a server that drips one byte a second, or a resolver that
hangs, outlives any such time-out. Here names are resolved ahead on a daemon thread, and every read,
write and connect of the calling thread gets what is *left* of its request's deadline.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - a look-up imports it, on a thread that a fork may cut off in mid-import
import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Lock, Thread, local
from typing import Any

import httpcore

FRESH_NAMES = 60.0
"""Seconds for which a resolved name is used without asking again."""

_SLICE = 65_536
"""Bytes written between two looks at the clock, and kept back for one write with what follows."""

Addresses = tuple[str, ...]


class Resolver:
    """Resolves names on daemon threads, one per name at a time, and remembers the answers.

    *lookup* gives the addresses of a name and raises OSError; *monotonic* is in seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float], lookup: Callable[[str], Addresses] | None = None
    ) -> None:
        self._monotonic = monotonic
        self._lookup = lookup or _system_lookup
        self._lock = Lock()
        self._known: dict[str, tuple[float, Addresses]] = {}
        self._open: dict[str, Future[Addresses]] = {}

    def known(self, host: str) -> Addresses | None:
        """The addresses, where they are literal or were resolved within the last minute."""
        try:
            return (str(ip_address(host)),)
        except ValueError:
            kept = self._known.get(host)
            return kept[1] if kept and self._monotonic() - kept[0] < FRESH_NAMES else None

    def older(self, host: str) -> Addresses | None:
        """The last addresses known, of whatever age: better than none when the resolver hangs."""
        kept = self._known.get(host)
        return kept[1] if kept else None

    def ask(self, host: str) -> Future[Addresses]:
        """The lookup of *host* that is under way, started if there is none."""
        with self._lock:
            future = self._open.get(host)
            if future is not None:
                return future
            future = self._open[host] = Future()
            future.set_running_or_notify_cancel()
        try:
            Thread(target=self._run, args=(host, future), name="spotsafe-resolver", daemon=True).start()
        except RuntimeError:  # no thread to be had: interpreter shutdown or a limit
            self._done(host)
            future.set_exception(OSError("no thread for a name lookup"))
        return future

    def _run(self, host: str, future: Future[Addresses]) -> None:
        try:
            addresses = self._lookup(host)
        except (OSError, UnicodeError):
            self._done(host)
            future.set_exception(OSError("name lookup failed"))
            return
        self._known[host] = (self._monotonic(), addresses)
        self._done(host)
        future.set_result(addresses)

    def _done(self, host: str) -> None:
        with self._lock:
            self._open.pop(host, None)

    def resolve(self, host: str, timeout: float) -> Addresses:
        """Addresses of *host* within *timeout* seconds; httpcore's ConnectTimeout or ConnectError."""
        found = self.known(host)
        if found is not None:
            return found
        failure: type[Exception] = httpcore.ConnectError
        try:
            return self.ask(host).result(max(timeout, 0.0))
        except TimeoutError:
            failure = httpcore.ConnectTimeout
        except OSError:
            pass
        older = self.older(host)
        if older is None:
            raise failure("name lookup")
        return older


def _system_lookup(host: str) -> Addresses:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Until(local):
    """When the calling thread's current request ends, in monotonic seconds."""

    end: float = 0.0


class DeadlineStream(httpcore.NetworkStream):
    """A socket whose every operation is bounded by what is left of its thread's deadline.

    Head and body of a request are written apart; they are kept back until the answer is read (or are
    many), so that a short request is one segment on the wire.
    """

    def __init__(self, inner: httpcore.NetworkStream, until: Until, monotonic: Callable[[], float]) -> None:
        self._inner = inner
        self._until = until
        self._monotonic = monotonic
        self._kept = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._kept:
            self._flush()
        left = self._until.end - self._monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("deadline")
        return self._inner.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._kept += buffer
        if len(self._kept) > _SLICE:
            self._flush()

    def _flush(self) -> None:
        buffer, self._kept = self._kept, b""
        for start in range(0, len(buffer), _SLICE):
            left = self._until.end - self._monotonic()
            if left <= 0:
                raise httpcore.WriteTimeout("deadline")
            self._inner.write(buffer[start : start + _SLICE], left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # CPython bounds the whole handshake, not each of its reads, by the socket's time-out.
        left = self._until.end - self._monotonic()
        if left <= 0:
            raise httpcore.ConnectTimeout("deadline")
        inner = self._inner.start_tls(ssl_context, server_hostname, left)
        return DeadlineStream(inner, self._until, self._monotonic)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Connects within the calling thread's deadline, names resolved by *resolver*."""

    def __init__(self, resolver: Resolver, until: Until, monotonic: Callable[[], float]) -> None:
        self._resolver = resolver
        self._until = until
        self._monotonic = monotonic
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._resolver.resolve(host, self._until.end - self._monotonic())
        failure: type[Exception] = httpcore.ConnectError
        for index, address in enumerate(addresses):
            left = self._until.end - self._monotonic()
            if left <= 0:
                failure = httpcore.ConnectTimeout
                break
            share = left / (len(addresses) - index)
            try:
                inner = self._inner.connect_tcp(address, port, share, local_address, socket_options)
                return DeadlineStream(inner, self._until, self._monotonic)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = type(error)
        raise failure("connect")


class CorkedStream(httpcore.AsyncNetworkStream):
    """The async twin: what is written is kept back until the answer is read, or is much. Time is its
    task's affair."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._kept = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._kept:
            buffer, self._kept = self._kept, b""
            await self._inner.write(buffer)
        return await self._inner.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._kept += buffer
        if len(self._kept) > _SLICE:
            buffer, self._kept = self._kept, b""
            await self._inner.write(buffer)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return CorkedStream(await self._inner.start_tls(ssl_context, server_hostname))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class ResolvingBackend(httpcore.AsyncNetworkBackend):
    """The async twin: only names need care, since a task's deadline cancels everything else. The loop's
    own resolver threads would keep ``asyncio.run`` from ending while a lookup hangs."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: type[Exception] = httpcore.ConnectError
        for address in await self._addresses(host):
            try:
                return CorkedStream(
                    await self._inner.connect_tcp(address, port, None, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = type(error)
        raise failure("connect")

    async def _addresses(self, host: str) -> Addresses:
        import asyncio

        found = self._resolver.known(host)
        if found is not None:
            return found
        try:
            return await asyncio.wrap_future(self._resolver.ask(host))
        except OSError:
            older = self._resolver.older(host)
        if older is None:
            raise httpcore.ConnectError("name lookup")
        return older
