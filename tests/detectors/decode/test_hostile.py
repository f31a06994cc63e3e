"""Hostile files in decoding processes: an error of the closed set, or media within the limits; no hang."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotsafe.detectors.decode import sniff
from spotsafe.detectors.decode.decoded import Movie, Picture, Sound
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.inline import InlineDecoder, MediaLimits
from spotsafe.detectors.decode.limits import AUDIO, IMAGE, MIB, VIDEO, Reason
from spotsafe.detectors.decode.worker import WorkerDecoder
from tests.detectors.decode import made

LIMITS = MediaLimits(
    IMAGE._replace(wall=20.0, memory=256 * MIB),
    AUDIO._replace(wall=20.0, memory=256 * MIB, seconds=3.0),
    VIDEO._replace(wall=20.0, memory=256 * MIB),
)

CORPUS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: made.picture("JPEG"),
    "progressive jpeg": lambda: made.picture("JPEG", progressive=True),
    "png": lambda: made.picture("PNG"),
    "webp": lambda: made.picture("WEBP"),
    "avif": lambda: made.picture("AVIF"),
    "bmp": lambda: made.picture("BMP", made.scene(1, 12, 20)),
    "animated gif": lambda: made.animation("GIF", [made.scene(index) for index in range(4)]),
    "animated png": lambda: made.animation("PNG", [made.scene(index) for index in range(4)]),
    "animated webp": lambda: made.animation("WEBP", [made.scene(index) for index in range(4)]),
    "wav": lambda: made.sound("wav", "pcm_s16le", made.tone(0.05)),
    "mp3": lambda: made.sound("mp3", "libmp3lame", made.tone(0.3)),
    "flac": lambda: made.sound("flac", "flac", made.tone(0.1)),
    "ogg": lambda: made.sound("ogg", "libopus", made.tone(0.3, 48_000), 48_000),
    "aac": lambda: made.sound("adts", "aac", made.tone(0.3)),
    "aiff": lambda: made.sound("aiff", "pcm_s16be", made.tone(0.05)),
    "mp4": lambda: made.movie([made.scene(1)] * 5, samples=made.tone(0.5)),
    "matroska": lambda: made.movie([made.scene(1)] * 5, container="matroska"),
    "webm": lambda: made.movie([made.scene(1)] * 3, container="webm", codec="libvpx"),
    "avi": lambda: made.movie([made.scene(1)] * 5, container="avi", codec="mpeg4"),
    "mpegts": lambda: made.movie([made.scene(1)] * 5, container="mpegts"),
}

seed = cache(lambda name: CORPUS[name]())


@pytest.fixture(scope="module")
def decoder() -> Iterator[WorkerDecoder]:
    decoder = WorkerDecoder(LIMITS)
    yield decoder
    decoder.close()


def outcome(
    call: Callable[[bytes], Picture | Sound | Movie], data: bytes
) -> Reason | Picture | Sound | Movie:
    """What comes of *data*: every other exception fails the test."""
    try:
        return call(data)
    except DecodeError as error:
        assert error.__cause__ is None
        return error.reason


@st.composite
def damage(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of the corpus with bits flipped, stretches overwritten, doubled or taken out, or no end."""
    name = draw(st.sampled_from(sorted(CORPUS)))
    data = bytearray(seed(name))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        how = draw(st.sampled_from(["flip", "fill", "double", "remove", "cut"]))
        stretch = draw(st.integers(1, 64))
        if how == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "fill":
            data[at : at + stretch] = bytes([draw(st.sampled_from([0, 0x7F, 0xFF]))]) * stretch
        elif how == "double":
            data[at:at] = data[at : at + stretch]
        elif how == "remove":
            del data[at : at + stretch]
        else:
            del data[at:]
        data = data or bytearray(b"\0")
    return name, bytes(data)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged=damage())
def test_damaged_files_end_in_media_or_an_error(decoder: WorkerDecoder, damaged: tuple[str, bytes]) -> None:
    """Whatever they are taken for: a wrong media type is no way around anything."""
    _, data = damaged
    for call in (decoder.picture, decoder.sound, decoder.movie):
        outcome(call, data)


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_end_in_an_error(decoder: WorkerDecoder, data: bytes) -> None:
    """Noise is no media."""
    for call in (decoder.picture, decoder.sound, decoder.movie):
        assert isinstance(outcome(call, data), Reason)


def test_after_all_of_that_a_file_is_decoded(decoder: WorkerDecoder) -> None:
    """What came before has left nothing behind."""
    found = decoder.picture(made.picture("PNG"))
    assert (found.frames[0].pixels == made.scene(1)).all()
    assert decoder.sound(seed("flac")).samples.any()
    assert decoder.movie(seed("mp4")).frames


def archive() -> bytes:
    """A zip of a film, as it would be appended to a picture."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("film.mp4", seed("mp4"))
    return out.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "JPEG", "PNG"])
@pytest.mark.parametrize(
    "rider", [archive, lambda: b"<html><script>alert(1)</script></html>", lambda: seed("mp4")]
)
def test_files_of_two_kinds_are_what_they_begin_as(
    decoder: WorkerDecoder, kind: str, rider: Callable[[], bytes]
) -> None:
    """What is appended is not opened, and does not keep what is in front from being judged."""
    data = made.picture(kind)
    assert (decoder.picture(data + rider()).frames[0].pixels == decoder.picture(data).frames[0].pixels).all()
    assert outcome(decoder.movie, data + rider()) is Reason.UNREADABLE


def test_a_film_with_an_archive_behind_it_is_a_film(decoder: WorkerDecoder) -> None:
    """And the archive in front makes it an archive."""
    assert decoder.movie(seed("mp4") + archive()).frames
    assert outcome(decoder.movie, archive() + seed("mp4")) is Reason.NESTING


@pytest.mark.parametrize(
    ("kind", "make", "reason"),
    [
        ("picture", lambda: made.stated_png(60_000, 60_000), Reason.PIXELS),
        ("picture", lambda: made.flat_png(7_000, 7_000), Reason.RATIO),
        ("picture", lambda: made.endless_gif(100_000), Reason.FRAMES),
        ("picture", made.huge_webp, Reason.PIXELS),
        ("sound", lambda: made.sound("flac", "flac", made.silence(310), 8_000), Reason.SECONDS),
    ],
)  # fmt: skip
def test_bombs_do_not_go_off(
    decoder: WorkerDecoder, kind: str, make: Callable[[], bytes], reason: Reason
) -> None:
    """Small files that would become large are refused by name."""
    data = make()
    assert len(data) < 3 * MIB
    assert outcome(getattr(decoder, kind), data) is reason


def test_a_picture_that_needs_more_memory_than_allowed_is_refused() -> None:
    """Within the pixels, beyond the memory: the process is replaced, and the next picture is decoded."""
    decoder = WorkerDecoder(MediaLimits(IMAGE._replace(memory=32 * MIB, unpacked=1 << 40)))
    assert outcome(decoder.picture, made.flat_png(6_000, 6_000)) is Reason.MEMORY
    assert decoder.picture(made.picture("PNG")).width == 160
    decoder.close()


@pytest.mark.parametrize("demuxer", ["concat", "hls"])
def test_what_asks_for_another_file_gets_none(
    demuxer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a parser of lists were reached, which no accepted format leads to."""
    there = tmp_path / "there.wav"
    there.write_bytes(seed("wav"))
    lists = {
        "concat": f"ffconcat version 1.0\nfile {there}\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{there}\n#EXT-X-ENDLIST\n",
    }
    monkeypatch.setattr(sniff, "container_format", lambda data: demuxer)
    with pytest.raises(DecodeError) as caught:
        InlineDecoder().sound(lists[demuxer].encode())
    assert caught.value.reason in {Reason.NESTING, Reason.UNREADABLE}
