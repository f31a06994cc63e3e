"""What an attempt at a job comes to: a final answer, another try, or a job set aside with its cause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.jobs import JobState, encode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signals
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.limits import AUDIO, Reason
from spotsafe.service import job_table
from spotsafe.service.job_worker import JobWorkers
from spotsafe.service.limits import Limits
from spotsafe.service.store import Store, StoreUnavailable
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech",)
ID = "018f0000-0000-7000-8000-000000000001"
LIMITS = Limits(job_attempts=1, job_workers=0)


class Lacking(FakeDetector):
    """Has no score for one part, for a cause."""

    def __init__(self, part: str = "episode", cause: Cause = Cause.ERROR) -> None:
        super().__init__(kinds=("text", "audio"))
        self.lost = Missing(LABELS[0], part, cause)

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [
            Signals([score for score in one.scores if score.part != self.lost.part], [self.lost], one.engine)
            for one in super().detect(requests, timeout=timeout)
        ]


class Raising(FakeDetector):
    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        raise DetectorError(Failure.INTERNAL)


def deciding(says: Reason | None) -> type:
    """A decoder that refuses every file for one reason, or none."""

    class Decoder:
        def __init__(self, **_: Any) -> None:
            self.picture = self.movie = self.sound

        def sound(self, data: bytes, *, timeout: float | None = None) -> None:
            if says is not None:
                raise DecodeError(says, AUDIO)

        def close(self) -> None:
            pass

    return Decoder


def ordered(client: Any) -> None:
    content = Content([Text("canary-7f3a", "title"), Audio(b"canary-7f3a", "episode")])
    assert client.post("/v1/jobs", json=encode_order(ID, DetectRequest(content, LABELS))).status_code == 201
    assert client.put(f"/v1/jobs/{ID}/parts/1", content=b"canary-7f3a").status_code == 204


def worked(client: Any) -> None:
    assert asyncio.run(client.app.state.service.jobs.work_once())


def row(store: Store) -> job_table.Job:
    with store.reading() as connection:
        found = job_table.find(connection, ID)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("detector", "says", "state", "cause"),
    [
        (Lacking(), Reason.UNREADABLE, "done", "unreadable"),
        (Lacking(), Reason.CRASH, "set_aside", "error"),
        (Lacking(), None, "set_aside", "error"),
        (Lacking("title"), Reason.UNREADABLE, "set_aside", "error"),
        (Lacking(cause=Cause.TIMEOUT), Reason.UNREADABLE, "set_aside", "timeout"),
        (Lacking(cause=Cause.SIZE), None, "done", None),
        (Raising(kinds=("text", "audio")), Reason.UNREADABLE, "set_aside", "detector"),
    ],
)
def test_a_job_says_what_was_wrong_with_it(
    service: Callable[..., TestClient], store: Store, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *, detector: FakeDetector, says: Reason | None, state: str, cause: str | None,
) -> None:  # fmt: skip
    """Only a file that the decoder calls damaged is final; what is set aside is logged once, with its cause
    and nothing of its content."""
    monkeypatch.setattr("spotsafe.detectors.decode.worker.WorkerDecoder", deciding(says))
    client = service(detector=detector, limits=LIMITS)
    ordered(client)
    with caplog.at_level(logging.WARNING, "spotsafe.service"):
        worked(client)
    assert (row(store).state.value, row(store).cause) == (state, cause)
    (listed,) = client.get(f"/v1/jobs?state={state}").json()["jobs"]
    assert listed["cause"] == cause
    (missing,) = client.get(f"/v1/jobs/{ID}").json()["answer"]["results"][0]["missing"][-1:]
    assert missing["label"] == LABELS[0]
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name == "spotsafe.service" and record.levelno >= logging.WARNING
    ]
    assert [ID in line and str(cause) in line for line in said] == [True] * (state == "set_aside")
    assert "canary" not in caplog.text


def test_a_damaged_recording_is_answered_at_the_first_attempt(
    service: Callable[..., TestClient], store: Store
) -> None:
    """As the real decoder sees it; its labels are missing, the title is scored, and nothing is kept."""
    client = service(detector=Lacking(), limits=LIMITS._replace(job_attempts=3))
    ordered(client)
    worked(client)
    answer = client.get(f"/v1/jobs/{ID}").json()["answer"]["results"][0]
    assert (row(store).state, row(store).cause, row(store).failures) == (JobState.DONE, "unreadable", 0)
    assert [(entry["part"], entry["cause"]) for entry in answer["missing"]] == [("episode", "error")]
    assert [entry["part"] for entry in answer["signals"]] == ["title"]
    assert not list((store.folder / "jobs").iterdir())


def test_content_that_is_gone_is_named_as_the_cause(service: Callable[..., TestClient], store: Store) -> None:
    """A failed attempt whose job is tried again says so as well."""
    client = service(detector=FakeDetector(kinds=("text", "audio")), limits=LIMITS._replace(job_attempts=2))
    ordered(client)
    (store.folder / "jobs" / ID / "1.part").unlink()
    worked(client)
    assert (row(store).state, row(store).cause, row(store).failures) == (JobState.QUEUED, "content", 1)


@pytest.mark.parametrize(("broken", "state"), [(3, JobState.DONE), (1000, JobState.RUNNING)])
def test_a_result_waits_for_the_store(
    service: Callable[..., TestClient], store: Store, monkeypatch: pytest.MonkeyPatch,
    broken: int, state: JobState,
) -> None:  # fmt: skip
    """It is written down once the store takes writes again, without asking the detector anew; and given up
    after as long as a job may take."""
    detector = FakeDetector(kinds=("text", "audio"))
    client = service(detector=detector, limits=LIMITS._replace(job_seconds=10, job_poll_seconds=1))
    ordered(client)
    finish, pauses, left = job_table.finish, [], broken

    def failing(*words: Any) -> bool:
        nonlocal left
        if left:
            left -= 1
            raise StoreUnavailable("the store is busy")
        return finish(*words)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(job_table, "finish", failing)
    assert asyncio.run(JobWorkers(client.app.state.service, sleep=sleep).work_once()) is (  # type: ignore[attr-defined]
        state is JobState.DONE
    )
    assert pauses == [1] * min(broken, 10)
    assert (row(store).state, len(detector.requests)) == (state, 1)
