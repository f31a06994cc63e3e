"""``/v1/shadow``: two engines on the service's traffic."""

from __future__ import annotations

from collections.abc import Callable

from starlette.testclient import TestClient

from spotsafe.detectors.shadow import ShadowDetector
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


def test_without_a_shadow_there_is_nothing(client: TestClient) -> None:
    """And the answer says how to get one."""
    answer = client.get("/v1/shadow")
    assert answer.status_code == 404
    assert "--shadow" in answer.json()["detail"]
