"""``spotsafe check --service`` on recordings: ordered again where it got lost, and why there is no answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spotsafe.cli import waiting
from spotsafe.cli.main import main
from spotsafe.client.client import Client
from spotsafe.core.content import Audio, Content, Text
from spotsafe.policy.surface import SurfacePolicy
from spotsafe.testing import FakeDetector, FakeService
from spotsafe.testing.replies import MISMATCH, TOO_LARGE, UNAUTHORIZED, Reply, problem

FULL = problem(507, "insufficient-storage", "No room")._replace(retry_after=0)
FAULT = problem(500, "internal", "A fault")


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService(default=0.0) as running:
        yield running


MANIFEST = """
spotsafe: 1
team: t
owner: t@example.com
surfaces:
  {name}:
    content: {{{content}}}
    mode: {mode}
    rules:
      - {{id: toxic, label: tone.toxic, at: 0.5, then: hold}}
"""


@pytest.fixture
def client(service: FakeService, tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "m.yaml").write_text(MANIFEST.format(name="a.b", content="audio: audio", mode="enforce"))
    found = Client(
        manifests=tmp_path, service=service.url, fallback=None, telemetry=False, environ={},
        tenant_key="a key of some length",
    )  # fmt: skip
    yield found
    found.close(1)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def checked(client: Client, time: Time) -> Callable[[], waiting.Waited]:
    def call() -> waiting.Waited:
        policy: SurfacePolicy = client.policy("a.b")
        patience = waiting.Patience(10.0, time.pause, time.monotonic)
        return waiting.decided(client, policy, Content([Audio(b"RIFF", "audio")], ["en"]), patience)

    return call


def test_an_answer_needs_one_order(checked: Callable[[], waiting.Waited], service: FakeService) -> None:
    """Nothing is sent twice where nothing goes wrong."""
    found = checked()
    assert (found.state, found.message, service.jobs.orders) == ("done", None, 1)
    assert found.decision.status.word == "checked"


@pytest.mark.parametrize("reply", [FULL, FAULT])
def test_what_was_not_taken_is_ordered_again(
    checked: Callable[[], waiting.Waited], service: FakeService, time: Time, reply: Reply
) -> None:
    """After a pause, until the service takes it."""
    service.jobs.refuse(reply, times=4)
    found = checked()
    assert (found.state, service.jobs.orders) == ("done", 5)
    assert time.pauses[:1] == [1.0]


@pytest.mark.parametrize(
    ("reply", "orders", "words"),
    [
        (FULL, 7, "no room"),
        (FAULT, 5, "internal, HTTP 500"),
        (TOO_LARGE, 2, "larger than the service takes"),
        (UNAUTHORIZED, 2, "--api-key"),
        (MISMATCH, 2, "proxy"),
    ],
)
def test_what_is_never_taken_is_said_with_the_remedy(
    checked: Callable[[], waiting.Waited], service: FakeService, reply: Reply, orders: int, words: str
) -> None:
    """After few orders, fewer where the answer would be the same; the content stays held."""
    service.jobs.refuse(reply, times=99)
    found = checked()
    assert (found.state, service.jobs.orders) == ("not_taken", orders)
    assert words in (found.message or "")
    assert found.decision.disposition.word == "hold"


def test_a_job_that_gets_lost_while_it_is_waited_for_is_ordered_again(
    checked: Callable[[], waiting.Waited], service: FakeService, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service was set up anew, say: it knows nothing of it any more."""
    service.jobs.paused = True

    def lose(seconds: float) -> None:
        time.now += seconds
        if service.jobs.paused:
            service.jobs.paused = False
            service.jobs.forget(service.jobs.ids[0])

    monkeypatch.setattr(time, "pause", lose)
    assert (checked().state, service.jobs.orders) == ("done", 2)


def test_a_job_that_takes_too_long_is_left(
    checked: Callable[[], waiting.Waited], service: FakeService
) -> None:
    """With what was known at the start, and the reason."""
    service.jobs.paused = True
    found = checked()
    assert (found.state, service.jobs.orders) == ("pending", 1)
    assert "still at it after 10 seconds" in (found.message or "")


def test_a_service_that_is_gone_is_named(
    checked: Callable[[], waiting.Waited], service: FakeService, time: Time
) -> None:
    """With growing pauses in between; nothing is waited for that cannot come."""
    service.stop()
    found = checked()
    assert found.state == "not_taken"
    assert "cannot be reached" in (found.message or "")
    assert time.pauses == [1.0, 2.0, 4.0]


def test_a_text_on_a_surface_that_enforces_nothing_is_looked_at(tmp_path: Path) -> None:
    """In shadow the request is not held up; who asks at a terminal sees the scores all the same."""
    (tmp_path / "m.yaml").write_text(MANIFEST.format(name="a.b", content="body: text", mode="shadow"))
    detector = FakeDetector({"rude": {"tone.toxic": 0.9}})
    with Client(manifests=tmp_path, detector=detector, fallback=None, telemetry=False, environ={}) as client:
        found = waiting.decided(client, client.policy("a.b"), Content([Text("rude", "body")], ["en"]))
    assert found.decision.signals.score("tone.toxic") == 0.9
    assert (found.state, found.message) == (None, None)


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_says_what_became_of_the_job(
    service: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    """To people in a line, to programs in the document; exit 1, for it is held."""
    path = tmp_path / "episode.wav"
    path.write_bytes(b"RIFF....")
    service.jobs.refuse(TOO_LARGE, times=9)
    words = ["check", "--service", service.url, str(path), *(["--json"] if as_json else [])]
    assert main(words) == 1
    said = capsys.readouterr().out
    if as_json:
        job = json.loads(said)["job"]
        assert (job["state"], job["id"]) == ("not_taken", json.loads(said)["decision_id"])
        assert "larger than the service takes" in job["problem"]
    else:
        assert "larger than the service takes" in " ".join(said.split())


def test_a_job_that_was_set_aside_names_the_operators_way_out(
    checked: Callable[[], waiting.Waited], service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that has it tried again stands in the message."""
    order = service.jobs.order

    def spoilt(body: object) -> Reply:
        reply = order(body)
        service.jobs.spoil(service.jobs.ids[-1])
        return reply

    monkeypatch.setattr(service.jobs, "order", spoilt)
    found = checked()
    assert found.state == "set_aside"
    assert f"spotsafe jobs requeue {found.job_id}" in (found.message or "")
