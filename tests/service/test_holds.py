"""``/v1/holds``: opened by decision events, decided once, ended by the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from spotsafe.service import holdings
from spotsafe.service.event_records import read_event
from spotsafe.service.keys import KeyRing, StoredKey, checked_principal, hashed
from spotsafe.service.store import Store

START = 1_800_000_000.0
DIGEST = "cd" * 32


def hold_id(number: int) -> str:
    return f"01920000-0000-7000-8000-{number:012x}"


def held(number: int = 1, *, ttl: float = 3600.0, on_expiry: str = "reject", **fields: Any) -> dict[str, Any]:
    return {
        "event_id": hold_id(number), "kind": "decision", "at": START + number, "surface": "comments.create",
        "team": "community", "environment": "production", "disposition": "hold", "status": "checked",
        "content": DIGEST, "item": DIGEST, "reasons": [{"rule": "comments.create#x", "label": "hate.speech"}],
        "hold": {"expires": START + ttl, "reason": "policy", "on_expiry": on_expiry}, **fields,
    }  # fmt: skip


def deliver(client: TestClient, *events: dict[str, Any], key: str = "") -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = client.post("/v1/events", json={"events": list(events)}, headers=headers)
    assert answer.status_code == 200, answer.text


def test_a_held_decision_opens_a_pending_hold(client: TestClient) -> None:
    """The hold says where it stands, for which content, until when and why."""
    deliver(client, held())
    found = client.get(f"/v1/holds/{hold_id(1)}").json()
    expected = {
        "decision_id": hold_id(1), "surface": "comments.create", "digest": DIGEST, "state": "pending",
        "decided_at": None, "note": None, "expires": START + 3600.0, "reason": "policy",
    }  # fmt: skip
    assert expected.items() <= found.items()


def test_a_decision_without_hold_opens_none(client: TestClient) -> None:
    """Only events that carry a hold open one."""
    deliver(client, held(1, hold=None))
    answer = client.get(f"/v1/holds/{hold_id(1)}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:spotsafe:problem:not-found"


@pytest.mark.parametrize("unknown", ["nothing", hold_id(9), hold_id(9).upper(), "%00", "..", "a" * 500])
def test_an_unknown_hold_is_not_found(client: TestClient, unknown: str) -> None:
    """Ids of any kind that name no hold are a 404 for reading and for deciding."""
    assert client.get(f"/v1/holds/{unknown}").status_code in (404, 405)
    assert client.post(f"/v1/holds/{unknown}", json={"state": "released"}).status_code in (404, 405)


@pytest.mark.parametrize("state", ["released", "rejected"])
def test_a_pending_hold_is_decided_once(client: TestClient, clock: Any, state: str) -> None:
    """The decision is kept with time, note and who; repeated it is answered alike; another is a 409."""
    deliver(client, held())
    clock.time += 60
    decided = client.post(f"/v1/holds/{hold_id(1)}", json={"state": state, "note": "seen"})
    assert decided.status_code == 200
    assert (decided.json()["state"], decided.json()["note"]) == (state, "seen")
    assert decided.json()["decided_at"] == clock.time
    assert decided.json()["decided_by"] == "local"
    clock.time += 60
    again = client.post(f"/v1/holds/{hold_id(1)}", json={"state": state})
    assert again.json() == decided.json()
    other = client.post(
        f"/v1/holds/{hold_id(1)}", json={"state": "released" if state == "rejected" else "rejected"}
    )
    assert other.status_code == 409


def test_delivering_the_event_again_does_not_reopen(client: TestClient) -> None:
    """A decided hold stays decided when its event is delivered once more."""
    deliver(client, held())
    client.post(f"/v1/holds/{hold_id(1)}", json={"state": "rejected"})
    deliver(client, held())
    assert client.get(f"/v1/holds/{hold_id(1)}").json()["state"] == "rejected"


@pytest.mark.parametrize(("on_expiry", "state"), [("reject", "expired"), ("release", "released")])
def test_the_clock_ends_a_hold(client: TestClient, clock: Any, on_expiry: str, state: str) -> None:
    """At its end a pending hold is expired, or released where the surface said so; then nobody decides."""
    deliver(client, held(on_expiry=on_expiry))
    clock.time = START + 3599.9
    assert client.get(f"/v1/holds/{hold_id(1)}").json()["state"] == "pending"
    clock.time = START + 3600.0
    found = client.get(f"/v1/holds/{hold_id(1)}").json()
    assert (found["state"], found["decided_at"]) == (state, START + 3600.0)
    assert client.post(f"/v1/holds/{hold_id(1)}", json={"state": "rejected"}).status_code == 409
    listed = client.get("/v1/holds", params={"state": state}).json()["holds"]
    assert [entry["decision_id"] for entry in listed] == [hold_id(1)]
    assert client.get("/v1/holds").json()["holds"] == []


def test_holds_are_listed_oldest_first_page_by_page(client: TestClient) -> None:
    """Every hold of a state appears on exactly one page, in order of age."""
    deliver(client, *(held(number) for number in (5, 3, 1, 4, 2)))
    seen: list[str] = []
    after = None
    while True:
        page = client.get("/v1/holds", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [entry["decision_id"] for entry in page["holds"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [hold_id(number) for number in range(1, 6)]


@pytest.mark.parametrize(
    "query",
    ["state=open", "limit=0", "limit=501", "limit=000100501", "limit=x", "limit=-1", "limit=٣", "after=1"],
)
def test_a_wrong_query_is_a_400(client: TestClient, query: str) -> None:
    """Each parameter says what it takes."""
    assert client.get(f"/v1/holds?{query}").status_code == 400


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({}, "/state"),
        ({"state": "pending"}, "/state"),
        ({"state": "expired"}, "/state"),
        ({"state": "released", "note": 5}, "/note"),
        ({"state": "released", "note": "x" * 1001}, "/note"),
        ({"state": "released", "extra": 1}, ""),
    ],
)
def test_a_wrong_decision_names_the_place(client: TestClient, body: object, pointer: str) -> None:
    """A decision of the wrong shape is a 422 and decides nothing."""
    deliver(client, held())
    answer = client.post(f"/v1/holds/{hold_id(1)}", json=body)
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)
    assert client.get(f"/v1/holds/{hold_id(1)}").json()["state"] == "pending"


def test_of_two_reviewers_exactly_one_decides(store: Store) -> None:
    """Concurrent contrary decisions: one wins, the other is told."""
    store.add_events([read_event(held(), most=9999)], "a", START)
    won: list[str] = []

    def decide(state: str) -> None:
        with store.writing() as connection:
            if holdings.decide(connection, hold_id(1), state, note=None, by=state, now=START):
                won.append(state)

    threads = [threading.Thread(target=decide, args=(state,)) for state in ["released", "rejected"] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_keys_see_their_own_holds_and_admins_decide(service: Callable[..., TestClient]) -> None:
    """An application reads its own holds without reviewers' details; others find nothing; only admin
    lists and decides."""
    named = {"shop": ["events"], "other": ["events"], "safety": ["admin"]}
    keys = [StoredKey(checked_principal(name, scopes, ""), hashed(name)) for name, scopes in named.items()]
    client = service(keys=KeyRing(keys))
    deliver(client, held(), key="shop")

    def get(path: str, key: str) -> Any:
        return client.get(path, headers={"authorization": f"Bearer {key}"})

    mine = get(f"/v1/holds/{hold_id(1)}", "shop")
    assert mine.status_code == 200
    assert "rules" not in mine.json()
    assert get(f"/v1/holds/{hold_id(1)}", "other").status_code == 404
    assert get(f"/v1/holds/{hold_id(1)}", "safety").json()["rules"] == ["comments.create#x"]
    assert get("/v1/holds", "shop").status_code == 403
    decide = {"url": f"/v1/holds/{hold_id(1)}", "json": {"state": "released"}}
    assert client.post(**decide, headers={"authorization": "Bearer shop"}).status_code == 403
    assert client.post(**decide, headers={"authorization": "Bearer safety"}).json()["decided_by"] == "safety"
