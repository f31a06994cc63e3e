"""Jobs as operators see them: listed, and tried again once the cause is mended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from spotsafe.cli.main import main
from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.jobs import encode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.service.app import create_app, sweep
from spotsafe.service.background import running
from spotsafe.service.limits import Limits
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech",)
ID = "018f0000-0000-7000-8000-00000000000{}"
LIMITS = Limits(job_attempts=1, job_poll_seconds=0.01)


class Breakable(FakeDetector):
    broken = True

    def detect(self, requests: Any, *, timeout: float | None = None) -> Any:
        if self.broken:
            raise DetectorError(Failure.INTERNAL)
        return super().detect(requests, timeout=timeout)


@pytest.fixture
def detector() -> Breakable:
    return Breakable(kinds=("text", "audio"))


def set_aside(client: Any, number: int = 1) -> None:
    wanted = DetectRequest(Content([Text("canary-7f3a", "title"), Audio(b"canary-7f3a", "episode")]), LABELS)
    client.post("/v1/jobs", json=encode_order(ID.format(number), wanted))
    client.put(f"/v1/jobs/{ID.format(number)}/parts/1", content=b"canary-7f3a")
    over(client, number)


def over(client: Any, number: int = 1) -> Any:
    while "answer" not in (found := client.get(f"/v1/jobs/{ID.format(number)}").json()):
        pass
    return found


def requeue(client: Any, number: int = 1, body: Any = None) -> Any:
    return client.post(f"/v1/jobs/{ID.format(number)}", json=body or {"state": "queued"})


def test_what_was_set_aside_is_listed_page_by_page(service: Callable[..., TestClient], clock: Any) -> None:
    """Oldest first, with what went wrong in numbers, and nothing of its content."""
    client = service(limits=LIMITS)
    for number in (1, 2, 3):
        clock.time += 1
        set_aside(client, number)
    first = client.get("/v1/jobs?limit=2").json()
    rest = client.get(f"/v1/jobs?limit=2&after={first['next']}").json()
    assert [job["job_id"] for job in (*first["jobs"], *rest["jobs"])] == [ID.format(n) for n in (1, 2, 3)]
    assert (first["next"], rest["next"]) == (ID.format(2), None)
    assert (first["jobs"][0]["failures"], first["jobs"][0]["parts"]) == (1, 2)
    assert client.get("/v1/jobs?state=done").json()["jobs"] == []
    assert "canary" not in json.dumps(first)


@pytest.mark.parametrize(
    "query", ["state=aside", "limit=0", "limit=x", "limit=501", "limit=000100501", "after=me"]
)
def test_a_query_that_cannot_be_used_is_refused(client: TestClient, query: str) -> None:
    """With what it may be."""
    refused = client.get(f"/v1/jobs?{query}")
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:spotsafe:problem:bad-request")


def test_a_mended_detector_gets_another_try(
    service: Callable[..., TestClient], detector: Breakable, store: Store
) -> None:
    """With the content that was kept; afterwards nothing of it is left."""
    client = service(limits=LIMITS)
    set_aside(client)
    detector.broken = False
    answer = requeue(client)
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")
    assert over(client)["state"] == "done"
    while list((store.folder / "jobs").iterdir()):
        pass


def test_only_what_was_set_aside_is_tried_again(
    service: Callable[..., TestClient], detector: Breakable
) -> None:
    """Not what is done, unknown, or asked for in other words."""
    detector.broken = False
    client = service(limits=LIMITS)
    set_aside(client)
    assert requeue(client).status_code == 409
    assert requeue(client, 7).status_code == 404
    assert requeue(client, 1, {"state": "done"}).status_code == 422


def test_content_set_aside_is_kept_for_its_time_only(
    service: Callable[..., TestClient], store: Store, clock: Any
) -> None:
    """It counts while it is there; then it goes, and the answer says who has it still."""
    client = service(limits=LIMITS._replace(spool_bytes=900))
    set_aside(client)
    wanted = DetectRequest(Content([Audio(b"x" * 500, "episode")]), LABELS)
    assert client.post("/v1/jobs", json=encode_order(ID.format(2), wanted)).status_code == 507
    clock.time += LIMITS.job_aside_seconds + 1
    client.portal.call(sweep, client.app.state.service)  # type: ignore[union-attr, attr-defined]
    assert not list((store.folder / "jobs").iterdir())
    refused = requeue(client)
    assert refused.status_code == 409
    assert "resumes the receipt" in refused.json()["detail"]
    assert client.post("/v1/jobs", json=encode_order(ID.format(2), wanted)).status_code == 201


def test_an_operator_may_keep_nothing(service: Callable[..., TestClient], store: Store) -> None:
    """With ``job_aside_seconds`` 0 content goes as soon as it is set aside."""
    set_aside(service(limits=LIMITS._replace(job_aside_seconds=0)))
    while list((store.folder / "jobs").iterdir()):
        pass


def test_the_command_lists_and_requeues(
    tmp_path: Path, detector: Breakable, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people and as one document; 1 where a job could not be tried again."""
    import httpx

    with running(create_app(Store.open(tmp_path), detector, limits=LIMITS)) as url:
        with httpx.Client(base_url=url, trust_env=False) as client:
            while client.get("/readyz").status_code != 200:
                pass
            set_aside(client)
            assert main(["jobs", "list", "--service", url]) == 0
            said = capsys.readouterr().out
            assert ID.format(1) in said
            assert "detector" in said
            assert main(["jobs", "list", "--service", url, "--json"]) == 0
            (listed,) = json.loads(capsys.readouterr().out)["jobs"]
            assert (listed["job_id"], listed["state"]) == (ID.format(1), "set_aside")
            detector.broken = False
            words = ["jobs", "requeue", ID.format(1), "nowhere", "--service", url, "--json"]
            assert main(words) == 1
            assert json.loads(capsys.readouterr().out)["requeued"] == [
                {"job_id": ID.format(1), "done": True}, {"job_id": "nowhere", "done": False},
            ]  # fmt: skip
            assert over(client)["state"] == "done"
        assert main(["jobs", "list", "--service", url]) == 0
        said = capsys.readouterr().out
        assert said.startswith("no job is set aside; --state ")
        assert all(state in said for state in ("receiving", "queued", "running", "done"))
