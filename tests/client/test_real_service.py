"""The client against the real service, on a real socket: check, report, hold, decide, resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from spotsafe.cli.main import main
from spotsafe.client.client import Client
from spotsafe.core.decision import Disposition, Status
from spotsafe.core.errors import SurfaceHeld
from spotsafe.core.receipts import HoldState
from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.keys import SCOPES, KeyRing, Principal, StoredKey, hashed
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector

KEY = "spot_administrator"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A service that knows spam when it sees it."""
    keys = KeyRing([StoredKey(Principal("shop", frozenset(SCOPES)), hashed(KEY))])
    detector = FakeDetector({"buy now": {"integrity.spam": 0.99}})
    with running(create_app(Store.open(tmp_path / "data"), detector, keys=keys)) as address:
        while httpx.get(f"{address}/readyz", trust_env=False).status_code == 503:
            pass
        yield address


@pytest.fixture
def client(url: str, declare: Callable[..., Path], client_for: Callable[..., Client]) -> Client:
    """A client of it."""
    rule = {"id": "spam", "label": "integrity.spam", "at": 0.8, "then": "hold"}
    return client_for(declare(rule, deadline="10s"), service=url, api_key=KEY, app="shop")


def test_from_check_to_release(client: Client, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The decision's event makes the hold, an administrator releases it, the product carries on."""
    faults = client.stats()["internal_faults"]
    assert client.check("s", body="hello").status is Status.CHECKED
    decision = client.check("s", body="buy now", item="7", actor="jo")
    receipt = client.hold(decision, client.policy("s"), item="7")
    with pytest.raises(SurfaceHeld):
        client.resume(receipt, body="buy now")
    assert client.flush(10.0)
    where = ["--service", url, "--api-key", KEY]
    assert main(["holds", "list", "--json", *where]) == 0
    assert [h["decision_id"] for h in json.loads(capsys.readouterr().out)["holds"]] == [decision.id]
    assert main(["holds", "release", decision.id, *where]) == 0
    assert main(["holds", "reject", decision.id, *where]) == 1
    assert client.verdict(receipt).state is HoldState.RELEASED
    resumed = client.resume(client.token(receipt), body="buy now")
    assert (resumed.id, resumed.disposition) == (decision.id, Disposition.ALLOW)
    assert client.stats()["outbox"]["items"] == 0
    assert client.stats()["internal_faults"] == faults


def test_a_wrong_key_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what the key lacks; the client fails by a closed word."""
    assert main(["holds", "list", "--service", url, "--api-key", "nonsense"]) == 2
    assert "--api-key" in capsys.readouterr().err
    client = Client(service=url, api_key="nonsense", fallback=None, environ={}, telemetry=False)
    assert client.check("anything", body="hello").status is Status.UNCHECKED
    assert client.stats()["failures"] == {"unauthorized": 1}
    client.close()
