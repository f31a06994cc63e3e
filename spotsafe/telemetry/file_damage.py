"""Damage of an outbox file: recognising it, and moving it out of the way exactly once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_damage(error: sqlite3.Error) -> bool:
    """Whether *error* says that the file itself is broken, rather than busy, full or forbidden."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_file_aside(path: Path, inode: int) -> Path | None:
    """Rename the damaged file *path* and its log files to ``NAME.damaged-N``; the new path, or None
    where another process has done it already (the file is no longer the one with that *inode*)."""
    with _alone(path):
        try:
            if os.stat(path).st_ino != inode:
                return None
        except FileNotFoundError:
            return None
        number = 1
        while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        os.rename(path, target)
        for suffix in ("-wal", "-shm"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                os.rename(beside, target.with_name(target.name + suffix))
        return target


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time, by a lock file beside *path* where the platform has ``flock``."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
