"""``/v1/shadow``: two engines on the service's traffic."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from spotsafe.detectors.shadow import ShadowDetector
from spotsafe.service.serve import Engine, service_app
from spotsafe.testing import FakeDetector


def test_the_comparison_is_there_for_whoever_decides(service: Callable[..., TestClient]) -> None:
    """Callers get the live engine's answer; the counts tell how the other differs."""
    live = FakeDetector({"bad": {"tone.toxic": 0.9}}, id="live")
    detector = ShadowDetector(live, FakeDetector(id="next", version="2"))
    client = service(detector=detector)
    item = {"id": "1", "parts": [{"name": "body", "type": "text", "text": "bad"}]}
    answer = client.post("/v1/detect", json={"items": [item], "labels": ["tone.toxic"]})
    assert answer.json()["results"][0]["signals"][0]["score"] == 0.9
    detector.drain()
    report = client.get("/v1/shadow").json()
    (toxic,) = report["labels"]
    assert (toxic["label"], toxic["first"], toxic["compared"]) == ("tone.toxic", 1, 1)
    detector.close()


def test_the_versions_of_a_registry_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the start in the log, beside the comparison, and on the overview."""
    detector = ShadowDetector(FakeDetector(id="live"), FakeDetector(id="next", version="2"))
    made_of = Engine(registered={"live": "v3", "shadow": "v4"})
    with caplog.at_level(logging.INFO, "spotsafe.service"):
        app = service_app("127.0.0.1", tmp_path / "d", None, detector=detector, made_of=made_of)
    assert "registry: text live v3, shadow v4" in caplog.messages
    with TestClient(app, base_url="http://localhost") as client:
        while client.get("/readyz").status_code != 200:
            pass
        assert client.get("/v1/shadow").json()["registry"] == {"live": "v3", "shadow": "v4"}
        assert "registry: text live v3, shadow v4" in client.get("/").text
    detector.close()


def test_without_a_shadow_there_is_nothing(client: TestClient) -> None:
    """And the answer says how to get one."""
    answer = client.get("/v1/shadow")
    assert answer.status_code == 404
    assert "--shadow" in answer.json()["detail"]
