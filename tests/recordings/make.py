"""Make the recordings: ``python -m tests.recordings.make``."""

from __future__ import annotations

import io
import subprocess

import av

from tests.recordings import SAID, recording

BITS_PER_SECOND = 32_000


def encoded(speech: bytes) -> bytes:
    """A WAV file as Ogg with Opus, mono."""
    out = io.BytesIO()
    with av.open(io.BytesIO(speech)) as given, av.open(out, "w", format="ogg") as made:
        stream = made.add_stream("libopus", rate=48_000, layout="mono")
        stream.bit_rate = BITS_PER_SECOND
        resampler = av.AudioResampler("s16", "mono", 48_000, frame_size=960)
        for frame in [*given.decode(audio=0), None]:
            for piece in resampler.resample(frame):
                made.mux(stream.encode(piece))
        made.mux(stream.encode(None))
    return out.getvalue()


def main() -> None:
    """Write every recording."""
    for name, (voice, text) in SAID.items():
        spoken = subprocess.run(
            ["espeak-ng", "-s", "150", "-v", voice, "--stdout", text], check=True, capture_output=True
        )
        recording(name).write_bytes(encoded(spoken.stdout))


if __name__ == "__main__":
    main()
