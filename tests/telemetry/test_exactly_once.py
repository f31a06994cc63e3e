"""Exactly once at the store, whatever happens in between: a model against random interleavings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies import booleans, integers, sampled_from

from spotsafe.telemetry.outbox import LEASE_SECONDS, Batch, Outbox


class Clock:
    """Moves when told to."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    monotonic = now


class Store:
    """The service's store: idempotent on event_id, counts how often it kept each event."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    def accept(self, batch: Batch) -> None:
        for record in batch.records:
            self.kept.setdefault(record["event_id"], record["number"])


class Interleavings(RuleBasedStateMachine):
    """Two processes on one outbox; each may crash at any step of take → deliver → acknowledge."""

    path: Path | None

    @initialize(in_file=booleans())
    def begin(self, in_file: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "outbox.sqlite" if in_file else None
        self.clock = Clock()
        self.store = Store()
        self.number = 0
        self.put_but_not_committed: dict[int, list[str]] = {0: [], 1: []}
        self.committed: list[str] = []
        self.processes = {0: self.process()}
        # A memory outbox has one process, and what it holds ends with it: no crash there.
        self.processes[1] = self.process() if in_file else self.processes[0]
        self.batches: list[tuple[int, Batch]] = []

    def process(self) -> Outbox:
        return Outbox(self.path, clock=self.clock)

    @rule(who=sampled_from([0, 1]))
    def put(self, who: int) -> None:
        self.number += 1
        event_id = f"event-{self.number}"
        record: dict[str, Any] = {"event_id": event_id, "kind": "decision", "at": 4e9, "number": self.number}
        assert self.processes[who].put(record)
        self.put_but_not_committed[who].append(event_id)

    @rule(who=sampled_from([0, 1]))
    def commit(self, who: int) -> None:
        self.processes[who].drain()
        self.has_committed(who)

    def has_committed(self, who: int) -> None:
        for each in {who} if self.path is not None else {0, 1}:
            self.committed += self.put_but_not_committed[each]
            self.put_but_not_committed[each] = []

    @rule(who=sampled_from([0, 1]), size=integers(1, 4))
    def take(self, who: int, size: int) -> None:
        self.batches.append((who, self.processes[who].take(size)))
        self.has_committed(who)

    @rule(which=integers(0, 9), deliver=booleans(), acknowledge=booleans(), release=booleans())
    def settle(self, which: int, deliver: bool, acknowledge: bool, release: bool) -> None:
        if not self.batches:
            return
        _, batch = self.batches.pop(which % len(self.batches))
        if deliver:
            self.store.accept(batch)
            if acknowledge:
                batch.ack()
                return
        if release:
            batch.release()

    @rule(who=sampled_from([0, 1]))
    def crash(self, who: int) -> None:
        """kill -9: what was not committed is gone with the process, and so are its batches."""
        if self.path is None:
            return
        self.processes[who].after_fork()  # lets go of everything without writing, as a dead process does
        self.processes[who] = self.process()
        self.put_but_not_committed[who] = []
        self.batches = [(owner, batch) for owner, batch in self.batches if owner != who]

    @rule(seconds=sampled_from([1.0, LEASE_SECONDS / 2, LEASE_SECONDS * 2]))
    def time_passes(self, seconds: float) -> None:
        self.clock.time += seconds

    @invariant()
    def nothing_committed_is_lost(self) -> None:
        """Every committed event is at the store or still in the outbox."""
        if not hasattr(self, "store"):
            return
        held = self.processes[0].stats()["items"] - self.processes[0].waiting()
        assert held >= len(set(self.committed) - set(self.store.kept))

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        self.clock.time += LEASE_SECONDS * 10
        for who in (0, 1):
            while (batch := self.processes[who].take(3)).records:
                self.store.accept(batch)
                batch.ack()
            self.has_committed(who)
            assert self.processes[who].drops() == {}
        assert sorted(self.store.kept) == sorted(self.committed)
        assert len(set(self.store.kept.values())) == len(self.store.kept)
        assert self.processes[0].stats()["items"] == 0
        for outbox in self.processes.values():
            outbox.close()
        self.folder.cleanup()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
