"""A central service on a loopback port that says what a test wants, and fails how a test wants.

It speaks the wire format of the real one (requests are read by the same codec; a contract test runs one
table through both), over real sockets, so that time-outs, resets and truncation are real as well::

    with FakeService() as service:
        service.say("hate.speech", 0.97, containing="idiots")
        service.fail(Fault("hang"))
        client = Client(service=service.url)
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from spotsafe.core.content import Part
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Evidence, Missing, Signal, Signals
from spotsafe.core.wire import decode_detect, encode_answer
from spotsafe.testing.fake_jobs import FakeJobs
from spotsafe.testing.fake_server import FakeServer
from spotsafe.testing.faults import FAULTS, Fault

__all__ = ["FakeService", "Fault"]


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
        self._server: FakeServer | None = None

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
            server = FakeServer(self)
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
