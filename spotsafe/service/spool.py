"""The spool: content of jobs on disk, from the order until the job is over.

One folder a job, mode 0700: ``order.json`` with texts and context, and one file per media part. A part counts
as received only under its final name, which it gets once all of its bytes are on disk and are those that were
ordered.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock

from anyio import CancelScope, to_thread

from spotsafe.core.jobs import JobOrder, decode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.service.problems import MALFORMED, MISMATCH, NO_ROOM, TOO_LARGE, TOO_MANY, Problem

FOLDER = "jobs"
_ORDER = "order.json"
_UNFINISHED = ".new"
_RETIRED = ".gone"


class Spool:
    """Files of jobs under *root*; job ids are checked before they come here (a lower-case UUID each). *now*
    is the clock that the file system's times are from, in Unix seconds."""

    __slots__ = ("_now", "_root", "_uploads")

    def __init__(self, root: Path, now: Callable[[], float] = time.time) -> None:
        self._root = root
        self._now = now
        # The upload under way of each part. One at a time, else the disk would take as many times what the
        # order was admitted with as a client opens connections.
        self._uploads: dict[Path, _Incoming] = {}

    def begin(self, job_id: str, order: bytes) -> None:
        """Keep the *order* of a job, JSON. Raises :class:`Problem` 507 where the disk is full. Blocking."""
        folder = self._root / job_id
        with _room():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Two orders of one job at a time each write a file of their own, as two uploads do.
            incoming = _Incoming(folder / _ORDER)
            try:
                incoming.open()
                incoming.append(order)
                incoming.settle()
            finally:
                incoming.close()

    def holds(self, job_id: str) -> bool:
        """Whether the order of a job is here. Blocking."""
        return (self._root / job_id / _ORDER).exists()

    def order(self, job_id: str) -> JobOrder:
        """The order of a job. OSError or ValueError where it is gone or damaged. Blocking."""
        return decode_order(json.loads((self._root / job_id / _ORDER).read_bytes()))

    def needs(self, job_id: str, positions: Sequence[int]) -> tuple[int, ...]:
        """Those of *positions* whose parts have not arrived. Blocking."""
        return tuple(position for position in positions if not self._part(job_id, position).exists())

    async def receive(self, order: JobOrder, position: int, chunks: AsyncIterator[bytes]) -> None:
        """Write the bytes of one part as they come, as many as were ordered and with the checksum that was
        ordered. Raises :class:`Problem` 400, 413, 422, 429 or, on a full disk, 507; then none are kept. An
        upload of the same part that is under way is ended: a client that begins anew has given it up."""
        path = self._part(order.id, position)
        # A file of its own for each: what a thread still writes for the older is not the newer's.
        incoming = _Incoming(path)
        older, self._uploads[path] = self._uploads.get(path), incoming
        with _room():
            try:
                if older is not None:
                    await to_thread.run_sync(older.close)
                await to_thread.run_sync(incoming.open)
                await self._filled(order, position, incoming, chunks)
            finally:
                if self._uploads.get(path) is incoming:
                    del self._uploads[path]
                with CancelScope(shield=True):
                    await to_thread.run_sync(incoming.close)

    async def _filled(
        self, order: JobOrder, position: int, incoming: _Incoming, chunks: AsyncIterator[bytes]
    ) -> None:
        part = order.parts[position]
        async for chunk in chunks:
            if incoming.size + len(chunk) > part.size:
                raise Problem(TOO_LARGE, "The part has more bytes than were announced with the job.")
            await to_thread.run_sync(incoming.append, chunk)
            _still_wanted(incoming)
        if incoming.size != part.size:
            raise Problem(MALFORMED, "The part has fewer bytes than were announced. Send it again.")
        if not order.agrees(position, incoming.sha256):
            raise Problem(
                MISMATCH,
                "Their checksum is not the order's: they were altered on the way, or belong to "
                "another part or job. Send this part's bytes again.",
            )
        if not await to_thread.run_sync(incoming.settle):
            _still_wanted(incoming)

    def request(self, order: JobOrder, *, without: Collection[int] = ()) -> DetectRequest:
        """What there is to check of a job, leaving the parts *without* unread. OSError where a part is gone,
        ValueError where it is not what was ordered. Blocking."""
        media = {n: self._bytes(order, n) for n in order.media if n not in without}
        request = order.request(media, without=without)
        places = (n for n in range(len(order.parts)) if n not in without)
        for position, part in zip(places, request.content, strict=True):
            # The part keeps its digest for whoever needs it next: a bank of known files, for one.
            if part.kind != "text" and not order.agrees(position, part.digest):
                raise ValueError("a part in the spool is not the one that was ordered")
        return request

    def _bytes(self, order: JobOrder, position: int) -> bytes:
        size = order.parts[position].size
        with self._part(order.id, position).open("rb") as file:
            data = file.read(size + 1)
        if len(data) != size:
            raise ValueError("a part in the spool does not have the size that was ordered")
        return data

    def drop(self, job_id: str) -> None:
        """Delete a job's content. Blocking."""
        shutil.rmtree(self._root / job_id, ignore_errors=True)

    def retire(self, needed: set[str]) -> list[Path]:
        """Give the folder of every job but those *needed* another name, and return these: quick, however much
        lies in them, and a job that is ordered anew after that begins a folder of its own. Blocking."""
        retired = []
        for entry in self._root.iterdir() if self._root.is_dir() else ():
            if entry.suffix == _RETIRED:  # a crash ended an earlier sweep
                retired.append(entry)
            elif entry.name not in needed:
                with suppress(FileNotFoundError):  # it was dropped in this moment
                    retired.append(entry.rename(self._root / f"{entry.name}.{os.urandom(8).hex()}{_RETIRED}"))
        return retired

    def sweep(self, retired: Sequence[Path], unfinished: float) -> None:
        """Delete what was *retired*, and what uploads left behind that wrote nothing for *unfinished*
        seconds: a crash ended them. Blocking, for as long as the disk takes."""
        for entry in retired:
            shutil.rmtree(entry, ignore_errors=True)
        before = self._now() - unfinished
        for left in self._root.glob(f"*/*{_UNFINISHED}"):
            _forget(left, before)

    def _part(self, job_id: str, position: int) -> Path:
        return self._root / job_id / f"{position}.part"


def _still_wanted(incoming: _Incoming) -> None:
    if incoming.closed:
        # Nothing is wrong with this upload for good: should the other break off, this one is wanted again.
        raise Problem(
            TOO_MANY,
            "Another upload of this part began after this one. Ask for the job's state, or try later.",
            retry_after=1,
        )


@contextmanager
def _room() -> Iterator[None]:
    """Turn a full disk into an answer that says so."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Problem(
            NO_ROOM, "The disk of the service is full. Try again later; its operator has to make room.",
            retry_after=60,
        ) from None  # fmt: skip


class _Incoming:
    """A file on its way to *path*: written under another name, then renamed. Its methods block.

    A request that is cancelled, or too slow, leaves behind the thread that writes for it. So nothing is done
    here side by side, and nothing after :meth:`close`: the number of a closed file is the next one's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}{_UNFINISHED}")
        self._lock = Lock()
        self._handle: int | None = None
        self._closed = False
        self._seen = sha256()
        self.size = 0

    @property
    def closed(self) -> bool:
        """Whether it takes no more bytes."""
        return self._closed

    @property
    def sha256(self) -> bytes:
        """Of the bytes so far."""
        return self._seen.digest()

    def open(self) -> None:
        """Make the file."""
        with self._lock:
            if not self._closed:
                self._handle = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def append(self, data: bytes) -> None:
        """Write *data* after what was written before."""
        with self._lock:
            if self._handle is not None:
                self._seen.update(data)
                self.size += len(data)
                _write_all(self._handle, data)

    def settle(self) -> bool:
        """Have the file on disk, then its name: after a power cut there is all of it, or nothing. False where
        it was closed before."""
        with self._lock:
            if self._handle is not None:
                os.fsync(self._handle)
                self._temporary.replace(self._path)
                _settle_folder(self._path.parent)
            return self._handle is not None

    def close(self) -> None:
        """Be done with it, once nothing is written any more; what did not settle is deleted."""
        with self._lock:
            self._closed = True
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
                self._temporary.unlink(missing_ok=True)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _settle_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _forget(path: Path, before: float) -> None:
    try:
        if path.stat().st_mtime < before:
            path.unlink()
    except FileNotFoundError:  # the upload ended in this moment
        return
