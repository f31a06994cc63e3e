"""The image index on disk: built beside the one in use, then swapped in by one rename.

``FOLDER/CURRENT`` names the folder of the index in use; its ``meta.json`` says up to which item it was
built. Who has an older one mapped keeps it until the next look-up; deleting its files does not take it away.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.match.entries import Bank
from spotsafe.detectors.match.hash_index import HashIndex
from spotsafe.detectors.match.store import Item, Store

_POINTER = "CURRENT"
_BUILDING = "building-"
_FINISHED = "index-"
_LOCK = ".lock"


class Generation(NamedTuple):
    """An index as it was built: *name* of its folder, empty for none; items up to number *built_to*."""

    name: str
    built_to: int
    tables: HashIndex


class Hashes(NamedTuple):
    """Hashes uint64[n, 4] and the numbers of their items int64[n]."""

    values: NDArray[np.uint64]
    items: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: list[Hashes]) -> Hashes:
        """All of *parts* in one."""
        if not parts:
            return cls(np.empty((0, 4), np.uint64), np.empty(0, np.int64))
        return cls(np.concatenate([p.values for p in parts]), np.concatenate([p.items for p in parts]))


def hashes_of(items: list[Item]) -> Hashes:
    """Items of the image bank as arrays."""
    values = np.frombuffer(b"".join(item.value for item in items), np.uint64).reshape(-1, 4)
    return Hashes(values, np.array([item.seq for item in items], np.int64))


def nothing_built() -> Generation:
    """What there is before the first build."""
    empty = Hashes.joined([])
    return Generation("", 0, HashIndex.build(empty.values, empty.items))


def current_name(folder: Path) -> str:
    """The name of the index in use; empty where none was built."""
    try:
        return (folder / _POINTER).read_text("ascii").strip()
    except FileNotFoundError:
        return ""


def opened(folder: Path) -> Generation:
    """The index in use, mapped into memory. Raises OSError, ValueError or KeyError where its files are
    missing or damaged."""
    name = current_name(folder)
    if not name:
        return nothing_built()
    meta = json.loads((folder / name / "meta.json").read_text("utf-8"))
    return Generation(name, int(meta["built_to"]), HashIndex.open(folder / name))


def rebuilt(folder: Path, store: Store) -> Generation:
    """Build an index of everything in the store's image bank and make it the one in use. Look-ups go on with
    the old one meanwhile; what is added meanwhile has a number above ``built_to``. One process builds at a
    time, others wait."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        parts = Hashes.joined([hashes_of(block) for block in store.blocks(Bank.IMAGE)])
        index = HashIndex.build(parts.values, parts.items)
        built_to = int(parts.items[-1]) if len(parts.items) else 0
        work = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder))
        index.save(work)
        (work / "meta.json").write_text(json.dumps({"built_to": built_to, "hashes": len(index)}), "utf-8")
        name = _FINISHED + work.name.removeprefix(_BUILDING)
        os.rename(work, folder / name)
        _put_in_use(folder, name)
    return Generation(name, built_to, HashIndex.open(folder / name))


def _put_in_use(folder: Path, name: str) -> None:
    """Swap the index *name* in, and delete all but it and the one before, which another process may be about
    to open; also what a build that was cut off left."""
    before = current_name(folder)
    pointer = folder / f"{_POINTER}.{name}"
    pointer.write_text(name, "ascii")
    os.replace(pointer, folder / _POINTER)
    for old in (*folder.glob(f"{_FINISHED}*"), *folder.glob(f"{_BUILDING}*")):
        if old.name not in {name, before}:
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    import fcntl

    with open(folder / _LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # Closing is not enough: a process that was forked meanwhile has the file open, too.
            fcntl.flock(lock, fcntl.LOCK_UN)
