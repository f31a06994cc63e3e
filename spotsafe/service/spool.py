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
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from spotsafe.core.jobs import JobOrder, decode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.service.problems import MALFORMED, MISMATCH, NO_ROOM, TOO_LARGE, Problem

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

FOLDER = "jobs"
_ORDER = "order.json"
_UNFINISHED = ".new"


class Spool:
    """Files of jobs under *root*; job ids are checked before they come here (a lower-case UUID each). *now*
    is the clock that the file system's times are from, in Unix seconds."""

    __slots__ = ("_now", "_root")

    def __init__(self, root: Path, now: Callable[[], float] = time.time) -> None:
        self._root = root
        self._now = now

    def begin(self, job_id: str, order: bytes) -> None:
        """Keep the *order* of a job, JSON. Raises :class:`Problem` 507 where the disk is full. Blocking."""
        folder = self._root / job_id
        with _room():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / _ORDER
            # Two orders of one job at a time each write a file of their own, as two uploads do.
            handle, temporary = _temporary(path)
            try:
                _write_all(handle, order)
                _settle(handle, temporary, path)
            finally:
                os.close(handle)
                temporary.unlink(missing_ok=True)

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
        ordered. Raises :class:`Problem` 400, 413, 422 or, on a full disk, 507; then none are kept."""
        part, path = order.parts[position], self._part(order.id, position)
        # Two uploads of one part at a time each write a file of their own; the last to end wins.
        with _room():
            handle, temporary = await to_thread.run_sync(_temporary, path)
            try:
                received, seen = 0, sha256()
                async for chunk in chunks:
                    received += len(chunk)
                    if received > part.size:
                        raise Problem(TOO_LARGE, "The part has more bytes than were announced with the job.")
                    await to_thread.run_sync(_append, handle, seen, chunk)
                if received != part.size:
                    raise Problem(MALFORMED, "The part has fewer bytes than were announced. Send it again.")
                if not order.agrees(position, seen.digest()):
                    raise Problem(
                        MISMATCH,
                        "Their checksum is not the order's: they were altered on the way, or belong to "
                        "another part or job. Send this part's bytes again.",
                    )
                await to_thread.run_sync(_settle, handle, temporary, path)
            finally:
                os.close(handle)
                temporary.unlink(missing_ok=True)

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

    def sweep(self, needed: set[str], unfinished: float) -> None:
        """Delete the content of every job but those *needed*, and of these what uploads left behind that
        wrote nothing for *unfinished* seconds: a crash ended them. Blocking."""
        before = self._now() - unfinished
        for entry in self._root.iterdir() if self._root.is_dir() else ():
            if entry.name not in needed:
                self.drop(entry.name)
                continue
            for left in entry.glob(f"*{_UNFINISHED}"):
                _forget(left, before)

    def _part(self, job_id: str, position: int) -> Path:
        return self._root / job_id / f"{position}.part"


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


def _temporary(path: Path) -> tuple[int, Path]:
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}{_UNFINISHED}")
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), temporary


def _append(handle: int, seen: Hash, chunk: bytes) -> None:
    seen.update(chunk)
    _write_all(handle, chunk)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _settle(handle: int, temporary: Path, path: Path) -> None:
    """Have the file on disk, then its name: after a power cut there is all of it, or nothing."""
    os.fsync(handle)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
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
