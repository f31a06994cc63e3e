"""What the service does not give: asked at the start, kept beside the outbox, used in an outage."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from spotsafe.client.client import Client
from spotsafe.core.decision import Disposition, Status
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Cause
from spotsafe.testing import FakeDetector, FakeService

NEVER = "child.csam"
RULES = (
    {"id": "spam", "label": "integrity.spam", "at": 0.8, "then": "block"},
    {"id": "never", "label": NEVER, "at": 0.8, "then": "block", "if_missing": {"unsupported": "allow"}},
)


class Engine(FakeDetector):
    """A local engine that has no score for the label either."""

    inline = True

    def __init__(self) -> None:
        labels = ["*.*"]
        super().__init__(labels=labels, id="local.text")
        self._labels -= {NEVER}
        self._capabilities.labels.pop(NEVER)


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A service that does not give one label."""
    with FakeService() as running:
        yield running.omit(NEVER, Cause.UNSUPPORTED)


@pytest.fixture
def made(
    tmp_path: Path, declare: Callable[..., Path], client_for: Callable[..., Client]
) -> Callable[..., Client]:
    """Clients of one product, in turn; not started."""
    manifest = declare(*RULES, deadline="300ms", cache={})

    def make(url: str, *, outbox: bool = True, **options: object) -> Client:
        settings = {"fallback": Engine(), "telemetry": False, "tenant_key": "0" * 32}
        kept = tmp_path / "outbox.sqlite" if outbox else None
        return client_for(manifest, start=False, service=url, outbox=kept, **{**settings, **options})

    return make


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Check through one of the two drivers."""
    if request.param == "sync":
        return lambda client, text: client.check("s", body=text)
    return lambda client, text: asyncio.run(client.acheck("s", body=text))


def beyond(client: Client) -> frozenset[str]:
    return client._equipment.primary.beyond


def test_a_start_asks_for_the_reach(
    service: FakeService, made: Callable[..., Client], ask: Callable[..., object]
) -> None:
    """An outage right after the start, before any answer: the local engine answers, nothing is held."""
    client = made(service.url, outbox=False)
    client.start()
    assert beyond(client) == {NEVER}
    assert client.stats()["unsupported"] == {NEVER: ["s"]}
    service.fail("server_error")
    decision = ask(client, "hello")
    assert (decision.status, decision.disposition) == (Status.LOCAL, Disposition.ALLOW)


@pytest.mark.parametrize("learnt", ["asked", "answered"])
@pytest.mark.parametrize("lazily", [False, True])
def test_a_restart_in_an_outage_remembers_the_reach(
    learnt: str, lazily: bool, service: FakeService, made: Callable[..., Client], ask: Callable[..., object]
) -> None:
    """With an outbox the next process knows what this one learnt, by asking or from an answer."""
    first = made(service.url)
    if learnt == "asked":
        first.start()
    else:
        service.reach = dict
        ask(first, "hello")
        assert first.flush(5.0)
    first.close(1.0)
    url = service.url
    service.stop()
    second = made(url)
    if not lazily:
        second.start()
    decision = ask(second, "hello")
    assert (decision.status, decision.disposition) == (Status.LOCAL, Disposition.ALLOW)


def test_a_first_start_in_an_outage_holds(
    service: FakeService, made: Callable[..., Client], ask: Callable[..., object]
) -> None:
    """Without an outbox nothing is known of the service: what it never gives counts as failed."""
    made(service.url, outbox=False).start()
    url = service.url
    service.stop()
    client = made(url, outbox=False)
    client.start()
    assert ask(client, "hello").disposition is Disposition.HOLD


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff", b'{"x": 1}', b"[" * 100_000])
def test_an_unreadable_file_is_as_none(
    raw: bytes, service: FakeService, made: Callable[..., Client], tmp_path: Path
) -> None:
    """What cannot be read is ignored, and replaced by the next answer."""
    path = tmp_path / "outbox.sqlite.reach.json"
    path.write_bytes(raw)
    client = made(service.url)
    client.start()
    assert beyond(client) == {NEVER}
    (entry,) = [kept for kept in json.loads(path.read_bytes()).values() if isinstance(kept, dict)]
    assert entry == {"engine": "fake-1", "without": [NEVER]}
    assert path.stat().st_mode & 0o777 == 0o600
    assert service.url not in path.read_text()


def test_another_service_and_another_engine_are_not_confused(
    service: FakeService, made: Callable[..., Client]
) -> None:
    """The file is by address; an answer of another engine version ends what was known of the last."""
    made(service.url).start()
    with FakeService() as other:
        client = made(other.url)
        client.start()
        assert beyond(client) == frozenset()
    service.engine = "fake-2"
    service._missing.clear()
    service.reach = dict
    client = made(service.url)
    client.start()
    assert beyond(client) == {NEVER}
    client.check("s", body="hello")
    assert beyond(client) == frozenset()


@pytest.mark.parametrize(
    "answer",
    [{}, [], {"engine": None, "labels": [{"label": "hate.speech", "languages": {"en": "x"}}]},
     {"engine": "e", "labels": [{"label": "hate.speech", "languages": {}}]},
     {"engine": "e", "labels": [1, {}]}],
)  # fmt: skip
def test_an_answer_that_says_nothing_is_ignored(
    answer: object, service: FakeService, made: Callable[..., Client]
) -> None:
    """A service whose engine is not up gives no label; that is no knowledge of its reach."""
    service.reach = lambda: answer
    client = made(service.url)
    client.start()
    assert beyond(client) == frozenset()


class Loading(Engine):
    """Loads its models until the test lets go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go, self.loaded = Event(), Event()

    def warm(self) -> None:
        assert self.let_go.wait(30)
        self.loaded.set()

    def detect(self, requests: object, *, timeout: float | None = None) -> list:
        self.warm()
        return super().detect(requests, timeout=timeout)


@pytest.mark.parametrize("fault", ["hang", "server_error"])
def test_a_request_does_not_wait_for_a_fallback_that_loads(
    fault: str, service: FakeService, made: Callable[..., Client], ask: Callable[..., object]
) -> None:
    """After a lazy start the fallback loads behind the request; the deadline ends the wait, and
    ``on_failure`` decides. Once loaded it answers."""
    service.fail(fault)
    engine = Loading()
    client = made(service.url, outbox=False, fallback=engine)
    decision = ask(client, "one")
    assert not engine.loaded.is_set()
    assert (decision.status, decision.disposition) == (Status.UNCHECKED, Disposition.HOLD)
    engine.let_go.set()
    assert client.flush(10.0)
    assert ask(client, "two").status is Status.LOCAL


class LoadingPrimary(Engine):
    """A primary with models."""

    def warm(self) -> None:
        """Nothing, quickly."""


def test_a_lazy_start_that_loads_says_so_once(
    made: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """One line names ``start()``; a started client has none."""
    lazy, started = (
        made(None, outbox=False, detector=LoadingPrimary(), fallback=None) for _ in range(2)
    )  # fmt: skip
    for text in ("one", "two"):
        assert lazy.check("s", body=text).status is Status.CHECKED
    lines = [record.getMessage() for record in caplog.records if "client.start()" in record.getMessage()]
    assert len(lines) == 1
    caplog.clear()
    started.start()
    started.check("s", body="one")
    assert "client.start()" not in caplog.text


def test_labels_out_of_reach_are_one_line(
    made: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """The count, the first three and where the rest is; not a line for each."""
    client = made(None, outbox=False, detector=FakeDetector(labels=["integrity.*"]), fallback=None)
    with caplog.at_level(logging.WARNING, "spotsafe.client.reach"):
        client.start()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "spotsafe.client.reach"]
    missing = client.stats()["unsupported"]
    assert f"gives {len(missing)} of the labels" in line
    assert ", ".join(sorted(missing)[:3]) in line
    assert len(missing) > 3
    assert json.dumps(missing)


def test_a_broken_start_counts_the_faults_and_places_the_first(
    made: Callable[..., Client], declare: Callable[..., Path], caplog: pytest.LogCaptureFixture,
    spotsafe_as_in_production: None,
) -> None:  # fmt: skip
    """The one log line of a lazy start says how many faults there are and where to look."""
    client = made(None, outbox=False, detector=FakeDetector(), fallback=None)
    path = declare(*({**rule, "at": 8} for rule in RULES), audience="canary-nobody")
    first = path.read_text().splitlines().index("    audience: canary-nobody") + 1
    assert client.check("s", body="hello").status is Status.UNCHECKED
    with pytest.raises(Exception, match="faults"):
        client.start()
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"ManifestError (3 faults, the first at {path}:{first})" in line
    assert "canary" not in line


def test_no_live_calls_is_no_obstacle_to_a_start(
    made: Callable[..., Client], spotsafe_no_live_calls: None
) -> None:
    """Asking for the reach is given up, not raised."""
    client = made("http://service.test:9", outbox=False)
    client.start()
    assert beyond(client) == frozenset()
    with pytest.raises(ConfigurationError, match="no_live_calls"):
        client.check("s", body="hello")
