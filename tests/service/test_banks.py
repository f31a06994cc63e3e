"""``/v1/banks``: known media kept over HTTP, by administrators, from hashes alone."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.service.keys import KeyRing, add_key

KNOWN = sha256(b"a known recording").hexdigest()
TERMS = {"label": "terror.content", "source": "a shared list"}


@pytest.fixture
def banks(service: Callable[..., TestClient], tmp_path: Path) -> TestClient:
    return service(banks=tmp_path / "banks")


def test_entries_are_added_listed_and_removed(banks: TestClient, tmp_path: Path) -> None:
    """What is added counts at once for whoever has the banks open; what is removed, no more."""
    reader = BankSet.open(tmp_path / "banks")
    done = banks.post("/v1/banks/exact", json={**TERMS, "lines": [KNOWN]})
    assert (done.status_code, done.json()) == (201, {"added": 1, "known": 0, "bad": []})
    assert [match.label for match in reader.match_bytes(bytes.fromhex(KNOWN))] == ["terror.content"]
    again = banks.post("/v1/banks/exact", json={**TERMS, "lines": [KNOWN]})
    assert (again.status_code, again.json()["known"]) == (200, 1)
    (entry,) = banks.get("/v1/banks", params={"label": "terror.content"}).json()["entries"]
    assert (entry["source"], entry["bank"]) == ("a shared list", "exact")
    assert banks.delete(f"/v1/banks/entries/{entry['id']}", params={"reason": "a mistake"}).status_code == 204
    assert reader.match_bytes(bytes.fromhex(KNOWN)) == []
    assert banks.delete(f"/v1/banks/entries/{entry['id']}").status_code == 404
    assert [change.actor for change in reader.changes()] == ["local", "local"]


def test_bad_lines_are_named_and_the_others_kept(banks: TestClient) -> None:
    """By their number, without what they hold."""
    done = banks.post("/v1/banks/exact", json={**TERMS, "lines": ["canary-7f3a", KNOWN]})
    assert done.json()["added"] == 1
    assert [line["line"] for line in done.json()["bad"]] == [1]
    assert "canary" not in done.text


@pytest.mark.parametrize(
    ("bank", "body", "status"),
    [
        ("smell", {**TERMS, "lines": [KNOWN]}, 404),
        ("exact", {**TERMS, "lines": []}, 422),
        ("exact", {**TERMS, "lines": [1]}, 422),
        ("exact", {**TERMS, "lines": [KNOWN], "expires": "soon"}, 422),
        ("exact", {**TERMS, "lines": [KNOWN], "secret": 1}, 422),
        ("exact", [], 422),
    ],
)
def test_what_cannot_be_read_is_refused(banks: TestClient, bank: str, body: Any, status: int) -> None:
    """With the remedy, as everywhere."""
    answer = banks.post(f"/v1/banks/{bank}", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_who_changed_what_is_the_key(service: Callable[..., TestClient], tmp_path: Path) -> None:
    """The log has the application, not a name that a caller gives itself."""
    keys = tmp_path / "keys"
    key = add_key(keys, "safety-team", ["admin"])
    client = service(keys=KeyRing.read(keys), banks=tmp_path / "banks")
    client.post(
        "/v1/banks/exact", json={**TERMS, "lines": [KNOWN]}, headers={"authorization": f"Bearer {key}"}
    )
    assert [change.actor for change in BankSet.open(tmp_path / "banks").changes()] == ["safety-team"]


def test_without_banks_there_is_nothing(client: TestClient) -> None:
    """And the answer says how to have some."""
    answer = client.get("/v1/banks")
    assert answer.status_code == 404
    assert "--banks" in answer.json()["detail"]
