"""What a decoding process takes from itself before it reads a stranger's bytes.

Each measure is one that the platform may lack (or, as root or within a container, ignore); a process that
cannot take one goes on without it, for the others stand by themselves.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import sys
from contextlib import suppress
from functools import cache
from glob import escape, glob

from spotsafe.detectors.decode import landlock
from spotsafe.detectors.decode.limits import Limits

OPEN_FILES = 64
GRACE = 2.0
"""Seconds beyond the wall limit after which the process ends by itself, should nobody be left to end it."""

_PACKAGES = ("spotsafe", "numpy", "PIL", "av")
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def from_system() -> None:
    """No rights gained by running a program, no look into it by others of the same user, no network, and
    no files but those that Python needs: as far as the system grants it. Before there are threads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):  # containers often forbid it
        libc.unshare(_CLONE_NEWNET)  # root may, without a user namespace
    landlock.read_only(_needed(), [path for path in sys.path if os.path.isdir(path)])


def _needed() -> list[str]:
    """What is still read: the interpreter, the libraries, and of the folders that modules come from only the
    packages that decode. An application's own folder is among them, with whatever lies there."""
    found = [*landlock.SYSTEM, sys.prefix, sys.base_prefix]
    found += os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    for folder in sys.path:
        found += [os.path.join(folder, package) for package in _PACKAGES]
        found += glob(os.path.join(escape(folder), "*.libs"))  # shared libraries that wheels bring
    return [path for path in found if path not in {"", "/"}]


def for_life(largest_result: int) -> None:
    """No core dumps, few files, none of them larger than *largest_result* bytes, and no new processes."""
    for name, most in (("CORE", 0), ("FSIZE", largest_result), ("NOFILE", OPEN_FILES), ("NPROC", 0)):
        _lower(getattr(resource, f"RLIMIT_{name}"), most)


def _lower(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY or hard > most:
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, most))


def for_task(limits: Limits) -> None:
    """For one file: memory beyond what is in use now, processor time, and an alarm as the last resort. The
    limits are the soft ones, so that the next file gets its own."""
    signal.setitimer(signal.ITIMER_REAL, limits.wall + GRACE)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime + 2 * limits.wall + 1
    _soften(resource.RLIMIT_CPU, int(seconds) + 1)
    _soften(resource.RLIMIT_AS, _address_space() + limits.memory)


def _soften(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    with suppress(OSError, ValueError):
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _address_space() -> int:
    """Bytes that the process has mapped; where the platform does not tell, an ample guess."""
    try:
        return int(os.pread(_statm(), 64, 0).split()[0]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 1 << 30


@cache
def _statm() -> int:
    """The system's table of this process's memory, kept open: it is read for every file."""
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def after_task() -> None:
    """Nothing runs: the alarm is off."""
    signal.setitimer(signal.ITIMER_REAL, 0)
