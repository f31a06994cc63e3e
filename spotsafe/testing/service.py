"""A central service on a loopback port that says what a test wants, and fails how a test wants.

It speaks the wire format of the real one (requests are read by the same codec; a contract test runs one
table through both), over real sockets, so that time-outs, resets and truncation are real as well::

    with FakeService() as service:
        service.say("hate.speech", 0.97, containing="idiots")
        service.fail(Fault("hang"))
        client = Client(service=service.url)
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from spotsafe.core.content import Part
from spotsafe.core.errors import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE
from spotsafe.core.labels import LABELS
from spotsafe.core.reading import WireError
from spotsafe.core.records import EVENTS_PER_REQUEST
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Evidence, Missing, Signal, Signals
from spotsafe.core.wire import ACCEPTED_VERSIONS, WIRE_HEADER, decode_detect, encode_answer
from spotsafe.testing.fake_jobs import FakeJobs
from spotsafe.testing.faults import FAULTS, Connection, Fault

__all__ = ["FakeService", "Fault"]

PATIENCE = 30.0
"""Seconds after which a fault that waits gives up by itself, so that no test leaves a thread behind."""


class Said(NamedTuple):
    """One scripted score: for *label* on parts whose text contains *containing*."""

    label: str
    score: float
    containing: str
    evidence: tuple[Evidence, ...]


class FakeService:
    """The server. ``requests`` are the bodies of ``/v1/detect`` in order, ``events`` the accepted events
    by id, ``holds`` what ``/v1/holds`` answers, ``jobs`` what was ordered to be checked later; ``engine`` is
    the version it announces.

    Without a script every label scores *default*. Content that arrives is kept in ``requests``: it is a
    test double, never run it on content of people.
    """

    def __init__(self, *, engine: str = "fake-1", default: float = 0.01, api_key: str | None = None) -> None:
        self.engine = engine
        self.default = default
        self.api_key = api_key
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.holds: dict[str, dict[str, Any]] = {}
        self.jobs = FakeJobs(self.signals)
        self.connections = 0
        self.stopping = threading.Event()
        self.arrived = threading.Semaphore(0)
        self._said: list[Said] = []
        self._missing: dict[str, Cause] = {}
        self._faults: list[Fault] = []
        self._always: Fault | None = None
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    # ── script ──────────────────────────────────────────────────────────────────────────────────

    def say(
        self, label: str, score: float, *, containing: str = "", evidence: Sequence[Evidence] = ()
    ) -> FakeService:
        """From now on *label* has *score* where a part contains *containing* (media: these characters as
        Latin-1); the last word counts."""
        if label not in LABELS:
            raise ValueError(f"{label} is not in the taxonomy")
        self._said.append(Said(label, score, containing, tuple(evidence)))
        return self

    def omit(self, label: str, cause: Cause = Cause.ERROR) -> FakeService:
        """From now on *label* is missing, for *cause*."""
        self._missing[label] = cause
        return self

    def fail(self, fault: Fault | str | None, *, times: int | None = None) -> FakeService:
        """Have ``/v1/detect`` fail that way: always, or the next *times* requests. None ends it."""
        wanted = Fault(fault) if isinstance(fault, str) else fault
        if wanted is not None and wanted.kind not in FAULTS:
            raise ValueError(f"{wanted.kind} is not one of {', '.join(FAULTS)}")
        with self._lock:
            if times is None:
                self._always, self._faults = wanted, []
            elif wanted is not None:
                self._faults.extend([wanted] * times)
        return self

    def next_fault(self) -> Fault | None:
        """What the next request is to suffer."""
        with self._lock:
            return self._faults.pop(0) if self._faults else self._always

    # ── life cycle ──────────────────────────────────────────────────────────────────────────────

    def start(self) -> FakeService:
        """Bind a free loopback port and serve on a daemon thread."""
        if self._server is None:
            self.stopping.clear()
            server = _Server(self)
            self._server = server
            threading.Thread(
                target=server.serve_forever, args=(0.02,), name="spotsafe-fake-service", daemon=True
            ).start()
        return self

    def stop(self) -> None:
        """Stop serving; whoever hangs is let go."""
        self.stopping.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        if self._server is None:
            raise RuntimeError("the fake service is not running: use it as a context manager, or start()")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeService:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ── answers ─────────────────────────────────────────────────────────────────────────────────

    def signals(self, request: DetectRequest) -> Signals:
        """What it says about one content."""
        scores, missing = [], []
        for label in request.labels:
            for part in request.content:
                if label in self._missing:
                    missing.append(Missing(label, part.name, self._missing[label]))
                else:
                    scores.append(self._signal(label, part))
        return Signals(scores, missing, self.engine)

    def _signal(self, label: str, part: Part) -> Signal:
        score = self.default
        evidence: tuple[Evidence, ...] = ()
        for said in self._said:
            data = part.data if isinstance(part.data, str) else part.data.decode("latin-1")
            if said.label == label and said.containing in data:
                score, evidence = said.score, said.evidence
        return Signal(label, score, part.name, LABELS[label].severity, "fake", self.engine, evidence)

    def detected(self, body: Any) -> dict[str, Any]:
        """The body of a 200 answer to ``/v1/detect``; WireError where *body* cannot be read."""
        items = decode_detect(body)
        return encode_answer([(name, self.signals(wanted)) for name, wanted in items], self.engine)

    def reach(self) -> dict[str, Any]:
        """The answer to ``/v1/labels``, as far as clients read it: every label but those omitted as
        ``unsupported``."""
        lacks = {label for label, cause in self._missing.items() if cause is Cause.UNSUPPORTED}
        listed = [
            {"label": label, "languages": {} if label in lacks else {"*": "calibrated"}} for label in LABELS
        ]
        return {"engine": self.engine, "labels": listed}

    def accept(self, events: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Keep *events*, each once."""
        duplicate = 0
        with self._lock:
            for event in events:
                duplicate += event["event_id"] in self.events
                self.events.setdefault(event["event_id"], dict(event))
                hold = event.get("hold")
                if hold:
                    self.holds.setdefault(event["event_id"], _hold(event, hold))
        return {"accepted": len(events) - duplicate, "duplicate": duplicate}


def _hold(event: Mapping[str, Any], hold: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "decision_id": event["event_id"], "surface": event["surface"], "digest": event["content"],
        "state": "pending", "decided_at": None, "note": None, "expires": hold["expires"],
        "reason": hold["reason"],
    }  # fmt: skip


class _Server(ThreadingHTTPServer):
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
    server: _Server

    @property
    def service(self) -> FakeService:
        """The fake that this connection belongs to."""
        return self.server.service

    def setup(self) -> None:
        super().setup()
        self.service.connections += 1

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self._allowed():
            return
        route: Callable[[Any], None] | None = None
        if self.path == "/v1/detect":
            route = self._detect
        elif self.path == "/v1/events":
            route = self._events
        elif self.path.startswith("/v1/holds/"):
            route = self._decide
        elif self.path == "/v1/jobs":
            route = self._order
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            self._problem(400, "malformed-body", "The body could not be read")
            return
        if route is None:
            self._problem(404, "not-found", "There is nothing here")
            return
        route(body)

    def do_PUT(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self._allowed():
            return
        job_id, _, position = self.path.removeprefix("/v1/jobs/").partition("/parts/")
        if self.service.jobs.receive(job_id, position, raw):
            self.send_response(204)
            self.end_headers()
        else:
            self._problem(404, "not-found", "There is nothing here")

    def do_GET(self) -> None:
        if not self._allowed():
            return
        if self.path.startswith("/v1/jobs/"):
            report = self.service.jobs.report(self.path.removeprefix("/v1/jobs/"))
            if report is None:
                self._problem(404, "not-found", "There is nothing here")
            else:
                self._json(200, report)
            return
        if self.path.startswith("/v1/holds/"):
            hold = self.service.holds.get(self.path.removeprefix("/v1/holds/"))
            if hold is None:
                self._problem(404, "not-found", "There is nothing here")
            else:
                self._json(200, hold)
        elif self.path.partition("?")[0] == "/v1/holds":
            wanted = self.path.partition("state=")[2].partition("&")[0] or "pending"
            found = [hold for hold in self.service.holds.values() if hold["state"] == wanted]
            self._json(200, {"holds": found, "next": None})
        elif self.path == "/v1/labels":
            self._json(200, self.service.reach())
        elif self.path in ("/healthz", "/readyz"):
            self._json(200, {"status": "ok"})
        else:
            self._problem(404, "not-found", "There is nothing here")

    def _detect(self, body: Any) -> None:
        self.service.requests.append(body)
        self.service.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.service.arrived.release()
        if self.headers.get(WIRE_HEADER, "1") not in map(str, ACCEPTED_VERSIONS):
            self._problem(400, "wire-version", "The wire version is not spoken here")
            return
        try:
            answer = self.service.detected(body)
        except WireError as error:
            self._invalid(error)
            return
        fault = self.service.next_fault()
        if fault is None:
            self._json(200, answer)
            return
        connection = Connection(self.wfile, self.connection, self.service.stopping, PATIENCE)
        self.close_connection = not FAULTS[fault.kind](fault, answer, connection)

    def _order(self, body: Any) -> None:
        try:
            status, answer = self.service.jobs.order(body)
        except WireError as error:
            self._invalid(error)
            return
        self._json(status, answer)

    def _events(self, body: Any) -> None:
        events = body.get("events") if isinstance(body, dict) else None
        if not isinstance(events, list) or len(events) > EVENTS_PER_REQUEST:
            self._invalid(WireError("/events", f"must be an array of at most {EVENTS_PER_REQUEST}"))
            return
        for index, event in enumerate(events):
            if not isinstance(event, dict) or not isinstance(event.get("event_id"), str):
                self._invalid(WireError(f"/events/{index}/event_id", "must be a lower-case UUID"))
                return
        self._json(200, self.service.accept(events))

    def _decide(self, body: Any) -> None:
        hold = self.service.holds.get(self.path.removeprefix("/v1/holds/"))
        if hold is None:
            self._problem(404, "not-found", "There is nothing here")
            return
        state = body.get("state") if isinstance(body, dict) else None
        if state not in ("released", "rejected"):
            self._invalid(WireError("/state", "is one of released, rejected"))
            return
        if hold["state"] not in ("pending", state):
            self._problem(409, "conflict", "The state does not allow this")
            return
        hold.update(state=state, note=body.get("note"), decided_at=0.0)
        self._json(200, hold)

    def _invalid(self, error: WireError) -> None:
        detail = f"{error.pointer or 'the body'} {error.problem}."
        self._problem(422, "invalid-body", "The body does not have the expected shape", detail, error)

    def _allowed(self) -> bool:
        wanted = self.service.api_key
        if wanted is None or self.headers.get("authorization") == f"Bearer {wanted}":
            return True
        self._problem(401, "unauthorized", "A valid key is needed")
        return False

    def _json(self, status: int, document: Any, media_type: str = "application/json") -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _problem(
        self, status: int, slug: str, title: str, detail: str = "", at: WireError | None = None
    ) -> None:
        document = {"type": PROBLEM_TYPE + slug, "title": title, "status": status}
        if detail:
            document["detail"] = detail
        if at is not None:
            document["pointer"] = at.pointer
        self._json(status, document, PROBLEM_MEDIA_TYPE)

    def log_message(self, *args: object) -> None:
        """Silent: requests carry content."""
