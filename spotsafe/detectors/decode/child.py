"""The decoding process: reads questions from its standard input, decodes, and answers.

Questions and one-byte answers go through pipes; the encoded file comes, and what was decoded goes, through
two files without a name that both processes have open. The process ends when its standard input does, so it
never outlives its parent: a thread waits for that, and where decoding keeps that thread from running, an
alarm ends the process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from select import POLLHUP, poll
from threading import Thread

from spotsafe.detectors.decode import confine, framing
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.framing import Kind, Media, Task
from spotsafe.detectors.decode.limits import Limits, Reason
from spotsafe.detectors.decode.movies import decode_movie
from spotsafe.detectors.decode.pictures import decode_picture
from spotsafe.detectors.decode.shared import Writer
from spotsafe.detectors.decode.sounds import decode_sound

Decode = Callable[[bytes, Limits], Media]

DECODERS: Mapping[Kind, Decode] = {
    Kind.PICTURE: decode_picture,
    Kind.SOUND: decode_sound,
    Kind.MOVIE: decode_movie,
}


def main(decoders: Mapping[Kind, Decode] = DECODERS) -> None:
    """Serve until the parent hangs up. Arguments: descriptors of the two shared files, and the most bytes
    that an answer has."""
    given, result, largest = (int(word) for word in sys.argv[1:4])
    ask, answer = _private_pipes()
    confine.from_system()
    Thread(target=_end_with, args=(ask,), daemon=True).start()
    confine.for_life(largest)
    writer = Writer(result, largest)
    os.write(answer, framing.READY)
    while raw := os.read(ask, framing.TASK_SIZE):
        task = framing.unpack_task(raw)
        if task.first:
            _load(task.kind)
            os.write(answer, framing.READY)
        os.write(answer, framing.pack_reply(_serve(task, given, writer, decoders)))


def _private_pipes() -> tuple[int, int]:
    """Standard input and output under other numbers: what a codec prints must not be taken for an answer."""
    ask, answer = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    return ask, answer


def _end_with(pipe: int) -> None:
    """End the process when the other end of *pipe* is closed, whatever else it is doing."""
    hung_up = poll()
    hung_up.register(pipe, POLLHUP)
    hung_up.poll()
    os._exit(0)


def _serve(task: Task, given: int, writer: Writer, decoders: Mapping[Kind, Decode]) -> Reason | None:
    """Decode one file and leave the outcome to the *writer*; why not, where it failed."""
    data = os.pread(given, task.size, 0)
    confine.for_task(task.limits)
    try:
        media = decoders[task.kind](data, task.limits)
        writer.write(framing.pack_media(media))
    except DecodeError as error:
        return error.reason
    except MemoryError:
        return Reason.MEMORY
    finally:
        confine.after_task()
    return None


def _load(kind: Kind) -> None:
    """The libraries of *kind*, before time and memory are bounded: what they take is not the file's."""
    if kind is Kind.PICTURE:
        import PIL.AvifImagePlugin
        import PIL.Image

        PIL.AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # more would be new processes in the eyes of the system
        PIL.Image.MAX_IMAGE_PIXELS = None  # the limits say it, and before it would
    else:
        import av

        av.logging.set_level(None)


if __name__ == "__main__":
    main()
