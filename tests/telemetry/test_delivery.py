"""Delivery: retries, refusals, deadlines, forks and the end of the interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from spotsafe.core.errors import DetectorError, Failure
from spotsafe.telemetry.backoff import LONGEST_SECONDS, LONGEST_TOLD_SECONDS, Backoff
from spotsafe.telemetry.delivery import HEARTBEAT, Delivery
from spotsafe.telemetry.dispatch import DEFER_SECONDS, FRUITLESS_REQUESTS, MAX_EVENTS, Dispatch
from spotsafe.telemetry.outbox import Outbox


class Service:
    """Stands for the service: follows a script, then accepts; refuses events in *poison*."""

    def __init__(self, *script: Failure | float, poison: frozenset[str] = frozenset()) -> None:
        self.script = list(script)
        self.poison = poison
        self.fatal: frozenset[str] = frozenset()
        self.stored: list[str] = []
        self.requests: list[int] = []

    def __call__(self, records: list[dict[str, Any]]) -> None:
        self.requests.append(len(records))
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Failure):
                raise DetectorError(step)
            raise DetectorError(Failure.OVERLOADED, retry_after=step)
        ids = [record["event_id"] for record in records]
        if self.fatal & set(ids):
            raise DetectorError(Failure.SERVER)
        if self.poison & set(ids):
            raise DetectorError(Failure.REJECTED)
        self.stored += ids


class Pauses:
    """Stands for waiting: moves the clock, notes how long; ends the test's patience."""

    def __init__(self, clock: Any, after: Callable[[], None] = lambda: None) -> None:
        self.clock = clock
        self.after = after
        self.total = 0.0

    def __call__(self, seconds: float) -> bool:
        self.clock.time += seconds
        self.total += seconds
        self.after()
        return False


@pytest.fixture
def outbox(clock: Any) -> Outbox:
    return Outbox(clock=clock)


_made: list[Delivery] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Putting starts a delivery's thread; one that does not really wait would spin until the tests end."""
    yield
    while _made:
        _made.pop().close(0.1)


def delivery_of(outbox: Outbox, service: Any, clock: Any, **options: Any) -> Delivery:
    pause = options.pop("pause", None) or Pauses(clock)
    delivery = Delivery(outbox, service, clock=clock, random=Random(7), pause=pause, **options)
    _made.append(delivery)
    return delivery


def fill(outbox: Outbox, event: Any, number: int) -> list[str]:
    for n in range(number):
        outbox.put(event(n))
    return [f"event-{n}" for n in range(number)]


def test_everything_is_delivered_in_batches(outbox: Outbox, event: Any, clock: Any) -> None:
    """Events go out oldest first, and a request has no more than the service takes."""
    service = Service()
    ids = fill(outbox, event, 2 * MAX_EVENTS + 100)
    delivery_of(outbox, service, clock).round()
    assert service.stored == ids
    assert service.requests == [MAX_EVENTS, MAX_EVENTS, 100]
    assert len(outbox) == 0
    assert MAX_EVENTS <= 500


@pytest.mark.parametrize(
    "failure", [f for f in Failure if f is not Failure.REJECTED], ids=lambda failure: failure.value
)
def test_what_is_not_a_refusal_is_tried_again(
    outbox: Outbox, event: Any, clock: Any, failure: Failure
) -> None:
    """An outage of any kind delays events and loses none."""
    service = Service(failure, failure, failure)
    ids = fill(outbox, event, 10)
    delivery_of(outbox, service, clock).round()
    assert sorted(service.stored) == sorted(ids)
    assert outbox.drops() == {}


def test_retry_after_is_honoured(outbox: Outbox, event: Any, clock: Any) -> None:
    """The service's own word on when to come back is kept, plus up to a tenth."""
    pauses = Pauses(clock)
    fill(outbox, event, 1)
    delivery_of(outbox, Service(30.0), clock, pause=pauses).round()
    assert 30.0 <= pauses.total <= 33.1


def test_pauses_grow_jitter_and_end() -> None:
    """Backoff doubles up to a minute, differs between processes, and distrusts an endless Retry-After."""
    backoff = Backoff(Random(1))
    bounds = [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    waits = [backoff.seconds(n, None) for n in range(1, 10)]
    assert all(bound / 10 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    assert backoff.seconds(10_000, None) <= LONGEST_SECONDS
    assert Backoff(Random(2)).seconds(1, None) != waits[0]
    assert backoff.seconds(1, 10.0**9) <= LONGEST_TOLD_SECONDS * 1.1
    assert not Backoff(Random(1)).told


def test_what_is_put_during_an_outage_is_committed_during_it(tmp_path: Path, event: Any, clock: Any) -> None:
    """Waiting for the service does not keep events out of the file."""
    outbox = Outbox(tmp_path / "outbox.sqlite", clock=clock)
    later = [event(n) for n in range(1, 4)]
    pauses = Pauses(clock, after=lambda: later and outbox.put(later.pop()))
    outbox.put(event(0))
    seen: list[int] = []

    def send(records: list[dict[str, Any]]) -> None:
        seen.append(outbox.stats()["items"])
        if len(seen) == 1:
            raise DetectorError(Failure.OVERLOADED, retry_after=60.0)

    delivery_of(outbox, send, clock, pause=pauses).round()
    assert seen == [1, 4]
    outbox.close()


def test_a_poison_event_is_found_by_halves_and_set_aside(outbox: Outbox, event: Any, clock: Any) -> None:
    """One event that the service refuses costs a few requests, not the batch."""
    service = Service(poison=frozenset({"event-37", "event-200"}))
    ids = fill(outbox, event, MAX_EVENTS)
    delivery_of(outbox, service, clock).round()
    assert sorted(service.stored) == sorted(set(ids) - service.poison)
    assert len(service.requests) <= 40
    assert outbox.stats()["set_aside"] == 2
    assert outbox.drops() == {"rejected": 2}


def test_a_service_that_refuses_everything_costs_no_events(outbox: Outbox, event: Any, clock: Any) -> None:
    """A wrong address looks like refusals; nothing is thrown away for it."""
    service = Service(*[Failure.REJECTED] * FRUITLESS_REQUESTS)
    ids = fill(outbox, event, 200)
    delivery_of(outbox, service, clock).round()
    assert sorted(service.stored) == sorted(ids)
    assert outbox.stats()["set_aside"] == 0


def test_an_outage_in_the_middle_of_narrowing_down_loses_nothing(
    outbox: Outbox, event: Any, clock: Any
) -> None:
    """What was accepted stays accepted, what was found refused is found again, the rest goes out later."""
    service = Service(poison=frozenset({"event-1"}))
    fill(outbox, event, 8)
    calls = iter(range(100))

    def send(records: list[dict[str, Any]]) -> None:
        if next(calls) == 4:
            raise DetectorError(Failure.CONNECT)
        service(records)

    delivery_of(outbox, send, clock).round()
    assert sorted(service.stored) == sorted(f"event-{n}" for n in range(8) if n != 1)
    assert outbox.drops() == {"rejected": 1}


def test_an_event_that_breaks_the_service_does_not_block_the_others(
    outbox: Outbox, event: Any, clock: Any
) -> None:
    """Batches shrink until the culprit is alone; others overtake it, and in the end it is set aside."""
    service = Service()
    service.fatal = frozenset({"event-3"})
    fill(outbox, event, 20)
    dispatch = Dispatch(outbox, service, clock)
    for number in range(200):
        try:
            while dispatch.batch():
                pass
        except DetectorError:
            pass
        if outbox.stats()["set_aside"]:
            break
        clock.time += DEFER_SECONDS / 4
        outbox.put(event(100 + number))
    assert {f"event-{n}" for n in range(20)} - set(service.stored) == {"event-3"}
    assert outbox.drops() == {"rejected": 1}


def test_an_outage_of_5xx_sets_nothing_aside(outbox: Outbox, event: Any, clock: Any) -> None:
    """As long as nothing else gets through, no event is blamed."""
    service = Service(*[Failure.SERVER] * 60)
    ids = fill(outbox, event, 5)
    delivery = delivery_of(outbox, service, clock)
    for _ in range(20):
        delivery.round()
        clock.time += DEFER_SECONDS
    assert sorted(service.stored) == sorted(ids)
    assert outbox.drops() == {}


def test_the_process_registers_when_delivery_starts_and_every_day(
    outbox: Outbox, event: Any, clock: Any
) -> None:
    """Platform owners see a process from its start, and that it still lives."""
    service = Service()
    beats = iter(range(100))
    delivery = delivery_of(
        outbox, service, clock, heartbeat=lambda: [event(f"register-{next(beats)}", kind="register")]
    )
    delivery.round()
    delivery.round()
    assert service.stored == ["event-register-0"]
    clock.time += HEARTBEAT
    delivery.round()
    assert service.stored[1:] == ["event-register-1"]


def test_the_first_event_starts_the_thread_and_flush_waits_for_delivery(event: Any) -> None:
    """Nobody has to start anything; flush says whether everything has gone out."""
    outbox, service = Outbox(), Service(Failure.CONNECT)
    delivery = Delivery(outbox, service)
    assert not delivery.stats()["alive"]
    outbox.put(event(1, at=4e9))
    assert delivery.stats()["alive"]
    assert delivery.flush(20)
    assert service.stored == ["event-1"]
    assert delivery.close(5)
    assert delivery.close(5), "closing twice is fine"
    assert not delivery.stats()["alive"]


def test_flush_and_close_keep_to_their_time_when_the_service_hangs(event: Any) -> None:
    """A service that never answers holds nobody up; the answer is an honest no."""
    hanging, asked = threading.Event(), threading.Event()

    def hang(records: list[dict[str, Any]]) -> None:
        asked.set()
        hanging.wait()

    outbox = Outbox()
    delivery = Delivery(outbox, hang)
    outbox.put(event(1, at=4e9))
    assert asked.wait(20)
    assert delivery.flush(0.01) is False
    assert delivery.close(0.01) is False
    hanging.set()


def test_close_keeps_to_its_time_when_the_file_is_locked(event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Releasing the outbox can wait for another process; who closes does not wait for that any longer."""
    outbox, unlocked = Outbox(), threading.Event()
    delivery = Delivery(outbox, Service())
    outbox.put(event(1))
    assert delivery.flush(20.0)
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "close", lambda: unlocked.wait(20) and None)
        assert delivery.close(0.05) is False
    unlocked.set()
    assert delivery.close() is True


def test_flush_ends_although_the_clients_clock_stands_still(event: Any, clock: Any) -> None:
    """A product's tests may stop the clock and take the service away; flush still comes back."""

    def fail(records: list[dict[str, Any]]) -> None:
        raise DetectorError(Failure.CONNECT)

    outbox = Outbox(clock=clock)
    delivery = Delivery(outbox, fail, clock=clock)
    outbox.put(event(1))
    assert delivery.flush(0.3) is False
    assert delivery.close(0.01) is False


def test_without_a_service_events_are_only_kept(tmp_path: Path, event: Any) -> None:
    """A file that people read: flush means it is on disk."""
    outbox = Outbox(tmp_path / "outbox.sqlite", keep_newest=True)
    delivery = Delivery(outbox, None)
    outbox.put(event(1, at=4e9))
    assert delivery.flush(20)
    assert (len(outbox), outbox.waiting()) == (1, 0)
    assert delivery.close(5)


def test_concurrent_puts_and_flushes_deliver_each_event_once(event: Any) -> None:
    """Many threads, one outbox: nothing lost, nothing twice."""
    outbox, service = Outbox(), Service()
    delivery = Delivery(outbox, service)

    def work(base: int) -> None:
        for n in range(500):
            outbox.put(event(base + n, at=4e9))
        delivery.flush(20)

    threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 4000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert delivery.close(20)
    assert sorted(service.stored) == sorted(f"event-{n}" for n in range(4000))


def test_a_forked_child_delivers_its_own_events_with_a_thread_of_its_own(event: Any) -> None:
    """Prefork servers: parent and child each deliver what they put, and only that."""
    outbox, service = Outbox(), Service()
    delivery = Delivery(outbox, service)
    outbox.put(event(1, at=4e9))
    assert delivery.flush(20)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        service.stored.clear()
        alive = delivery.stats()["alive"]
        outbox.put(event(2, at=4e9))
        flushed = delivery.flush(20)
        os.write(write, json.dumps([alive, flushed, service.stored, delivery.stats()["delivered"]]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        assert json.loads(told.read()) == [False, True, ["event-2"], 1]
    os.waitpid(child, 0)
    outbox.put(event(3, at=4e9))
    assert delivery.close(20)
    assert service.stored == ["event-1", "event-3"]


SCRIPT = """
import sys
from spotsafe.telemetry.delivery import Delivery
from spotsafe.telemetry.outbox import Outbox
def send(records):
    sys.stdout.write(records[0]["event_id"]); sys.stdout.flush()
outbox = Outbox()
delivery = Delivery(outbox, send)
if sys.argv[1] == "no thread":
    def refuse(self): raise RuntimeError("can't create new thread at interpreter shutdown")
    import threading
    threading.Thread.start = refuse
outbox.put({"event_id": "last-words", "kind": "decision", "at": 4e9})
"""


@pytest.mark.parametrize("kind", ["thread", "no thread"])
def test_a_script_that_ends_still_delivers(kind: str) -> None:
    """The last events go out when the interpreter ends, also where it starts no threads any more."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, kind], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("last-words", "")


UNUSED = """
import os, sys
from spotsafe.telemetry.delivery import Delivery
from spotsafe.telemetry.outbox import Outbox
outbox = Outbox(sys.argv[1])
delivery = Delivery(outbox, lambda records: None)
assert outbox.stats()["items"] == 0
"""


def test_a_client_that_was_never_used_makes_no_file(tmp_path: Path) -> None:
    """Importing an application, or forking from one, is no reason for I/O."""
    subprocess.run([sys.executable, "-c", UNUSED, str(tmp_path / "outbox.sqlite")], check=True)
    assert list(tmp_path.iterdir()) == []
