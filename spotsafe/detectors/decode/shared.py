"""What a decoding process leaves for its parent, in a file without a name that both have open.

Where the kernel seals a file's length, the answer is memory that both have mapped, and copying it once is all
that it costs. Without a seal the child, which may be in a stranger's hands, could shorten what the parent is
looking at, which would end the parent; then it is written and read.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress

from spotsafe.detectors.decode.framing import Buffer, Fill, FramingError

_SEALS = ("F_ADD_SEALS", "F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_SEAL")


class Answer:
    """The parent's end of answers of at most *largest* bytes. Between two of them it holds on to *kept* bytes
    of memory at most; ``file`` is what the child opens."""

    def __init__(self, largest: int, kept: int) -> None:
        self.file = nameless_file()
        self._kept = kept
        self._read = 0
        self._map = _sealed(self.file, largest)

    def filler(self) -> Fill:
        """Reads the answer from its start; raises :class:`FramingError` where it ends early. What is read is
        a copy: the other end may go on writing."""
        self._read = 0

        def fill(view: memoryview) -> None:
            while view:
                count = self._copied(view, self._read)
                if not count:
                    raise FramingError("the answer ends early")
                self._read += count
                view = view[count:]

        return fill

    def _copied(self, view: memoryview, offset: int) -> int:
        if self._map is None:
            return os.preadv(self.file, [view], offset)
        with memoryview(self._map) as whole, whole[offset : offset + len(view)] as piece:
            view[: len(piece)] = piece
            return len(piece)

    def release(self) -> None:
        """Give back the memory of the answer that was read, if it is much."""
        if self._read <= self._kept:
            return
        if self._map is None:
            os.ftruncate(self.file, 0)
        else:
            self._map.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Let go of it."""
        if self._map is not None:
            # After a fork, a thread that is not here may have been looking at it: then it stays mapped.
            with suppress(BufferError):
                self._map.close()
        os.close(self.file)


def _sealed(file: int, size: int) -> mmap.mmap | None:
    """The memory of *file* once its length is *size* for good; None where that cannot be had."""
    if not all(hasattr(fcntl, name) for name in _SEALS):
        return None
    add, *seals = (getattr(fcntl, name) for name in _SEALS)
    try:
        os.ftruncate(file, size)
        mapped = mmap.mmap(file, size)
    except (OSError, ValueError):
        os.ftruncate(file, 0)
        return None
    try:
        fcntl.fcntl(file, add, sum(seals))
    except OSError:
        mapped.close()
        os.ftruncate(file, 0)
        return None
    return mapped


class Writer:
    """The child's end: *file* is the parent's :attr:`Answer.file`, for answers of at most *largest* bytes."""

    def __init__(self, file: int, largest: int) -> None:
        self._file = file
        self._map = mmap.mmap(file, largest) if os.fstat(file).st_size == largest else None

    def write(self, records: Iterable[Buffer]) -> None:
        """All *records*, from the start of the file."""
        if self._map is None:
            os.lseek(self._file, 0, os.SEEK_SET)
            for record in records:
                _written(self._file, memoryview(record))
            return
        offset = 0
        for record in records:
            with memoryview(self._map) as whole:
                whole[offset : offset + len(record)] = record
            offset += len(record)


def _written(target: int, record: memoryview) -> None:
    while record:
        record = record[os.write(target, record) :]


def nameless_file() -> int:
    """A file in memory where the platform has them, else one on disk that nobody else can open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("spotsafe-decode", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
