"""The app on a real socket in a thread of this process: for tests, the demo and notebooks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from spotsafe.core.errors import ConfigurationError

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept. Longer than clients keep theirs (httpx: 5 s): who closes first
must be the client, or a request that crosses the server's close on the wire is lost."""


class NotifyingServer(uvicorn.Server):
    """A server that says when it listens: ``listening`` is set once start-up is over, well or not."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then tell those who wait."""
        try:
            await super().startup(sockets)
        finally:
            self.listening.set()


def server_config(app: ASGIApp, **options: object) -> uvicorn.Config:
    """uvicorn's configuration for *app*: no access log (the app writes its own, without paths), no
    websockets, no trust in forwarding headers, no banner."""
    return uvicorn.Config(
        app, access_log=False, ws="none", proxy_headers=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=10, timeout_keep_alive=KEEP_ALIVE, log_config=None, **options,  # type: ignore[arg-type]  # keywords of Config
    )  # fmt: skip


def bound(host: str, port: int) -> socket.socket:
    """A listening TCP socket on *host* and *port* (0: any free one). ConfigurationError where taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "not a valid address"
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {reason}; choose another --port (0 takes a free one)"
        ) from None
    found.setblocking(False)
    return found


def url_of(listening: socket.socket) -> str:
    """``http://host:port`` of a bound socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def running(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve *app* while the block runs; gives its URL. Ends gracefully: requests in work are answered."""
    listening = bound(host, port)
    server = NotifyingServer(server_config(app))
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="spotsafe-service", daemon=True
    )
    thread.start()
    try:
        server.listening.wait()
        if not server.started:
            raise ConfigurationError("the service did not start; its log says why")
        yield url_of(listening)
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        listening.close()
