"""The spool: content of jobs on disk, from the order until the job is over.

One folder a job, mode 0700: ``order.json`` with texts and context, and one file per media part. A part counts
as received only under its final name, which it gets once all of its bytes are on disk.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import to_thread

from spotsafe.core.jobs import JobOrder, decode_order
from spotsafe.core.seams import DetectRequest
from spotsafe.service.problems import MALFORMED, TOO_LARGE, Problem

FOLDER = "jobs"
_ORDER = "order.json"


class Spool:
    """Files of jobs under *root*; job ids are checked before they come here (a lower-case UUID each)."""

    __slots__ = ("_root",)

    def __init__(self, root: Path) -> None:
        self._root = root

    def begin(self, job_id: str, body: object) -> None:
        """Keep the order of a job as it came. Blocking."""
        folder = self._root / job_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / _ORDER
        # Two orders of one job at a time each write a file of their own, as two uploads do.
        handle, temporary = _temporary(path)
        try:
            _write_all(handle, json.dumps(body).encode())
            os.fsync(handle)
            temporary.replace(path)
        finally:
            os.close(handle)
            temporary.unlink(missing_ok=True)

    def holds(self, job_id: str) -> bool:
        """Whether the order of a job is here. Blocking."""
        return (self._root / job_id / _ORDER).exists()

    def order(self, job_id: str) -> JobOrder:
        """The order of a job. OSError or ValueError where it is gone or damaged. Blocking."""
        return decode_order(json.loads((self._root / job_id / _ORDER).read_bytes()))

    def needs(self, job_id: str, order: JobOrder) -> tuple[int, ...]:
        """Positions of parts that have not arrived. Blocking."""
        return tuple(position for position in order.media if not self._part(job_id, position).exists())

    async def receive(self, job_id: str, position: int, size: int, chunks: AsyncIterator[bytes]) -> None:
        """Write one part's bytes, exactly *size* of them. Raises :class:`Problem` 400 or 413 otherwise; then
        nothing is kept of them."""
        path = self._part(job_id, position)
        # Two uploads of one part at a time each write a file of their own; the last to end wins.
        handle, temporary = await to_thread.run_sync(_temporary, path)
        try:
            received = 0
            async for chunk in chunks:
                received += len(chunk)
                if received > size:
                    raise Problem(TOO_LARGE, "The part has more bytes than were announced with the job.")
                await to_thread.run_sync(_write_all, handle, chunk)
            if received != size:
                raise Problem(MALFORMED, "The part has fewer bytes than were announced. Send it again.")
            await to_thread.run_sync(os.fsync, handle)
            temporary.replace(path)
        finally:
            os.close(handle)
            temporary.unlink(missing_ok=True)

    def request(self, job_id: str) -> DetectRequest:
        """The whole content of a job. OSError or ValueError where a part is gone. Blocking."""
        order = self.order(job_id)
        return order.request(
            {position: self._part(job_id, position).read_bytes() for position in order.media}
        )

    def drop(self, job_id: str) -> None:
        """Delete a job's content. Blocking."""
        shutil.rmtree(self._root / job_id, ignore_errors=True)

    def sweep(self, needed: set[str]) -> None:
        """Delete the content of every job but those *needed*. Blocking."""
        for entry in self._root.iterdir() if self._root.is_dir() else ():
            if entry.name not in needed:
                self.drop(entry.name)

    def _part(self, job_id: str, position: int) -> Path:
        return self._root / job_id / f"{position}.part"


def _temporary(path: Path) -> tuple[int, Path]:
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), temporary


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
