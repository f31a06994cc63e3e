"""One batch to the service: what it took is acknowledged, what it refuses is found and set aside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.records import EVENTS_PER_REQUEST, Record

if TYPE_CHECKING:
    from spotsafe.core.seams import Clock
    from spotsafe.telemetry.outbox import Batch, Outbox

MAX_EVENTS = EVENTS_PER_REQUEST // 2
"""Half of what the service takes: encoding a body holds the interpreter, for some three milliseconds."""
MAX_BYTES = 2**20
FRUITLESS_REQUESTS = 24
"""So many refusals without one event taken mean that the service refuses us, not our events."""
DEFER_SECONDS = 300.0
GIVE_UP_AFTER = 5
"""An event that alone makes the service fail is tried so often, with DEFER_SECONDS between, while others
get through; then it is set aside."""

_log = logging.getLogger("spotsafe.telemetry")


class Dispatch:
    """Sends batches of *outbox* through *send*; keeps the figures of what was delivered.

    A service that fails (5xx) on a batch may fail on one event in it, so after such a failure the next
    batch is half the size; an event that fails alone is deferred, and others overtake it.
    """

    def __init__(self, outbox: Outbox, send: Callable[[list[dict[str, Any]]], None], clock: Clock) -> None:
        self._outbox = outbox
        self._send = send
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Figures and suspicions from nought: in a forked child."""
        self.busy = False
        self._size = MAX_EVENTS
        self._delivered = 0
        self._requests = 0
        self._failure: str | None = None
        self._suspects: dict[str, list[int]] = {}

    def stats(self) -> dict[str, Any]:
        return {"delivered": self._delivered, "requests": self._requests, "failure": self._failure}

    def batch(self) -> bool:
        """Send one batch; whether there was one. Raises DetectorError where it should be tried again;
        what was not taken is free in the outbox by then."""
        self.busy = True
        try:
            batch = self._outbox.take(self._size, max_bytes=MAX_BYTES)
            if not batch.records:
                return False
            self._settle(batch)
            return True
        finally:
            self.busy = False

    def _settle(self, batch: Batch) -> None:
        open_ones = {record["event_id"]: record for record in batch.records}
        refused: list[Record] = []
        try:
            self._narrow(batch, list(batch.records), open_ones, refused)
        except DetectorError as error:
            self._failure = error.failure.value
            self._suspect(batch, error, open_ones)
            batch.release(open_ones.values())
            raise
        if refused:
            batch.set_aside(refused)
            _log.warning("the service refuses %d event(s); they are set aside and counted", len(refused))
        self._failure = None
        self._size = min(MAX_EVENTS, self._size * 2)

    def _narrow(
        self, batch: Batch, records: Sequence[Record], open_ones: dict[str, Record], refused: list[Record]
    ) -> None:
        """Send *records*, halving what is refused. Takes what is settled out of *open_ones*."""
        waiting = [list(records)]
        fruitless = 0
        while waiting:
            part = waiting.pop()
            self._requests += 1
            try:
                self._send([dict(record) for record in part])
            except DetectorError as error:
                fruitless += 1
                taken_any = len(open_ones) < len(records)
                if error.failure is not Failure.REJECTED or (
                    fruitless >= FRUITLESS_REQUESTS and not taken_any
                ):
                    refused.clear()
                    raise
                if len(part) == 1:
                    refused.append(part[0])
                else:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                continue
            batch.ack(part)
            self._delivered += len(part)
            for record in part:
                del open_ones[record["event_id"]]

    def _suspect(self, batch: Batch, error: DetectorError, open_ones: dict[str, Record]) -> None:
        """Make the next batch smaller after a server failure; let others pass one that fails alone."""
        if error.failure is not Failure.SERVER:
            return
        self._size = max(1, min(self._size, len(batch.records)) // 2)
        if len(batch.records) > 1 or not self._outbox.deliverable():
            return
        record = batch.records[0]
        seen = self._suspects.setdefault(record["event_id"], [0, self._delivered])
        if len(self._suspects) > MAX_EVENTS:
            self._suspects.pop(next(iter(self._suspects)))
        if self._delivered > seen[1]:
            # Only counts against the event when the service took others in between.
            seen[:] = [seen[0] + 1, self._delivered]
        open_ones.clear()
        if seen[0] >= GIVE_UP_AFTER:
            self._suspects.pop(record["event_id"], None)
            batch.set_aside([record])
            _log.warning("an event makes the service fail each time; it is set aside and counted")
        else:
            batch.release([record], until=self._clock.now() + DEFER_SECONDS)
