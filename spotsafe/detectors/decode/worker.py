"""Decoding in processes of its own: what a file does to one of them, it does to no one else."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import TIMEOUT_MAX, Condition
from time import monotonic
from typing import cast

from spotsafe.core.errors import ConfigurationError, DetectorError, Failure, missing_extra
from spotsafe.detectors.decode.decoded import RATE, Movie, Picture, Sound
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.framing import Kind, Media
from spotsafe.detectors.decode.inline import MediaLimits
from spotsafe.detectors.decode.limits import MIB, Limits, Reason
from spotsafe.detectors.decode.process import START_SECONDS, Ended, Process, Program

CHILD = "spotsafe.detectors.decode.child"

LIFETIME = 500
"""Files after which a process is replaced: what leaks in a codec does not grow for ever."""

TURNS = 3
"""A caller without a timeout waits for a process while so many files of its kind may take their time."""

_log = logging.getLogger("spotsafe.detectors")

_pools: weakref.WeakSet[_Pool] = weakref.WeakSet()


class WorkerDecoder:
    """A :class:`~spotsafe.detectors.decode.decoder.Decoder` for files from strangers.

    At most *processes* decode at the same time; each starts when it is first needed, and where there are two
    or more, one is left to pictures. One that exceeds time or memory, or dies, is replaced; only the call
    whose file it held fails. Callers may be any number of threads, and forked processes get processes of
    their own. That processes do not start is logged once, as a warning of ``spotsafe.detectors``.

    *python* is the interpreter to start, where ``sys.executable`` is none; *lifetime* the files after which a
    process is replaced; *module* has the ``main()`` that it runs.
    """

    def __init__(
        self,
        limits: MediaLimits | None = None,
        *,
        processes: int = 2,
        lifetime: int = LIFETIME,
        python: str | None = None,
        module: str = CHILD,
    ) -> None:
        if sys.platform == "win32":
            raise ConfigurationError("WorkerDecoder needs a POSIX system: run the service in a container")
        if processes < 1 or lifetime < 1:
            raise ConfigurationError("WorkerDecoder: processes and lifetime are at least 1")
        if find_spec("PIL") is None or find_spec("av") is None:
            raise missing_extra("media", "decoding media")
        self.limits = limits or MediaLimits()
        self._pool = _Pool(Program(module, python, _largest(self.limits)), processes, lifetime)
        self._finalizer = weakref.finalize(self, self._pool.close)

    def picture(self, data: bytes, *, timeout: float | None = None) -> Picture:
        """See :class:`~spotsafe.detectors.decode.decoder.Decoder`."""
        return cast(Picture, self._pool.decode(Kind.PICTURE, data, self.limits.image, timeout))

    def sound(self, data: bytes, *, timeout: float | None = None) -> Sound:
        """See :class:`~spotsafe.detectors.decode.decoder.Decoder`."""
        return cast(Sound, self._pool.decode(Kind.SOUND, data, self.limits.audio, timeout))

    def movie(self, data: bytes, *, timeout: float | None = None) -> Movie:
        """See :class:`~spotsafe.detectors.decode.decoder.Decoder`."""
        return cast(Movie, self._pool.decode(Kind.MOVIE, data, self.limits.video, timeout))

    def warm_up(self) -> None:
        """Start one process now rather than within the first call; raises what that call would."""
        with self._pool.leased(monotonic() + 2 * START_SECONDS, self.limits.image):
            pass

    def close(self) -> None:
        """End all processes. Calls under way, and later ones, raise ``DetectorError`` (closed)."""
        self._finalizer()


class _Pool:
    """The processes; apart from the decoder, so that they can be ended when nobody holds it any more."""

    def __init__(self, program: Program, most: int, lifetime: int) -> None:
        self._program = program
        self._most = most
        self._lifetime = lifetime
        self._closed = False
        self._complained = False
        self._reset()
        _pools.add(self)

    def _reset(self) -> None:
        self._owner = os.getpid()
        self._changed = Condition()
        self._idle: list[Process] = []
        self._busy: set[Process] = set()
        self._leased = dict.fromkeys(Kind, 0)

    def decode(self, kind: Kind, data: bytes, limits: Limits, timeout: float | None) -> Media:
        """One file through one process."""
        if len(data) > limits.bytes:
            raise DecodeError(Reason.BYTES, limits)
        end = float("inf") if timeout is None else monotonic() + timeout
        with self.leased(end, limits, kind) as process:
            answer = process.ask(kind, data, limits, end)
            if answer is Reason.MEMORY:
                raise Ended(Reason.MEMORY)  # what it holds is in pieces: the next file gets a fresh one
        if isinstance(answer, Reason):
            raise DecodeError(answer, limits)
        return answer

    @contextmanager
    def leased(self, end: float, limits: Limits, kind: Kind = Kind.PICTURE) -> Iterator[Process]:
        """A process that nobody else uses, by *end* (monotonic). It is kept if all goes well with it."""
        if not self._took_turn(min(end, monotonic() + TURNS * limits.wall), kind):
            raise DecodeError(Reason.WALL, limits)
        process: Process | None = None
        well = False
        try:
            process = self._taken()
            started = process.ready(end)
            if started:
                yield process
            well = process.served < self._lifetime
            if not started:
                raise DecodeError(Reason.WALL, limits)  # it goes on starting, for the next call
        except Ended as ended:
            if self._closed:
                raise DetectorError(Failure.CLOSED, detector="decode") from None
            self._tell(process, ended.reason)
            raise DecodeError(ended.reason, limits) from None
        finally:
            self._given_back(process, kind, well)

    def _tell(self, process: Process | None, reason: Reason) -> None:
        """For operators: files that end processes are common enough, processes that never start are not."""
        if process is not None and process.started:
            _log.info("a decoding process was replaced; its file is blamed with: %s", reason.value)
        elif not self._complained:
            self._complained = True
            _log.warning(
                "decoding processes do not start, so media are missing with cause error; "
                "python -c 'import spotsafe.detectors.decode.child' says why"
            )

    def _took_turn(self, deadline: float, kind: Kind) -> bool:
        """Wait for a process to be free, or to be started, for *kind*; whether there was one in time."""
        with self._changed:
            while not self._closed and not self._has_room(kind):
                if not self._changed.wait(min(deadline - monotonic(), TIMEOUT_MAX)):
                    return False
            if self._closed:
                raise DetectorError(Failure.CLOSED, detector="decode")
            self._leased[kind] += 1
        return True

    def _has_room(self, kind: Kind) -> bool:
        """Sound and films take minutes, and pictures are waited for: of several processes one is left to
        them."""
        if sum(self._leased.values()) >= self._most:
            return False
        long = self._leased[Kind.SOUND] + self._leased[Kind.MOVIE]
        return kind is Kind.PICTURE or long < max(1, self._most - 1)

    def _taken(self) -> Process:
        """An idle process that lives, or a new one."""
        with self._changed:
            while self._idle:
                process = self._idle.pop()
                if process.alive:
                    self._busy.add(process)
                    return process
                process.end()
        process = Process(self._program)
        with self._changed:
            self._busy.add(process)
            if self._closed:
                process.kill()
        return process

    def _given_back(self, process: Process | None, kind: Kind, well: bool) -> None:
        with self._changed:
            self._leased[kind] -= 1
            if process is not None:
                self._busy.discard(process)
                well = well and not self._closed
                if well:
                    self._idle.append(process)
            self._changed.notify_all()
        if process is not None and not well:
            process.end()

    def close(self) -> None:
        """End all processes; those in use are reaped by whoever uses them."""
        if os.getpid() != self._owner:
            return
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            self._changed.notify_all()
        for process in busy:
            process.kill()
        for process in idle:
            process.end()

    def after_fork(self) -> None:
        """In a forked child: none of the processes is ours, and nobody holds the lock."""
        for process in (*self._idle, *self._busy):
            process.abandon()
        self._reset()


def _largest(limits: MediaLimits) -> int:
    """The most bytes of one answer."""
    frames = max(kind.frames * kind.side**2 * 3 for kind in (limits.image, limits.video))
    samples = max(kind.seconds * RATE * 2 for kind in (limits.audio, limits.video))
    return int(frames + samples) + MIB


def _in_child() -> None:
    for pool in list(_pools):
        pool.after_fork()


# Only ``after_in_child``: a ``before`` hook would run in, and could block, the parent.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
