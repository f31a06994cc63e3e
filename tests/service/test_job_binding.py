"""A job is bound to its content: by the receipt's digest, and by a checksum of each media part."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from spotsafe.core.content import Audio, Content, Part, Text
from spotsafe.core.ids import keyed
from spotsafe.core.jobs import decode_report, encode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause
from spotsafe.service.limits import Limits
from spotsafe.service.store import FILE_NAME, Store
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech", "tone.toxic")
ID = "018f0000-0000-7000-8000-000000000001"
SONG, OTHER = b"a song of birds", b"a song of trees"
KEY = b"a tenant's key"


@pytest.fixture
def detector() -> FakeDetector:
    return FakeDetector(kinds=("text", "audio"))


def request(*parts: Part) -> DetectRequest:
    return DetectRequest(
        Content(parts or (Text("a title", "title"), Audio(SONG, "episode")), ("en",)), LABELS
    )


def digest(wanted: DetectRequest) -> str:
    return keyed(KEY, "content", wanted.content.digest())


def order(client: TestClient, wanted: DetectRequest) -> Any:
    return client.post("/v1/jobs", json=encode_order(ID, wanted, digest(wanted)))


def upload(client: TestClient, data: bytes, position: int = 1) -> Any:
    return client.put(f"/v1/jobs/{ID}/parts/{position}", content=data)


def over(client: TestClient) -> Any:
    while "answer" not in (found := client.get(f"/v1/jobs/{ID}").json()):
        pass
    return found


def test_the_answer_says_what_it_is_about(client: TestClient) -> None:
    """The digest of the order comes back in every state, so that a receipt can be held against it."""
    wanted = request()
    assert order(client, wanted).json()["digest"] == digest(wanted)
    upload(client, SONG)
    report = decode_report(over(client))
    assert report is not None
    assert report.digest == digest(wanted)


@pytest.mark.parametrize(
    "other",
    [
        request(Text("a title", "title"), Audio(OTHER, "episode")),
        request(Text("a Title", "title"), Audio(SONG, "episode")),
        request(Text("a title", "title"), Audio(SONG, "episode", mime="audio/mpeg")),
    ],
)
def test_other_content_of_the_same_names_and_lengths_is_another_job(
    client: TestClient, other: DetectRequest
) -> None:
    """Under a known id it is refused, before the answer is there and after."""
    order(client, request())
    assert order(client, other).status_code == 409
    upload(client, SONG)
    over(client)
    refused = order(client, other)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:spotsafe:problem:conflict")
    assert order(client, request()).status_code == 200


def test_an_altered_upload_is_refused(client: TestClient, detector: FakeDetector) -> None:
    """With a remedy and without a byte of it; the right bytes may follow, and only they are looked at."""
    order(client, request())
    refused = upload(client, OTHER)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:spotsafe:problem:content-mismatch")
    assert "Send this part's bytes again" in refused.json()["detail"]
    assert client.get(f"/v1/jobs/{ID}").json()["needs"] == [1]
    assert upload(client, SONG).status_code == 204
    over(client)
    assert detector.requests == [request()]


def test_swapped_uploads_are_refused(client: TestClient) -> None:
    """Each part's checksum is of its place, whatever the lengths."""
    order(client, request(Audio(SONG, "first"), Audio(OTHER, "second")))
    assert [upload(client, data, n).status_code for n, data in enumerate((OTHER, SONG))] == [422, 422]
    assert [upload(client, data, n).status_code for n, data in enumerate((SONG, OTHER))] == [204, 204]


def test_bytes_that_changed_in_the_spool_are_not_judged(
    service: Callable[..., TestClient], store: Store, detector: FakeDetector, clock: Any
) -> None:
    """What lies on the disk is held against the order once more when it is read: then the job fails."""
    asleep = Limits(job_workers=0, job_attempts=1)
    client = service(limits=asleep)
    order(client, request())
    upload(client, SONG)
    (part,) = (store.folder / "jobs" / ID).glob("*.part")
    part.write_bytes(OTHER)
    client.portal.call(client.app.state.service.jobs.work_once)  # type: ignore[union-attr, attr-defined]
    report = decode_report(over(client))
    assert report is not None
    assert report.signals is not None
    assert (report.state.value, detector.requests) == ("set_aside", [])
    assert {entry.cause for entry in report.signals.missing} == {Cause.ERROR}


def test_no_plain_digest_is_kept(service: Callable[..., TestClient], store: Store) -> None:
    """Neither of the recording nor of the title, in the table and in the spool; while the job waits, too."""
    client = service(limits=Limits(job_workers=0))
    order(client, request())
    upload(client, SONG)
    kept = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    assert digest(request()).encode() in kept
    for plain in (SONG, b"a title"):
        assert sha256(plain).hexdigest().encode() not in kept


def test_an_order_without_digests_is_taken(client: TestClient) -> None:
    """For callers without a tenant's key: then names and lengths are compared."""
    body = encode_order(ID, request())
    for part in body["parts"]:
        part.pop("checksum", None)
    assert client.post("/v1/jobs", json=body).status_code == 201
    assert client.post("/v1/jobs", json=body).status_code == 200
    assert order(client, request()).status_code == 409
    assert upload(client, OTHER).status_code == 204
    assert "digest" not in over(client)


@pytest.mark.parametrize("made", [False, True])
def test_processes_that_start_at_once_bring_a_store_up_one_after_another(tmp_path: Path, made: bool) -> None:
    """None of them takes the work of another for damage, be the store new or of the schema before."""
    import sqlite3
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    if made:
        Store.open(tmp_path).close()
        with sqlite3.connect(tmp_path / FILE_NAME) as old:
            old.execute("ALTER TABLE jobs DROP COLUMN digest")
            old.execute("UPDATE about SET value = '1' WHERE name = 'schema'")
        old.close()
    together = Barrier(4)

    def opened(_: int) -> bool:
        together.wait(10)
        Store.open(tmp_path).close()
        return True

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(opened, range(4)))


def test_a_store_of_the_schema_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its jobs are there, and new ones can be ordered."""
    import sqlite3

    from spotsafe.service import job_table
    from spotsafe.service.tables import SCHEMA_VERSION

    Store.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as old:
        for column in ("digest", "failures", "losses", "cause"):
            old.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
        old.execute("UPDATE about SET value = '1' WHERE name = 'schema'")
        old.execute(
            "INSERT INTO jobs (job_id, application, state, created_at, changed_at, due_at, attempts, size,"
            f" labels, parts) VALUES ('{ID}', 'local', 'queued', 1, 1, 1, 0, 3, '[\"hate.speech\"]', '{{}}')"
        )
    old.close()
    store = Store.open(tmp_path)
    with store.writing() as connection:
        found = job_table.take(connection, 2, 60)
    assert found is not None
    assert (found.job_id, found.failures, found.losses, found.asked.digest) == (ID, 0, 0, "")
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as now:
        assert now.execute("SELECT value FROM about WHERE name = 'schema'").fetchone() == (
            str(SCHEMA_VERSION),
        )
    now.close()
