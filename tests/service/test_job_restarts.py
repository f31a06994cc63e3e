"""Jobs over stops, kills and crashes: what counts as an attempt, who has a job, what is left lying about."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.jobs import Asked, JobState, encode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.service import job_sweep, job_table
from spotsafe.service.app import create_app
from spotsafe.service.job_table import Job
from spotsafe.service.limits import Limits
from spotsafe.service.spool import Spool
from spotsafe.service.store import Store, insert_new
from spotsafe.service.tables import jobs
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech",)
ID = "018f0000-0000-7000-8000-{:012x}"
QUICK = Limits(job_poll_seconds=0.01)


class Slow(FakeDetector):
    """A detector that takes until it is let go."""

    def __init__(self) -> None:
        super().__init__(kinds=("text", "audio"))
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        self.entered.release()
        self.go.wait(30)
        return super().detect(requests, timeout=timeout)


@pytest.fixture
def slow() -> Iterator[Slow]:
    found = Slow()
    yield found
    found.go.set()


def order(client: Any, number: int = 1) -> None:
    wanted = DetectRequest(Content([Text("a title", "title")]), LABELS)
    assert client.post("/v1/jobs", json=encode_order(ID.format(number), wanted)).status_code == 201


def row(store: Store, number: int = 1) -> Job:
    with store.reading() as connection:
        found = job_table.find(connection, ID.format(number))
    assert found is not None
    return found


def over(client: Any, number: int = 1) -> Any:
    while "answer" not in (found := client.get(f"/v1/jobs/{ID.format(number)}").json()):
        pass
    return found


def test_stops_of_the_service_are_no_attempts(tmp_path: Path, slow: Slow, clock: Any) -> None:
    """However often it is stopped in the middle of a long job, the next one takes the job at once, and
    nothing is counted against it."""
    for attempt in range(Limits().job_attempts + 2):
        store = Store.open(tmp_path)
        with TestClient(create_app(store, slow, clock=clock, limits=QUICK)) as client:
            if not attempt:
                order(client)
            assert slow.entered.acquire(timeout=20)
        again = Store.open(tmp_path)
        found = row(again)
        again.close()
        assert (found.state, found.failures, found.losses) == (JobState.QUEUED, 0, 0)
        assert found.due_at <= clock.time
    slow.go.set()
    with TestClient(create_app(Store.open(tmp_path), slow, clock=clock, limits=QUICK)) as client:
        assert over(client)["state"] == "done"


def test_what_a_detector_says_after_the_stop_is_not_written(tmp_path: Path, slow: Slow, clock: Any) -> None:
    """The job is somebody else's then."""
    store = Store.open(tmp_path)
    with TestClient(create_app(store, slow, clock=clock, limits=QUICK)) as client:
        order(client)
        assert slow.entered.acquire(timeout=20)
    slow.go.set()
    again = Store.open(tmp_path)
    assert row(again).state is JobState.QUEUED
    again.close()


SERVE = """
import sys, time
from pathlib import Path
from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.limits import Limits
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector

class Slow(FakeDetector):
    def detect(self, requests, *, timeout=None):
        while not Path("go").exists():
            time.sleep(0.01)
        return super().detect(requests, timeout=timeout)

limits = Limits(job_lease=0.3, job_poll_seconds=0.05, job_attempts=1, job_losses=3)
with running(create_app(Store.open("data"), Slow(), limits=limits)) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as found:
        assert found.stdout is not None
        url = found.stdout.readline().strip()
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
                yield found, client
        finally:
            if found.poll() is None:
                found.kill()


def until(condition: Callable[[], bool]) -> None:
    """Wait for *condition*, but not for ever."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def test_a_killed_process_costs_a_job_a_lease_and_no_attempt(tmp_path: Path) -> None:
    """SIGKILL in the middle, twice: the lease ends, the next process takes the job, and it is done, though
    one failed attempt would set it aside."""
    for killed in (0, 1):
        with process(tmp_path) as (found, client):
            if not killed:
                order(client)
            store = Store.open(tmp_path / "data")
            until(lambda n=killed, s=store: row(s).attempts == n + 1)  # type: ignore[misc]
            found.send_signal(signal.SIGKILL)
            found.wait(timeout=20)
            assert (row(store).state, row(store).losses) == (JobState.RUNNING, killed)
            store.close()
    (tmp_path / "go").touch()
    with process(tmp_path) as (_, client):
        assert over(client)["state"] == "done"
    store = Store.open(tmp_path / "data")
    assert (row(store).failures, row(store).losses) == (0, 2)
    store.close()


def test_a_detector_that_hangs_loses_the_job_and_not_the_worker(tmp_path: Path, slow: Slow) -> None:
    """It is given up after its time and a lease; that is a failed attempt, and other jobs go on."""
    limits = QUICK._replace(job_seconds=0.01, job_lease=0.01, job_attempts=1)
    store = Store.open(tmp_path)
    with TestClient(create_app(store, slow, limits=limits)) as client:
        order(client)
        assert over(client)["state"] == "set_aside"
        order(client, 2)
        assert over(client, 2)["state"] == "set_aside"
        assert row(store, 2).failures == 1
        assert 'spotsafe_faults_total{place="service.jobs"}' in client.get("/metrics").text


def test_a_long_job_keeps_its_lease(tmp_path: Path, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is renewed several times within it, and nobody else gets the job meanwhile."""
    renewed = threading.Semaphore(0)
    renew = job_table.renew

    def seen(*words: Any) -> bool:
        kept = renew(*words)
        renewed.release()
        return kept

    monkeypatch.setattr(job_table, "renew", seen)
    store, limits = Store.open(tmp_path), QUICK._replace(job_lease=1.0)
    with TestClient(create_app(store, slow, limits=limits)) as client:
        order(client)
        assert slow.entered.acquire(timeout=20)
        first = row(store).due_at
        for _ in range(3):
            assert renewed.acquire(timeout=20)
        assert row(store).due_at > first
        with store.writing() as connection:
            assert job_table.take(connection, first + 0.01, 60) is None
        slow.go.set()
        assert over(client)["state"] == "done"
        assert row(store).attempts == 1


def test_two_processes_never_have_one_job(tmp_path: Path) -> None:
    """Each of many jobs is taken once, however many workers of two stores on one file ask."""
    stores = [Store.open(tmp_path), Store.open(tmp_path)]
    rows = [
        job_table.row_for(ID.format(n), "local", 1.0, size=0, asked=Asked(LABELS, {"a": None}))
        for n in range(40)
    ]
    with stores[0].writing() as connection:
        insert_new(connection, jobs, "job_id", rows)
        for found in rows:
            job_table.queue(connection, found["job_id"], 1.0)
    taken: list[str] = []

    def work(store: Store) -> None:
        while True:
            with store.writing() as connection:
                job = job_table.take(connection, 2.0, 60.0)
            if job is None:
                return
            taken.append(job.job_id)

    threads = [threading.Thread(target=work, args=(stores[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == [ID.format(n) for n in range(40)]
    for store in stores:
        store.close()


def test_bytes_that_came_just_before_a_crash_are_not_waited_for(
    service: Callable[..., TestClient], store: Store
) -> None:
    """All parts are there, but the process ended before it said so: the next one finds out."""
    client = service(limits=QUICK._replace(job_workers=0), detector=FakeDetector(kinds=("audio",)))
    wanted = DetectRequest(Content([Audio(b"a song", "episode")]), LABELS)
    client.post("/v1/jobs", json=encode_order(ID.format(1), wanted))
    (store.folder / "jobs" / ID.format(1) / "0.part").write_bytes(b"a song")
    assert row(store).state is JobState.RECEIVING
    assert job_sweep.sweep(client.app.state.service)  # type: ignore[attr-defined]
    assert row(store).state is JobState.QUEUED
    assert not job_sweep.sweep(client.app.state.service)  # type: ignore[attr-defined]


def test_what_a_crash_left_lying_is_swept(service: Callable[..., TestClient], store: Store) -> None:
    """Content without a job goes, and so does what an upload that broke off left in one that lives; what
    lives stays."""
    client = service(limits=QUICK._replace(job_workers=0), detector=FakeDetector(kinds=("audio",)))
    wanted = DetectRequest(Content([Audio(b"a song", "episode")]), LABELS)
    client.post("/v1/jobs", json=encode_order(ID.format(1), wanted))
    root = store.folder / "jobs"
    (root / ID.format(2)).mkdir()
    (root / ID.format(2) / "order.json").write_text("{}")
    old, new = (root / ID.format(1) / f"0.part.{name}.new" for name in ("old", "young"))
    for path in (old, new):
        path.write_bytes(b"half a so")
    os.utime(old, (1.0, 1.0))
    job_sweep.sweep(client.app.state.service)  # type: ignore[attr-defined]
    assert {path.name for path in root.rglob("*")} == {ID.format(1), new.name, "order.json"}


def test_files_are_deleted_while_others_may_write(
    service: Callable[..., TestClient], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes; and a job that is ordered in the meantime loses nothing."""
    sweep = job_sweep.sweep
    monkeypatch.setattr(job_sweep, "sweep", lambda of: False)  # the one at the start would come between
    client = service(limits=QUICK._replace(job_workers=0), detector=FakeDetector(kinds=("audio",)))
    folder = store.folder / "jobs" / ID.format(1)
    folder.mkdir(parents=True)
    (folder / "0.part").write_bytes(b"of a job that nobody knows")
    remove, written = shutil.rmtree, []

    def removing(path: Path, **options: Any) -> None:
        order(client)
        written.append(store.probe(1.0))
        remove(path, **options)

    monkeypatch.setattr("spotsafe.service.spool.shutil.rmtree", removing)
    sweep(client.app.state.service)  # type: ignore[attr-defined]
    assert written == [None]
    assert [path.name for path in (store.folder / "jobs").rglob("*")] == [ID.format(1), "order.json"]


def test_an_upload_in_progress_is_no_left_over(tmp_path: Path) -> None:
    """Only what nobody wrote to for as long as an upload may take."""
    spool = Spool(tmp_path, now=lambda: 1000.0)
    folder = tmp_path / ID.format(1)
    folder.mkdir()
    part = folder / "0.part.x.new"
    part.touch()
    os.utime(part, (990.0, 990.0))
    spool.sweep([], 11.0)
    assert part.exists()
    spool.sweep([], 9.0)
    assert not part.exists()


def test_answers_are_forgotten_after_their_time(service: Callable[..., TestClient], clock: Any) -> None:
    """Not before; then whoever asks is told to order again."""
    client = service(limits=QUICK, detector=FakeDetector())
    order(client)
    over(client)
    for seconds, status in ((QUICK.job_retain_seconds - 1, 200), (2, 404)):
        clock.time += seconds
        job_sweep.sweep(client.app.state.service)  # type: ignore[attr-defined]
        assert client.get(f"/v1/jobs/{ID.format(1)}").status_code == status
