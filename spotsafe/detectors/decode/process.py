"""One decoding process as its parent sees it: started, asked one thing at a time, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from select import POLLHUP, POLLIN, poll
from time import monotonic

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.decode import framing
from spotsafe.detectors.decode.framing import FramingError, Kind, Media, Reader, Task
from spotsafe.detectors.decode.limits import MIB, Limits, Reason
from spotsafe.detectors.decode.shared import Answer, nameless_file

START_SECONDS = 30.0
"""How long a process may take to start; usually it takes a few tenths of a second."""

_DAY = 86_400.0
"""As good as for ever, and a number that the system takes."""

_BOOT = (
    "import sys, json; from importlib import import_module; "
    "sys.path[:] = json.loads(sys.argv.pop(1)); import_module(sys.argv.pop(1)).main()"
)
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR")
"""What a process inherits of the environment: how to find libraries, and nothing that could be a secret."""

KEPT_BYTES = 64 * MIB
"""Memory that a process holds on to between files: fresh pages from the system cost more than decoding."""

_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES),
    "MALLOC_TOP_PAD_": str(MIB),
    "MALLOC_MMAP_THRESHOLD_": str(32 * MIB),  # the largest that the C library takes
}

_ENDED_BY = {
    -signal.SIGXCPU: Reason.WALL,
    -signal.SIGALRM: Reason.WALL,
    -signal.SIGKILL: Reason.MEMORY,  # not sent from here: the system had none left
}


class Program:
    """What is started: interpreter, module with a ``main()``, and the most bytes of one answer."""

    def __init__(self, module: str, python: str | None, largest: int) -> None:
        self.module = module
        self.python = python or sys.executable
        self.largest = largest
        if not self.python:
            raise ConfigurationError("this interpreter does not know its own path: WorkerDecoder(python=…)")

    def command(self, given: int, result: int) -> list[str]:
        """Isolated from the user's environment, with the same modules as this process."""
        paths = json.dumps([os.path.abspath(path) for path in sys.path])
        numbers = (str(number) for number in (given, result, self.largest))
        return [self.python, "-I", "-c", _BOOT, paths, self.module, *numbers]


class Ended(Exception):
    """The process is no longer of use; ``reason`` is what the file in it is blamed for."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)


class Process:
    """A running decoding process. Not for two threads at once, but for :meth:`kill`."""

    def __init__(self, program: Program) -> None:
        self.served = 0
        self._ready = False
        self._loaded: set[Kind] = set()
        self._start_by = monotonic() + START_SECONDS
        self._given, self._result = _shared_files(program.largest)
        shared = (self._given, self._result.file)
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _SETTINGS
        try:
            self._child = subprocess.Popen(  # noqa: S603 - no shell, and no word of it comes from outside
                program.command(*shared), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                stderr=subprocess.DEVNULL, pass_fds=shared, env=environment, cwd="/", start_new_session=True,
            )  # fmt: skip
        except (FileNotFoundError, PermissionError):
            self._close_shared()
            raise ConfigurationError("the decoding process's interpreter: WorkerDecoder(python=…)") from None
        except OSError:  # no memory, or too many processes: it may work the next time
            self._close_shared()
            raise Ended(Reason.CRASH) from None
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._ask, self._answer = self._child.stdin.fileno(), self._child.stdout.fileno()
        self._readable = poll()
        self._readable.register(self._answer, POLLIN | POLLHUP)

    def ready(self, deadline: float) -> bool:
        """Whether it can be asked, by *deadline* at the latest; raises :class:`Ended` where it never will."""
        if not self._ready and self._readable.poll(_milliseconds(min(deadline, self._start_by))):
            if self._received(deadline) != framing.READY:
                raise Ended(Reason.CRASH)
            self._ready = True
        if not self._ready and monotonic() >= self._start_by:
            raise Ended(Reason.CRASH)
        return self._ready

    @property
    def started(self) -> bool:
        """Whether it could be asked at some time."""
        return self._ready

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child.poll() is None

    def ask(self, kind: Kind, data: bytes, limits: Limits, end: float) -> Media | Reason:
        """What *data* decodes to, or why it does not, by *end* (monotonic); raises :class:`Ended`."""
        self.served += 1
        try:
            self._hand_over(data)
            first = kind not in self._loaded
            os.write(self._ask, framing.pack_task(Task(kind, first, len(data), limits)))
            if first:
                self._wait_for_libraries(kind, end)
            reason = framing.unpack_reply(self._received(min(end, monotonic() + limits.wall)))
            media = reason or Reader(self._result.filler(), limits).media(kind)
            self._let_go(len(data))
        except BrokenPipeError:
            raise Ended(self._blamed()) from None
        except (FramingError, OSError):
            raise Ended(Reason.CRASH) from None
        return media

    def _wait_for_libraries(self, kind: Kind, end: float) -> None:
        if self._received(min(end, monotonic() + START_SECONDS)) != framing.READY:
            raise FramingError("not what was asked for")
        self._loaded.add(kind)

    def _hand_over(self, data: bytes) -> None:
        left, offset = memoryview(data), 0
        while offset < len(data):
            offset += os.pwrite(self._given, left[offset:], offset)

    def _received(self, deadline: float) -> bytes:
        """The next answer; raises :class:`Ended` where none comes in time, or none will come."""
        if not self._readable.poll(_milliseconds(deadline)):
            raise Ended(Reason.WALL)
        raw = os.read(self._answer, framing.REPLY_SIZE)
        if not raw:
            raise Ended(self._blamed())
        if len(raw) != framing.REPLY_SIZE:
            raise FramingError("half an answer")
        return raw

    def _let_go(self, given: int) -> None:
        """Give back the memory of large files and answers."""
        if given > KEPT_BYTES // 2:
            os.ftruncate(self._given, 0)
        self._result.release()

    def _blamed(self) -> Reason:
        """What the end of a process that nobody ended says of its file."""
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(1.0)
        return _ENDED_BY.get(self._child.returncode, Reason.CRASH)

    def kill(self) -> None:
        """End it at once, from any thread; whoever waits for its answer learns that there is none."""
        self._child.kill()

    def end(self) -> None:
        """Kill it, wait for that, and give back what it held."""
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(START_SECONDS)
        self._close()

    def abandon(self) -> None:
        """In a forked child: it is the parent's; only our copies of its descriptors go."""
        self._child.returncode = 0  # nothing to wait for, and nothing to warn of
        self._close()

    def _close(self) -> None:
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        self._close_shared()

    def _close_shared(self) -> None:
        os.close(self._given)
        self._result.close()


def _shared_files(largest: int) -> tuple[int, Answer]:
    """What the two processes share. Raises :class:`Ended` where the system has no more to give."""
    given = None
    try:
        given = nameless_file()
        return given, Answer(largest, KEPT_BYTES // 2)
    except OSError:
        if given is not None:
            os.close(given)
        raise Ended(Reason.CRASH) from None


def _milliseconds(deadline: float) -> float:
    """From now to *deadline*; none where it has passed."""
    return min(max(0.0, deadline - monotonic()), _DAY) * 1000
