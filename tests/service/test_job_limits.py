"""What jobs may take: bytes in the spool, bytes in memory, bytes that a decoder looks into."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from spotsafe.core.content import Audio, Content, Image, Part, Text, Video
from spotsafe.core.jobs import decode_order, decode_report, encode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing
from spotsafe.service import job_bounds
from spotsafe.service.app import create_app
from spotsafe.service.keys import KeyRing, add_key
from spotsafe.service.limits import Limits
from spotsafe.service.problems import Problem
from spotsafe.service.spool import Spool
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector

LABELS = ("hate.speech",)
ID = "018f0000-0000-7000-8000-00000000000{}"
LONG = "long words " * 100


@pytest.fixture
def detector() -> FakeDetector:
    return FakeDetector(kinds=("text", "image", "audio", "video"))


def order(client: TestClient, number: int, *parts: Part, **headers: str) -> Any:
    body = encode_order(ID.format(number), DetectRequest(Content(parts), LABELS))
    return client.post("/v1/jobs", json=body, headers=headers)


def upload(client: TestClient, number: int, position: int, data: bytes) -> Any:
    return client.put(f"/v1/jobs/{ID.format(number)}/parts/{position}", content=data)


def over(client: TestClient, number: int = 1) -> Any:
    while "answer" not in (found := client.get(f"/v1/jobs/{ID.format(number)}").json()):
        pass
    return found


@pytest.mark.parametrize(
    ("limits", "parts", "status", "slug"),
    [
        (Limits(spool_bytes=1000), (Text(LONG, "t"),), 413, "too-large"),
        (Limits(spool_bytes_per_key=1000), (Text(LONG, "t"),), 413, "too-large"),
        (Limits(spool_bytes=1000), (Audio(LONG.encode(), "a"),), 413, "too-large"),
        (Limits(spool_bytes=2000), (Text(LONG, "t"), Audio(LONG.encode(), "a")), 413, "too-large"),
        (Limits(job_bytes=10), (Audio(LONG.encode(), "a"),), 413, "too-large"),
    ],
)
def test_a_job_that_never_fits_is_told_so_at_once(
    service: Callable[..., TestClient], limits: Limits, parts: tuple[Part, ...], status: int, slug: str
) -> None:
    """Its texts count like its media; without Retry-After, since no waiting helps, and with the bound."""
    refused = order(service(limits=limits), 1, *parts)
    document = refused.json()
    assert (refused.status_code, document["type"]) == (status, f"urn:spotsafe:problem:{slug}")
    assert refused.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in refused.headers
    assert any(digit.isdigit() for digit in document["detail"])
    assert "long words" not in refused.text


@pytest.mark.parametrize(
    ("limits", "status", "slug"),
    [
        (Limits(spool_bytes=2500, job_workers=0), 507, "insufficient-storage"),
        (Limits(spool_bytes_per_key=2500, job_workers=0), 429, "too-many-requests"),
        (Limits(jobs_per_key=1, job_workers=0), 429, "too-many-requests"),
    ],
)
def test_texts_that_wait_count(
    service: Callable[..., TestClient], limits: Limits, status: int, slug: str
) -> None:
    """The second order finds no room: try again, says the answer, and when."""
    client = service(limits=limits)
    assert order(client, 1, Text(LONG, "t")).status_code == 201
    refused = order(client, 2, Text(LONG + "!", "t"))
    assert (refused.status_code, refused.json()["type"]) == (status, f"urn:spotsafe:problem:{slug}")
    assert refused.headers["retry-after"]
    assert "again" in refused.json()["detail"]
    assert order(client, 1, Text(LONG, "t")).status_code == 200


def test_one_key_does_not_use_up_the_share_of_another(
    service: Callable[..., TestClient], tmp_path: Any
) -> None:
    """The bound for a key is of that key alone."""
    path = tmp_path / "keys"
    mine, other = (
        {"authorization": f"Bearer {add_key(path, name, ['detect'])}"} for name in ("mine", "other")
    )
    client = service(
        keys=KeyRing.read(path), limits=Limits(spool_bytes_per_key=2500, spool_bytes=9999, job_workers=0)
    )
    assert order(client, 1, Text(LONG, "t"), **mine).status_code == 201
    assert order(client, 2, Text(LONG, "t"), **mine).status_code == 429
    assert order(client, 3, Text(LONG, "t"), **other).status_code == 201


def test_what_no_decoder_takes_is_neither_sent_nor_read(
    service: Callable[..., TestClient], detector: FakeDetector
) -> None:
    """Its labels are missing for its size; the rest is checked, and its bytes are refused if they come."""
    client = service(limits=Limits(job_audio_bytes=10))
    parts = (Text("hello", "title"), Audio(b"far too long a song", "long"), Audio(b"short", "short"))
    assert order(client, 1, *parts).json()["needs"] == [2]
    refused = upload(client, 1, 1, b"far too long a song")
    assert (refused.status_code, refused.json()["type"]) == (413, "urn:spotsafe:problem:too-large")
    upload(client, 1, 2, b"short")
    report = decode_report(over(client))
    assert report is not None
    assert report.signals is not None
    assert report.state.value == "done"
    assert report.signals.missing == (Missing("hate.speech", "long", Cause.SIZE),)
    assert [part.name for part in detector.requests[0].content] == ["title", "short"]


def test_a_job_of_which_nothing_can_be_read_ends_at_once(
    service: Callable[..., TestClient], detector: FakeDetector
) -> None:
    """Without asking the detector: everything is missing for its size."""
    client = service(limits=Limits(job_video_bytes=3, text_characters=3))
    order(client, 1, Video(b"a film", "film"), Text("a text", "text"))
    report = decode_report(over(client))
    assert report is not None
    assert report.signals is not None
    assert {(m.part, m.cause) for m in report.signals.missing} == {("film", Cause.SIZE), ("text", Cause.SIZE)}
    assert (report.state.value, detector.requests) == ("done", [])


media = st.builds(
    lambda kind, size: kind(b"x" * size, "m"), st.sampled_from([Image, Audio, Video]), st.integers(0, 12)
)


@given(
    st.lists(st.one_of(media, st.just(Text("t", "t"))), min_size=1, max_size=6),
    st.tuples(*[st.integers(0, 12)] * 4),
)
def test_what_is_read_keeps_every_bound(parts: list[Part], bounds: tuple[int, int, int, int]) -> None:
    """Each file within the bound of its kind, all together within the memory of a job, and no part that would
    still fit is left out."""
    limits = Limits(
        job_image_bytes=bounds[0], job_audio_bytes=bounds[1], job_video_bytes=bounds[2], job_memory=bounds[3]
    )
    most = dict(zip(("image", "audio", "video"), bounds, strict=False))
    wanted = decode_order(encode_order(ID.format(1), DetectRequest(Content(parts), LABELS)))
    taken, left = job_bounds.wanted(wanted, limits), job_bounds.unwanted(wanted, limits)
    assert sorted([*taken, *left]) == list(wanted.media)
    assert all(wanted.parts[n].size <= most[wanted.parts[n].kind] for n in taken)
    total = sum(wanted.parts[n].size for n in taken)
    assert total <= limits.job_memory
    for position in left:
        before = sum(wanted.parts[n].size for n in taken if n < position)
        part = wanted.parts[position]
        assert part.size > most[part.kind] or before + part.size > limits.job_memory


def test_bytes_go_to_the_disk_as_they_come(tmp_path: Any) -> None:
    """No upload is gathered in memory: what came before is on the disk when more is asked for."""
    spool, pieces = Spool(tmp_path), [b"x" * 100] * 3
    wanted = decode_order(
        encode_order(ID.format(1), DetectRequest(Content([Audio(b"x" * 300, "a")]), LABELS))
    )
    spool.begin(wanted.id, b"{}")
    seen: list[int] = []

    async def sent() -> AsyncIterator[bytes]:
        for piece in pieces:
            seen.append(sum(path.stat().st_size for path in tmp_path.rglob("*.new")))
            yield piece

    anyio.run(spool.receive, wanted, 0, sent())
    assert seen == [0, 100, 200]
    assert [path.name for path in tmp_path.rglob("*.part")] == ["0.part"]
    assert not list(tmp_path.rglob("*.new"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_fault_but_an_answer(
    service: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """507 with a remedy, for an order and for an upload; and it goes on when there is room again."""
    client = service()
    write = os.write

    def full(handle: int, data: Any) -> int:
        raise OSError(code, "no room")

    monkeypatch.setattr("spotsafe.service.spool.os.write", full)
    refused = order(client, 1, Audio(b"a song", "a"))
    assert (refused.status_code, refused.json()["type"]) == (507, "urn:spotsafe:problem:insufficient-storage")
    monkeypatch.setattr("spotsafe.service.spool.os.write", write)
    assert order(client, 1, Audio(b"a song", "a")).json()["needs"] == [0]
    monkeypatch.setattr("spotsafe.service.spool.os.write", full)
    assert upload(client, 1, 0, b"a song").status_code == 507
    monkeypatch.setattr("spotsafe.service.spool.os.write", write)
    assert upload(client, 1, 0, b"a song").status_code == 204
    assert over(client)["state"] == "done"
    assert "spotsafe_faults_total" not in client.get("/metrics").text


def test_an_upload_that_never_ends_is_ended(store: Store, clock: Any) -> None:
    """After the time that a job may wait for its bytes; nothing of it is left."""
    limits = Limits(job_receive_seconds=0.05)
    app = create_app(store, FakeDetector(kinds=("audio",)), clock=clock, limits=limits)
    wanted = DetectRequest(Content([Audio(b"a song", "a")]), LABELS)

    async def endless() -> AsyncIterator[bytes]:
        yield b"a s"
        await anyio.sleep_forever()

    async def talk() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            await client.post("/v1/jobs", json=encode_order(ID.format(1), wanted))
            return await client.put(f"/v1/jobs/{ID.format(1)}/parts/0", content=endless())

    refused = anyio.run(talk)
    assert (refused.status_code, refused.json()["type"]) == (408, "urn:spotsafe:problem:slow-body")
    assert [path.name for path in (store.folder / "jobs").rglob("*.*")] == ["order.json"]


@pytest.mark.parametrize("settled", [False, True])
def test_an_upload_that_is_cut_off_writes_to_no_other_file(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    """A thread may still write for it: its file stays open until that is done, and goes then."""
    spool, entered, go = Spool(tmp_path), threading.Event(), threading.Event()
    wanted = decode_order(encode_order(ID.format(1), DetectRequest(Content([Audio(b"a song", "a")]), LABELS)))
    spool.begin(wanted.id, b"{}")
    inodes: list[int] = []

    def slow(handle: int, *_: Any) -> int:
        entered.set()
        assert go.wait(10)
        inodes.append(os.fstat(handle).st_ino)
        return 6

    async def sent() -> AsyncIterator[bytes]:
        yield b"a song"

    async def cut_off() -> None:
        upload = asyncio.create_task(spool.receive(wanted, 0, sent()))
        await asyncio.to_thread(entered.wait, 10)
        (unfinished,) = tmp_path.rglob("*.new")
        expected.append(unfinished.stat().st_ino)
        upload.cancel()
        await asyncio.wait([upload], timeout=0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await upload

    expected: list[int] = []
    monkeypatch.setattr(f"spotsafe.service.spool.os.{'fsync' if settled else 'write'}", slow)
    asyncio.run(cut_off())
    assert inodes[:1] == expected
    assert not list(tmp_path.rglob("*.new"))


def test_uploads_of_one_part_take_the_disk_once(tmp_path: Any) -> None:
    """However many are begun: the newest ends the one before, which is told so, and counts."""
    spool, data = Spool(tmp_path), b"x" * 300
    wanted = decode_order(encode_order(ID.format(1), DetectRequest(Content([Audio(data, "a")]), LABELS)))
    spool.begin(wanted.id, b"{}")
    refused: list[str] = []

    async def talk() -> None:
        go = [anyio.Event() for _ in range(5)]

        async def upload(number: int) -> None:
            async def sent() -> AsyncIterator[bytes]:
                yield data[:200]
                began.set()
                await go[number].wait()
                yield data[200:]

            try:
                await spool.receive(wanted, 0, sent())
            except Problem as problem:
                refused.append(problem.kind.slug)

        async with anyio.create_task_group() as group:
            for number in range(5):
                began = anyio.Event()
                group.start_soon(upload, number)
                await began.wait()
                assert [path.stat().st_size for path in tmp_path.rglob("*.new")] == [200]
            for event in reversed(go):
                event.set()

    anyio.run(talk)
    assert refused == ["too-many-requests"] * 4
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["0.part", "order.json"]
