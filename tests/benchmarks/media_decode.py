"""What a decoding process costs beside the bare library: ``python -m tests.benchmarks.media_decode``.

Each file is decoded by the worker, in this process within the same limits, and by the bare calls that anybody
would write, turn by turn in the same rounds. Reported is the least that each took, and its ratio to the bare
call's: other programs on the machine can only add to it. By the wall clock, as callers see it, and as CPU
time of both processes together. Target: 1.2 times the bare call.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from spotsafe.detectors.decode.inline import InlineDecoder
from spotsafe.detectors.decode.worker import WorkerDecoder
from tests.detectors.decode import made

ROUNDS = 9
TARGET = 1.2


class Subject(NamedTuple):
    """One file: what is asked of the decoders, and the bare call that does the same."""

    name: str
    method: str
    data: bytes
    bare: Callable[[bytes], object]


def bare_picture(data: bytes) -> object:
    """Pillow alone."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def bare_sound(data: bytes) -> object:
    """PyAV alone: decoded, mixed and resampled."""
    import av

    with av.open(io.BytesIO(data)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        blocks = [
            block.to_ndarray()[0]
            for frame in (*container.decode(audio=0), None)
            for block in resampler.resample(frame)
        ]
    return np.concatenate(blocks).astype(np.float32) / 32_768


def bare_movie(data: bytes) -> object:
    """PyAV alone: every frame decoded on one thread, one a second converted, and the sound."""
    import av

    frames = []
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        rate = int(stream.average_rate or 25)
        for index, frame in enumerate(container.decode(stream)):
            if index % rate == 0:
                frames.append(frame.reformat(format="rgb24", threads=1).to_ndarray())
    return frames, bare_sound(data)


def photograph(height: int, width: int) -> made.U8:
    """Smooth fields with grain, which compress about as photographs do."""
    grain = np.random.default_rng(7).normal(0, 6, (height, width, 3))
    return np.clip(made.scene(1, height, width) + grain, 0, 255).astype(np.uint8)


def film(seconds: int, rate: int = 30) -> bytes:
    """1280 x 720 with a new shot every two seconds that moves, and sound."""
    shots = [photograph(720, 1280) for _ in range(3)]
    frames = [np.roll(shots[index // (2 * rate) % 3] ^ (index // (2 * rate)) * 37, index * 2, axis=1)
              for index in range(seconds * rate)]  # fmt: skip
    return made.movie(frames, rate=rate, samples=made.tone(float(seconds)), preset="ultrafast", crf="28")


def subjects() -> list[Subject]:
    """The files, made here."""
    speech = np.random.default_rng(3).normal(0, 2_000, 44_100 * 60).astype(np.int16)
    return [
        Subject(
            "JPEG 12 MP", "picture", made.picture("JPEG", photograph(3_000, 4_000), quality=85), bare_picture
        ),
        Subject(
            "JPEG 1.2 MP", "picture", made.picture("JPEG", photograph(960, 1_280), quality=85), bare_picture
        ),
        Subject(
            "JPEG 0.3 MP", "picture", made.picture("JPEG", photograph(480, 640), quality=85), bare_picture
        ),
        Subject("PNG 1.2 MP", "picture", made.picture("PNG", photograph(960, 1_280)), bare_picture),
        Subject("WebP 1.2 MP", "picture", made.picture("WEBP", photograph(960, 1_280)), bare_picture),
        Subject("MP3 60 s", "sound", made.sound("mp3", "libmp3lame", speech), bare_sound),
        Subject("film 5 s, 720p, sound", "movie", film(5), bare_movie),
    ]


def spent(call: Callable[[bytes], object], data: bytes, child: Callable[[], float]) -> tuple[float, float]:
    """Milliseconds by the wall clock and of CPU time, of this process and of the decoding process."""
    cpu, wall = time.process_time() + child(), time.perf_counter()
    call(data)
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() + child() - cpu)


def cpu_of(worker: WorkerDecoder) -> float:
    """CPU seconds of the decoding process's thread so far (Linux)."""
    (process,) = worker._pool._idle
    with open(f"/proc/{process._child.pid}/schedstat", "rb") as table:
        return int(table.read().split()[0]) / 1e9


def measured(subject: Subject, worker: WorkerDecoder, rounds: int) -> dict[str, Any]:
    """The least over *rounds* that each way takes, and the ratios."""
    inline = InlineDecoder()
    calls: dict[str, Callable[[bytes], object]] = {
        "worker": getattr(worker, subject.method),
        "inline": getattr(inline, subject.method),
        "bare": subject.bare,
    }
    for call in calls.values():
        call(subject.data)
    rows = []
    for number in range(rounds):
        order = sorted(calls, reverse=number % 2 == 1)
        rows.append({name: spent(calls[name], subject.data, lambda: cpu_of(worker)) for name in order})
    found: dict[str, Any] = {"bytes": len(subject.data)}
    for clock, index in (("wall", 0), ("cpu", 1)):
        least = {name: min(row[name][index] for row in rows) for name in calls}
        found |= {f"{name}_{clock}_ms": round(value, 2) for name, value in least.items()}
        found |= {
            f"{name}_to_bare_{clock}": round(least[name] / least["bare"], 2) for name in ("worker", "inline")
        }
    return found


def benchmark(rounds: int = ROUNDS) -> dict[str, Any]:
    """Figures for each file, how long a process takes to start, and what memory it holds."""
    began = time.perf_counter()
    worker = WorkerDecoder()
    worker.warm_up()
    start = time.perf_counter() - began
    figures = {subject.name: measured(subject, worker, rounds) for subject in subjects()}
    worker.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "start_ms": round(1e3 * start),
        "peak_mb_of_process": round(peak),
        "target": TARGET,
        "files": figures,
    }


def main() -> None:
    """Print the figures, as one JSON document with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns that each way has")
    options = parser.parse_args()
    result = benchmark(options.rounds)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for name, found in result["files"].items():
        print(
            f"{name:24} bare {found['bare_wall_ms']:8.2f} ms, worker {found['worker_wall_ms']:8.2f} ms: "
            f"{found['worker_to_bare_wall']:5.2f} by the wall, {found['worker_to_bare_cpu']:5.2f} of CPU; "
            f"in place {found['inline_to_bare_cpu']:5.2f}"
        )
    print(f"start of a process {result['start_ms']} ms, its peak {result['peak_mb_of_process']} MB")


if __name__ == "__main__":
    main()
