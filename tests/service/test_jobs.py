"""Jobs: ordered once, checked by a worker after the request, set aside when they cannot be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from spotsafe.core.content import Audio, Content, Part, Text
from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.jobs import Asked, JobOrder, JobState, decode_report, encode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Signals
from spotsafe.service.app import sweep
from spotsafe.service.keys import KeyRing, add_key
from spotsafe.service.limits import Limits
from spotsafe.service.spool import Spool
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech", "tone.toxic")
CANARY = b"canary-7f3a in a recording"
ID = "018f0000-0000-7000-8000-00000000000{}"


class Listener(FakeDetector):
    """A detector for recordings that can break."""

    def __init__(self) -> None:
        super().__init__({b"canary": {"hate.speech": 0.9}}, kinds=("text", "audio"))
        self.broken: Exception | None = None
        self.calls = 0

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        self.calls += 1
        if self.broken is not None:
            raise self.broken
        return super().detect(requests, timeout=timeout)


def request(*parts: Part) -> DetectRequest:
    return DetectRequest(
        Content(parts or (Text("a title", "title"), Audio(CANARY, "episode")), ("en",)), LABELS
    )


def order(client: TestClient, number: int = 1, wanted: DetectRequest | None = None, **headers: str) -> Any:
    body = encode_order(ID.format(number), wanted or request())
    return client.post("/v1/jobs", json=body, headers=headers)


def upload(
    client: TestClient, data: bytes = CANARY, number: int = 1, position: int = 1, **headers: str
) -> Any:
    return client.put(f"/v1/jobs/{ID.format(number)}/parts/{position}", content=data, headers=headers)


def state(client: TestClient, number: int = 1, **headers: str) -> Any:
    return client.get(f"/v1/jobs/{ID.format(number)}", headers=headers).json()


def over(client: TestClient, number: int = 1) -> Any:
    """The job once it is over."""
    while not JobState((found := state(client, number))["state"]).is_over:
        pass
    return found


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def jobs(service: Callable[..., TestClient], listener: Listener) -> TestClient:
    return service(detector=listener)


def test_a_recording_is_checked_after_the_request(jobs: TestClient, listener: Listener, store: Store) -> None:
    """Order, bytes, answer: and then nothing of the content is left in the service."""
    ordered = order(jobs)
    assert (ordered.status_code, ordered.json()) == (
        201,
        {"id": ID.format(1), "state": "receiving", "needs": [1]},
    )
    assert upload(jobs).status_code == 204
    report = decode_report(over(jobs))
    assert report is not None
    assert report.signals is not None
    assert report.state is JobState.DONE
    assert report.signals.peaks == {"hate.speech": 0.9, "tone.toxic": 0.0}
    assert listener.requests == [request()]
    while list((store.folder / "jobs").iterdir()):
        pass  # the answer is kept first, so that no crash in between loses the job
    assert b"canary" not in b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())


def test_an_order_that_is_sent_again_changes_nothing(jobs: TestClient, listener: Listener) -> None:
    """Neither before its bytes came, nor after it is over: it is checked once."""
    first, again = order(jobs), order(jobs)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    upload(jobs)
    over(jobs)
    assert order(jobs).json()["state"] == "done"
    assert upload(jobs).status_code == 204
    assert listener.calls == 1


def test_an_order_of_other_content_under_a_known_id_is_refused(jobs: TestClient) -> None:
    """Who sent it would read the answer on what it did not send; also once the first is over."""
    others = [request(Text("a title", "title"), Audio(data, "episode")) for data in (b"", CANARY + b"!")]
    others += [request(Text("title", "title"), Audio(CANARY, "episode")), request(Audio(CANARY, "episode"))]
    order(jobs)
    assert {order(jobs, wanted=other).status_code for other in others} == {409}
    upload(jobs)
    over(jobs)
    assert {order(jobs, wanted=other).status_code for other in others} == {409}


def test_bytes_for_a_job_that_ended_meanwhile_are_refused(
    jobs: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a problem that says what to do, and not as a fault of the service."""
    order(jobs)
    receive = Spool.receive

    async def late(spool: Spool, order: JobOrder, *rest: Any) -> None:
        spool.drop(order.id)
        await receive(spool, order, *rest)

    monkeypatch.setattr(Spool, "receive", late)
    refused = upload(jobs)
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:spotsafe:problem:not-found")


def test_an_order_of_texts_alone_needs_no_bytes(jobs: TestClient) -> None:
    """It is queued at once."""
    assert order(jobs, wanted=request(Text("hello", "body"))).json()["needs"] == []
    assert over(jobs)["state"] == "done"


@pytest.mark.parametrize(("data", "status"), [(CANARY[:-1], 400), (CANARY + b"!", 413)])
def test_bytes_that_are_not_as_announced_are_refused(jobs: TestClient, data: bytes, status: int) -> None:
    """Nothing of them is kept, and the right ones may follow."""
    order(jobs)
    assert upload(jobs, data).status_code == status
    assert state(jobs)["needs"] == [1]
    upload(jobs)
    assert over(jobs)["state"] == "done"


@pytest.mark.parametrize("position", ["0", "2", "-1", "x", "99999999999", "١"])
def test_only_media_parts_have_a_place_for_bytes(jobs: TestClient, position: str) -> None:
    """The text came with the order."""
    order(jobs)
    assert jobs.put(f"/v1/jobs/{ID.format(1)}/parts/{position}", content=CANARY).status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"id": "../../etc/passwd"}, "/id"),
        ({"parts": []}, "/parts"),
        ({"parts": [{"type": "audio", "size": 2**40}]}, "/parts/0/size"),
    ],
)
def test_an_order_that_cannot_be_taken_names_the_place(
    jobs: TestClient, change: dict[str, Any], pointer: str
) -> None:
    """As everywhere in the service."""
    answer = jobs.post("/v1/jobs", json={**encode_order(ID.format(1), request()), **change})
    assert answer.status_code in (413, 422)
    assert answer.json()["pointer"] == pointer


def test_a_job_belongs_to_the_application_that_ordered_it(
    service: Callable[..., TestClient], listener: Listener, tmp_path: Path
) -> None:
    """Another one sees nothing of it, and cannot put bytes into it."""
    path = tmp_path / "keys"
    keys = {name: add_key(path, name, ["detect"]) for name in ("mine", "other")}
    client = service(detector=listener, keys=KeyRing.read(path))
    mine, other = ({"authorization": f"Bearer {keys[name]}"} for name in ("mine", "other"))
    order(client, **mine)
    assert client.get(f"/v1/jobs/{ID.format(1)}", headers=other).status_code == 404
    assert upload(client, **other).status_code == 404
    assert order(client, **other).status_code == 409
    assert state(client, **mine)["needs"] == [1]


def test_what_fails_is_tried_again_and_then_set_aside(
    service: Callable[..., TestClient], listener: Listener, clock: Any
) -> None:
    """After three attempts, each after a longer pause; then every label is missing."""
    listener.broken = DetectorError(Failure.INTERNAL)
    limits = Limits(job_poll_seconds=0.01)
    client = service(detector=listener, limits=limits)
    order(client)
    upload(client)
    pauses = []
    for attempt in (1, 2):
        while listener.calls < attempt or state(client)["state"] != "queued":
            pass
        pauses.append(clock.time)
        clock.time += limits.job_pause * 2 ** (attempt - 1)
    found = over(client)
    report = decode_report(found)
    assert found["state"] == "set_aside"
    assert listener.calls == limits.job_attempts
    assert report is not None
    assert report.signals is not None
    assert {entry.cause for entry in report.signals.missing} == {Cause.ERROR}
    assert 'spotsafe_jobs{state="set_aside"} 1' in client.get("/metrics").text


@pytest.mark.parametrize("fault", [ZeroDivisionError(), ConfigurationError("models are missing")])
def test_a_fault_in_a_detector_fails_its_job_and_no_other(
    service: Callable[..., TestClient], listener: Listener, clock: Any, fault: Exception
) -> None:
    """The worker goes on."""
    listener.broken = fault
    client = service(detector=listener, limits=Limits(job_poll_seconds=0.01))
    order(client)
    upload(client)
    while listener.calls < 1:
        pass
    listener.broken = None
    order(client, 2, request(Text("hello", "body")))
    assert over(client, 2)["state"] == "done"
    clock.time += 60
    assert over(client, 1)["state"] == "done"


def test_a_job_whose_worker_died_is_taken_by_the_next(
    service: Callable[..., TestClient], store: Store, listener: Listener, clock: Any
) -> None:
    """Once its lease is over; and content on which workers keep dying is set aside unseen."""
    from spotsafe.service import job_table

    limits = Limits(job_poll_seconds=0.01)
    client = service(detector=listener, limits=limits)
    client.app.state.service.jobs._tasks[0].cancel()  # type: ignore[attr-defined]  # this worker is the test's
    order(client)
    upload(client)
    for _ in range(limits.job_losses):
        with store.writing() as connection:
            assert job_table.take(connection, clock.time, limits.job_lease) is not None
            assert job_table.take(connection, clock.time, limits.job_lease) is None
        clock.time += limits.job_lease
    assert asyncio.run(client.app.state.service.jobs.work_once())  # type: ignore[attr-defined]
    assert state(client)["state"] == "set_aside"
    assert listener.calls == 0


def test_a_worker_that_was_given_up_for_dead_changes_nothing_any_more(store: Store, clock: Any) -> None:
    """Whoever has the job now decides."""
    from spotsafe.service import job_table
    from spotsafe.service.store import insert_new
    from spotsafe.service.tables import jobs

    row = job_table.row_for(ID.format(1), "local", clock.time, size=0, asked=Asked(LABELS, {"a": None}))
    with store.writing() as connection:
        insert_new(connection, jobs, "job_id", [row])
        job_table.queue(connection, ID.format(1), clock.time)
        slow = job_table.take(connection, clock.time, 60)
        quick = job_table.take(connection, clock.time + 60, 60)
        assert slow is not None
        assert quick is not None
        late = clock.time + 61
        assert not job_table.renew(connection, slow, late)
        assert not job_table.put_back(connection, slow, late, late)
        ended = job_table.Ended(JobState.DONE, "{}", "", None)
        assert not job_table.finish(connection, slow, ended, late)
        assert job_table.finish(connection, quick, ended, late)


@pytest.mark.parametrize(
    ("limits", "status"),
    [(Limits(jobs_per_key=1), 429), (Limits(spool_bytes=700), 507), (Limits(spool_bytes_per_key=700), 429)],
)
def test_what_waits_is_bounded(
    service: Callable[..., TestClient], listener: Listener, limits: Limits, status: int
) -> None:
    """In jobs of one key and in bytes altogether; a job that is over makes room."""
    client = service(detector=listener, limits=limits)
    assert order(client).status_code == 201
    refused = order(client, 2)
    assert refused.status_code == status
    assert refused.headers["retry-after"]
    upload(client)
    over(client)
    assert order(client, 2).status_code == 201


def test_jobs_whose_bytes_never_come_are_forgotten(
    service: Callable[..., TestClient], listener: Listener, store: Store, clock: Any
) -> None:
    """With the title that came with the order."""
    limits = Limits()
    client = service(detector=listener, limits=limits)
    order(client)
    assert list((store.folder / "jobs").iterdir())
    clock.time += limits.job_receive_seconds + 1
    client.portal.call(sweep, client.app.state.service)  # type: ignore[union-attr, attr-defined]
    assert client.get(f"/v1/jobs/{ID.format(1)}").status_code == 404
    assert not list((store.folder / "jobs").iterdir())


def test_a_restart_loses_no_job(tmp_path: Path, listener: Listener, clock: Any) -> None:
    """What was received before the process ended is checked by the next one."""
    from spotsafe.service.app import create_app

    asleep = Limits(job_workers=0)
    with TestClient(create_app(Store.open(tmp_path), listener, clock=clock, limits=asleep)) as first:
        order(first)
        upload(first)
        assert state(first)["state"] == "queued"
    with TestClient(create_app(Store.open(tmp_path), listener, clock=clock)) as second:
        assert over(second)["state"] == "done"


def test_nothing_of_a_job_reaches_a_log(jobs: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Nor an answer to anybody."""
    caplog.set_level("DEBUG")
    order(jobs, wanted=request(Text("canary-7f3a", "title"), Audio(CANARY, "episode")))
    upload(jobs, CANARY + b"canary")
    upload(jobs)
    assert "canary" not in json.dumps(over(jobs))
    assert "canary" not in caplog.text
    assert "canary" not in jobs.get("/metrics").text
