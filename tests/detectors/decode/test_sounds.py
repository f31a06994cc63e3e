"""Sound tracks: mono samples at 16 kHz, whatever they are stored as."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from spotsafe.detectors.decode.decoded import RATE
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.inline import InlineDecoder, MediaLimits
from spotsafe.detectors.decode.limits import AUDIO, Limits, Reason
from tests.detectors.decode import made

DECODER = InlineDecoder()

CODECS = (
    ("wav", "pcm_s16le"), ("wav", "pcm_f32le"), ("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus"),
    ("mp4", "aac"), ("adts", "aac"), ("webm", "libopus"), ("aiff", "pcm_s16be"), ("avi", "mp3"),
    ("mpegts", "aac"), ("matroska", "ac3"), ("mov", "alac"),
)  # fmt: skip


def hertz(samples: NDArray[np.float32]) -> float:
    """The strongest frequency."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples))


def limited(data: bytes, limits: Limits) -> Reason:
    with pytest.raises(DecodeError) as caught:
        InlineDecoder(MediaLimits(audio=limits)).sound(data)
    return caught.value.reason


@pytest.mark.parametrize(("container", "codec"), CODECS)
def test_every_accepted_format_is_read(container: str, codec: str) -> None:
    """Length, pitch and loudness of what went in."""
    found = DECODER.sound(made.sound(container, codec, rate=48_000))
    assert (found.rate, found.cut, found.samples.dtype) == (16_000, False, np.float32)
    assert found.seconds == pytest.approx(1.0, abs=0.06)
    assert len(found.samples) == pytest.approx(16_000, abs=1_000)
    assert hertz(found.samples) == pytest.approx(440, abs=2)
    assert 0.45 < np.abs(found.samples).max() < 0.56


def test_channels_are_mixed() -> None:
    """Both sides of a stereo track are heard."""
    sides = np.stack([made.tone(1.0, hertz=440), made.tone(1.0, hertz=1_000)])
    found = DECODER.sound(made.sound("flac", "flac", sides))
    strength = np.abs(np.fft.rfft(found.samples[:16_000]))
    assert strength[440] > 1_000
    assert strength[1_000] > 1_000


def test_sides_that_cancel_are_heard() -> None:
    """What is upside down on one side is silence in the mean, and not to the listener."""
    sides = np.stack([made.tone(1.0), -made.tone(1.0)])
    found = DECODER.sound(made.sound("flac", "flac", sides))
    assert hertz(found.samples) == pytest.approx(440, abs=2)
    assert np.abs(found.samples).max() > 0.45


@pytest.mark.parametrize("before", [b"", b"ID3\x04\0\0\0\0\0\x0a" + b"T" * 10, b"\0" * 500])
def test_tags_and_padding_before_the_sound_are_passed_over(before: bytes) -> None:
    """As taggers leave them."""
    plain = made.sound("mp3", "libmp3lame")
    bare = plain[plain.index(b"\xff\xfb") :]
    assert hertz(DECODER.sound(before + bare).samples) == pytest.approx(440, abs=2)


def test_a_film_gives_its_track() -> None:
    """Asked for sound, a film is a sound file."""
    found = DECODER.sound(made.movie([made.scene(1)] * 10, samples=made.tone(1.0)))
    assert found.seconds == pytest.approx(1.0, abs=0.06)


def test_long_sound_is_cut_and_says_so() -> None:
    """The first seconds are given, and the length of the file."""
    limits = MediaLimits(audio=AUDIO._replace(seconds=0.5))
    found = InlineDecoder(limits).sound(made.sound("wav", "pcm_s16le", made.tone(2.0)))
    assert (len(found.samples), found.cut) == (8_000, True)
    assert found.seconds == pytest.approx(2.0, abs=0.01)


def test_a_second_track_is_not_passed_over_in_silence() -> None:
    """One of two tracks is part of the file."""
    found = DECODER.sound(made.two_tracks())
    assert found.cut


def test_a_damaged_stretch_is_passed_over_and_reported() -> None:
    """What players skip is skipped, and the result says that something is missing."""
    data = bytearray(made.sound("mp4", "aac", made.tone(4.0), 44_100))
    at = data.index(b"mdat") + 4
    data[at + 8_000 : at + 20_000] = bytes(12_000)
    found = DECODER.sound(bytes(data))
    assert found.cut
    assert hertz(found.samples[:8_000]) == pytest.approx(440, abs=3)


@pytest.mark.parametrize(
    ("make", "limits", "reason"),
    [
        (lambda: made.sound("wav", "pcm_s16le"), AUDIO._replace(bytes=1_000), Reason.BYTES),
        (
            lambda: made.sound("wav", "pcm_s16le", made.tone(2.0)),
            AUDIO._replace(seconds=0.01),
            Reason.SECONDS,
        ),
        (lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", AUDIO, Reason.NESTING),
        (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", AUDIO, Reason.NESTING),
        (made.two_tracks, AUDIO._replace(nesting=1), Reason.NESTING),
        (lambda: made.movie([made.scene(1)] * 3), AUDIO, Reason.UNREADABLE),
        (lambda: made.sound("wav", "adpcm_ms"), AUDIO, Reason.UNREADABLE),
        (lambda: made.sound("wav", "pcm_s16le")[:44], AUDIO, Reason.UNREADABLE),
        (lambda: made.picture("PNG"), AUDIO, Reason.UNREADABLE),
        (lambda: b"\xff\xfb\x90\x00" + bytes(2_000), AUDIO, Reason.UNREADABLE),
        (lambda: b"", AUDIO, Reason.UNREADABLE),
    ],
)
def test_each_bound_has_its_own_reason(make: Callable[[], bytes], limits: Limits, reason: Reason) -> None:
    """Lists of other files, codecs that are not used, no sound at all."""
    assert limited(make(), limits) is reason


def test_a_rate_that_no_file_has_is_refused() -> None:
    """Resampling from one sample a second would cost memory and time."""
    data = bytearray(made.sound("wav", "pcm_s16le"))
    data[24:28] = (1).to_bytes(4, "little")
    assert limited(bytes(data), AUDIO._replace(coverage=0.0)) is Reason.UNREADABLE


def test_a_track_that_begins_late_keeps_its_times() -> None:
    """Times in the sound are times in the film."""
    found = DECODER.sound(made.late_sound(0.5))
    loud = np.abs(found.samples) > 0.2
    assert int(loud.argmax()) / RATE == pytest.approx(0.5, abs=0.05)
