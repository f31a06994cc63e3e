"""Starting, forking, ending: in real processes, as products run them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spotsafe.client import registry
from spotsafe.client.client import Client
from spotsafe.core.decision import Disposition, Status
from spotsafe.core.errors import ConfigurationError, ManifestError
from spotsafe.testing import FakeDetector, FakeService, ManualClock

ROOT = Path(__file__).resolve().parents[2]
SETUP = """
import os, sys, threading
from spotsafe import Client
client = Client(manifests={manifest!r}, service={url!r}, fallback=None, tenant_key="0" * 32, app="script")
"""


@pytest.fixture
def manifest(declare: Callable[..., Path]) -> Path:
    """One surface."""
    return declare()


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A service for other processes."""
    with FakeService() as running:
        yield running


def script(body: str, manifest: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own; warnings are errors there."""
    text = textwrap.dedent(SETUP).format(manifest=str(manifest), url=url) + textwrap.dedent(body)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        capture_output=True, text=True, timeout=60, env=environ, check=False,
    )  # fmt: skip


def events_of(service: FakeService, kind: str) -> list[dict]:
    """Accepted events of one kind."""
    return [event for event in service.events.values() if event["kind"] == kind]


# ── start ───────────────────────────────────────────────────────────────────────────────────────


def test_a_constructor_does_nothing() -> None:
    """No file is read, no thread started, no name resolved before the first use."""
    before = set(threading.enumerate())
    client = Client(manifests="/no/such/folder", service="http://service.test", outbox="/no/such/file")
    assert set(threading.enumerate()) == before
    assert client.stats()["state"] == "new"
    assert client.close()


def test_start_raises_what_is_wrong_with_the_manifests(tmp_path: Path) -> None:
    """A deploy fails where a request would only be held."""
    (tmp_path / "bad.yaml").write_text("spotsafe: 1\nsurfaces: {s: {abuot: x}}\n")
    with pytest.raises(ManifestError, match=r"bad\.yaml"):
        Client(manifests=tmp_path, detector=FakeDetector(), telemetry=False).start()


def test_a_failed_start_can_be_tried_again(tmp_path: Path, declare: Callable[..., Path]) -> None:
    """The manifest is mended, the process need not be."""
    path = tmp_path / "s.yaml"
    path.write_text("spotsafe: 1\nsurfaces: 7\n")
    client = Client(manifests=tmp_path, detector=FakeDetector(), fallback=None, telemetry=False)
    with pytest.raises(ManifestError):
        client.start()
    declare()
    client.start()
    assert client.check("s", body="hello").disposition is Disposition.ALLOW


def test_a_broken_manifest_holds_and_never_raises_into_a_request(
    tmp_path: Path, spotsafe_as_in_production: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Held, unchecked, one log line, one counter."""
    (tmp_path / "bad.yaml").write_text("nonsense: [")
    client = Client(manifests=tmp_path, detector=FakeDetector(), telemetry=False)
    for _ in range(3):
        decision = client.check("s", body="hello")
        assert (decision.disposition, decision.status) == (Disposition.HOLD, Status.UNCHECKED)
    assert client.stats()["broken_starts"] == 1
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1


def test_an_unconfigured_process_holds(
    spotsafe_as_in_production: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A guarded call without a client is held as unchecked, and says once how to mend it."""
    registry.configure(None)
    decisions = [registry.current().check("s", body="hello") for _ in range(2)]
    assert {(d.disposition, d.status) for d in decisions} == {(Disposition.HOLD, Status.UNCHECKED)}
    assert [r.message for r in caplog.records if "configure" in r.message] != []


def test_under_pytest_an_unconfigured_process_is_an_error() -> None:
    """A forgotten client is found by the first test, not by the first outage."""
    registry.configure(None)
    with pytest.raises(ConfigurationError, match="configure"):
        registry.current().check("s", body="hello")


def test_many_threads_start_a_client_once(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lazy start under load assembles one client."""
    from spotsafe.client import starting

    made, gate = [], threading.Barrier(16)
    load = starting.load
    monkeypatch.setattr(starting, "load", lambda *a, **k: made.append(1) or load(*a, **k))
    client = Client(manifests=manifest, detector=FakeDetector(), fallback=None, telemetry=False)
    statuses = []

    def run(number: int) -> None:
        gate.wait(20)
        statuses.append(client.check("s", body=str(number)).status)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert statuses == [Status.CHECKED] * 16
    assert made == [1]


def test_engines_are_warm_before_they_are_needed(manifest: Path) -> None:
    """A start loads what the first request, and the first outage, would load."""

    class Slow(FakeDetector):
        inline = True

        def warm(self) -> None:
            loaded.append(self.id)

    loaded: list[str] = []
    client = Client(
        manifests=manifest, detector=Slow(id="first"), fallback=Slow(id="second"), telemetry=False, environ={}
    )
    client.start()
    assert loaded == ["first", "second"]
    client.close()


def test_a_local_engine_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the start says what to install."""
    from spotsafe.client import sources

    monkeypatch.setattr(sources, "entry_points", lambda **_: ())
    with pytest.raises(ConfigurationError, match=r"spotsafe\[local\]"):
        Client(telemetry=False).start()


class _Broken:
    """An entry point that cannot be imported for want of *name*."""

    def __init__(self, name: str) -> None:
        self._name = name

    def load(self) -> object:
        raise ImportError("cannot import", name=self._name)


@pytest.mark.parametrize(
    ("absent", "raised"),
    [("onnxruntime", ConfigurationError), ("spotsafe.detectors.weights", ImportError)],
)
def test_only_the_absence_of_others_is_mended_by_an_extra(
    monkeypatch: pytest.MonkeyPatch, absent: str, raised: type[Exception]
) -> None:
    """A module of the product itself that cannot be imported is a broken installation, and says so."""
    from spotsafe.client import sources

    monkeypatch.setattr(sources, "entry_points", lambda **_: (_Broken(absent),))
    with pytest.raises(raised):
        sources.local_engine()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"service": "service.example"}, "service"),
        ({"tenant_key": "short"}, "tenant key"),
        ({"cache_items": 0}, "cache_items"),
        ({"detector": object()}, "detector"),
        ({"fallback": 7}, "fallback"),
    ],
)
def test_an_impossible_option_is_refused_by_name(options: dict, named: str) -> None:
    """The constructor says which option, and what it may be."""
    with pytest.raises(ConfigurationError, match=named):
        Client(**options)


# ── end ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_closed_client_holds_what_it_cannot_check(manifest: Path) -> None:
    """Close is idempotent, and nobody crashes on a client that is closed under them."""
    client = Client(manifests=manifest, detector=FakeDetector(), fallback=None, telemetry=False)
    client.check("s", body="known")
    assert client.close()
    assert client.close()
    assert client.check("s", body="known").status is Status.CACHED
    decision = client.check("s", body="new")
    assert (decision.disposition, decision.status) == (Disposition.HOLD, Status.UNCHECKED)


def test_a_closed_client_can_be_started_anew(manifest: Path) -> None:
    """Close lets go of connections; start takes new ones."""
    with FakeService() as service:
        client = Client(manifests=manifest, service=service.url, fallback=None, environ={})
        assert client.check("s", body="one").status is Status.CHECKED
        client.close()
        assert client.check("s", body="two").status is Status.UNCHECKED
        client.start()
        assert client.check("s", body="three").status is Status.CHECKED
        assert client.close(5.0)
        assert len(events_of(service, "decision")) >= 2


def test_a_plain_script_delivers_its_events_at_exit(manifest: Path, service: FakeService) -> None:
    """No flush, no close: the end of the interpreter delivers, within its bound."""
    done = script('print(client.check("s", body="hello").action)', manifest, service.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "allow\n", "")
    assert [event["surface"] for event in events_of(service, "decision")] == ["s"]
    assert [event["app"] for event in events_of(service, "register")] == ["script"]


def test_a_script_whose_service_hangs_still_ends(declare: Callable[..., Path]) -> None:
    """A listening socket that never answers does not keep the process alive."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        body = """
        client.policy("s")
        print(client.check("s", body="hello").status.word)
        """
        done = script(body, declare(deadline="200ms"), url)
    assert (done.returncode, done.stdout) == (0, "unchecked\n")


def test_a_check_while_the_interpreter_ends_is_answered(manifest: Path, service: FakeService) -> None:
    """A handler that runs in atexit, when no thread can be started, is held or checked, never broken."""
    body = """
    import atexit
    atexit.register(lambda: print(client.check("s", body="late").status.word))
    client.check("s", body="early")
    """
    done = script(body, manifest, service.url)
    assert done.returncode == 0
    assert done.stdout.strip() in ("checked", "unchecked")
    assert done.stderr == ""


# ── fork ────────────────────────────────────────────────────────────────────────────────────────


def test_a_forked_child_checks_and_reports_for_itself(manifest: Path, service: FakeService) -> None:
    """The child gets fresh locks, caches, connections and threads, also when the parent forks with a lock
    held and a request on its way; nothing is delivered twice."""
    body = """
    client.check("s", body="parent")
    runtime, lock = client._runtime, client._runtime.cache._lock
    lock.acquire()
    client._starting.acquire()
    children = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            word = client.check("s", body=f"child {number}").status.word
            client.flush(5)
            client.close(5)
            os._exit(0 if word == "checked" else 3)
        children.append(pid)
    lock.release()
    client._starting.release()
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    print(codes, client.check("s", body="after").status.word)
    """
    done = script(body, manifest, service.url)
    assert (done.stdout, done.returncode) == ("[0, 0, 0] checked\n", 0), done.stderr
    decisions = events_of(service, "decision")
    assert len(decisions) == 5
    assert len({event["instance"] for event in decisions}) == 4
    texts = [request["items"][0]["parts"][0]["text"] for request in service.requests]
    assert sorted(texts) == ["after", "child 0", "child 1", "child 2", "parent"]


def test_threads_import_nothing_once_a_client_is_started(manifest: Path, service: FakeService) -> None:
    """A child that is forked while a thread imports would wait for the import's lock for ever."""
    body = """
    client.start()
    before = set(sys.modules)
    client.check("s", body="hello")
    client.flush(5)
    threads = set(sys.modules) - before
    print(sorted(name for name in threads if not name.startswith("opentelemetry")))
    """
    done = script(body, manifest, service.url)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_ids_of_a_parent_and_its_children_differ(manifest: Path, service: FakeService) -> None:
    """A child does not repeat the random numbers of its parent."""
    body = """
    client.start()
    read, write = os.pipe()
    for _ in range(2):
        if os.fork() == 0:
            os.write(write, (client._mint()[-12:] + "\\n").encode())
            os._exit(0)
        os.wait()
    os.write(write, (client._mint()[-12:] + "\\n").encode())
    os.close(write)
    print(len(set(os.fdopen(read).read().split())))
    """
    assert script(body, manifest, service.url).stdout == "3\n"


# ── servers ─────────────────────────────────────────────────────────────────────────────────────

WSGI = """
client.start()
def app(environ, start_response):
    decision = client.check("s", body=environ["PATH_INFO"])
    body = f"{decision.status.word} {os.getpid()}".encode()
    start_response("200 OK", [("content-length", str(len(body)))])
    return [body]
"""
ASGI = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(client.close)
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    decision = await client.acheck("s", body=scope["path"])
    body = decision.status.word.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@contextmanager
def served(arguments: list[str], folder: Path) -> Iterator[str]:
    """A server of another make on a free loopback port; stopped as an operator would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    command = [sys.executable, "-m", *[argument.format(port=port) for argument in arguments]]
    process = subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "Booting worker" in line or "Uvicorn running" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def fetched(url: str) -> str:
    """The body at *url*."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorn_with_preload(worker: str, manifest: Path, service: FakeService, tmp_path: Path) -> None:
    """Started in the master, used in forked workers, delivered when they stop."""
    setup = textwrap.dedent(SETUP).format(manifest=str(manifest), url=service.url)
    (tmp_path / "product.py").write_text(setup + WSGI)
    arguments = [
        "gunicorn", "--preload", "-w", "2", "-k", worker, "--threads", "2", "-b", "127.0.0.1:{port}",
        "product:app",
    ]  # fmt: skip
    with served(arguments, tmp_path) as url:
        answers = [fetched(f"{url}/{number}").split() for number in range(8)]
    assert [word for word, _ in answers] == ["checked"] * 8
    assert len(events_of(service, "decision")) == 8


def test_uvicorn(manifest: Path, service: FakeService, tmp_path: Path) -> None:
    """One client for the life of the loop. It is closed by the app's own shutdown: uvicorn ends itself by
    the signal it was sent, and a process that ends so runs no exit handlers."""
    setup = textwrap.dedent(SETUP).format(manifest=str(manifest), url=service.url)
    (tmp_path / "product.py").write_text(setup + ASGI)
    arguments = ["uvicorn", "--host", "127.0.0.1", "--port", "{port}", "product:app"]
    with served(arguments, tmp_path) as url:
        assert [fetched(f"{url}/{name}") for name in ("a", "b", "a")] == ["checked", "checked", "cached"]
    assert len(events_of(service, "decision")) == 3


def test_celery_prefork(manifest: Path, service: FakeService, tmp_path: Path) -> None:
    """A task in a forked worker process is checked, and its event arrives."""
    setup = textwrap.dedent(SETUP).format(manifest=str(manifest), url=service.url)
    for name in ("queue", "control", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "product.py").write_text(
        setup
        + f"""
client.start()
from celery import Celery
app = Celery("product", broker="filesystem://", backend="file://{tmp_path}/results")
app.conf.update(broker_transport_options=dict(
    data_folder_in="{tmp_path}/queue", data_folder_out="{tmp_path}/queue",
    control_folder="{tmp_path}/control"))
@app.task
def check(text):
    word = client.check("s", body=text).status.word
    client.flush(5)
    return word
if __name__ == "__main__":
    results = [check.delay(str(number)) for number in range(4)]
    print([result.get(timeout=30, interval=0.05) for result in results])
"""
    )
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "C_FORCE_ROOT": "1"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "product", "worker", "--pool=prefork", "-c", "2",
         "--without-gossip", "--without-mingle", "--without-heartbeat"],
        cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "product.py"], cwd=tmp_path, env=environ,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    assert done.stdout == "['checked', 'checked', 'checked', 'checked']\n", done.stderr
    assert len(events_of(service, "decision")) == 4


def test_a_context_manager_starts_and_closes(manifest: Path) -> None:
    """``with`` raises what start raises and closes what was opened."""
    with Client(manifests=manifest, detector=FakeDetector(), fallback=None, clock=ManualClock()) as client:
        assert client.stats()["state"] == "ready"
    assert client.stats()["state"] == "closed"


def test_a_resolver_that_hangs_does_not_keep_a_script_alive(declare: Callable[..., Path]) -> None:
    """Sync, async and the last delivery: each is bounded, and the look-up is left behind."""
    manifest = declare(deadline="200ms")
    body = """
    import asyncio, socket
    lookup = socket.getaddrinfo
    def hanging(host, *args, **kwargs):
        if host == "service.test":
            threading.Event().wait()
        return lookup(host, *args, **kwargs)
    socket.getaddrinfo = hanging
    print(client.check("s", body="one").status.word)
    print(asyncio.run(client.acheck("s", body="two")).status.word)
    print(client.flush(0.2))
    """
    done = script(body, manifest, "http://service.test:9")
    assert (done.stdout, done.returncode) == ("unchecked\nunchecked\nFalse\n", 0), done.stderr


def test_another_event_loop_will_do(manifest: Path, service: FakeService) -> None:
    """uvloop drives the same client."""
    body = """
    import asyncio, uvloop
    async def main():
        found = await asyncio.gather(*(client.acheck("s", body=str(number % 4)) for number in range(16)))
        print(sorted({decision.status.word for decision in found}))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    """
    done = script(body, manifest, service.url)
    assert (done.stdout, done.returncode) == ("['checked']\n", 0), done.stderr
    assert len(service.requests) == 4
