"""The API document, the pages and the policy bundle."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from spotsafe.core.errors import PROBLEM_TYPE
from spotsafe.policy.load import load_text
from spotsafe.service.app import ROUTES
from spotsafe.service.openapi import openapi
from spotsafe.service.problems import KINDS

MANIFEST = """
spotsafe: 1
team: podcast-community
owner: comments@example.com
extends: baseline/public-ugc
surfaces:
  comments.create:
    about: Comments
    direction: input
    audience: public
    content: {body: text}
    rules:
      - {id: hate-block, label: hate.*, at: 0.85, then: block, notice: hate}
    notices: {hate: {en: "Not published.", de: "Nicht veröffentlicht."}}
"""
HOSTILE = "<script>alert(1)</script>\"'&"


class Page(HTMLParser):
    """Collects what a browser would run or load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_stand_alone(client: TestClient, path: str) -> None:
    """No script, no inline handler or style, nothing from elsewhere; the one style sheet by its hash."""
    answer = client.get(path)
    page = Page(answer.text)
    assert not {"script", "iframe", "object", "link", "form", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    links = [value or "" for name, value in page.attributes if name in ("href", "src")]
    assert all(link.startswith(("/", "#")) for link in links)
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_whatever_clients_report_is_shown_escaped(client: TestClient, clock: Any) -> None:
    """Names that clients made up appear as text, never as markup."""
    event = {
        "event_id": "01920000-0000-7000-8000-000000000001", "kind": "decision", "at": clock.time,
        "surface": HOSTILE, "team": HOSTILE, "app": HOSTILE, "environment": HOSTILE, "mode": "enforce",
        "disposition": "hold", "status": "unchecked", "latency_ms": 3.0,
    }  # fmt: skip
    drops = {
        "event_id": "01920000-0000-7000-8000-000000000002",
        "kind": "drops",
        "at": clock.time,
        "app": HOSTILE,
        "drops": {HOSTILE: 3},
    }
    assert client.post("/v1/events", json={"events": [event, drops]}).status_code == 200
    text = client.get("/").text
    assert HOSTILE not in text
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 5
    assert "unchecked 100" in text


def test_the_document_describes_exactly_the_routes() -> None:
    """Every route is documented, and nothing else is."""
    described = {(method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods}
    assert described == {(method, path) for method, path, _ in ROUTES}


def test_every_problem_is_documented_somewhere() -> None:
    """Each kind of problem appears in some operation's answers."""
    text = json.dumps(openapi())
    assert [kind.slug for kind in KINDS if f"`{PROBLEM_TYPE}{kind.slug}`" not in text] == []


def test_references_in_the_document_resolve() -> None:
    """No dangling $ref, and every schema is a valid JSON Schema."""
    document = openapi()
    schemas = document["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in schemas
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def valid(answer: Any, path: str, method: str) -> bool:
    """Whether *answer* fits what the document says of its status. Raises ValidationError."""
    document = openapi()
    stated = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]
    media_type = answer.headers["content-type"].partition(";")[0]
    schema = {**stated[media_type]["schema"], "components": document["components"]}
    if media_type.endswith("json"):
        jsonschema.validate(answer.json(), schema)
    return True


ID = "01920000-0000-7000-8000-000000000001"
HELD = {
    "event_id": ID, "kind": "decision", "at": 1.0, "surface": "s", "disposition": "hold", "status": "checked",
    "hold": {"expires": 9e9, "reason": "policy", "on_expiry": "reject"},
}  # fmt: skip
EXAMPLES = openapi()["paths"]
CALLS: list[tuple[str, str, str, Any]] = [
    (
        "post",
        "/v1/detect",
        "/v1/detect",
        EXAMPLES["/v1/detect"]["post"]["requestBody"]["content"]["application/json"]["example"],
    ),
    ("post", "/v1/detect", "/v1/detect", {}),
    ("post", "/v1/detect", "/v1/detect", [[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]),
    ("post", "/v1/moderations", "/v1/moderations", {"input": "hello"}),
    ("post", "/v1/moderations", "/v1/moderations", {"input": []}),
    ("post", "/v1/events", "/v1/events", {"events": [HELD]}),
    ("post", "/v1/events", "/v1/events", {"events": [{}]}),
    ("post", "/v1/feedback", "/v1/feedback", {"decision_id": ID, "verdict": "agree"}),
    ("get", "/v1/holds", "/v1/holds", None),
    ("get", "/v1/holds", "/v1/holds?state=x", None),
    ("get", "/v1/holds/{decision_id}", f"/v1/holds/{ID}", None),
    ("get", "/v1/holds/{decision_id}", "/v1/holds/x", None),
    ("post", "/v1/holds/{decision_id}", f"/v1/holds/{ID}", {"state": "released"}),
    ("post", "/v1/holds/{decision_id}", f"/v1/holds/{ID}", {"state": "rejected"}),
    ("get", "/v1/labels", "/v1/labels", None),
    ("get", "/v1/policies/bundle", "/v1/policies/bundle", None),
    ("get", "/v1/adoption", "/v1/adoption", None),
    ("get", "/healthz", "/healthz", None),
    ("get", "/readyz", "/readyz", None),
    ("get", "/metrics", "/metrics", None),
    ("get", "/openapi.json", "/openapi.json", None),
    ("get", "/docs", "/docs", None),
    ("get", "/", "/", None),
]


def test_answers_fit_the_document(client: TestClient) -> None:
    """Good answers and refusals of every route validate against what the document says of their status."""
    for method, path, url, body in CALLS:
        answer = (
            client.request(method.upper(), url, json=body)
            if body is not None
            else client.request(method.upper(), url)
        )
        assert valid(answer, path, method)


@pytest.fixture
def bundled(service: Callable[..., TestClient], clock: Any) -> TestClient:
    return service(policies=load_text({"team.yaml": MANIFEST}, now=clock.time))


def test_the_bundle_is_canonical_and_tagged(bundled: TestClient) -> None:
    """Equal policies give equal bytes and a strong ETag over them; thresholds and rules are in it."""
    first, second = bundled.get("/v1/policies/bundle"), bundled.get("/v1/policies/bundle")
    assert first.content == second.content
    assert first.headers["etag"] == f'"{sha256(first.content).hexdigest()[:32]}"'
    surface = first.json()["surfaces"]["comments.create"]
    assert surface["team"] == "podcast-community"
    assert any(rule["id"] == "hate-block" and rule["at"] == 0.85 for rule in surface["rules"])
    canonical = json.dumps(first.json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical.encode() == first.content


@pytest.mark.parametrize(
    ("stated", "status"),
    [("{tag}", 304), ("W/{tag}", 304), ('"x", {tag}', 304), ("*", 304), ('"x"', 200), ("", 200)],
)
def test_who_has_the_bundle_gets_304(bundled: TestClient, stated: str, status: int) -> None:
    """If-None-Match is honoured, without a body."""
    tag = bundled.get("/v1/policies/bundle").headers["etag"]
    answer = bundled.get("/v1/policies/bundle", headers={"if-none-match": stated.format(tag=tag)})
    assert answer.status_code == status
    assert answer.headers["etag"] == tag
    assert (status == 304) is (answer.content == b"")


def test_the_bundle_is_read_only(bundled: TestClient) -> None:
    """Nothing can be put there."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert bundled.request(method, "/v1/policies/bundle", json={}).status_code == 405


def test_without_manifests_there_is_no_bundle(client: TestClient) -> None:
    """The remedy is named."""
    answer = client.get("/v1/policies/bundle")
    assert answer.status_code == 404
    assert "--manifests" in answer.json()["detail"]
