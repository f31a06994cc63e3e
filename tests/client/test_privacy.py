"""A canary in everything that people write: it must be found nowhere but in the request to the service."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from spotsafe.client import registry
from spotsafe.client.client import Client
from spotsafe.client.http import Exchange
from spotsafe.client.remote import ServiceDetector
from spotsafe.core.clock import SystemClock
from spotsafe.core.content import Content, Text
from spotsafe.core.errors import ConfigurationError, DetectorError, SpotsafeError
from spotsafe.core.seams import DetectRequest
from spotsafe.testing import FakeDetector, FakeService
from spotsafe.testing.faults import FAULTS
from spotsafe.testing.service import Fault

CANARY = "kanarienvogel-7f3a"
KEY = "a tenant key of some length"
RULES = (
    {"id": "spam", "label": "integrity.spam", "at": 0.8, "then": "hold"},
    {"id": "pii", "label": "privacy.pii_exposure", "at": 0.8, "then": "redact"},
)


@pytest.fixture
def folder(declare: Callable[..., Path]) -> Path:
    """Manifest and outbox."""
    context = {"secret": "string", "market": {"type": "string", "record": True}}
    return declare(*RULES, context=context, deadline="300ms").parent


@pytest.fixture
def made(folder: Path, client_for: Callable[..., Client]) -> Callable[..., Client]:
    """Makes clients that report to a file."""

    def make(**options: Any) -> Client:
        return client_for(folder / "s.yaml", **{"tenant_key": KEY, "outbox": folder / "out", **options})

    return make


def check(client: Client) -> Any:
    """One check with the canary in everything."""
    return client.check(
        "s",
        body=f"text {CANARY}",
        item=f"item {CANARY}",
        actor=f"actor {CANARY}",
        context={"secret": CANARY, "market": "se", "undeclared": CANARY},
    )


def texts_of(error: BaseException | None, depth: int = 0) -> str:
    """Everything that a logger could print of an exception: the chain, suppressed parts included."""
    if error is None or depth > 8:
        return ""
    own = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    return own + texts_of(error.__cause__, depth + 1) + texts_of(error.__context__, depth + 1)


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_no_failure_carries_content(
    kind: str, folder: Path, made: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """Logs at DEBUG of every library, figures, reprs, receipts, records on disk: nothing."""
    caplog.set_level(logging.DEBUG)
    with FakeService() as service:
        service.fail(Fault(kind, 0))
        client = made(service=service.url)
        decision = check(client)
        receipt = client.hold(decision, client.policy("s"), item=f"item {CANARY}")
        client.flush(2.0)
        seen = [repr(decision), repr(decision.signals), repr(decision.content), repr(client), repr(receipt)]
        seen += [client.token(receipt), json.dumps(client.stats()), repr(client._options), caplog.text]
        seen += [json.dumps(list(service.events.values()))]
    assert CANARY not in "".join(seen)
    raw = b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith("out"))
    assert CANARY.encode() not in raw


def test_records_carry_keyed_digests_and_declared_context(made: Callable[..., Client]) -> None:
    """Actor, item and content leave as HMAC under the tenant's key; context only where declared."""
    with FakeService() as service:
        client = made(service=service.url)
        check(client)
        assert client.flush(5.0)
        (record,) = [event for event in service.events.values() if event["kind"] == "decision"]
    assert CANARY not in json.dumps(record)
    assert record["context"] == {"market": "se"}
    assert all(len(record[field]) == 64 for field in ("actor", "item", "content"))


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_a_detector_error_has_no_chain(kind: str) -> None:
    """What reaches a caller of the detector is a closed word; no cause, no context, no foreign text."""
    with FakeService() as service:
        service.fail(Fault(kind, 20 if kind == "slow" else 0))
        exchange = Exchange(service.url, None, monotonic=SystemClock.monotonic)
        detector = ServiceDetector(exchange)
        request = DetectRequest(Content([Text(CANARY, "body")]), ("integrity.spam",))
        errors = []
        with pytest.raises(DetectorError) as raised:
            detector.detect([request], timeout=0.2)
        errors.append(raised.value)
        with pytest.raises(DetectorError) as raised:
            asyncio.run(detector.adetect([request], timeout=0.2))
        errors.append(raised.value)
        exchange.close()
    for error in errors:
        assert (error.__cause__, error.__context__) == (None, None)
        assert CANARY not in texts_of(error)


def test_a_detector_that_leaks_is_contained(
    made: Callable[..., Client], caplog: pytest.LogCaptureFixture, spotsafe_as_in_production: None
) -> None:
    """A foreign exception with the text in its message leaves its class name and nothing else."""

    class Leaky(FakeDetector):
        inline = True

        def detect(self, requests: Any, *, timeout: float | None = None) -> Any:
            raise RuntimeError(f"cannot score {requests[0].content.parts[0].data}")

    caplog.set_level(logging.DEBUG)
    registry.faults.counts.pop("client.detect", None)  # only the first fault of a place is logged
    client = made(detector=Leaky())
    decision = check(client)
    assert CANARY not in caplog.text + json.dumps(client.stats()) + repr(decision)
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("value", [object(), 7, {CANARY: CANARY}, [{"x": CANARY}], bytes(CANARY, "ascii")])
def test_an_error_about_content_does_not_show_it(value: object, made: Callable[..., Client]) -> None:
    """A ConfigurationError names the argument and its type."""
    with pytest.raises(SpotsafeError) as raised:
        made(detector=FakeDetector()).check("s", body=value)
    assert CANARY not in texts_of(raised.value)


def test_a_forged_receipt_is_not_repeated(made: Callable[..., Client]) -> None:
    """Nor is what somebody passes as a token."""
    with pytest.raises(ConfigurationError) as raised:
        made(detector=FakeDetector()).verdict(f"{CANARY}.{CANARY}")
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_only_declared_context_reaches_a_detector(made: Callable[..., Client]) -> None:
    """Context is for rules; a detector sees the fields that it declared."""
    detector = FakeDetector(context_fields=("market",))
    check(made(detector=detector))
    assert [dict(request.context) for request in detector.requests] == [{"market": "se"}]


def test_a_trace_goes_on_at_the_service_without_content(made: Callable[..., Client]) -> None:
    """The request carries the span's context, the record its trace id, and the span nothing of the text."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with FakeService() as service:
        client = made(service=service.url)
        client._reporting.telemetry._tracer_provider = provider
        check(client)
        assert client.flush(5.0)
        (record,) = [event for event in service.events.values() if event["kind"] == "decision"]
        traceparent = service.headers[0]["traceparent"]
    (span,) = exporter.get_finished_spans()
    assert traceparent.split("-")[1] == record["trace_id"] == f"{span.context.trace_id:032x}"
    assert CANARY not in span.to_json()


class Echo:
    """Answers each request with its own body where the status line should be."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    received = b""
                    while CANARY.encode() not in received and (more := connection.recv(65_536)):
                        received += more
                    connection.sendall(b"HTTP/1.1 " + received.replace(b"\r\n", b" ") + b"\r\n\r\n")

    def close(self) -> None:
        self._listening.close()


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_service_that_echoes_content_does_not_get_it_into_the_http_librarys_log(
    driver: str, made: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """Errors of the HTTP library quote what a server sent; its debug log is shut during our exchanges
    and open for everybody else's."""
    echo = Echo()
    client = made(service=echo.url, telemetry=False)
    with caplog.at_level(logging.DEBUG):
        if driver == "sync":
            check(client)
        else:
            asyncio.run(client.acheck("s", body=f"text {CANARY}"))
        assert client.stats()["failures"] == {"connect": 1}
        logging.getLogger("httpcore.http11").debug("of others")
    echo.close()
    assert CANARY not in caplog.text
    assert "of others" in caplog.text


def test_files_of_a_client_are_its_owners_alone(made: Callable[..., Client], folder: Path) -> None:
    """Outbox and holds can be read by no other user, whatever the umask."""
    before = os.umask(0o022)
    try:
        client = made(detector=FakeDetector({CANARY: {"integrity.spam": 0.99}}))
        client.hold(check(client), client.policy("s"))
    finally:
        os.umask(before)
    files = sorted(folder.glob("out*"))
    assert {file.name for file in files} >= {"out", "out.holds"}
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
