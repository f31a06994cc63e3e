"""Decoding processes: bounded, replaced, and never in the way of anybody else."""

from __future__ import annotations

import errno
import json
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.signals import Cause
from spotsafe.detectors.decode import landlock, process, shared, worker
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.framing import FramingError, Kind
from spotsafe.detectors.decode.inline import InlineDecoder, MediaLimits
from spotsafe.detectors.decode.limits import AUDIO, IMAGE, MIB, VIDEO, Reason
from spotsafe.detectors.decode.worker import WorkerDecoder
from tests.detectors.decode import made

FAULTY = "tests.detectors.decode.faulty"
ROOT = Path(__file__).resolve().parents[3]
SMALL = MediaLimits(audio=AUDIO._replace(memory=256 * MIB))
HASTY = MediaLimits(audio=AUDIO._replace(wall=0.4))
GOOD = made.picture("PNG")


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """The faulty program is found by its children, wherever the tests were started from; behind everything
    else, so that the package is the installed one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(ROOT)])
        yield


@pytest.fixture(scope="module")
def faulty() -> Iterator[WorkerDecoder]:
    decoder = WorkerDecoder(SMALL, module=FAULTY)
    yield decoder
    decoder.close()


@pytest.fixture(scope="module")
def decoder() -> Iterator[WorkerDecoder]:
    decoder = WorkerDecoder()
    yield decoder
    decoder.close()


def surroundings(decoder: WorkerDecoder) -> dict[str, Any]:
    """What the process of *decoder* sees around it."""
    told: dict[str, Any] = json.loads(decoder.picture(b"surroundings").frames[0].pixels.tobytes())
    return told


def test_a_process_gives_what_decoding_in_place_gives(decoder: WorkerDecoder) -> None:
    """Pixels, samples, times and flags survive the way back."""
    inline = InlineDecoder()
    film = made.movie([made.scene(second) for second in range(3)] * 2, samples=made.tone(0.5))
    still, animated = made.picture("JPEG"), made.animation("GIF", [made.scene(n) for n in range(3)])
    for data in (still, animated):
        here, there = inline.picture(data), decoder.picture(data)
        assert here[1:] == there[1:]
        assert [f.time for f in here.frames] == [f.time for f in there.frames]
        assert all((a.pixels == b.pixels).all() for a, b in zip(here.frames, there.frames, strict=True))
    assert (inline.sound(film).samples == decoder.sound(film).samples).all()
    seen, got = inline.movie(film), decoder.movie(film)
    assert (seen[1:4], seen.cut) == (got[1:4], got.cut)
    assert all((a.pixels == b.pixels).all() for a, b in zip(seen.frames, got.frames, strict=True))
    assert seen.sound is not None
    assert got.sound is not None
    assert (seen.sound.samples == got.sound.samples).all()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (b"grow", Reason.MEMORY),
        (b"segfault", Reason.CRASH),
        (b"leave", Reason.CRASH),
        (b"abort", Reason.CRASH),
        (b"out_of_memory", Reason.MEMORY),
        (b"answer_early", Reason.CRASH),
        (b"raise_fault", Reason.CRASH),
    ],
)
def test_a_process_that_fails_is_replaced(faulty: WorkerDecoder, fault: bytes, reason: Reason) -> None:
    """The file is blamed with a reason of the closed set, and the next file is decoded."""
    with pytest.raises(DecodeError) as caught:
        faulty.sound(fault)
    assert caught.value.reason is reason
    assert caught.value.__cause__ is None
    assert faulty.picture(GOOD).width == 160


@pytest.mark.parametrize("fault", [b"spin", b"spin_natively"])
def test_a_process_that_takes_too_long_is_replaced(fault: bytes) -> None:
    """Also where it holds the interpreter's lock, and nothing within it could end it."""
    decoder = WorkerDecoder(HASTY, module=FAULTY)
    with pytest.raises(DecodeError) as caught:
        decoder.sound(fault)
    assert (caught.value.reason, caught.value.cause) == (Reason.WALL, Cause.TIMEOUT)
    assert decoder.picture(GOOD).width == 160
    decoder.close()


@pytest.mark.parametrize("answer", [b"too large", b"too many"])
def test_an_answer_beyond_the_limits_is_not_believed(faulty: WorkerDecoder, answer: bytes) -> None:
    """Nothing is allocated for it, and the process that gave it is replaced."""
    with pytest.raises(DecodeError) as caught:
        faulty.picture(answer)
    assert caught.value.reason is Reason.CRASH
    assert faulty.picture(GOOD).width == 160


def test_an_answer_cannot_be_shortened_under_its_reader() -> None:
    """Its length is sealed, so that looking at it never ends who looks; and what is read is a copy."""
    answer = shared.Answer(1 << 16, 1 << 15)
    writer = shared.Writer(answer.file, 1 << 16)
    with pytest.raises(PermissionError):
        os.ftruncate(answer.file, 10)
    writer.write([b"first", b" and second"])
    found = bytearray(16)
    answer.filler()(memoryview(found))
    writer.write([b"other"])
    assert bytes(found) == b"first and second"
    with pytest.raises(FramingError):
        answer.filler()(memoryview(bytearray((1 << 16) + 1)))
    answer.close()


def test_no_descriptors_left_is_an_error_of_the_file_and_leaks_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call fails as where no process starts, and the next one may work."""
    given: list[int] = []

    def first() -> int:
        given.append(shared.nameless_file())
        return given[0]

    def none_left(*_: int) -> shared.Answer:
        raise OSError(errno.EMFILE, "too many open files")

    decoder = WorkerDecoder(SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(process, "nameless_file", first)
        patch.setattr(process, "Answer", none_left)
        with pytest.raises(DecodeError) as caught:
            decoder.picture(GOOD)
    assert caught.value.reason is Reason.CRASH
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(given[0])
    assert decoder.picture(GOOD).width == 160
    decoder.close()


def test_an_answer_that_somebody_looks_at_can_be_let_go() -> None:
    """After a fork, a thread of the parent may have been copying it: no view of it is released then, and the
    child has to give up its copies all the same."""
    answer = shared.Answer(1 << 16, 1 << 15)
    assert answer._map is not None
    view = memoryview(answer._map)
    answer.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(answer.file)
    view.release()


def test_large_answers_give_their_memory_back() -> None:
    """The next one begins with an empty file."""
    answer = shared.Answer(1 << 20, 1 << 15)
    shared.Writer(answer.file, 1 << 20).write([b"x" * (1 << 19)])
    answer.filler()(memoryview(bytearray(1 << 19)))
    assert os.fstat(answer.file).st_blocks * 512 >= 1 << 19
    answer.release()
    assert os.fstat(answer.file).st_blocks == 0
    answer.close()


def test_without_seals_answers_are_written_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems that have none, pictures, sound and films come back the same."""
    film = made.movie([made.scene(1)] * 5, samples=made.tone(0.5))
    monkeypatch.setattr(shared, "_SEALS", ("F_NONE",))
    decoder = WorkerDecoder()
    inline = InlineDecoder()
    assert (decoder.picture(GOOD).frames[0].pixels == inline.picture(GOOD).frames[0].pixels).all()
    found = decoder.movie(film)
    assert found.sound is not None
    assert found.sound.samples.any()
    decoder.close()


def test_what_a_codec_prints_is_no_answer(faulty: WorkerDecoder) -> None:
    """Standard output and error of the process lead nowhere."""
    assert len(faulty.sound(b"babble").samples) == 16
    assert faulty.picture(GOOD).width == 160


def test_a_process_knows_no_secrets_and_is_bounded(
    faulty: WorkerDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts without the environment, and cannot write files or core dumps of any size."""
    monkeypatch.setenv("SPOTSAFE_API_KEY", "canary-5f1c")
    with pytest.raises(DecodeError):
        faulty.sound(b"leave")  # so that the next one starts now
    seen = surroundings(faulty)
    assert "canary" not in json.dumps(seen)
    assert seen["limits"]["CORE"] == 0
    assert seen["limits"]["NOFILE"] <= 64
    assert 0 < seen["limits"]["FSIZE"] < 1 << 31


def test_a_process_reaches_nothing_outside(faulty: WorkerDecoder, tmp_path: Path) -> None:
    """What the kernel can take from it, it has taken: files, programs, connections, its parent."""
    secret = tmp_path / "secret"
    secret.write_text("canary-77")
    with socket.create_server(("127.0.0.1", 0)) as server:
        question = f"reach {secret} {server.getsockname()[1]}".encode()
        reached = json.loads(faulty.picture(question).frames[0].pixels.tobytes())
    known = landlock.version()
    bounded_since = {"read": 1, "write": 1, "execute": 1, "connect": 4, "signal": 6}
    assert [what for what, since in bounded_since.items() if known >= since and reached[what]] == []


def test_other_requests_in_flight_finish() -> None:
    """While one process spins to its end, files in the other are decoded, and the next gets its turn."""
    decoder = WorkerDecoder(HASTY, processes=2, module=FAULTY)
    try:
        with ThreadPoolExecutor(8) as threads:
            bad = [threads.submit(decoder.sound, name) for name in (b"spin", b"spin_natively")]
            good = [threads.submit(decoder.picture, GOOD) for _ in range(12)]
            assert [job.result().width for job in good] == [160] * 12
            reasons = [job.exception() for job in bad]
        assert [getattr(error, "reason", None) for error in reasons] == [Reason.WALL] * 2
    finally:
        decoder.close()


def test_waiting_for_a_process_ends_with_the_callers_time() -> None:
    """A queue has a deadline too, and giving up disturbs nobody."""
    decoder = WorkerDecoder(MediaLimits(IMAGE._replace(wall=30.0)), processes=1, module=FAULTY)
    decoder.warm_up()
    holding = threading.Event()
    outcome: list[object] = []

    def hold() -> None:
        with decoder._pool.leased(float("inf"), IMAGE) as process:
            holding.set()
            waiting.wait(30)
            outcome.append(process.alive)

    waiting = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert holding.wait(30)
        with pytest.raises(DecodeError) as caught:
            decoder.picture(GOOD, timeout=0.05)
        assert (caught.value.reason, caught.value.cause) == (Reason.WALL, Cause.TIMEOUT)
    finally:
        waiting.set()
        holder.join()
    assert outcome == [True]
    assert decoder.picture(GOOD).width == 160
    decoder.close()


def test_films_leave_a_process_to_pictures() -> None:
    """While a film is decoded and another waits, a picture does not; with one process, all take turns."""
    decoder = WorkerDecoder(module=FAULTY)
    pool = decoder._pool
    with pool.leased(float("inf"), VIDEO, Kind.MOVIE):
        with pytest.raises(DecodeError) as caught, pool.leased(0.0, AUDIO, Kind.SOUND):
            pass
        assert caught.value.reason is Reason.WALL
        assert decoder.picture(GOOD).width == 160
    with pool.leased(float("inf"), AUDIO, Kind.SOUND) as process:
        assert process.alive
    decoder.close()


def test_a_caller_without_time_does_not_stop_a_process_from_starting() -> None:
    """A start takes longer than some deadlines; it goes on, and a later call finds it started."""
    decoder = WorkerDecoder()
    with pytest.raises(DecodeError) as caught:
        decoder.picture(GOOD, timeout=0.0)
    assert caught.value.reason is Reason.WALL
    starting = [process._child.pid for process in decoder._pool._idle]
    assert decoder.picture(GOOD).width == 160
    assert [process._child.pid for process in decoder._pool._idle] == starting
    decoder.close()


def test_a_process_is_replaced_after_its_lifetime() -> None:
    """What leaks in a codec does not add up for ever."""
    decoder = WorkerDecoder(lifetime=2, module=FAULTY)
    seen = [surroundings(decoder)["process"] for _ in range(4)]
    decoder.close()
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_closing_ends_what_runs() -> None:
    """Callers learn that the decoder is closed, whether their file is under way or comes later."""
    decoder = WorkerDecoder(module=FAULTY)
    decoder.warm_up()
    (process,) = decoder._pool._idle
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(decoder.sound, b"spin")
        while process.served == 0 and not job.done():  # the thread has taken it
            pass
        decoder.close()
        with pytest.raises(DetectorError) as late:
            decoder.picture(GOOD)
        under_way = job.exception()
    assert isinstance(under_way, DetectorError)
    assert (under_way.failure, late.value.failure) == (Failure.CLOSED, Failure.CLOSED)
    assert not process.alive


FORKING = """
import os, sys
from spotsafe.detectors.decode.worker import WorkerDecoder
from tests.detectors.decode import made
data = made.picture("PNG")
decoder = WorkerDecoder()
assert decoder.picture(data).width == 160
ours = [process._child.pid for process in decoder._pool._idle]
child = os.fork()
if child == 0:
    assert decoder._pool._idle == []
    assert decoder.picture(data).width == 160
    assert [process._child.pid for process in decoder._pool._idle] != ours
    decoder.close()
    sys.exit(7)
assert os.waitpid(child, 0)[1] == 7 << 8
assert decoder.picture(data).width == 160
assert [process._child.pid for process in decoder._pool._idle] == ours
print(ours[0])
"""

SPINNING = """
import threading
from spotsafe.detectors.decode.worker import WorkerDecoder
decoder = WorkerDecoder(module="tests.detectors.decode.faulty")
decoder.warm_up()
(process,) = decoder._pool._idle
print(process._child.pid, flush=True)
decoder.sound(FAULT)
"""


def started(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: int) -> bool:
    """Whether a process that is no child of ours ends within half a minute."""
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 30)[0])
    finally:
        os.close(watched)


def test_a_forked_process_has_processes_of_its_own() -> None:
    """Neither disturbs the other's, and neither leaves one behind when it ends without closing."""
    script = started(FORKING)
    out, err = script.communicate(timeout=60)
    assert (script.returncode, err) == (0, "")
    assert ended(int(out))


@pytest.mark.parametrize("fault", [b"spin", b"spin_natively"])
def test_a_parent_that_is_killed_leaves_no_orphan(fault: bytes) -> None:
    """Its decoding process ends with it, even in the middle of a file. Where the file holds up all of the
    process, an alarm remains, which this test does not wait for."""
    script = started(SPINNING.replace("FAULT", repr(fault)))
    assert script.stdout is not None
    process = int(script.stdout.readline())
    script.send_signal(signal.SIGKILL)
    script.communicate(timeout=60)
    if fault == b"spin":
        assert ended(process)
    else:
        os.kill(process, signal.SIGALRM)
        assert ended(process)


def test_errors_name_limit_and_remedy_and_survive_pickling() -> None:
    """Each reason has its own words and a cause for the missing labels."""
    errors = [DecodeError(reason, IMAGE) for reason in Reason]
    assert len({str(error) for error in errors}) == len(Reason)
    for error in errors:
        assert error.remedy in str(error)
        again = pickle.loads(pickle.dumps(error))
        assert (again.reason, again.limits, str(again)) == (error.reason, IMAGE, str(error))
    causes = {error.reason: error.cause for error in errors}
    assert causes.pop(Reason.UNREADABLE) is causes.pop(Reason.CRASH) is Cause.ERROR
    assert causes.pop(Reason.WALL) is Cause.TIMEOUT
    assert set(causes.values()) == {Cause.SIZE}


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not when the first file comes."""
    monkeypatch.setattr(worker, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'spotsafe\[media\]'"):
        WorkerDecoder()


@pytest.mark.parametrize("options", [{"processes": 0}, {"lifetime": 0}])
def test_a_decoder_without_processes_is_refused(options: dict[str, int]) -> None:
    """Nonsense is an error where it is written."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        WorkerDecoder(**options)  # type: ignore[arg-type] # the values are what is tested


def test_a_program_that_cannot_start_is_an_error_and_no_hang() -> None:
    """An interpreter that is not there is named; a module that is not ends the process."""
    elsewhere = WorkerDecoder(python="/nowhere/python")
    with pytest.raises(ConfigurationError, match="python="):
        elsewhere.picture(GOOD)
    ending = WorkerDecoder(module="spotsafe.detectors.decode.nowhere")
    with pytest.raises(DecodeError) as caught:
        ending.picture(GOOD)
    assert caught.value.reason is Reason.CRASH


def test_operators_learn_once_that_processes_do_not_start(
    faulty: WorkerDecoder, caplog: pytest.LogCaptureFixture
) -> None:
    """With a command that says why; a file that ends a process is no such news, and nothing of it is said."""
    caplog.set_level("INFO", logger="spotsafe.detectors")
    ending = WorkerDecoder(module="spotsafe.detectors.decode.nowhere")
    for _ in range(2):
        with pytest.raises(DecodeError):
            ending.picture(GOOD)
    with pytest.raises(DecodeError):
        faulty.sound(b"segfault")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "import spotsafe.detectors.decode.child" in caplog.records[0].getMessage()
    assert caplog.records[1].getMessage().endswith(": crash")
