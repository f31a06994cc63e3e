"""What leaves the client besides content to check: events, registrations, metrics, spans."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from spotsafe.client.http import Exchange
from spotsafe.client.options import Options
from spotsafe.client.remote import failure_of, parsed
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.faults import FaultCounter
from spotsafe.core.records import Record
from spotsafe.core.seams import Clock
from spotsafe.guard.steps import Failed
from spotsafe.telemetry.delivery import Delivery
from spotsafe.telemetry.events import (
    DecisionBuilder,
    SurfaceEntry,
    drops_record,
    feedback_record,
    register_records,
)  # fmt: skip
from spotsafe.telemetry.identity import Identity
from spotsafe.telemetry.instruments import Telemetry
from spotsafe.telemetry.outbox import Outbox

EVENTS = "v1/events"
DELIVERY_TIMEOUT = 10.0
"""Seconds for one batch of events."""


class Reporting:
    """Outbox, delivery and instruments of one client. Without a service and without a file there is
    nobody to keep events for: only the instruments count."""

    def __init__(
        self,
        options: Options,
        environ: Mapping[str, str],
        *,
        exchange: Exchange | None,
        clock: Clock,
        faults: FaultCounter,
        surfaces: Callable[[], Iterable[SurfaceEntry]],
        switches: Callable[[], Sequence[str]],
    ) -> None:
        self.identity = Identity.from_environ(environ, app=options.app, environment=options.environment)
        self.telemetry = Telemetry(self.identity)
        self._clock = clock
        self._registration: Callable[[], list[Record]] = lambda: list(
            register_records(surfaces(), identity=self.identity, kill_switches=switches(), clock=clock)
        )
        self.outbox: Outbox | None = None
        self.delivery: Delivery | None = None
        if exchange is not None or options.outbox is not None:
            self.outbox = Outbox(
                options.outbox,
                clock=clock,
                build=DecisionBuilder(self.identity, options.tenant_key),
                report=lambda drops: drops_record(drops, identity=self.identity, clock=clock),
                faults=faults,
                keep_newest=exchange is None,
            )
            send = None if exchange is None else _sender(exchange)
            self.delivery = Delivery(
                self.outbox, send, clock=clock, heartbeat=self._registration, faults=faults
            )
        self.telemetry.attach(
            outbox=self.outbox, delivery=self.delivery, faults=faults, kill_switches=switches
        )

    def start(self) -> None:
        """Create the instruments, open the outbox's file. Raises ConfigurationError for a file that
        cannot be used."""
        self.telemetry.start()
        if self.outbox is not None:
            # What the delivery thread would import is imported here: a process that forks while a thread
            # imports leaves its children with the import's lock held by nobody.
            import_module("tenacity")
            self.outbox.open()

    def put(self, raw: Any, size: int = 0, urgent: bool = False) -> None:
        """Put one event (or what one is built from) aside, where anybody is to get it."""
        if self.outbox is not None:
            self.outbox.put(raw, size, urgent)

    def feedback(self, decision_id: str, verdict: str, label: str | None) -> None:
        """Report what a person thinks of a decision."""
        record = feedback_record(
            decision_id, identity=self.identity, verdict=verdict, label=label, clock=self._clock
        )
        self.put(record, urgent=True)

    def register(self) -> None:
        """Say anew what this process declares and which kill switches are on."""
        for record in self._registration():
            self.put(record, urgent=True)

    def flush(self, timeout: float) -> bool:
        """Whether everything is delivered (or kept in the file) within *timeout* seconds."""
        return self.delivery is None or self.delivery.flush(timeout)

    def close(self, timeout: float) -> bool:
        """Flush and end, within *timeout* seconds."""
        return self.delivery is None or self.delivery.close(timeout)

    def figures(self) -> dict[str, Any]:
        """What of ``stats()`` is counted here."""
        if self.outbox is None:
            return {"items": 0, "bytes": 0, "set_aside": 0, "dropped": {}}
        return self.outbox.stats()


def _sender(exchange: Exchange) -> Callable[[list[dict[str, Any]]], None]:
    def send(records: list[dict[str, Any]]) -> None:
        """Hand *records* to the service. Raises DetectorError; ``rejected`` where it does not want them."""
        body = json.dumps({"events": records}, separators=(",", ":")).encode()
        answer = exchange.post(EVENTS, body, DELIVERY_TIMEOUT)
        failed = answer if isinstance(answer, Failed) else failure_of(answer)
        if failed is None and not isinstance(answer, Failed):
            said = parsed(answer.body)
            if not isinstance(said, dict) or not isinstance(said.get("accepted"), int):
                failed = Failed(Failure.MALFORMED)  # something answered, but not the service
        if failed is not None:
            raise DetectorError(failed.failure, detector="events", retry_after=failed.retry_after)

    return send
