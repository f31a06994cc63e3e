"""Jobs from the client's side: answers about other content, uploads that go wrong, orders refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from spotsafe.client.client import Client
from spotsafe.client.http import Exchange
from spotsafe.client.jobs import LocalJobs, Refusal, RemoteJobs
from spotsafe.client.sending import ORDERS, Sending, finished
from spotsafe.client.workers import Workers
from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.errors import SurfaceHeld
from spotsafe.core.faults import FaultCounter
from spotsafe.core.ids import keyed
from spotsafe.core.jobs import JobReport, JobState
from spotsafe.core.receipts import HoldState, Receipt
from spotsafe.core.seams import DetectRequest
from spotsafe.testing import FakeDetector, FakeService
from spotsafe.testing.replies import CONFLICT, MISMATCH, NOT_FOUND, TOO_LARGE, Reply, problem

MANIFEST = """
spotsafe: 1
team: podcasts
owner: t@example.com
surfaces:
  episodes.publish:
    direction: input
    audience: public
    content: {title: text, episode: audio}
    languages: [en]
    deadline: async
    rules:
      - {id: threat, label: violence.threat, at: 0.8, then: hold}
"""
KEY = "a tenant key of some length"
SONG = b"a song of birds"
REQUEST = DetectRequest(Content([Text("t", "title"), Audio(SONG, "episode")]), ("hate.speech",))
ID = "018f0000-0000-7000-8000-000000000001"
DIGEST = keyed(KEY.encode(), "content", REQUEST.content.digest())
FULL = problem(507, "insufficient-storage", "No room")._replace(retry_after=0)


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService(default=0.0) as running:
        yield running


@pytest.fixture
def client(service: FakeService, tmp_path: Any) -> Iterator[Client]:
    (tmp_path / "m.yaml").write_text(MANIFEST)
    found = Client(
        manifests=tmp_path, service=service.url, fallback=None, tenant_key=KEY, environ={}, telemetry=False
    )
    found.start()
    yield found
    found.close(1)


@pytest.fixture
def remote(service: FakeService) -> Iterator[RemoteJobs]:
    import time

    exchange = Exchange(service.url, None, monotonic=time.monotonic)
    yield RemoteJobs(exchange, FaultCounter())
    exchange.close()


def held(client: Client, recording: bytes = SONG) -> Receipt:
    decision = client.check("episodes.publish", title="An episode", episode=Audio(recording))
    client.flush(10)
    return client.hold(decision, client.policy("episodes.publish"))


def test_the_receipts_digest_goes_with_the_order(client: Client, service: FakeService) -> None:
    """And comes back with the answer: the content's, under the tenant's key."""
    receipt = held(client)
    report = client.job(receipt, client.policy("episodes.publish"))
    assert report is not None
    assert report.digest == receipt.digest
    assert client.verdict(receipt).state is HoldState.RELEASED


@pytest.mark.parametrize("digest", ["", "00" * 32, DIGEST[:-1], "ä" * 64])
def test_an_answer_about_other_content_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch, digest: str
) -> None:
    """Of the same parts and lengths, clean or not: nothing is released by it, nothing blocked, and it is
    counted as a fault."""
    receipt = held(client)
    report = RemoteJobs.report

    def other(jobs: RemoteJobs, job_id: str) -> JobReport | None:
        found = report(jobs, job_id)
        return None if found is None else found._replace(digest=digest)

    monkeypatch.setattr(RemoteJobs, "report", other)
    before = client.stats()["internal_faults"].get("client.jobs", 0)
    assert client.verdict(receipt).state is HoldState.PENDING
    with pytest.raises(SurfaceHeld) as caught:
        client.resume(receipt, title="An episode", episode=Audio(SONG))
    assert caught.value.receipt == receipt
    assert client.stats()["internal_faults"]["client.jobs"] > before


def test_the_engine_of_this_process_answers_for_the_same_receipt_only() -> None:
    """Its reports say what they are about, too."""
    jobs = LocalJobs(FakeDetector(), FaultCounter())
    assert jobs.submit(ID, REQUEST, DIGEST) is None
    report = jobs.report(ID)
    assert report is not None
    assert report.digest == DIGEST


def answered(
    monkeypatch: pytest.MonkeyPatch, service: FakeService, replies: list[Reply]
) -> Callable[[], int]:
    """Have the next uploads answered with *replies*; gives how many there were."""
    receive, count = service.jobs.receive, [0]

    def scripted(job_id: str, position: str, data: bytes) -> Reply:
        count[0] += 1
        return replies.pop(0) if replies else receive(job_id, position, data)

    monkeypatch.setattr(service.jobs, "receive", scripted)
    return lambda: count[0]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([], (1, None)),
        ([MISMATCH], (2, None)),
        ([FULL], (2, None)),
        ([MISMATCH, MISMATCH], (2, Refusal("content-mismatch", 422))),
        ([TOO_LARGE], (1, Refusal("too-large", 413))),
        ([NOT_FOUND, NOT_FOUND], (2, Refusal("not-found", 404))),
    ],
)
def test_bytes_that_did_not_arrive_are_sent_once_more(
    remote: RemoteJobs, service: FakeService, monkeypatch: pytest.MonkeyPatch, replies: list[Reply],
    expected: tuple[int, Refusal | None],
) -> None:  # fmt: skip
    """Where the network may have altered or lost them; not where the service does not want them."""
    count = answered(monkeypatch, service, replies)
    refused = remote.submit(ID, REQUEST, DIGEST)
    assert (count(), refused) == expected


@pytest.mark.parametrize(
    ("reply", "refused", "lasting"),
    [
        (CONFLICT, Refusal("conflict", 409), True),
        (TOO_LARGE, Refusal("too-large", 413), True),
        (FULL, Refusal("insufficient-storage", 507, 0.0), False),
        (problem(429, "too-many-requests", "x"), Refusal("too-many-requests", 429), False),
        (Reply(500, {"type": "<script>canary</script>"}), Refusal("server", 500), False),
        (Reply(200, {"state": "no state"}), Refusal("malformed", 200), False),
    ],
)
def test_why_an_order_was_refused_is_a_closed_word(
    remote: RemoteJobs, service: FakeService, reply: Reply, refused: Refusal, lasting: bool
) -> None:
    """The kind of problem, the status and the wait; none of the service's texts."""
    service.jobs.refuse(reply)
    found = remote.submit(ID, REQUEST, DIGEST)
    assert found == refused
    assert found is not None
    assert found.lasting is lasting


def test_an_upload_of_other_bytes_never_becomes_the_job(remote: RemoteJobs, service: FakeService) -> None:
    """The service holds what it is sent against what was ordered."""
    service.jobs.paused = True
    assert remote.submit(ID, REQUEST, DIGEST) is None
    other = REQUEST._replace(content=Content([Text("t", "title"), Audio(SONG[::-1], "episode")]))
    refused = remote.submit(ID, other, keyed(KEY.encode(), "content", other.content.digest()))
    assert refused == Refusal("conflict", 409)
    assert service.jobs.request(ID) == REQUEST


@pytest.mark.parametrize(("refusals", "orders"), [(0, 1), (1, 2), (ORDERS - 1, ORDERS), (9, ORDERS)])
def test_a_service_without_room_is_asked_again_in_the_background(
    client: Client, service: FakeService, refusals: int, orders: int
) -> None:
    """As it asks for, and not for ever; then the receipt brings the content again."""
    service.jobs.refuse(FULL, times=refusals)
    receipt = held(client)
    assert service.jobs.orders == orders
    assert (client.verdict(receipt).state is HoldState.RELEASED) is (refusals < ORDERS)


def test_what_was_refused_for_good_is_not_asked_again(client: Client, service: FakeService) -> None:
    """One order, and the hold stays."""
    service.jobs.refuse(TOO_LARGE)
    receipt = held(client)
    assert service.jobs.orders == 1
    assert client.verdict(receipt).state is HoldState.PENDING


def test_a_verdict_that_is_waited_for_ends_with_its_client(client: Client, service: FakeService) -> None:
    """Closed before or meanwhile, whatever time is left: it says what is known, asks no more, and does not
    spin."""
    service.jobs.paused = True
    receipt = held(client)
    asked = threading.Event()
    job, count = client._job, [0]

    def counted(*words: Any) -> Any:
        count[0] += 1
        asked.set()
        return job(*words)

    client._job = counted  # type: ignore[method-assign]
    said: list[HoldState] = []
    waiting = threading.Thread(target=lambda: said.append(client.verdict(receipt, wait=3600).state))
    waiting.start()
    assert asked.wait(20)
    client.close(1)
    waiting.join(20)
    assert not waiting.is_alive()
    assert said == [HoldState.PENDING]
    before = count[0]
    assert client.verdict(receipt, wait=3600).state is HoldState.PENDING
    assert count[0] - before == 1


def test_a_closed_pool_pauses_nobody() -> None:
    """It says so instead, and whoever waits for a job ends."""
    workers = Workers("test", 1, 1, FaultCounter())
    assert workers.pause(0.0)
    workers.close()
    assert not workers.pause(3600.0)

    class Never(LocalJobs):
        asked = 0

        def submit(self, job_id: str, request: DetectRequest, digest: str) -> Refusal | None:
            return None

        def report(self, job_id: str) -> JobReport | None:
            self.asked += 1
            return JobReport(JobState.RUNNING)

    jobs = Never(FakeDetector(), FaultCounter())
    assert finished(jobs, ID, REQUEST, DIGEST, workers.pause) is None
    assert jobs.asked == 1


def test_a_closed_client_orders_nothing_again() -> None:
    """The pause that a full service asked for ends with the pool, and so does the job."""
    workers = Workers("test", 1, 4, FaultCounter())

    class Full(LocalJobs):
        orders = 0

        def submit(self, job_id: str, request: DetectRequest, digest: str) -> Refusal | None:
            self.orders += 1
            workers.close()
            return Refusal("insufficient-storage", 507, 10.0)

    jobs, sending = Full(FakeDetector(), FaultCounter()), Sending(workers)
    assert sending.start(jobs, ID, REQUEST, DIGEST)
    assert workers.drain(20)
    assert jobs.orders == 1
