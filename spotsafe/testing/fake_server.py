"""The HTTP side of the fake service: which route a request is for, and its answer on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from spotsafe.core.reading import WireError
from spotsafe.core.records import EVENTS_PER_REQUEST
from spotsafe.core.wire import ACCEPTED_VERSIONS, WIRE_HEADER
from spotsafe.testing import replies
from spotsafe.testing.faults import FAULTS, Connection
from spotsafe.testing.job_routes import replied
from spotsafe.testing.replies import Reply

if TYPE_CHECKING:
    from spotsafe.testing.service import FakeService

PATIENCE = 30.0
"""Seconds after which a fault that waits gives up by itself, so that no test leaves a thread behind."""


class FakeServer(ThreadingHTTPServer):
    """A loopback socket for one fake *service*; a thread per connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, service: FakeService) -> None:
        self.service = service
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    """One connection to the fake service."""

    protocol_version = "HTTP/1.1"
    server: FakeServer

    @property
    def service(self) -> FakeService:
        """The fake that this connection belongs to."""
        return self.server.service

    def setup(self) -> None:
        super().setup()
        self.service.connections += 1

    def do_POST(self) -> None:
        raw = self._received()
        if raw is None or self._about_jobs(raw):
            return
        route: Callable[[Any], None] | None = None
        if self.path == "/v1/detect":
            route = self._detect
        elif self.path == "/v1/events":
            route = self._events
        elif self.path.startswith("/v1/holds/"):
            route = self._decide
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            self._reply(replies.MALFORMED)
            return
        if route is None:
            self._reply(replies.NOT_FOUND)
            return
        route(body)

    def do_PUT(self) -> None:
        raw = self._received()
        if raw is not None and not self._about_jobs(raw):
            self._reply(replies.NOT_FOUND)

    def do_GET(self) -> None:
        if self._received() is None or self._about_jobs(b""):
            return
        if self.path.startswith("/v1/holds/"):
            hold = self.service.holds.get(self.path.removeprefix("/v1/holds/"))
            self._reply(replies.NOT_FOUND if hold is None else Reply(200, hold))
        elif self.path.partition("?")[0] == "/v1/holds":
            wanted = self.path.partition("state=")[2].partition("&")[0] or "pending"
            found = [hold for hold in self.service.holds.values() if hold["state"] == wanted]
            self._reply(Reply(200, {"holds": found, "next": None}))
        elif self.path == "/v1/labels":
            self._reply(Reply(200, self.service.reach()))
        elif self.path in ("/healthz", "/readyz"):
            self._reply(Reply(200, {"status": "ok"}))
        else:
            self._reply(replies.NOT_FOUND)

    def _received(self) -> bytes | None:
        """The body, or None where the key is not accepted, which is then answered."""
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        wanted = self.service.api_key
        if wanted is None or self.headers.get("authorization") == f"Bearer {wanted}":
            return raw
        self._reply(replies.UNAUTHORIZED)
        return None

    def _about_jobs(self, raw: bytes) -> bool:
        reply = replied(self.service.jobs, self.command, self.path, raw)
        if reply is not None:
            self._reply(reply)
        return reply is not None

    def _detect(self, body: Any) -> None:
        self.service.requests.append(body)
        self.service.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.service.arrived.release()
        if self.headers.get(WIRE_HEADER, "1") not in map(str, ACCEPTED_VERSIONS):
            self._reply(replies.WIRE_VERSION)
            return
        try:
            answer = self.service.detected(body)
        except WireError as error:
            self._reply(replies.invalid(error))
            return
        fault = self.service.next_fault()
        if fault is None:
            self._reply(Reply(200, answer))
            return
        connection = Connection(self.wfile, self.connection, self.service.stopping, PATIENCE)
        self.close_connection = not FAULTS[fault.kind](fault, answer, connection)

    def _events(self, body: Any) -> None:
        events = body.get("events") if isinstance(body, dict) else None
        if not isinstance(events, list) or len(events) > EVENTS_PER_REQUEST:
            problem = f"must be an array of at most {EVENTS_PER_REQUEST}"
            self._reply(replies.invalid(WireError("/events", problem)))
            return
        for index, event in enumerate(events):
            if not isinstance(event, dict) or not isinstance(event.get("event_id"), str):
                fault = WireError(f"/events/{index}/event_id", "must be a lower-case UUID")
                self._reply(replies.invalid(fault))
                return
        self._reply(Reply(200, self.service.accept(events)))

    def _decide(self, body: Any) -> None:
        hold = self.service.holds.get(self.path.removeprefix("/v1/holds/"))
        state = body.get("state") if isinstance(body, dict) else None
        if hold is None:
            self._reply(replies.NOT_FOUND)
        elif state not in ("released", "rejected"):
            self._reply(replies.invalid(WireError("/state", "is one of released, rejected")))
        elif hold["state"] not in ("pending", state):
            self._reply(replies.CONFLICT)
        else:
            hold.update(state=state, note=body.get("note"), decided_at=0.0)
            self._reply(Reply(200, hold))

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        body = b""
        if reply.document is not None:
            body = json.dumps(reply.document).encode()
            self.send_header("content-type", reply.media_type)
        if reply.status != 204:
            self.send_header("content-length", str(len(body)))
        if reply.retry_after is not None:
            self.send_header("retry-after", str(reply.retry_after))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent: requests carry content."""
