"""The stage of the demo: a real service and a real app in processes of their own, and their traffic."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from spotsafe.core.errors import ConfigurationError

ROUTES: dict[str, tuple[str, Callable[[str, str], dict[str, str]]]] = {
    "comments.create": ("/comments", lambda i, text: {"id": i, "author": f"listener-{i}", "text": text}),
    "messages.send": ("/messages", lambda i, text: {"id": i, "sender": f"listener-{i}", "text": text}),
    "playlists.rename": ("/playlists", lambda i, text: {"id": i, "editor": f"listener-{i}", "title": text}),
    "assistant.ask": ("/assistant", lambda i, text: {"id": i, "user": f"listener-{i}", "prompt": text}),
}
"""Surface → the example app's route and how it wants its content."""

START_TIMEOUT = 40.0
"""Seconds that a process may take until it answers: loading the engine on a busy machine."""


class Line(NamedTuple):
    """One self-written text of the demo's traffic."""

    surface: str
    language: str
    text: str


class Answer(NamedTuple):
    """What the app answered to one line; *milliseconds* is the whole request, seen by its sender."""

    line: Line
    phase: str
    http: int
    action: str
    status: str
    decision_id: str
    milliseconds: float


def examples_folder() -> Path:
    """The folder of the examples: inside the installed package, else beside it in a checkout."""
    package = Path(str(files("spotsafe")))
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / "traffic.jsonl").is_file():
            return folder
    raise ConfigurationError("the examples are not installed beside the package: reinstall spotsafe[demo]")


def traffic(folder: Path) -> list[Line]:
    """The lines of ``traffic.jsonl``."""
    rows = (json.loads(row) for row in (folder / "traffic.jsonl").read_text("utf-8").splitlines())
    return [Line(row["surface"], row["language"], row["text"]) for row in rows]


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stage:
    """The processes of one demo, their folder and what they answered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.examples = examples_folder()
        self.service_port, self.app_port = free_port(), free_port()
        self.service_url = f"http://127.0.0.1:{self.service_port}"
        self.app_url = f"http://127.0.0.1:{self.app_port}"
        self.answers: list[Answer] = []
        self._service: subprocess.Popen[bytes] | None = None
        self._app: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(timeout=20)

    @property
    def store(self) -> Path:
        """The service's data folder."""
        return self.folder / "service"

    def start_service(self) -> None:
        """Start the central service on its port and wait until it is ready."""
        command = [sys.executable, "-m", "spotsafe", "serve", "--port", str(self.service_port)]
        self._service = self._spawn([*command, "--data-dir", str(self.store)], "service.log", self.folder)
        self._wait(self.service_url + "/readyz", self._service, "service")

    def stop_service(self) -> None:
        """Stop the service as a deploy would: terminate and wait."""
        _stop(self._service)

    def start_app(self) -> None:
        """Start the example app with an outbox on disk and wait until it answers."""
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.app_port)]
        self._app = self._spawn(command, "app.log", self.examples / "community_fastapi")
        self._wait(self.app_url + "/docs", self._app, "example app")

    def stop_app(self) -> None:
        """Stop the app; its client flushes the outbox on the way out."""
        _stop(self._app)

    def send(self, number: int, line: Line, phase: str) -> Answer:
        """Send one line to the app and keep its answer."""
        route, shape = ROUTES[line.surface]
        began = time.perf_counter()
        response = self._http.post(self.app_url + route, json=shape(f"{phase}-{number}", line.text))
        took = (time.perf_counter() - began) * 1000
        body = _json(response)
        published = response.status_code == 200
        # A refusal tells the public neither status nor rule; those are learnt from the record.
        action, status = (str(body.get(name, "")) if published else "" for name in ("action", "status"))
        decision_id = str(body.get("decision_id", ""))
        answer = Answer(line, phase, response.status_code, action, status, decision_id, took)
        self.answers.append(answer)
        return answer

    def probe(self) -> Answer:
        """Send a line that was never sent before, so that no cache can answer for the service."""
        number = len(self.answers)
        return self.send(number, Line("comments.create", "en", f"Track {number} is lovely."), "probe")

    def learn(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Complete the answers to refused and held lines from the records of their decisions."""
        known = {record["event_id"]: record for record in records}
        for index, answer in enumerate(self.answers):
            record = known.get(answer.decision_id)
            if record is not None and not answer.action:
                self.answers[index] = answer._replace(action=record["disposition"], status=record["status"])

    def get(self, path: str) -> Any:
        """A JSON document of the service."""
        return self._http.get(self.service_url + path).raise_for_status().json()

    def close(self) -> None:
        """Stop whatever still runs."""
        self.stop_app()
        self.stop_service()
        self._http.close()

    def _spawn(self, command: list[str], log: str, cwd: Path) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "SPOTSAFE_SERVICE": self.service_url,
            "SPOTSAFE_OUTBOX": str(self.folder / "outbox.sqlite"),
            "SPOTSAFE_ENVIRONMENT": "demo",
            "SPOTSAFE_TENANT_KEY": "demo-key-of-this-run-only",
        }
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=output)

    def _wait(self, url: str, process: subprocess.Popen[bytes], name: str) -> None:
        def up() -> bool:
            if process.poll() is not None:
                ended = f"the {name} of the demo ended with exit code {process.returncode}"
                raise ConfigurationError(f"{ended}:\n{self._last_words(name)}")
            try:
                return self._http.get(url).is_success
            except httpx.TransportError:
                return False

        if not wait_for(up, START_TIMEOUT):
            raise ConfigurationError(f"the {name} of the demo did not answer:\n{self._last_words(name)}")

    def _last_words(self, name: str) -> str:
        log = self.folder / ("service.log" if name == "service" else "app.log")
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-12:])


def wait_for(condition: Callable[[], bool], seconds: float, *, every: float = 0.05) -> bool:
    """Whether *condition* came true within *seconds*, asked *every* so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A stage whose processes end with the block."""
    built = Stage(folder)
    try:
        yield built
    finally:
        built.close()
