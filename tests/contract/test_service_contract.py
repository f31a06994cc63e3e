"""One table of requests against the real service and the fake one: same status, shape and problem.

The fake ships as product, so what tests learn from it must hold for the real service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest

from spotsafe.core.ids import keyed
from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.keys import SCOPES, KeyRing, Principal, StoredKey, hashed
from spotsafe.service.store import Store
from spotsafe.testing.detector import FakeDetector
from spotsafe.testing.service import FakeService

KEY = "spot_contract"
DIGEST = keyed(b"key", "content", "text")


def event_id(number: int) -> str:
    return f"01920000-0000-7000-8000-{number:012x}"


def decision(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": event_id(number), "kind": "decision", "at": 1_800_000_000.0, "app": "shop",
        "environment": "test", "instance": "i", "sdk": "0.1.0", "surface": "comments.create",
        "team": "t", "disposition": "hold", "effects": [], "status": "checked", "content": DIGEST,
        "latency_ms": 1.0, **fields,
    }  # fmt: skip


TEXT = {"name": "body", "type": "text", "text": "hello"}
ITEM = {"id": "1", "parts": [TEXT]}


class Request(NamedTuple):
    """One line of the table; *body* is JSON, or bytes sent as they are. *before* are sent first."""

    method: str
    path: str
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    before: tuple[Any, ...] = ()


def events(*batch: Any) -> Request:
    return Request("POST", "/v1/events", {"events": list(batch)})


def detect(body: Any, status: int = 200, **headers: str) -> Request:
    return Request("POST", "/v1/detect", body, status, {k.replace("_", "-"): v for k, v in headers.items()})


def held(number: int) -> Request:
    """Each line that needs a hold has one of its own."""
    return events(decision(number, hold={"expires": 4e9, "reason": "policy", "on_expiry": "reject"}))


def hold(number: int) -> Request:
    return Request("GET", f"/v1/holds/{event_id(number)}")


def decided(number: int, state: str, status: int = 200) -> Request:
    return Request("POST", f"/v1/holds/{event_id(number)}", {"state": state, "note": "fine"}, status)


TABLE = {
    "one item": detect({"items": [ITEM], "labels": ["hate.*"]}),
    "languages, context, provenance": detect(
        {
            "items": [
                {
                    **ITEM,
                    "languages": ["en"],
                    "context": {"a": 1},
                    "parts": [{**TEXT, "provenance": "generated"}],
                }
            ]
        }
    ),
    "many items": detect({"items": [{**ITEM, "id": str(n)} for n in range(1, 20)], "labels": ["tone.toxic"]}),
    "a picture": detect(
        {
            "items": [{"id": "1", "parts": [{"name": "p", "type": "image", "data": "aGk="}]}],
            "labels": ["sexual.*"],
        }
    ),
    "this wire version": detect({"items": [ITEM], "labels": ["hate.*"]}, spotsafe_wire="1"),
    "a later wire version": detect({"items": [ITEM]}, 400, spotsafe_wire="99"),
    "not json": detect(b"{", 400),
    "not utf-8": detect(b'"\xff"', 400),
    "nested too deep": detect(b"[" * 10_000 + b"]" * 10_000, 400),
    "an array": detect([], 422),
    "no items": detect({"items": []}, 422),
    "an unknown type": detect({"items": [{"id": "1", "parts": [{"type": "smell"}]}]}, 422),
    "an unknown label": detect({"items": [ITEM], "labels": ["no.such"]}, 422),
    "an unknown field": detect({"items": [ITEM], "x": 1}, 422),
    "no key": detect({"items": [ITEM]}, 401, authorization=""),
    "a wrong key": detect({"items": [ITEM]}, 401, authorization="Bearer nonsense"),
    "an unknown path": Request("POST", "/v1/nothing", {}, 404),
    "events": events(decision(5), decision(6)),
    "events again": events(decision(5), decision(6))._replace(before=(events(decision(5)),)),
    "no events": events(),
    "events not an array": Request("POST", "/v1/events", {"events": {}}, 422),
    "too many events": events(*(decision(n) for n in range(501)))._replace(status=422),
    "an event without id": events({"kind": "decision"})._replace(status=422),
    "a pending hold": hold(21)._replace(before=(held(21),)),
    "an unknown hold": hold(99)._replace(status=404),
    "a list of holds": Request("GET", "/v1/holds?state=pending", before=(held(22),)),
    "an empty list of holds": Request("GET", "/v1/holds?state=expired"),
    "a release": decided(23, "released")._replace(before=(held(23),)),
    "a released hold": hold(24)._replace(before=(held(24), decided(24, "released"))),
    "a release twice": decided(25, "released")._replace(before=(held(25), decided(25, "released"))),
    "a change of mind": decided(26, "rejected", 409)._replace(before=(held(26), decided(26, "released"))),
    "a wrong state": decided(27, "open", 422)._replace(before=(held(27),)),
    "a decision on nothing": decided(99, "released", 404),
    "health": Request("GET", "/healthz"),
    "readiness": Request("GET", "/readyz"),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One service for the whole table: statuses and shapes do not depend on what other lines left."""
    keys = KeyRing([StoredKey(Principal("contract", frozenset(SCOPES)), hashed(KEY))])
    app = create_app(Store.open(tmp_path_factory.mktemp("data")), FakeDetector(), keys=keys)
    with running(app) as url:
        while httpx.get(f"{url}/readyz", trust_env=False).status_code == 503:
            pass
        yield url


@pytest.fixture
def fake() -> Iterator[str]:
    with FakeService(api_key=KEY) as service:
        yield service.url


def sent(url: str, request: Request) -> httpx.Response:
    """The answer to *request*, after those that come before it."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json", **request.headers}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        answers = [
            client.request(
                r.method,
                r.path,
                content=r.body if isinstance(r.body, bytes) else _json(r.body),
                headers=r.headers,
            )
            for r in (*request.before, request)
        ]
    return answers[-1]


def _json(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def shape(value: Any) -> Any:
    """The structure of a JSON value: names and kinds; of a list its first element stands for all."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def contains(whole: Any, part: Any) -> bool:
    """Whether the structure *whole* has at least what *part* has: what the fake shows, the real one has."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(name in whole and contains(whole[name], inner) for name, inner in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return not part or not whole or contains(whole[0], part[0])
    return bool(whole == part)


@pytest.mark.parametrize("name", TABLE)
def test_the_real_service_answers_as_the_table_says(real: str, name: str) -> None:
    """The real half."""
    assert sent(real, TABLE[name]).status_code == TABLE[name].status


@pytest.mark.parametrize("name", TABLE)
def test_the_fake_answers_as_the_real_service(real: str, fake: str, name: str) -> None:
    """Same status and media type; the same problem at the same place; and nothing in the fake's answer that
    the real one does not have."""
    request = TABLE[name]
    ours, theirs = sent(real, request), sent(fake, request)
    assert theirs.status_code == ours.status_code
    assert theirs.headers["content-type"] == ours.headers["content-type"]
    if ours.status_code == 200:
        assert contains(shape(ours.json()), shape(theirs.json()))
        return
    for member in ("type", "title", "status", "pointer"):
        assert theirs.json().get(member) == ours.json().get(member)


def test_scores_go_through_both_alike(real: str, fake: str) -> None:
    """What was asked for is answered for, by label and part, in both."""

    def told(url: str) -> set[tuple[str, str]]:
        body = {
            "items": [{"id": "1", "parts": [TEXT, {**TEXT, "name": "title"}]}],
            "labels": ["hate.*", "tone.*"],
        }
        (result,) = sent(url, detect(body)).json()["results"]
        return {(entry["label"], entry["part"]) for entry in (*result["signals"], *result["missing"])}

    assert told(real) == told(fake)
