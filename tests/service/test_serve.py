"""``spotsafe serve``: what it refuses to start as, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from spotsafe.cli.main import main
from spotsafe.core.errors import ConfigurationError, ManifestError
from spotsafe.service.app import create_app
from spotsafe.service.background import bound, running
from spotsafe.service.keys import KeyRing, add_key
from spotsafe.service.serve import is_loopback, serve, service_app
from spotsafe.service.store import FILE_NAME, Store, sqlite_engine
from spotsafe.service.tables import about


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("192.168.0.4", False), ("example.com", False), ("localhost.example.com", False),
     ("", False)],
)  # fmt: skip
def test_without_keys_only_loopback_is_taken(tmp_path: Path, host: str, loopback: bool) -> None:
    """Any other host is refused with the remedy before anything listens or is written."""
    assert is_loopback(host) is loopback
    if loopback:
        service_app(host, tmp_path / "d", None, detector=Nothing()).state.service.store.close()
        return
    with pytest.raises(ConfigurationError, match="--api-keys"):
        service_app(host, tmp_path / "d", None)
    assert not (tmp_path / "d").exists()


def test_with_keys_any_host_is_taken(tmp_path: Path) -> None:
    """With keys the service may listen anywhere."""
    add_key(tmp_path / "keys", "a", ["detect"])
    app = service_app("0.0.0.0", tmp_path / "d", tmp_path / "keys", detector=Nothing())
    app.state.service.store.close()


class Nothing:
    """A detector that is never asked."""

    id = version = "nothing"

    def capabilities(self) -> None:
        return None

    def detect(self, requests: Any, *, timeout: float | None = None) -> list[Any]:
        return []


def test_broken_manifests_are_told_before_anything_listens(tmp_path: Path) -> None:
    """The faults of the manifests end the start."""
    (tmp_path / "m.yaml").write_text("spotsafe: 9\n")
    with pytest.raises(ManifestError):
        service_app("127.0.0.1", tmp_path / "d", None, manifests=tmp_path, detector=Nothing())


def test_the_data_directory_is_private(tmp_path: Path) -> None:
    """The folder is made with mode 0700 and the file with 0600."""
    store = Store.open(tmp_path / "deep" / "data")
    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "deep" / "data" / "spotsafe.sqlite").stat().st_mode & 0o777 == 0o600
    store.close()


def test_a_data_directory_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """A file in the way, a file that is no database, and one of a later version are told with the remedy."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="--data-dir"):
        Store.open(tmp_path / "file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "spotsafe.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(ConfigurationError, match=r"spotsafe\.sqlite"):
        Store.open(tmp_path / "other")
    later = Store.open(tmp_path / "later")
    with later.writing() as connection:
        connection.execute(about.update().where(about.c.name == "schema").values(value="99"))
    later.close()
    with pytest.raises(ConfigurationError, match="schema 99"):
        Store.open(tmp_path / "later")


@pytest.mark.parametrize("known", [False, True])
def test_a_data_directory_in_use_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Another process holds its lock: trying again helps, moving the file away would lose it."""
    if known:
        Store.open(tmp_path).close()
    monkeypatch.setattr("spotsafe.service.store.sqlite_engine", partial(sqlite_engine, patience=0.01))
    other = sqlite3.connect(tmp_path / FILE_NAME)
    if known:
        other.execute("UPDATE about SET value = '1' WHERE name = 'schema'")
        other.commit()
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConfigurationError, match="try again") as refused:
        Store.open(tmp_path)
    assert "damaged" not in str(refused.value)
    other.close()
    Store.open(tmp_path).close()


@pytest.mark.parametrize("words", [["--trust", "k.pub"], ["--state", "seen.json"], ["--least-serial", "3"]])
def test_what_is_for_a_registry_is_refused_without_one(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It would have no effect, and whoever gave it believes that it has."""
    assert main(["serve", *words]) == 2
    assert f"{words[0]} is for --registry" in capsys.readouterr().err


def test_a_taken_port_is_refused_with_the_remedy() -> None:
    """Who listens there already stays; the message says what to do."""
    with bound("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(ConfigurationError, match="--port"):
            bound("127.0.0.1", port)
    with pytest.raises(ConfigurationError):
        bound("not a host", 0)


def test_an_engine_that_does_not_load_ends_the_process(tmp_path: Path) -> None:
    """An orchestrator sees a failed start rather than a process that is never ready."""

    def load() -> Any:
        raise ConfigurationError("needs weights")

    codes: list[int] = []
    out = io.StringIO()
    thread = threading.Thread(
        target=lambda: codes.append(serve("127.0.0.1", 0, tmp_path / "d", None, detector=load, out=out))
    )
    thread.start()
    thread.join(timeout=20)
    assert codes == [1]


def test_the_app_can_be_run_again_on_the_same_data(tmp_path: Path) -> None:
    """Stopping and starting on one port and directory works, as a deploy does."""
    with running(create_app(Store.open(tmp_path), Nothing())) as url:
        port = int(url.rpartition(":")[2])
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz", trust_env=False)
    with running(create_app(Store.open(tmp_path), Nothing()), port=port) as again:
        assert again == url
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200


def cli(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_new_key_prints_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The key goes to standard output alone, so that a script can keep it; the file has its hash."""
    file = tmp_path / "keys"
    code, out, err = cli(capsys, "serve", "--api-keys", str(file), "--new-key", "shop", "--scope", "admin")
    assert (code, out.strip() in file.read_text(), "only its hash" in err) == (0, False, True)
    principal = KeyRing.read(file).principal(out.strip())
    assert principal is not None
    assert (principal.application, principal.scopes) == ("shop", {"admin"})
    code, out, _ = cli(capsys, "serve", "--json", "--api-keys", str(file), "--new-key", "web")
    made = json.loads(out)
    assert (code, made["application"], made["scopes"]) == (0, "web", ["detect", "events"])
    assert KeyRing.read(file).principal(made["key"]) is not None


@pytest.mark.parametrize(
    "words",
    [
        ["--host", "0.0.0.0"],
        ["--port", "70000"],
        ["--port", "-1"],
        ["--new-key", "a"],
        ["--scope", "admin"],
        ["--api-keys", "/nonexistent/keys"],
        ["--manifests", "/nonexistent"],
        ["--data-dir", "/dev/null/x"],
        ["--new-key", "a b", "--api-keys", "keys"],
    ],
)
def test_unusable_options_end_with_2_and_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Each says what is wrong on standard error; no traceback, nothing started."""
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(capsys, "serve", *words)
    assert (code, out) == (2, "")
    assert err.strip()
    assert "Traceback" not in err


SERVE = """
import sys
import spotsafe.service.serve as module
from test_support import Slow
module.local_engine = lambda kinds, made_of: Slow()
from spotsafe.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
SUPPORT = """
import time
from pathlib import Path
from spotsafe.core.seams import Calibration, Capabilities
from spotsafe.core.signals import Signal, Signals

class Slow:
    id = version = "slow"
    def capabilities(self):
        return Capabilities({"hate.speech": {"*": Calibration.CALIBRATED}})
    def detect(self, requests, *, timeout=None):
        Path("entered").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        return [Signals([Signal("hate.speech", 0.5, p.name) for p in r.content]) for r in requests]
"""


@contextmanager
def process(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    (folder / "test_support.py").write_text(SUPPORT)
    command = [sys.executable, "-c", SERVE, "serve", "--port", "0", "--data-dir", "data", *words]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as found:
        assert found.stdout is not None
        line = found.stdout.readline()
        assert line.startswith("spotsafe service listening on http://127.0.0.1:")
        try:
            yield found, line.split()[-1]
        finally:
            if found.poll() is None:
                found.kill()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_in_work_end(tmp_path: Path, ending: signal.Signals) -> None:
    """On SIGTERM or SIGINT the service takes nothing new, answers what it has begun, and ends by itself."""
    body = {"items": [{"id": "1", "parts": [{"type": "text", "text": "x"}]}], "labels": ["hate.speech"]}
    with process(tmp_path) as (found, url), httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        answers: list[httpx.Response] = []
        caller = threading.Thread(target=lambda: answers.append(client.post("/v1/detect", json=body)))
        caller.start()
        until(lambda: (tmp_path / "entered").exists() or bool(answers))
        assert not answers, answers[0].text
        found.send_signal(ending)
        until(lambda: not listens(url))
        (tmp_path / "go").touch()
        caller.join()
        out, err = found.communicate(timeout=20)
    assert [answer.status_code for answer in answers] == [200]
    assert found.returncode in (0, -ending)
    assert out == ""
    assert "Traceback" not in err


def test_a_stop_does_not_wait_for_a_job(tmp_path: Path) -> None:
    """Its detector never comes back, and the process ends all the same; the job is there for the next one."""
    job = "018f0000-0000-7000-8000-000000000001"
    order = {"id": job, "labels": ["hate.speech"], "parts": [{"type": "text", "text": "x"}]}
    with process(tmp_path) as (found, url), httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/jobs", json=order).status_code == 201
        until((tmp_path / "entered").exists)
        client.close()
        found.send_signal(signal.SIGTERM)
        _, err = found.communicate(timeout=20)
    assert "Traceback" not in err
    assert (tmp_path / "data" / "jobs" / job / "order.json").exists()


def until(condition: Callable[[], bool]) -> None:
    """Wait for *condition*, but not for ever."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def listens(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=1).close()
    except OSError:
        return False
    return True
