"""Bad bodies of every kind: a clear refusal, nothing of the input in it, never a 500."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.limits import Limits

CANARY = "kanarienvogel-4711"
JSON = {"content-type": "application/json"}
POSTS = ("/v1/detect", "/v1/moderations", "/v1/events", "/v1/feedback")
PREFIX = "urn:spotsafe:problem:"


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


MALFORMED = {
    "empty": b"",
    "not json": CANARY.encode(),
    "half an object": b'{"items": [',
    "not utf-8": b'{"items": "' + CANARY.encode() + b'\xff\xfe"}',
    "utf-16": '{"items": []}'.encode("utf-16"),
    "nan": b'{"items": NaN}',
    "infinity": b'{"items": -Infinity}',
    "overflowing float": b'{"items": 1e999}',
    "huge integer": b'{"items": ' + b"9" * 5000 + b"}",
    "duplicate name": f'{{"{CANARY}": 1, "{CANARY}": 2}}'.encode(),
    "deep": nested(60),
    "very deep": nested(30_000),
    "deep objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "half a surrogate pair": f'{{"items": "{CANARY}\\ud800"}}'.encode(),
    "half a surrogate pair in a name": f'{{"{CANARY}\\udc00": 1}}'.encode(),
    "control character": b'{"items": "\x00"}',
    "trailing text": b"{} " + CANARY.encode(),
}


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_json_is_refused_everywhere(client: TestClient, path: str, name: str) -> None:
    """Whatever cannot be read as strict JSON is a 400 that shows nothing of it."""
    answer = client.post(path, content=MALFORMED[name], headers=JSON)
    assert answer.status_code == 400
    assert CANARY not in answer.text
    if path == "/v1/moderations":
        assert answer.json()["error"]["type"] == "invalid_request_error"
    else:
        assert answer.json()["type"] == PREFIX + "malformed-body"
        assert answer.headers["content-type"] == "application/problem+json"


def test_too_many_values_are_refused(client: TestClient) -> None:
    """The number of values is bounded as well as the bytes."""
    answer = client.post("/v1/detect", content=b"[" + b"0," * 200_000 + b"0]", headers=JSON)
    assert answer.status_code == 400


def one_part(**part: object) -> dict[str, object]:
    return {"items": [{"id": "1", "parts": [part]}]}


WRONG_SHAPES: dict[str, tuple[object, str]] = {
    "array": ([], ""),
    "no items": ({}, "/items"),
    "items not an array": ({"items": {CANARY: 1}}, "/items"),
    "no item": ({"items": []}, "/items"),
    "too many items": ({"items": [{"id": str(n), "parts": []} for n in range(257)]}, "/items"),
    "item not an object": ({"items": [CANARY]}, "/items/0"),
    "unknown field": ({"items": [], CANARY: 1}, ""),
    "no id": ({"items": [{"parts": [{"type": "text", "text": CANARY}]}]}, "/items/0/id"),
    "id twice": ({"items": [{"id": "1", "parts": [{"type": "text", "text": CANARY}]}] * 2}, "/items/1/id"),
    "long id": ({"items": [{"id": "x" * 201, "parts": [{"type": "text", "text": CANARY}]}]}, "/items/0/id"),
    "no parts": ({"items": [{"id": "1", "parts": []}]}, "/items/0/parts"),
    "unknown type": ({"items": [{"id": "1", "parts": [{"type": CANARY}]}]}, "/items/0/parts/0/type"),
    "text a number": (one_part(type="text", text=5), "/items/0/parts/0/text"),
    "not base64": (one_part(type="image", data=CANARY + "!"), "/items/0/parts/0/data"),
    "data not ascii": (one_part(type="image", data="ä"), "/items/0/parts/0/data"),
    "unknown label": ({"items": [], "labels": [CANARY]}, "/labels/0"),
    "no label": ({"items": [], "labels": []}, "/labels"),
    "too many languages": (
        {"items": [{"id": "1", "languages": ["en"] * 21, "parts": [{"type": "text", "text": ""}]}]},
        "/items/0/languages",
    ),
    "long name": (one_part(type="text", text="", name="n" * 201), "/items/0/parts/0"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_a_wrong_shape_names_the_place(client: TestClient, name: str) -> None:
    """A body of the wrong shape is a 422 with the JSON pointer of the place and nothing of the value."""
    body, pointer = WRONG_SHAPES[name]
    answer = client.post("/v1/detect", json=body)
    assert answer.status_code == 422
    assert answer.json()["pointer"] == pointer
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
)
@pytest.mark.parametrize("path", POSTS)
def test_other_media_types_are_refused(client: TestClient, path: str, media_type: str) -> None:
    """Only application/json is read: a form posted by a foreign web page is not."""
    answer = client.post(path, content=b"{}", headers={"content-type": media_type} if media_type else {})
    assert answer.status_code == 415


def test_json_with_a_charset_is_read(client: TestClient) -> None:
    """Parameters and letter case of the media type do not matter."""
    body = {"items": [{"id": "1", "parts": [{"type": "text", "text": "hi"}]}], "labels": ["hate.*"]}
    headers = {"content-type": "Application/JSON; charset=UTF-8"}
    assert client.post("/v1/detect", content=json.dumps(body), headers=headers).status_code == 200


def gzipped(data: bytes, **headers: str) -> dict[str, object]:
    return {"content": data, "headers": {**JSON, "content-encoding": "gzip", **headers}}


GOOD = json.dumps(
    {"items": [{"id": "1", "parts": [{"type": "text", "text": "hi"}]}], "labels": ["hate.*"]}
).encode()
GZIP = {
    "good": (gzip.compress(GOOD), 200),
    "truncated": (gzip.compress(GOOD)[:-6], 400),
    "damaged": (gzip.compress(GOOD)[:12] + b"xxxxxx" + gzip.compress(GOOD)[18:], 400),
    "not gzip": (GOOD, 400),
    "two members": (gzip.compress(GOOD) * 2, 400),
    "bomb": (gzip.compress(b" " * 20_000_000), 413),
    "empty": (b"", 400),
}


@pytest.mark.parametrize("name", GZIP)
def test_gzip_is_read_within_the_bound(client: TestClient, name: str) -> None:
    """A compressed body is read, a damaged one refused, and a bomb stopped at the size limit."""
    data, status = GZIP[name]
    assert client.post("/v1/detect", **gzipped(data)).status_code == status


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused_with_what_is_taken(client: TestClient, encoding: str) -> None:
    """An encoding that is not spoken is a 415 that names those that are."""
    headers = {**JSON, "content-encoding": encoding}
    answer = client.post("/v1/detect", content=zlib.compress(GOOD), headers=headers)
    assert answer.status_code == 415
    assert "gzip" in answer.headers["accept-encoding"]


@pytest.fixture
def small(service: Callable[..., TestClient]) -> TestClient:
    return service(limits=Limits(detect_bytes=1000, events_bytes=1000, small_bytes=1000))


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(small: TestClient, path: str, chunked: bool) -> None:
    """More than the limit is a 413, with and without a Content-Length."""

    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    answer = small.post(path, content=chunks() if chunked else b" " * 2000, headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "99999999999999999999999"])
def test_strange_content_lengths_do_no_harm(small: TestClient, length: str) -> None:
    """A Content-Length that is no sensible number is not believed."""
    headers = {**JSON, "content-length": length.encode("utf-8")}
    answer = small.post("/v1/detect", content=GOOD, headers=headers)
    assert answer.status_code in (200, 400, 413)


def test_all_bodies_together_are_bounded(service: Callable[..., TestClient]) -> None:
    """When the memory for bodies is used up, a new body is a 503 with Retry-After."""
    client = service(limits=Limits(buffered_bytes=50))
    answer = client.post("/v1/detect", content=b" " * 60, headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert client.get("/healthz").status_code == 200


def test_a_dripping_body_is_given_up(store, detector) -> None:
    """A caller that does not finish its body within the limit gets a 408."""
    app = create_app(store, detector, limits=Limits(body_seconds=0.2))
    with running(app) as url, connected(url) as caller:
        caller.sendall(head("content-length: 100"))
        caller.sendall(b'{"items"')
        assert received(caller).startswith(b"HTTP/1.1 408")


def test_a_caller_that_dies_in_its_body_does_no_harm(store, detector) -> None:
    """A connection that is reset half-way leaves the service answering, and no fault behind."""
    app = create_app(store, detector)
    with running(app) as url:
        caller = connected(url)
        caller.sendall(head("content-length: 100") + b"{")
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.close()
        with connected(url) as other:
            other.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            assert received(other).startswith(b"HTTP/1.1 200")
        assert app.state.service.faults.counts == {}
        assert app.state.service.budget.used <= 1


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def head(*headers: str) -> bytes:
    lines = ["POST /v1/detect HTTP/1.1", "host: localhost", "content-type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def received(caller: socket.socket) -> bytes:
    return caller.recv(65536)


def _values() -> st.SearchStrategy[object]:
    words = st.sampled_from(
        [CANARY, "text", "image", "hate.*", "input", "", "1", "decision", "pending", "\u0000"]
    )
    names = st.sampled_from(
        [CANARY, "items", "id", "parts", "type", "text", "data", "labels", "languages", "context", "input",
         "image_url", "url", "events", "event_id", "kind", "at", "surface", "hold", "decision_id", "verdict"]
    )  # fmt: skip
    leaves = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
        max_leaves=25,
    )


@pytest.mark.parametrize("path", POSTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_values())
def test_any_json_is_answered_without_fault_or_echo(client: TestClient, path: str, value: object) -> None:
    """Whatever JSON comes: no internal fault, and a refusal never repeats a word of it."""
    answer = client.post(path, content=json.dumps(value), headers=JSON)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)


@pytest.mark.parametrize("path", POSTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), zipped=st.booleans())
def test_any_bytes_are_answered_without_fault(
    client: TestClient, path: str, data: bytes, zipped: bool
) -> None:
    """Whatever bytes come, plain or said to be compressed: a refusal, never a fault."""
    headers = {**JSON, "content-encoding": "gzip"} if zipped else JSON
    assert 400 <= client.post(path, content=data, headers=headers).status_code < 500


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tail=st.text(max_size=30), query=st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)
)
def test_any_path_and_query_is_answered_without_fault(
    client: TestClient, tail: str, query: dict[str, str]
) -> None:
    """Paths and queries of any kind are refused or answered; they are never repeated."""
    for path in ("/", "/v1/holds/", "/v1/", "/docs/"):
        answer = client.get(client.base_url.copy_with(path=path + CANARY), params={**query, "state": CANARY})
        assert answer.status_code < 500
        assert CANARY not in answer.text
    assert client.get("/v1/holds", params={"limit": tail, "after": tail}).status_code in (200, 400)
    assert client.get("/v1/adoption", params={"days": tail, "environment": tail}).status_code in (200, 400)


VALID: dict[str, object] = {
    "/v1/detect": {
        "items": [{"id": "1", "parts": [{"name": "b", "type": "text", "text": "hi"}],
        "languages": ["en"], "context": {}}],
        "labels": ["hate.*"],
    },
    "/v1/moderations": {
        "model": "m",
        "input": [
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        ],
    },
    "/v1/events": {
        "events": [
            {"event_id": "01920000-0000-7000-8000-000000000001", "kind": "decision", "at": 1.0,
            "surface": "s",
             "disposition": "hold", "status": "checked", "reasons": [{"rule": "r"}],
             "would": {"disposition": "block"},
             "hold": {"expires": 1.0, "reason": "policy", "on_expiry": "reject"}}
        ]
    },
    "/v1/feedback": {"decision_id": "01920000-0000-7000-8000-000000000001", "verdict": "agree",
    "label": "hate.speech"},
}  # fmt: skip


def _places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield path
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in members:
        yield from _places(inner, (*path, key))


def _changed(value: object, path: tuple[object, ...], new: object) -> object:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    copy[path[0]] = _changed(copy[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("path", POSTS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_good_body_with_one_wrong_place_does_no_harm(
    client: TestClient, path: str, data: st.DataObject
) -> None:
    """Wherever one value of a good body is replaced by another: an answer or a refusal without echo."""
    place = data.draw(st.sampled_from(list(_places(VALID[path]))))
    answer = client.post(path, json=_changed(VALID[path], place, data.draw(_values())))
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert CANARY not in answer.text
