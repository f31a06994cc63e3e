"""The real client against the real service over a socket: checked, held, released, reported."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from spotsafe.client.client import Client
from spotsafe.core.decision import Status
from spotsafe.core.errors import SurfaceHeld
from spotsafe.core.labels import LABELS
from spotsafe.core.receipts import HoldState
from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.keys import KeyRing, add_key
from spotsafe.service.store import Store
from spotsafe.testing.detector import FakeDetector

MANIFEST = """
spotsafe: 1
team: community
owner: comments@example.com
extends: baseline/public-ugc
surfaces:
  comments.create:
    about: Comments
    direction: input
    audience: public
    content: {body: text}
    deadline: 5s
    rules:
      - {id: bullying, label: harass.bullying, at: 0.5, then: hold}
"""


def test_a_comment_goes_all_the_way(tmp_path: Path) -> None:
    """One comment passes and one is held by the service's signals; a reviewer releases it; the client's
    receipt learns that; both decisions are in the adoption table under the key's application."""
    (tmp_path / "m.yaml").write_text(MANIFEST)
    keys = tmp_path / "keys"
    shop, admin = add_key(keys, "shop", ["detect", "events"]), add_key(keys, "safety", ["admin"])
    detector = FakeDetector({"go away": {"harass.bullying": 0.97}})
    app = create_app(Store.open(tmp_path / "data"), detector, keys=KeyRing.read(keys))
    reviewer = {"authorization": f"Bearer {admin}"}
    with running(app) as url, httpx.Client(base_url=url, headers=reviewer, trust_env=False) as desk:
        while desk.get("/readyz").status_code != 200:
            pass
        client = Client(
            manifests=tmp_path / "m.yaml", service=url, api_key=shop, app="shop-web",
                environment="production",
            tenant_key="a tenant key for tests", fallback=None, environ={},
        )  # fmt: skip
        try:
            passed = client.check("comments.create", body="great episode")
            held = client.check("comments.create", body="go away", item="c1")
            assert (passed.action, passed.status) == ("allow", Status.CHECKED)
            assert (held.action, held.status) == ("hold", Status.CHECKED)
            receipt = client.hold(held, client.policy("comments.create"), item="c1")
            assert client.flush(10)
            assert client.verdict(receipt).state is HoldState.PENDING
            with pytest.raises(SurfaceHeld):
                client.resume(receipt, body="go away")
            (waiting,) = desk.get("/v1/holds").json()["holds"]
            assert waiting["application"] == "shop"
            assert "comments.create#bullying" in waiting["rules"]
            desk.post(f"/v1/holds/{held.id}", json={"state": "released", "note": "irony"}).raise_for_status()
            verdict = client.verdict(receipt)
            assert (verdict.state, verdict.note) == (HoldState.RELEASED, "irony")
            (row,) = desk.get("/v1/adoption").json()["surfaces"]
            assert (row["traffic"], row["held"], row["apps"]) == (2, 1, ["shop-web"])
            assert row["declared"] is True
        finally:
            client.close(5)


def test_a_start_learns_the_reach_of_the_real_service(tmp_path: Path) -> None:
    """``GET /v1/labels`` says what the engine does not give, and its version is the one of the answers."""
    detector = FakeDetector(labels=["harass.*", "hate.*"], version="7")
    app = create_app(Store.open(tmp_path / "data"), detector)
    with running(app) as url, httpx.Client(base_url=url, trust_env=False) as desk:
        while desk.get("/readyz").status_code != 200:
            pass
        client = Client(service=url, fallback=None, telemetry=False, environ={})
        client.start()
        try:
            source = client._equipment.primary
            lacking = source.beyond
            assert lacking == {label for label in LABELS if label not in detector.capabilities().labels}
            assert "integrity.spam" in lacking
            assert client.check("anything", body="hello").status is not Status.UNCHECKED
            assert (source.beyond, source.reach_of) == (lacking, source.detector.version)
        finally:
            client.close(5)
