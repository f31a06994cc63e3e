"""Metrics and spans, against the real OpenTelemetry SDK with its in-memory ends."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader, Sum
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Disposition, Effect, Mode, Status, Verdict
from spotsafe.core.faults import FaultCounter
from spotsafe.core.signals import Cause, Signals
from spotsafe.telemetry.catalogue import ATTRIBUTE_VALUES, METRICS, SPAN_ATTRIBUTES, SPAN_NAME
from spotsafe.telemetry.delivery import Delivery
from spotsafe.telemetry.instruments import DURATION_BOUNDS, MAX_SURFACES, Telemetry
from spotsafe.telemetry.outbox import Outbox


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    found = InMemoryMetricReader()
    yield found
    found.shutdown()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(identity: Any, reader: InMemoryMetricReader, spans: InMemorySpanExporter) -> Telemetry:
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    found = Telemetry(
        identity, meter_provider=MeterProvider(metric_readers=[reader]), tracer_provider=tracing
    )
    found.start()
    return found


def collected(reader: InMemoryMetricReader) -> dict[str, Any]:
    """Metric name → the SDK's metric."""
    data = reader.get_metrics_data()
    return {
        metric.name: metric
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def values(metric: Any) -> dict[tuple[Any, ...], float]:
    return {tuple(point.attributes.values()): point.value for point in metric.data.data_points}


def everything(telemetry: Telemetry, decision: Any, policy: Any, event: Any) -> None:
    """Make every metric have something to say."""
    outbox, faults = Outbox(max_items=2), FaultCounter()
    delivery = Delivery(outbox, lambda records: None)
    outbox.put(event(1, at=4e9))
    delivery.round()
    outbox.put(event(2, at=4e9))
    outbox.drop("full")
    faults.note("telemetry.build", "ValueError")
    telemetry.attach(
        outbox=outbox, delivery=delivery, faults=faults, kill_switches=lambda: ["process"],
        lookups=lambda: {"fresh": 1, "miss": 0},
    )  # fmt: skip
    made = decision(
        status=Status.UNCHECKED, would=Verdict(Disposition.LIMIT), missing={"hate.speech": Cause.ERROR}
    )
    telemetry.count(made, policy(unlinked=True), 0.002)
    stopped = decision()
    stopped.kill_switch = "process"
    telemetry.count(stopped, policy(), 0.002)
    telemetry.count_failure("service", "timeout")
    delivery.close(1)


def test_names_kinds_units_and_attributes_are_those_of_the_catalogue(
    telemetry: Telemetry, reader: InMemoryMetricReader, decision: Any, policy: Any, event: Any
) -> None:
    """What is exported is what is documented: nothing more, nothing else."""
    everything(telemetry, decision, policy, event)
    found = collected(reader)
    assert set(found) == {metric.name for metric in METRICS}
    for metric in METRICS:
        data = found[metric.name].data
        assert isinstance(data, Gauge if metric.kind == "gauge" else Sum), metric.name
        assert metric.kind == "gauge" or data.is_monotonic
        assert found[metric.name].unit == metric.unit
        assert data.data_points, metric.name
        for point in data.data_points:
            assert set(point.attributes) == set(metric.attributes), metric.name
    assert {a for metric in METRICS for a in metric.attributes} == set(ATTRIBUTE_VALUES)


def test_decisions_are_counted_by_surface_disposition_status_and_mode(
    telemetry: Telemetry, reader: InMemoryMetricReader, decision: Any, policy: Any
) -> None:
    """The main counter says what happened, and whether it was checked, apart."""
    for _ in range(3):
        telemetry.count(decision(), policy(), 0.001)
    telemetry.count(
        decision(disposition=Disposition.HOLD, status=Status.LOCAL), policy(mode=Mode.CANARY), 0.001
    )
    assert values(collected(reader)["spotsafe.decisions"]) == {
        ("comments.create", "allow", "checked", "enforce"): 3,
        ("comments.create", "hold", "local", "canary"): 1,
    }
    assert telemetry.stats()["decisions"] == {
        "comments.create": {"dispositions": {"allow": 3, "hold": 1}, "statuses": {"checked": 3, "local": 1}}
    }


def test_added_latency_is_a_cumulative_histogram(
    telemetry: Telemetry, reader: InMemoryMetricReader, decision: Any, policy: Any
) -> None:
    """Buckets add up over processes, as Prometheus expects; every decision is in the last one."""
    for seconds in (0.000_004, 0.000_005, 0.003, 99.0):
        telemetry.count(decision(), policy(), seconds)
    found = collected(reader)
    buckets = {key[1]: n for key, n in values(found["spotsafe.guard.duration.bucket"]).items()}
    assert (buckets["5e-06"], buckets["0.0025"], buckets["0.005"], buckets["10"], buckets["+Inf"]) == (
        2, 2, 3, 3, 4,
    )  # fmt: skip
    assert list(buckets) == [*(f"{bound:g}" for bound in DURATION_BOUNDS), "+Inf"]
    assert values(found["spotsafe.guard.duration.count"]) == {("comments.create",): 4}
    assert values(found["spotsafe.guard.duration.sum"])["comments.create",] == pytest.approx(99.003009)


def test_threads_do_not_lose_counts(telemetry: Telemetry, decision: Any, policy: Any) -> None:
    """Counting needs no lock and is exact all the same."""
    shown, made = policy(), decision()
    threads = [
        threading.Thread(target=lambda: [telemetry.count(made, shown, 0.001) for _ in range(20_000)])
        for _ in range(8)
    ]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert telemetry.stats()["decisions"]["comments.create"]["dispositions"] == {"allow": 160_000}


def test_made_up_surface_names_do_not_fill_memory(telemetry: Telemetry, decision: Any, policy: Any) -> None:
    """Beyond the limit new surfaces are counted together."""
    for number in range(MAX_SURFACES + 3):
        telemetry.count(decision(f"made.up.{number}"), policy(unlinked=True), 0.001)
    stats = telemetry.stats()
    assert len(stats["decisions"]) == MAX_SURFACES + 1
    assert stats["decisions"]["other"]["dispositions"] == {"allow": 3}
    assert stats["spotsafe.surfaces.unlinked"]["other"] == 3


def test_a_span_says_what_was_decided(
    telemetry: Telemetry, spans: InMemorySpanExporter, decision: Any, policy: Any
) -> None:
    """One id joins the trace, the event, the review and the appeal."""
    made = decision(disposition=Disposition.BLOCK, effects=[Effect.REVIEW])
    span = telemetry.start_span("comments.create")
    telemetry.end(span, made, policy(), failure="timeout")
    (finished,) = spans.get_finished_spans()
    assert finished.name == SPAN_NAME
    assert set(finished.attributes or {}) == set(SPAN_ATTRIBUTES)
    assert dict(finished.attributes or {}) == {
        "spotsafe.surface": "comments.create",
        "spotsafe.decision_id": made.id,
        "spotsafe.disposition": "block",
        "spotsafe.effects": ("review",),
        "spotsafe.status": "checked",
        "spotsafe.mode": "enforce",
        "spotsafe.policy_version": "abc123",
        "spotsafe.failure": "timeout",
    }
    assert telemetry.trace_id(span) == f"{finished.context.trace_id:032x}"


def test_a_check_without_a_decision_is_an_error_span_without_words(
    telemetry: Telemetry, spans: InMemorySpanExporter, policy: Any
) -> None:
    """A fault ends its span as an error; no exception, no message."""
    telemetry.end(telemetry.start_span("comments.create"), None, policy())
    (finished,) = spans.get_finished_spans()
    assert not finished.status.is_ok
    assert (finished.status.description, finished.events) == (None, ())


def test_the_request_carries_the_spans_context_and_the_callers_span_is_its_parent(
    identity: Any, spans: InMemorySpanExporter, policy: Any, decision: Any
) -> None:
    """Traces go on through the service, although the span is never made current."""
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = Telemetry(identity, tracer_provider=tracing)
    with tracing.get_tracer("product").start_as_current_span("request") as parent:
        span = telemetry.start_span("comments.create")
        headers = telemetry.headers(span)
        telemetry.end(span, decision(), policy())
    assert span is not None
    context = span.get_span_context()
    assert headers["traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    checked = next(s for s in spans.get_finished_spans() if s.name == SPAN_NAME)
    assert checked.parent is not None
    assert checked.parent.span_id == parent.get_span_context().span_id


def test_no_content_reaches_metrics_or_spans(  # noqa: PLR0917 - fixtures
    telemetry: Telemetry,
    reader: InMemoryMetricReader,
    spans: InMemorySpanExporter,
    policy: Any,
    decision: Any,
    canary: str,
) -> None:
    """Whatever the content was, no exporter sees it."""
    made = decision(text=canary)
    made.signals.engine = canary
    span = telemetry.start_span("comments.create")
    telemetry.count(made, policy(), 0.001)
    telemetry.end(span, made, policy())
    seen = f"{reader.get_metrics_data()} {[s.to_json() for s in spans.get_finished_spans()]}"
    assert "comments.create" in seen
    assert canary not in seen


def test_without_an_sdk_everything_is_quietly_nothing(identity: Any, decision: Any, policy: Any) -> None:
    """The OpenTelemetry API alone is enough to run; stats() still counts."""
    telemetry = Telemetry(identity)
    telemetry.start()
    telemetry.start()
    span = telemetry.start_span("comments.create")
    telemetry.count(decision(), policy(), 0.001)
    telemetry.end(span, decision(), policy())
    assert telemetry.trace_id(span) is None
    assert telemetry.headers(span) == {}
    assert telemetry.stats()["decisions"]["comments.create"]["dispositions"] == {"allow": 1}


def test_switched_off_it_does_nothing(identity: Any, decision: Any, policy: Any) -> None:
    """Off means no span, no header, no count."""
    telemetry = Telemetry(identity, enabled=False)
    telemetry.start()
    telemetry.count(decision(), policy(), 0.001)
    telemetry.count_failure("service", "timeout")
    assert telemetry.start_span("comments.create") is None
    assert telemetry.headers(None) == {}
    telemetry.end(None, None, policy())
    assert telemetry.stats() == {"decisions": {}}


def test_instruments_do_not_keep_a_closed_client_alive(
    identity: Any, reader: InMemoryMetricReader, policy: Any
) -> None:
    """Instruments cannot be taken back; those of a client that is gone say nothing."""
    telemetry = Telemetry(identity, meter_provider=MeterProvider(metric_readers=[reader]))
    telemetry.start()
    made = Decision("comments.create", Verdict(), Signals(), Content([]), lambda: "id")
    telemetry.count(made, policy(), 0.001)
    assert "spotsafe.decisions" in collected(reader)
    del telemetry
    gc.collect()
    assert not any(values(metric) for metric in collected(reader).values())


def test_a_forked_child_counts_from_nought(telemetry: Telemetry, decision: Any, policy: Any) -> None:
    """What the parent has counted, the parent exports."""
    telemetry.count(decision(), policy(), 0.001)
    child = os.fork()
    if child == 0:
        os._exit(7 if telemetry.stats() == {"decisions": {}} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_the_hot_path_imports_neither_opentelemetry_nor_sqlite() -> None:
    """Heavy modules are paid for by those who use them, at their first use."""
    program = (
        "import sys, spotsafe.telemetry.instruments, spotsafe.telemetry.outbox, spotsafe.telemetry.delivery\n"
        "print(*sorted(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in run.stdout.split()}
    assert not roots & {"opentelemetry", "sqlite3", "tenacity", "asyncio", "httpx", "pydantic", "yaml"}
    assert re.search(r"\bspotsafe\.telemetry\.outbox\b", run.stdout)
