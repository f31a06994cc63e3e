"""Health, readiness, metrics, and what surrounds every answer."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text
from starlette.testclient import TestClient

from spotsafe.core.errors import ConfigurationError
from spotsafe.service.app import ROUTES, create_app, sweep
from spotsafe.service.background import running
from spotsafe.service.limits import Limits
from spotsafe.service.metrics import Metrics
from spotsafe.service.store import Store

CANARY = "kanarienvogel-4711"
BODY = {"items": [{"id": "1", "parts": [{"type": "text", "text": CANARY}]}], "labels": ["hate.*"]}


def test_health_answers_while_the_engine_loads(service: Callable[..., TestClient], detector: Any) -> None:
    """Loading blocks neither health nor the socket; readiness and detection say 503 until it is done."""
    gate = threading.Event()

    def load() -> Any:
        gate.wait(10)
        return detector

    client = service(detector=load, wait=False)
    assert client.get("/healthz").json() == {"status": "ok"}
    not_ready = client.get("/readyz")
    assert (not_ready.status_code, not_ready.json()["engine"]) == (503, "loading")
    refused = client.post("/v1/detect", json=BODY)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:spotsafe:problem:not-ready")
    assert refused.headers["retry-after"]
    gate.set()
    while client.get("/readyz").json()["engine"] == "loading":
        pass
    assert client.get("/readyz").json() == {"status": "ready", "engine": "ready", "store": "ready"}
    assert client.post("/v1/detect", json=BODY).status_code == 200


@pytest.mark.parametrize("fault", [ConfigurationError("pip install it"), ValueError(CANARY)])
def test_an_engine_that_does_not_load_is_never_ready(
    service: Callable[..., TestClient], fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is told to the operator's log, not to callers; the process stays alive."""

    def load() -> Any:
        raise fault

    client = service(detector=load)
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json()["engine"] == "failed"
    answer = client.post("/v1/detect", json=BODY)
    assert answer.status_code == 503
    assert str(fault) not in answer.text
    assert CANARY not in caplog.text


def test_a_store_that_cannot_be_written_is_not_ready(client: TestClient, store: Store, clock: Any) -> None:
    """Readiness tries a write; events are a 503 then, and nothing of them is in the answer."""
    with store.writing() as connection:
        connection.execute(text("DROP TABLE about"))
        connection.execute(text("DROP TABLE holds"))
    clock.time += 10
    assert client.get("/readyz").json()["store"] == "unavailable"
    event = {
        "event_id": "01920000-0000-7000-8000-000000000001",
        "kind": "drops",
        "at": 1.0,
        "drops": {CANARY: 1},
    }
    with store.writing() as connection:
        connection.execute(text("DROP TABLE events"))
    answer = client.post("/v1/events", json={"events": [event]})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:spotsafe:problem:store-unavailable")
    assert answer.headers["retry-after"]
    assert CANARY not in answer.text
    assert "spotsafe_store_ready 0" in client.get("/metrics").text


def test_a_readiness_probe_is_not_repeated_within_a_second(
    client: TestClient, store: Store, clock: Any
) -> None:
    """Asking often does not write often."""
    clock.time += 10
    assert client.get("/readyz").status_code == 200
    with store.writing() as connection:
        connection.execute(text("DROP TABLE about"))
    clock.time += 0.5
    assert client.get("/readyz").status_code == 200
    clock.time += 0.6
    assert client.get("/readyz").status_code == 503


SAMPLE = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"\n\\]*"(,[a-z_]+="[^"\n\\]*")*\})? [0-9.e+-]+$')


def test_metrics_are_prometheus_text_without_input(client: TestClient) -> None:
    """Each line is a comment or a sample; routes are templates, so labels stay few and hold no input."""
    client.post("/v1/detect", json=BODY)
    for number in range(50):
        client.get(f"/{CANARY}/{number}")
        client.get(f"/v1/holds/{CANARY}{number}")
        client.request(f"X{number}", "/v1/detect")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert all(line.startswith("#") or SAMPLE.match(line) for line in lines)
    assert CANARY not in answer.text
    routes = set(re.findall(r'route="([^"]*)"', answer.text))
    assert routes <= {path for _, path, _ in ROUTES} | {"unmatched"}
    assert set(re.findall(r'method="([^"]*)"', answer.text)) <= {"GET", "POST", "other"}
    assert 'spotsafe_detect_items_total{route="/v1/detect"} 1' in lines
    assert "spotsafe_engine_ready 1" in lines


def test_histogram_buckets_are_cumulative() -> None:
    """Each bucket counts everything up to its bound; the last is the count; the sum is the sum."""
    metrics = Metrics()
    for seconds in (0.0005, 0.003, 0.003, 99.0):
        metrics.observe("spotsafe_http_request_seconds", seconds, route="/")
    lines = metrics.text().splitlines()
    name = "spotsafe_http_request_seconds"
    assert f'{name}_bucket{{route="/",le="0.001"}} 1' in lines
    assert f'{name}_bucket{{route="/",le="0.005"}} 3' in lines
    assert f'{name}_bucket{{route="/",le="+Inf"}} 4' in lines
    assert f'{name}_count{{route="/"}} 4' in lines
    assert f'{name}_sum{{route="/"}} 99.006500' in lines


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/v1/detect", 405), ("PUT", "/v1/holds/x", 405),
     ("OPTIONS", "/v1/detect", 405), ("GET", "/v1/detect/", 404), ("GET", "//evil.example/", 404),
     ("TRACE", "/healthz", 405), ("HEAD", "/healthz", 200)],
)  # fmt: skip
def test_what_the_router_refuses_is_a_problem_too(
    client: TestClient, method: str, path: str, status: int
) -> None:
    """No path, or no such method: a problem document, no redirect, the allowed methods named."""
    answer = client.request(method, client.base_url.copy_with(path=path), follow_redirects=False)
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert (status == 405) is ("allow" in answer.headers)


def test_every_answer_has_security_headers_and_an_id(client: TestClient) -> None:
    """No answer may be cached, framed, sniffed or read across origins; each has an id of ours."""
    foreign = {"x-request-id": CANARY, "origin": "https://evil.example"}
    for path in ("/", "/docs", "/healthz", "/nothing", "/v1/labels", "/metrics"):
        answer = client.get(path, headers=foreign)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
        assert CANARY not in str(answer.headers)


def test_a_problem_quotes_the_answers_id(client: TestClient) -> None:
    """The instance of a problem is the request id, to find it in the log."""
    answer = client.get("/nothing")
    assert answer.json()["instance"] == "urn:uuid:" + answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:99", 200), ("[::1]:8", 200), ("evil.example", 421), ("", 421), ("localhost.evil", 421)],
)
def test_only_named_hosts_are_answered(service: Callable[..., TestClient], host: str, status: int) -> None:
    """A page that rebinds its own host name to loopback gets nothing."""
    client = service(hosts=("localhost", "[::1]", "testserver"))
    assert client.get("/v1/labels", headers={"host": host}).status_code == status


def test_too_many_requests_at_once_are_refused_but_health_is_not(service: Callable[..., TestClient]) -> None:
    """At the bound of concurrent requests new ones are a 503; orchestrators still get their answer."""
    client = service(limits=Limits(concurrent_requests=0))
    assert client.get("/v1/labels").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_nothing_of_a_request_reaches_the_log(
    store: Store, detector: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Path, query, headers and body stay out of every log line, on a real socket and when things break."""
    import httpx

    caplog.set_level(logging.DEBUG)
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    detector.fail = ValueError(CANARY)
    broken = {"items": [{"id": CANARY, "parts": [{"type": "text", "text": "BREAK " + CANARY}]}]}
    with running(create_app(store, detector)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.post(f"/v1/detect?q={CANARY}", json=broken, headers={"x-a": CANARY})
        client.post("/v1/detect", json={CANARY: CANARY})
        client.get(f"/{CANARY}?{CANARY}={CANARY}")
        client.get(f"/v1/holds/{CANARY}", headers={"authorization": CANARY})
    assert "POST /v1/detect 503" in caplog.text
    assert "GET unmatched 404" in caplog.text
    assert CANARY not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_spans_continue_the_callers_trace_without_content(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is a span of the caller's trace, with route and status and nothing else of it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    edge = client.app.middleware_stack.app  # type: ignore[attr-defined]
    monkeypatch.setattr(edge, "_tracer", provider.get_tracer("test"))
    headers = {"traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"}
    client.post(f"/v1/detect?{CANARY}", json=BODY, headers=headers)
    (span,) = exporter.get_finished_spans()
    assert format(span.context.trace_id, "032x") == "ab" * 16
    assert dict(span.attributes or {}) == {"http.route": "/v1/detect", "http.response.status_code": 200}
    assert CANARY not in span.to_json()


def test_a_fault_of_our_own_is_contained_and_counted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is a 500 problem without its message, counted by place, and the service goes on."""

    def broken(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("spotsafe.service.health.holdings.counted", broken)
    answer = client.get("/metrics")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:spotsafe:problem:internal")
    assert CANARY not in answer.text
    monkeypatch.undo()
    assert 'spotsafe_faults_total{place="service.request"} 1' in client.get("/metrics").text


def test_a_sweep_that_fails_is_left_to_the_next(client: TestClient, store: Store) -> None:
    """Retention that cannot run now is counted, and the service goes on."""
    import asyncio

    service = client.app.state.service  # type: ignore[attr-defined]
    with store.writing() as connection:
        connection.execute(text("DROP TABLE events"))
    asyncio.run(sweep(service))
    assert service.faults.counts == {"service.sweep": 1}
    assert client.get("/healthz").status_code == 200
