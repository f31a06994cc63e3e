"""Our own service, measured from outside: by its wire format and by OpenAI's shape, over the real app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause
from spotsafe.detectors.backends.openai_moderation import OpenAIModeration
from spotsafe.detectors.backends.service import ServiceDetector
from spotsafe.service.app import create_app
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech", "tone.toxic", "sexual.explicit")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[TestClient]:
    store = Store.open(tmp_path / "data")
    engine = FakeDetector({"go away": {"hate.speech": 0.8}}, labels=("hate.*", "tone.*"), kinds=("text",))
    with TestClient(create_app(store, engine)) as client:
        while client.get("/readyz").json()["engine"] == "loading":
            pass
        yield client
    store.close()


@pytest.mark.parametrize("kind", ["wire", "openai"])
def test_our_service_is_read_without_loss(app: TestClient, kind: str) -> None:
    """What the engine scores arrives; what it cannot give is missing as unsupported, by either way."""

    def relayed(request: httpx.Request) -> httpx.Response:
        found = app.post(request.url.path, content=request.content, headers=dict(request.headers))
        return httpx.Response(found.status_code, content=found.content)

    transport = httpx.MockTransport(relayed)
    url = "http://127.0.0.1"
    subject = (
        ServiceDetector(url, transport=transport)
        if kind == "wire"
        else OpenAIModeration(url=f"{url}/v1", transport=transport)
    )
    requests = [
        DetectRequest(Content([Text(text, "body")], ("en",)), LABELS) for text in ("go away", "welcome")
    ]
    bad, good = subject.detect(requests)
    assert (bad.score("hate.speech"), good.score("hate.speech")) == (0.8, 0.0)
    causes = {entry.label: entry.cause for entry in good.missing}
    assert causes["sexual.explicit"] is Cause.UNSUPPORTED
    assert (
        (good.score("tone.toxic") == 0.0) if kind == "wire" else (causes["tone.toxic"] is Cause.UNSUPPORTED)
    )
