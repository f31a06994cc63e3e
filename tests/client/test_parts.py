"""The pieces: cache bounds, workers, names, figures, feedback, kill switches."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.client.cache import SignalCache
from spotsafe.client.client import Client
from spotsafe.client.http import Exchange
from spotsafe.client.network import FRESH_NAMES, Resolver
from spotsafe.client.rungs import _within
from spotsafe.client.workers import Workers
from spotsafe.core.decision import Disposition, Status
from spotsafe.core.errors import ConfigurationError, Failure, SpotsafeError
from spotsafe.core.faults import FaultCounter
from spotsafe.core.signals import Signal, Signals
from spotsafe.guard.steps import Failed
from spotsafe.testing import FakeDetector, FakeService, ManualClock


def signals(scores: int) -> Signals:
    """As many scores."""
    return Signals([Signal("integrity.spam", 0.1, str(number)) for number in range(scores)])


# ── cache ───────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=40))
def test_the_cache_stays_within_both_bounds(puts: list[tuple[int, int]]) -> None:
    """Never more items or bytes than promised, whatever is put in whatever order."""
    cache = SignalCache(4, 20_000, lambda: 0.0)
    for key, scores in puts:
        cache.put(bytes([key]), signals(scores), 60.0)
        items, size = cache.sizes()
        assert items <= 4
        assert size <= 20_000


def test_the_least_recently_used_goes_first() -> None:
    """What is asked for stays."""
    cache = SignalCache(3, 2**20, lambda: 0.0)
    for key in (b"a", b"b", b"c"):
        cache.put(key, signals(1), 60.0)
    cache.get(b"a")
    cache.put(b"d", signals(1), 60.0)
    assert [cache.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert cache.evictions == 1


def test_an_entry_ends_with_its_stale_time() -> None:
    """Past ttl and stale together it is gone, and its bytes with it."""
    clock = ManualClock()
    cache = SignalCache(3, 2**20, clock.monotonic)
    cache.put(b"a", signals(1), 60.0)
    clock.advance(59.9)
    assert cache.get(b"a") is not None
    clock.advance(0.1)
    assert cache.get(b"a") is None
    assert cache.sizes() == (0, 0)


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    """One huge answer does not empty the cache."""
    cache = SignalCache(3, 5_000, lambda: 0.0)
    cache.put(b"a", signals(1), 60.0)
    cache.put(b"b", signals(500), 60.0)
    assert cache.get(b"a") is not None
    assert cache.get(b"b") is None


def test_threads_do_not_break_the_cache() -> None:
    """Puts, hits and evictions from many threads leave the bounds and the sum of bytes intact."""
    cache, start = SignalCache(16, 2**20, lambda: 0.0), threading.Barrier(8)
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            start.wait(20)
            for number in range(400):
                key = bytes([(seed * 7 + number) % 40])
                cache.put(key, signals(number % 5), 60.0)
                cache.get(key)
                with suppress(KeyError):
                    cache.table[key]  # as the hit path does, without the lock
        except (KeyError, RuntimeError) as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    items, size = cache.sizes()
    assert not errors
    assert items <= 16
    assert size == sum(entry.size for entry in cache.table.values())


# ── workers ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def workers() -> Iterator[Workers]:
    """One thread, a queue of two."""
    pool = Workers("test", 1, 2, FaultCounter())
    yield pool
    pool.close()


def test_a_full_pool_refuses(workers: Workers) -> None:
    """Nothing piles up behind a detector that hangs."""
    running, go = threading.Event(), threading.Event()

    def hang() -> None:
        running.set()
        go.wait(20)

    first = workers.submit(hang)
    assert running.wait(20)
    queued = [workers.submit(lambda: 7), workers.submit(lambda: 8)]
    assert workers.submit(lambda: 9) is None
    assert workers.refused == 1
    go.set()
    assert first is not None
    first.result(20)
    assert [future.result(20) for future in queued if future is not None] == [7, 8]
    assert workers.drain(20)


def test_a_job_that_raises_tells_who_waits_and_the_pool_goes_on(workers: Workers) -> None:
    """A spotsafe error arrives as it is, anything else as a closed word."""

    def wrong() -> None:
        raise ConfigurationError("x")

    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ConfigurationError):
        workers.submit(wrong).result(20)
    with pytest.raises(SpotsafeError):
        workers.submit(broken).result(20)
    assert workers.submit(lambda: 7).result(20) == 7


def test_a_closed_pool_refuses_and_lets_waiters_go(workers: Workers) -> None:
    """A pause ends when the client closes."""
    workers.close()
    assert workers.submit(lambda: 7) is None
    workers.pause(60.0)


# ── names ───────────────────────────────────────────────────────────────────────────────────────


def test_names_are_looked_up_once_a_minute_and_old_ones_serve_when_the_resolver_fails() -> None:
    """A resolver that is down does not take a known service away."""
    clock, asked, broken = ManualClock(), [], []

    def lookup(host: str) -> tuple[str, ...]:
        asked.append(host)
        if broken:
            raise OSError
        return ("192.0.2.1",)

    resolver = Resolver(clock.monotonic, lookup)
    assert [resolver.resolve("service.test", 5.0) for _ in range(3)] == [("192.0.2.1",)] * 3
    assert len(asked) == 1
    clock.advance(FRESH_NAMES)
    broken.append(True)
    assert resolver.resolve("service.test", 5.0) == ("192.0.2.1",)
    assert len(asked) == 2


def test_a_hanging_lookup_is_shared() -> None:
    """Many callers of a name that hangs make one thread, not many."""
    let_go = threading.Event()
    resolver = Resolver(lambda: 0.0, lambda host: (let_go.wait(20), ("192.0.2.1",))[1])
    assert resolver.ask("a.test") is resolver.ask("a.test")
    let_go.set()
    assert resolver.ask("a.test").result(20) == ("192.0.2.1",)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_literal_addresses_are_not_looked_up(host: str) -> None:
    """An address is its own answer."""
    assert Resolver(lambda: 0.0, lambda _: pytest.fail("looked up")).resolve(host, 0.0) == (host,)


# ── transport ───────────────────────────────────────────────────────────────────────────────────


def test_respx_stands_in_for_the_service() -> None:
    """The transport can be mocked with the tool that people use for httpx."""
    with respx.mock(base_url="https://service.test") as mocked:
        mocked.post("/base/v1/detect").mock(return_value=httpx.Response(503, headers={"retry-after": "7"}))
        exchange = Exchange("https://service.test/base", "key", monotonic=lambda: 0.0)
        answer = exchange.post("v1/detect", b"{}", 1.0)
        awaited = asyncio.run(exchange.apost("v1/detect", b"{}", 1.0))
        request = mocked.calls.last.request
    assert [answer.status, awaited.status, answer.headers["retry-after"]] == [503, 503, "7"]
    assert request.headers["authorization"] == "Bearer key"
    assert request.headers["spotsafe-wire"] == "1"


def test_a_transport_can_be_given() -> None:
    """``Client(transport=httpx.MockTransport(…))``, both ways."""

    def handler(request: httpx.Request) -> httpx.Response:
        if b"die" in request.content:
            raise httpx.ConnectError("text")
        return httpx.Response(200, json={"path": request.url.path})

    mocked = httpx.MockTransport(handler)
    exchange = Exchange("http://service.test", None, monotonic=lambda: 0.0, transport=mocked)
    assert json.loads(exchange.post("v1/detect", b"{}", 1.0).body) == {"path": "/v1/detect"}
    assert asyncio.run(exchange.apost("v1/detect", b"die", 1.0)) == Failed(Failure.CONNECT)


def test_connections_are_kept() -> None:
    """Start and many checks, one connection."""
    with FakeService() as service:
        client = Client(service=service.url, fallback=None, telemetry=False, environ={})
        client.start()
        for number in range(5):
            client.check("anything", body=str(number))
        client.close()
        assert service.connections == 1


# ── client ──────────────────────────────────────────────────────────────────────────────────────


def test_figures_are_json_and_add_up() -> None:
    """``stats()`` counts decisions, rungs, cache and outbox, and holds nothing but figures."""
    client = Client(detector=FakeDetector({"bad": {"violence.threat": 0.99}}), fallback=None, environ={})
    for text in ("fine", "fine", "fine", "bad"):
        client.check("anything", body=text)
    figures = json.loads(json.dumps(client.stats()))
    assert figures["decisions"]["disposition"] == {"allow": 3, "limit": 0, "hold": 1, "block": 0}
    assert figures["decisions"]["status"]["cached"] == 2
    assert (figures["cache"]["hits"], figures["cache"]["misses"]) == (2, 2)
    assert figures["breaker"]["state"] == "closed"
    client.close()


@pytest.mark.parametrize(("verdict", "label"), [("wrong", None), ("agree", "no.label")])
def test_feedback_is_checked(verdict: str, label: str | None) -> None:
    """A closed set of words."""
    with pytest.raises(ConfigurationError, match="feedback"):
        Client(detector=FakeDetector()).feedback("id", verdict=verdict, label=label)


def test_feedback_reaches_the_service() -> None:
    """With the decision it is about."""
    with FakeService() as service:
        client = Client(service=service.url, fallback=None, environ={})
        client.feedback("0197", verdict="too_strict", label="integrity.spam")
        assert client.flush(5.0)
        (record,) = [event for event in service.events.values() if event["kind"] == "feedback"]
        client.close()
    assert (record["decision_id"], record["verdict"]) == ("0197", "too_strict")


@pytest.mark.parametrize(("until", "reason"), [(0.0, "x"), (4e9, " ")])
def test_a_kill_switch_needs_an_end_and_a_reason(until: float, reason: str) -> None:
    """Nobody turns enforcement off for ever, or without saying why."""
    with pytest.raises(ConfigurationError, match="kill switch"):
        Client(detector=FakeDetector(), clock=ManualClock()).kill(until=until, reason=reason)


def test_a_kill_switch_is_reported_and_can_be_lifted(tmp_path: Path) -> None:
    """The platform hears of it at once."""
    with FakeService() as service:
        client = Client(service=service.url, fallback=None, environ={}, clock=ManualClock())
        client.kill("anything", until=client._clock.now() + 60, reason="incident")
        client.check("anything", body="hello")
        assert client.flush(5.0)
        registered = [event for event in service.events.values() if event["kind"] == "register"]
        client.lift("anything")
        decision = client.check("anything", body="hello")
        client.close()
    assert any("incident" in switch for event in registered for switch in event["kill_switches"])
    assert decision.kill_switch is None


def test_one_rule_can_be_killed(tmp_path: Path) -> None:
    """The others go on."""
    client = Client(
        detector=FakeDetector({"bad": {"violence.threat": 0.99}}), fallback=None, environ={}, telemetry=False
    )
    rule = client.check("anything", body="bad").reasons[0].rule
    client.kill(rule, until=4e9, reason="a bad rule")
    decision = client.check("anything", body="bad")
    assert decision.disposition is Disposition.ALLOW
    assert decision.would is not None
    client.close()


def test_many_checks_keep_their_order() -> None:
    """``check_many`` and ``acheck_many`` answer in the order of the items."""
    client = Client(detector=FakeDetector({"bad": {"violence.threat": 0.99}}), fallback=None, telemetry=False)
    items = [{"body": "bad" if number % 3 == 0 else f"text {number}", "item": number} for number in range(20)]
    wanted = [Disposition.HOLD if number % 3 == 0 else Disposition.ALLOW for number in range(20)]
    assert [decision.disposition for decision in client.check_many("anything", items)] == wanted
    again = asyncio.run(client.acheck_many("anything", items))
    assert [decision.disposition for decision in again] == wanted
    assert {decision.status for decision in again} == {Status.CACHED}
    client.close()


def test_a_surface_without_a_manifest_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Once per surface."""
    client = Client(detector=FakeDetector(), fallback=None, telemetry=False)
    for _ in range(3):
        client.check("undeclared", body="hello")
    assert len([r for r in caplog.records if "undeclared" in r.message]) == 1
    assert client.policy("undeclared").unlinked
    client.close()


def test_the_clients_figures_reach_the_instruments() -> None:
    """Look-ups and failures are exported under their documented names."""
    detector = FakeDetector()
    client = Client(detector=detector, fallback=None, environ={})
    for text in ("one", "one", "one"):
        client.check("anything", body=text)
    detector.fail(Failure.MALFORMED)
    client.check("anything", body="two")
    telemetry = client._reporting.telemetry
    assert sorted(telemetry.points("spotsafe.cache")) == [(2, ("fresh",)), (2, ("miss",))]
    assert telemetry.points("spotsafe.detector.failures") == [(1, ("fake", "malformed"))]
    client.close()


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As other HTTP clients do; a service beside the process is spoken to directly."""
    monkeypatch.setenv("http_proxy", "http://user:word@proxy.test:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    beyond = Exchange("http://service.test", None, monotonic=lambda: 0.0)
    beside = Exchange("http://127.0.0.1:1", None, monotonic=lambda: 0.0)
    assert beyond._options()["proxy"].url.host == b"proxy.test"
    assert beside._options()["proxy"] is None


def test_what_nobody_waits_for_is_not_computed() -> None:
    """A job whose caller gave up while it waited for a thread never runs."""
    workers, gate, ran = Workers("test", 1, 8, FaultCounter()), threading.Event(), []
    first = workers.submit(lambda: gate.wait(20))
    second = workers.submit(lambda: ran.append("second") or [])
    assert first is not None
    assert second is not None
    with pytest.raises(TimeoutError):
        _within(second, 0.01)
    gate.set()
    first.result(20)
    last = workers.submit(lambda: ran.append("last"))
    assert last is not None
    last.result(20)
    assert ran == ["last"]
    workers.wind_up(1.0)
