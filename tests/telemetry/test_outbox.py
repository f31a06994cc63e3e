"""The outbox, in memory and in a file: one table of promises for both."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from spotsafe.core.faults import FaultCounter
from spotsafe.core.records import MAX_EVENT_BYTES
from spotsafe.telemetry.events import drops_record
from spotsafe.telemetry.outbox import (
    LARGE_CONTENT,
    LEASE_SECONDS,
    MAX_AGE,
    MAX_PENDING,
    WAKE_EVERY,
    Outbox,
)


@pytest.fixture(params=["memory", "file"])
def outbox_of(request: pytest.FixtureRequest, tmp_path: Path, clock: Any) -> Any:
    """Makes outboxes of one kind; each file outbox on the same file."""
    path = None if request.param == "memory" else tmp_path / "outbox.sqlite"
    made: list[Outbox] = []

    def make(**options: Any) -> Outbox:
        made.append(Outbox(path, clock=clock, **options))
        return made[-1]

    yield make
    for outbox in made:
        outbox.close()


def ids(batch: Any) -> list[str]:
    return [record["event_id"] for record in batch.records]


def test_what_is_put_comes_out_in_order_and_stays_until_acknowledged(outbox_of: Any, event: Any) -> None:
    """An event leaves the outbox when the service has it, not when it is taken."""
    outbox = outbox_of()
    assert [outbox.put(event(n)) for n in range(3)] == [True] * 3
    batch = outbox.take(2)
    assert ids(batch) == ["event-0", "event-1"]
    assert len(outbox) == 3
    batch.ack()
    assert ids(outbox.take()) == ["event-2"]


def test_a_leased_event_is_given_to_nobody_else_until_the_lease_ends(
    outbox_of: Any, event: Any, clock: Any
) -> None:
    """A crash between taking and acknowledging repeats an event after a while, and loses none."""
    outbox = outbox_of()
    outbox.put(event())
    first = outbox.take()
    assert ids(outbox.take()) == []
    assert outbox.deliverable() == 0
    clock.time += LEASE_SECONDS + 1
    assert outbox.deliverable() == 1
    assert ids(outbox.take()) == ids(first)


def test_released_events_come_again_at_once_or_when_said(outbox_of: Any, event: Any, clock: Any) -> None:
    """A failed delivery frees its events; a deferred event lets others pass."""
    outbox = outbox_of()
    outbox.put(event(1))
    outbox.put(event(2))
    batch = outbox.take()
    batch.release([batch.records[0]], until=clock.now() + 300)
    batch.release([batch.records[1]])
    assert ids(outbox.take()) == ["event-2"]
    clock.time += 301
    assert "event-1" in ids(outbox.take())


def test_a_batch_keeps_to_its_size_but_is_never_empty_for_it(outbox_of: Any, event: Any) -> None:
    """Batches respect the byte limit; an event larger than the limit still travels, alone."""
    outbox = outbox_of()
    for n in range(4):
        outbox.put(event(n, filler="x" * 1000))
    assert len(outbox.take(500, max_bytes=2500).records) == 2
    assert len(outbox.take(500, max_bytes=10).records) == 1


@pytest.mark.parametrize(
    ("reason", "options", "fill"),
    [
        ("full", {"max_items": 3}, lambda event: [event(n) for n in range(4)]),
        ("full", {"max_bytes": 1000}, lambda event: [event(n, filler="x" * 200) for n in range(4)]),
        ("too_large", {}, lambda event: [event(1, filler="x" * MAX_EVENT_BYTES)]),
        ("rejected", {}, lambda event: [event(1, score=math.nan)]),
        ("rejected", {}, lambda event: [{"kind": "decision", "at": 0.0}]),
        ("rejected", {"build": lambda raw: 1 / 0}, lambda event: [("raw",)]),
    ],
    ids=["items", "bytes", "too large", "not JSON", "no id", "build fails"],
)
def test_losses_are_counted_by_reason(
    outbox_of: Any, event: Any, reason: str, options: dict[str, Any], fill: Any
) -> None:
    """What cannot be kept is dropped under its reason, one by one, and nothing raises."""
    outbox = outbox_of(**options)
    for record in fill(event):
        outbox.put(record)
        outbox.drain()
    assert outbox.drops() == {reason: 1}


def test_events_that_waited_too_long_are_dropped_as_expired(outbox_of: Any, event: Any, clock: Any) -> None:
    """Age is a bound like the others."""
    outbox = outbox_of()
    outbox.put(event(1))
    outbox.drain()
    clock.time += MAX_AGE + 1
    outbox.put(event(2, at=clock.now()))
    assert ids(outbox.take()) == ["event-2"]
    assert outbox.drops() == {"expired": 1}


def test_a_tenth_is_kept_for_holds_and_registrations(outbox_of: Any, event: Any) -> None:
    """Ordinary traffic cannot crowd out what people wait for."""
    outbox = outbox_of(max_items=10)
    for n in range(20):
        outbox.put(event(n))
        outbox.drain()
    outbox.put(event(100, hold={"expires": 1.0, "reason": "policy", "on_expiry": "reject"}))
    assert "event-100" in ids(outbox.take())
    assert outbox.drops() == {"full": 11}


def test_losses_are_reported_once_with_the_next_batch(
    outbox_of: Any, event: Any, identity: Any, clock: Any
) -> None:
    """The service learns what it will never see; a report that is on its way is not repeated."""
    outbox = outbox_of(max_items=1, report=lambda drops: drops_record(drops, identity=identity, clock=clock))
    for n in range(3):
        outbox.put(event(n))
        outbox.drain()
    batch = outbox.take()
    assert [record["kind"] for record in batch.records] == ["decision", "drops"]
    assert batch.records[1]["drops"] == {"full": 2}
    outbox.drop("full")
    assert outbox.take().records == ()
    batch.ack()
    assert [record["drops"] for record in outbox.take().records] == [{"full": 1}]


def test_refused_events_are_set_aside_and_counted(outbox_of: Any, event: Any) -> None:
    """A refused event blocks nobody and is not thrown away."""
    outbox = outbox_of()
    outbox.put(event(1))
    outbox.put(event(2))
    batch = outbox.take()
    batch.set_aside([batch.records[0]])
    batch.ack([batch.records[1]])
    stats = outbox.stats()
    assert (stats["items"], stats["set_aside"], stats["dropped"]) == (0, 1, {"rejected": 1})


def test_the_oldest_give_way_where_nothing_delivers(outbox_of: Any, event: Any) -> None:
    """An outbox that people read keeps the newest events, and registrations."""
    outbox = outbox_of(max_items=3, keep_newest=True)
    outbox.put(event(0, kind="register"))
    for n in range(1, 6):
        outbox.put(event(n))
        outbox.drain()
    assert ids(outbox.take()) == ["event-0", "event-4", "event-5"]
    assert outbox.drops() == {"full": 3}


def test_an_id_that_is_kept_already_is_not_kept_twice(outbox_of: Any, event: Any) -> None:
    """The outbox is idempotent on event ids, as the store behind the service is."""
    outbox = outbox_of()
    outbox.put(event(1))
    outbox.put(event(1))
    assert ids(outbox.take()) == ["event-1"]
    assert outbox.stats()["items"] == 1


def test_size_in_bytes_is_that_of_the_events(outbox_of: Any, event: Any) -> None:
    """The byte bound counts what is kept, and what leaves is no longer counted."""
    outbox = outbox_of()
    outbox.put(event(1))
    batch = outbox.take()
    assert outbox.stats()["bytes"] == len(json.dumps(event(1), separators=(",", ":")))
    batch.ack()
    assert outbox.stats()["bytes"] == 0


def test_the_queue_before_the_store_is_bounded_too(event: Any) -> None:
    """When the delivery thread is stuck, calls are dropped and counted, not piled up."""
    outbox = Outbox()
    accepted = sum(outbox.put(event(n)) for n in range(MAX_PENDING + 5))
    assert accepted == MAX_PENDING
    assert outbox.drops() == {"full": 5}
    assert outbox.put(event(1), 0, True), "what is urgent has a reserve"


def test_a_large_content_is_not_kept_waiting_in_memory() -> None:
    """The record of a large content is built at once, so that nothing refers to the content any more."""
    built: list[Any] = []
    outbox = Outbox(build=lambda raw: built.append(raw) or {"event_id": "1", "kind": "decision", "at": 0.0})
    outbox.put(("small",), LARGE_CONTENT - 1)
    assert built == []
    outbox.put(("large",), LARGE_CONTENT)
    assert built == [("large",)]
    outbox.drain()
    assert built[1:] == [("small",)]


def test_the_listener_hears_of_the_first_call_and_of_each_full_measure(event: Any) -> None:
    """The delivery thread is started by the first event and woken when many wait or one is urgent."""
    outbox = Outbox()
    heard: list[int] = []
    outbox.listen(heard.append)
    for n in range(WAKE_EVERY + 1):
        outbox.put(event(n))
    assert heard == [0, WAKE_EVERY]
    outbox.put(event(0), urgent=True)
    assert heard[2:] == [WAKE_EVERY]


def test_a_fault_while_building_is_counted_without_its_message(canary: str, caplog: Any) -> None:
    """What a fault says could be content; only its place and class are kept."""
    faults = FaultCounter()

    def build(raw: Any) -> Any:
        raise ValueError(canary)

    outbox = Outbox(build=build, faults=faults)
    outbox.put((canary,))
    outbox.drain()
    assert faults.counts == {"telemetry.build": 1}
    assert canary not in caplog.text
