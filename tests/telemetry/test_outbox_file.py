"""The outbox's file: restart, kill -9, several processes, damage."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.telemetry.file_store import read_bodies
from spotsafe.telemetry.outbox import Outbox

WRITER = """
import sys
from spotsafe.telemetry.outbox import Outbox
outbox = Outbox(sys.argv[1])
for n in range(int(sys.argv[3])):
    outbox.put({"event_id": f"{sys.argv[2]}-{n}", "kind": "decision", "at": 4e9})
    if n % 10 == 9:
        outbox.drain()
        print(n + 1, flush=True)
if sys.argv[4] == "stay":
    sys.stdin.read()
outbox.close()
"""

COURIER = """
import sys
from spotsafe.telemetry.outbox import Outbox
outbox = Outbox(sys.argv[1])
while (batch := outbox.take(7)).records:
    for record in batch.records:
        print(record["event_id"], flush=True)
    batch.ack()
"""


def process(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def drained(path: Path) -> list[str]:
    return sorted(json.loads(body)["event_id"] for body in read_bodies(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def test_what_was_committed_survives_kill_9(path: Path) -> None:
    """A process that dies without a word leaves everything it had committed, each event once."""
    with process(WRITER, str(path), "a", "50", "stay") as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line.strip() == "50":
                break
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    outbox = Outbox(path)
    assert sorted(r["event_id"] for r in outbox.take().records) == sorted(f"a-{n}" for n in range(50))
    outbox.close()


def test_a_process_killed_between_sending_and_acknowledging_repeats_but_loses_nothing(
    path: Path, clock: Any
) -> None:
    """The courier that dies with a lease leaves its events to the next one."""
    with process(WRITER, str(path), "a", "20", "end") as writer:
        assert writer.wait() == 0
    stuck = COURIER.replace("batch.ack()", "sys.stdin.read()")
    with process(stuck, str(path)) as courier:
        assert courier.stdout is not None
        sent = [courier.stdout.readline().strip() for _ in range(7)]
        courier.send_signal(signal.SIGKILL)
        courier.wait()
    clock.time = 3e9  # far beyond every lease, before every event's end
    outbox = Outbox(path, clock=clock)
    again = [record["event_id"] for record in outbox.take().records]
    outbox.close()
    assert sorted(again) == sorted(f"a-{n}" for n in range(20))
    assert set(sent) <= set(again)


def test_several_processes_write_and_deliver_one_file(path: Path) -> None:
    """Workers of one host share a file: every event is delivered, and leases keep them from repeating."""
    writers = [process(WRITER, str(path), name, "100", "end") for name in "abc"]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    couriers = [process(COURIER, str(path)) for _ in range(3)]
    delivered = [line for courier in couriers for line in courier.communicate()[0].split()]
    assert sorted(delivered) == sorted(f"{name}-{n}" for name in "abc" for n in range(100))
    assert drained(path) == []


def test_a_restart_finds_what_was_left(path: Path, event: Any, clock: Any) -> None:
    """Closing commits; the next outbox on the file goes on with it, unreported losses included."""
    first = Outbox(path, clock=clock)
    first.put(event(1))
    first.drop("full", 2)
    first.close()
    second = Outbox(path, clock=clock, report=lambda drops: event(9, kind="drops", drops=dict(drops)))
    batch = second.take()
    second.close()
    assert [r["event_id"] for r in batch.records] == ["event-1", "event-9"]
    assert batch.records[1]["drops"] == {"full": 2}


def test_only_the_owner_may_read_the_file(path: Path, event: Any) -> None:
    """The file and its logs are readable by the process's user alone, also where it was not so before."""
    path.touch(mode=0o644)
    os.chmod(path, 0o644)
    outbox = Outbox(path)
    outbox.put(event())
    outbox.drain()
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    outbox.close()
    assert set(modes) == {"outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite-shm"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("damage", ["not a database", "torn"])
def test_a_damaged_file_is_set_aside_with_a_warning_and_a_count(
    path: Path, event: Any, clock: Any, caplog: Any, damage: str
) -> None:
    """Damage costs what was in the file, no more: it is kept for a look, and events go on in a new one."""
    if damage == "torn":
        first = Outbox(path, clock=clock)
        for n in range(200):
            first.put(event(n, filler="x" * 200))
        first.close()
        raw = path.read_bytes()
        path.write_bytes(raw[:4096] + b"\xff" * (len(raw) - 4096))
    else:
        path.write_bytes(b"this is no database, whatever its name says " * 50)
    outbox = Outbox(path, clock=clock)
    assert outbox.put(event(1000))
    outbox.drain()
    outbox.drain()
    batch = outbox.take()
    outbox.close()
    assert [record["event_id"] for record in batch.records] == ["event-1000"]
    assert outbox.drops()["corrupt"] >= 1
    assert (path.parent / "outbox.sqlite.damaged-1").exists()
    assert "is damaged: moved to outbox.sqlite.damaged-1" in caplog.text


def test_damage_while_running_is_met_the_same_way(path: Path, event: Any, clock: Any) -> None:
    """A file that breaks under a running process is replaced, and the events at hand are kept."""
    outbox = Outbox(path, clock=clock)
    outbox.put(event(1))
    outbox.drain()
    outbox.close()
    path.write_bytes(b"\x00" * 8192 + b"broken")
    outbox.put(event(2))
    for _ in range(3):
        outbox.drain()
    assert [record["event_id"] for record in outbox.take().records] == ["event-2"]
    outbox.close()


def test_a_file_that_another_process_replaced_is_opened_anew(path: Path, event: Any, clock: Any) -> None:
    """Two processes on one damaged file do not end up with two outboxes."""
    outbox = Outbox(path, clock=clock)
    outbox.put(event(1))
    outbox.drain()
    os.rename(path, path.with_name("elsewhere"))
    outbox.put(event(2))
    outbox.close()
    assert drained(path) == ["event-2"]


def test_another_programs_database_is_left_alone(path: Path, event: Any, clock: Any, caplog: Any) -> None:
    """start() refuses it and names the remedy; a lazy start keeps events in memory and says so."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE customers(name)")
    db.close()
    before = path.read_bytes()
    outbox = Outbox(path, clock=clock)
    with pytest.raises(ConfigurationError, match="is the database of something else: name another file"):
        outbox.open()
    outbox.put(event(1))
    outbox.drain()
    outbox.drain()
    assert [record["event_id"] for record in outbox.take().records] == ["event-1"]
    assert path.read_bytes() == before
    assert "kept in memory" in caplog.text


def test_a_directory_that_cannot_be_written_is_a_clear_error_at_start(tmp_path: Path, event: Any) -> None:
    """start() says which path and what to do; a lazy start loses nothing that memory can keep."""
    (tmp_path / "file").write_text("")
    outbox = Outbox(tmp_path / "file" / "outbox.sqlite")
    with pytest.raises(ConfigurationError, match="name a file in a directory that this process may write to"):
        outbox.open()
    outbox.put(event(1))
    assert outbox.drain() == 0
    assert len(outbox) == 1


def test_a_file_from_a_later_version_is_refused(path: Path) -> None:
    """A downgrade does not read what it does not understand."""
    outbox = Outbox(path)
    outbox.open()
    outbox.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(ConfigurationError, match="written by a later spotsafe"):
        Outbox(path).open()


@pytest.mark.parametrize("where", ["memory", "file"])
def test_a_forked_child_does_not_deliver_what_the_parent_put(
    where: str, path: Path, event: Any, clock: Any
) -> None:
    """The parent delivers its own events; the child starts empty and uses a connection of its own."""
    outbox = Outbox(path if where == "file" else None, clock=clock)
    outbox.put(event(1))
    outbox.drain()
    outbox.put(event(2))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        outbox.put(event(3))
        seen = [record["event_id"] for record in outbox.take().records]
        os.write(write, json.dumps([seen, outbox.drops()]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        seen, drops = json.loads(told.read())
    os.waitpid(child, 0)
    # A shared file is everybody's: what the parent committed there may be delivered by anyone, once.
    assert seen == (["event-1", "event-3"] if where == "file" else ["event-3"])
    assert drops == {}
    left = [record["event_id"] for record in outbox.take().records]
    assert left == (["event-2"] if where == "file" else ["event-1", "event-2"])
    outbox.close()
