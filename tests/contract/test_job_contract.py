"""One table of jobs against the real service and the fake one: same status, same problem, same answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import pytest

from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.ids import uuid7
from spotsafe.core.jobs import encode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.limits import Limits
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector, FakeService

SONG, OTHER = b"a song of birds", b"a song of trees"
DIGEST = "ab" * 32
_random = Random(7)

Step = Callable[[httpx.Client, str], httpx.Response]


def order(recording: bytes = SONG, title: str = "a title", digest: str = DIGEST) -> Step:
    wanted = DetectRequest(
        Content([Text(title, "title"), Audio(recording, "episode")]), ("hate.speech", "tone.toxic")
    )
    return lambda client, job: client.post("/v1/jobs", json=encode_order(job, wanted, digest))


def without(*names: str) -> Step:
    def send(client: httpx.Client, job: str) -> httpx.Response:
        body = encode_order(job, DetectRequest(Content([Text("t", "t")]), ("hate.speech",)))
        return client.post("/v1/jobs", json={name: body[name] for name in body if name not in names})

    return send


def put(data: bytes = SONG, position: str = "1") -> Step:
    return lambda client, job: client.put(f"/v1/jobs/{job}/parts/{position}", content=data)


def show() -> Step:
    return lambda client, job: client.get(f"/v1/jobs/{job}")


def post(body: Any) -> Step:
    return lambda client, job: client.post(f"/v1/jobs/{job}", json=body)


def broken() -> Step:
    headers = {"content-type": "application/json"}
    return lambda client, job: client.post("/v1/jobs", content=b"{", headers=headers)


TABLE: dict[str, tuple[int, list[Step]]] = {
    "an order": (201, [order()]),
    "an order again": (200, [order(), order()]),
    "an order of another digest": (409, [order(), order(OTHER, digest="cd" * 32)]),
    "an order of another length": (409, [order(), order(SONG + b"!")]),
    "an order of no JSON": (400, [broken()]),
    "an order without parts": (422, [without("parts")]),
    "an order of a wrong digest": (422, [order(digest="xyz")]),
    "bytes": (204, [order(), put()]),
    "bytes again": (204, [order(), put(), put()]),
    "bytes of another recording": (422, [order(), put(OTHER)]),
    "too few bytes": (400, [order(), put(SONG[:-1])]),
    "too many bytes": (413, [order(), put(SONG + b"!")]),
    "bytes of a text": (404, [order(), put(position="0")]),
    "bytes of nothing": (404, [put()]),
    "a job that waits for bytes": (200, [order(), show()]),
    "an unknown job": (404, [show()]),
    "a list": (200, [lambda client, job: client.get("/v1/jobs?state=set_aside")]),
    "another try for a job that is fine": (409, [order(), post({"state": "queued"})]),
    "another try for nothing": (404, [post({"state": "queued"})]),
    "another try in other words": (422, [order(), post({"state": "done"})]),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = create_app(
        Store.open(tmp_path_factory.mktemp("data")),
        FakeDetector(kinds=("text", "audio")),
        limits=Limits(job_poll_seconds=0.05),
    )
    with running(app) as url:
        while httpx.get(f"{url}/readyz", trust_env=False).status_code == 503:
            pass
        yield url


@pytest.fixture
def fake() -> Iterator[str]:
    with FakeService() as service:
        yield service.url


def sent(url: str, steps: list[Step], job: str) -> httpx.Response:
    with httpx.Client(base_url=url, trust_env=False) as client:
        answers = [step(client, job) for step in steps]
    return answers[-1]


@pytest.mark.parametrize("name", TABLE)
def test_the_fake_answers_as_the_real_service(real: str, fake: str, name: str) -> None:
    """Same status, and of a problem the same kind, title and place; of an answer the same document, but for
    what only one of them can know."""
    status, steps = TABLE[name]
    job = uuid7(1_800_000_000_000, _random)
    ours, theirs = sent(real, steps, job), sent(fake, steps, job)
    assert (ours.status_code, theirs.status_code) == (status, status)
    assert theirs.headers.get("content-type") == ours.headers.get("content-type")
    if status == 204:
        return
    members = ("type", "title", "status", "pointer", "id", "state", "needs", "digest", "jobs")
    assert [theirs.json().get(name) for name in members] == [ours.json().get(name) for name in members]


def test_both_answer_a_finished_job_alike(real: str, fake: str) -> None:
    """The same labels, parts and digest, and a result for each."""
    documents = []
    for url in (real, fake):
        job = uuid7(1_800_000_000_000, _random)
        sent(url, [order(), put()], job)
        while "answer" not in (found := sent(url, [show()], job).json()):
            pass
        found["told"] = {(one["label"], one["part"]) for one in found.pop("answer")["results"][0]["signals"]}
        documents.append({name: found[name] for name in ("state", "labels", "parts", "digest", "told")})
    assert documents[0] == documents[1]
