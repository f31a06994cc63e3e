"""Linux's Landlock: a process gives up files, connections and signals for good, without any privilege.

Interface: the kernel's ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h``;
the three system calls have the same numbers on every architecture. Versions: 1 files (5.13), 4 TCP (6.7),
6 signals and abstract sockets (6.12).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Version → how many rights on files it knows; they are the lowest bits."""

_TCP = 0b11
"""Binding and connecting."""

_SCOPES = 0b11
"""Abstract sockets, and signals, of processes outside."""

SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/proc/self")
"""What a Python process reads besides its modules."""


def version() -> int:
    """The version that the kernel has; 0 where it has none."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(_CREATE, None, 0, _ASK_VERSION))


def read_only(paths: Iterable[str], listed: Iterable[str]) -> bool:
    """From here on this process and its threads to come open files beneath *paths* alone, for reading, and
    see the names beneath *listed*; they run no program, and reach nobody by TCP or signal, as far as the
    kernel knows how. Whether it took hold. What is open already stays so. ``no_new_privs`` must be set."""
    known = version()
    if not known:
        return False
    rights = (1 << _FILE_RIGHTS[min(known, 5)]) - 1
    fields = [rights, *([_TCP] if known >= 4 else []), *([_SCOPES] if known >= 6 else [])]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path in paths:
            _allow(ruleset, path, _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE)
        for path in listed:
            _allow(ruleset, path, _READ_DIR)
        return _call(_RESTRICT, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """*rights* beneath *path*; what is not there, or cannot have them, needs no rule."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes | None) -> int:
    """A system call; -1 where it failed, or may not be made."""
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *passed))
