"""One table, two drivers: each test here runs through ``check`` and through ``acheck``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spotsafe.client.client import Client
from spotsafe.core.decision import Decision
from spotsafe.testing import FakeDetector, FakeService

MANIFEST = """
spotsafe: 1
team: resilience
owner: team@example.com
surfaces:
  patient:
    about: Time enough for every answer
    direction: input
    audience: public
    content: {body: text, title: {type: text, optional: true}}
    languages: [en]
    deadline: 10s
    cache: {ttl: 10m, stale: 1h}
    rules: &r
      - {id: spam, label: integrity.spam, at: 0.85, then: block}
      - {id: attack, label: ai.prompt_attack, at: 0.85, then: block}
      - {id: pii, label: privacy.pii_exposure, at: 0.5, then: redact}
    on_failure: {default: hold}
  hasty:
    about: A deadline that what hangs runs into
    direction: input
    audience: public
    content: {body: text}
    languages: [en]
    deadline: 150ms
    cache: {ttl: 10m, stale: 1h}
    rules:
      - {id: spam, label: integrity.spam, at: 0.85, then: block}
    on_failure: {default: hold}
  uncached:
    about: Every check is a question
    direction: input
    audience: public
    content: {body: text}
    languages: [en]
    deadline: 10s
    cache: {ttl: 0s, stale: 0s}
    rules:
      - {id: spam, label: integrity.spam, at: 0.85, then: block}
    on_failure: {default: hold}
  unseen:
    about: Nothing is enforced
    direction: input
    audience: public
    content: {body: text}
    languages: [en]
    deadline: 10s
    mode: shadow
    rules:
      - {id: spam, label: integrity.spam, at: 0.85, then: block}
  later:
    about: Checked afterwards
    direction: input
    audience: public
    content: {body: text, clip: {type: audio, optional: true}}
    languages: [en]
    deadline: async
    cache: {ttl: 10m, stale: 1h}
    rules:
      - {id: spam, label: integrity.spam, at: 0.85, then: block}
""".replace("rules: &r", "rules:")

Ask = Callable[..., Decision]


class Engine(FakeDetector):
    """A local engine: in process and quick."""

    inline = True


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Check through one of the two drivers; each async check has a loop of its own."""

    def sync(client: Client, surface: str = "patient", **content: Any) -> Decision:
        return client.check(surface, **content)

    def asynchronous(client: Client, surface: str = "patient", **content: Any) -> Decision:
        return asyncio.run(client.acheck(surface, **content))

    return sync if request.param == "sync" else asynchronous


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The surfaces of these tests."""
    path = tmp_path / "surfaces.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A service that finds nothing until the test says otherwise."""
    with FakeService() as running:
        yield running


@pytest.fixture
def engine() -> Engine:
    """The local engine behind the service."""
    return Engine(id="local.text")


@pytest.fixture
def client_for(manifest: Path) -> Iterator[Callable[..., Client]]:
    """Makes started clients, and closes them."""
    made: list[Client] = []

    def make(**options: Any) -> Client:
        settings: dict[str, Any] = {
            "manifests": manifest, "telemetry": False, "environ": {}, "tenant_key": "0" * 32,
            "fallback": None,
        }  # fmt: skip
        client = Client(**{**settings, **options})
        client.start()
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(1.0)
