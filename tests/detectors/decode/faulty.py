"""A decoding process with faults to order: the file says which. It is started by naming this module."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Callable

import numpy as np

from spotsafe.detectors.decode import child
from spotsafe.detectors.decode.decoded import RATE, Frame, Picture, Sound
from spotsafe.detectors.decode.framing import Kind, Media
from spotsafe.detectors.decode.limits import Limits
from spotsafe.detectors.decode.pictures import decode_picture


def spin() -> None:
    while True:
        pass


def spin_natively() -> None:
    """With the interpreter's lock held, so that no other thread of the process runs."""
    ctypes.PyDLL(None).pause()


def grow() -> None:
    held = []
    while True:
        held.append(np.empty(1 << 22))


def segfault() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(0)


def abort() -> None:
    os.abort()


def out_of_memory() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def babble() -> None:
    """What codecs print."""
    os.write(1, b"SSD1\0 frame dropped\n" * 100)
    os.write(2, b"warning\n")


def answer_early() -> None:
    """As a process would that is no longer its own master."""
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, b"SSD1\x63")
        except OSError:
            pass


def raise_fault() -> None:
    raise KeyError("the name of somebody")


FAULTS: dict[bytes, Callable[[], None]] = {
    name.__name__.encode(): name
    for name in (spin, spin_natively, grow, segfault, leave, abort, out_of_memory, babble, answer_early,
                 raise_fault)
}  # fmt: skip


def sound(data: bytes, limits: Limits) -> Media:
    """The fault that *data* names; it has the limits of sound, so that tests can set them apart."""
    FAULTS[data]()
    return Sound(np.zeros(16, np.float32), RATE, 0.001, cut=False)


def picture(data: bytes, limits: Limits) -> Media:
    """Answers beyond the limits, what the process sees around it, or the picture."""
    frame = Frame(0.0, np.zeros((limits.side + 1, limits.side, 3), np.uint8))
    if data == b"too large":
        return Picture((frame,), 1, 1, "png", 1, cut=False)
    if data == b"too many":
        small = frame._replace(pixels=frame.pixels[:1, :1])
        return Picture((small,) * (limits.frames + 1), 1, 1, "png", limits.frames + 1, cut=False)
    if data == b"surroundings":
        names = ("CORE", "FSIZE", "NOFILE")
        bounds = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in names}
        return told(json.dumps({"environment": dict(os.environ), "limits": bounds, "process": os.getpid()}))
    if data.startswith(b"reach "):
        return told(json.dumps(reached(*data.decode().split()[1:])))
    return decode_picture(data, limits)


def reached(path: str, port: str) -> dict[str, bool]:
    """What of the world outside the process can still get at."""

    def worked(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except OSError:
            return False
        return True

    return {
        "read": worked(lambda: os.close(os.open(path, os.O_RDONLY))),
        "write": worked(lambda: os.close(os.open(path, os.O_WRONLY))),
        "execute": worked(lambda: subprocess.run(["/bin/true"], check=True)),
        "connect": worked(lambda: socket.create_connection(("127.0.0.1", int(port)), 5).close()),
        "signal": worked(lambda: os.kill(os.getppid(), 0)),
    }


def told(words: str) -> Picture:
    """A text as pixels."""
    raw = np.frombuffer(words.encode().ljust(3000 * (1 + len(words) // 3000)), np.uint8)
    return Picture((Frame(0.0, raw.reshape(-1, 1000, 3)),), 1000, 1, "png", 1, cut=False)


def main() -> None:
    child.main({**child.DECODERS, Kind.PICTURE: picture, Kind.SOUND: sound})
