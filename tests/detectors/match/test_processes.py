"""Banks that several processes use at once: look-ups go on while others add, remove and rebuild."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spotsafe.detectors.match import generations
from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.entries import Bank, Terms

TERMS = Terms("child.csam", "hotline")
ADDED = 12
Opened = Callable[[str], BankSet]


def made(seed: int) -> NDArray[np.uint64]:
    """A hash like no other of another seed."""
    return np.random.default_rng(seed).integers(0, 2**64, 4, np.uint64)


@contextmanager
def child(work: Callable[[Callable[[], None]], None]) -> Iterator[Callable[[], bool]]:
    """Runs *work* in a forked process. It is given a function that tells this one of a step; the block is
    given one that waits for the next step, False when there are no more. Fails where the process did."""
    told, tells = os.pipe()
    process = os.fork()
    if not process:
        code = 1
        try:
            os.close(told)
            work(lambda: (os.write(tells, b"."), None)[1])
            code = 0
        finally:
            os._exit(code)
    os.close(tells)
    try:
        yield lambda: bool(os.read(told, 1))
    finally:
        os.close(told)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def test_look_ups_go_on_while_another_process_adds_and_rebuilds(opened: Opened) -> None:
    """What was there is found at every moment; what was added, from the next look-up on."""
    here = opened("here")
    here.image.add_hashes([(made(0), "whole")], TERMS._replace(id="0"))

    def work(tell: Callable[[], None]) -> None:
        there = opened("there")
        for number in range(1, ADDED + 1):
            there.image.add_hashes([(made(number), "whole")], TERMS._replace(id=str(number)))
            tell()
            if number % 3 == 0:
                there.rebuild()

    seen = 0
    with child(work) as step:
        while step():
            seen += 1
            for known in range(seen + 1):
                assert [match.entry_id for match in here.image.match_hash(made(known))] == [str(known)]
    assert seen == ADDED
    assert here.image.match_hash(made(ADDED + 1)) == []


def test_a_removal_counts_at_once_in_every_process(opened: Opened) -> None:
    """In the index, among what was added since, and in the other banks."""
    here = opened("here")
    for number in (0, 1):
        here.image.add_hashes([(made(number), "whole")], TERMS._replace(id=str(number)))
        if not number:
            here.rebuild()
    here.exact.add(bytes(32), TERMS._replace(id="2"))
    spam = "You have won a phone! Collect your prize today at http://prize.example/a1"
    here.text.add(spam, TERMS._replace(id="3"))
    asked = (
        lambda: here.image.match_hash(made(0)),
        lambda: here.image.match_hash(made(1)),
        lambda: here.match_bytes(bytes(32)),
        lambda: here.match_text(spam),
    )
    assert [len(ask()) for ask in asked] == [1, 1, 1, 1]

    def work(tell: Callable[[], None]) -> None:
        for number in range(4):
            assert opened("there").remove(str(number), reason="appeal")
            tell()

    with child(work) as step:
        for gone in range(4):
            assert step()
            assert [len(ask()) for ask in asked[: gone + 1]] == [0] * (gone + 1)


def test_two_rebuilds_at_once_leave_one_whole_index(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither deletes what the other builds, nothing is found to be damaged, and no leftovers stay."""
    here = opened("here")
    for number in range(4):
        here.image.add_hashes([(made(number), "whole")], TERMS._replace(id=str(number)))
    images = tmp_path / "banks" / "images"
    images.mkdir(exist_ok=True)
    (images / "building-cut-off").mkdir()

    def work(tell: Callable[[], None]) -> None:
        there = opened("there")
        for _ in range(6):
            assert there.rebuild() == 4
            tell()

    with child(work) as one, child(work) as other:
        running = [one, other]
        while running:
            running = [step for step in running if step()]
            assert here.rebuild() == 4
            for known in range(4):
                assert len(here.image.match_hash(made(known))) == 1
    assert caplog.records == []
    assert here.counts()[Bank.IMAGE] == (4, 4)
    left = sorted(path.name.partition("-")[0] for path in images.iterdir() if path.is_dir())
    assert left == ["index", "index"]


def test_a_forked_process_waits_for_no_thread_of_its_parent(opened: Opened) -> None:
    """Whatever look-up one of them was in the middle of."""
    here = opened("here")
    here.image.add_hashes([(made(0), "whole")], TERMS._replace(id="0"))
    held = [here._store._lock, here.image._view._lock]
    for lock in held:
        holder = threading.Thread(target=lock.acquire)
        holder.start()
        holder.join()

    def work(tell: Callable[[], None]) -> None:
        signal.alarm(30)  # else a fault would be a hang
        assert [match.entry_id for match in here.image.match_hash(made(0))] == ["0"]
        tell()

    with child(work) as step:
        assert step()


def test_a_rebuild_is_over_for_others_though_a_process_was_forked_in_it(tmp_path: Path) -> None:
    """The child has the lock's file open as long as it lives, and would keep everybody from building."""
    import fcntl

    waits, tells = os.pipe()
    with generations._alone(tmp_path):
        process = os.fork()
        if not process:
            os.close(tells)
            os.read(waits, 1)
            os._exit(0)
    os.close(waits)
    try:
        with open(tmp_path / ".lock", "w", encoding="ascii") as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(tells)
        os.waitpid(process, 0)
