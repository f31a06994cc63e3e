"""Answers of decoding processes: what is written is read, and nothing else is believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.detectors.decode import framing
from spotsafe.detectors.decode.decoded import RATE, Frame, Movie, Picture, Sound
from spotsafe.detectors.decode.framing import Fill, FramingError, Kind, Media, Reader, Task
from spotsafe.detectors.decode.limits import AUDIO, IMAGE, VIDEO, Limits, Reason

SMALL = VIDEO._replace(side=16, frames=4, seconds=0.01, pixels=10_000)
LIMITS = {
    Kind.PICTURE: IMAGE._replace(side=16, frames=4, pixels=10_000),
    Kind.SOUND: AUDIO._replace(seconds=0.01),
    Kind.MOVIE: SMALL,
}


def source(raw: bytes) -> Fill:
    """Reads *raw* as the shared file is read."""
    left = memoryview(raw)

    def fill(view: memoryview) -> None:
        nonlocal left
        if len(view) > len(left):
            raise FramingError("ends early")
        view[:] = left[: len(view)]
        left = left[len(view) :]

    return fill


def frames() -> st.SearchStrategy[Frame]:
    sides = st.tuples(st.integers(1, 16), st.integers(1, 16))
    return st.builds(
        lambda time, size, level: Frame(time, np.full((*size, 3), level, np.uint8)),
        st.floats(0, 1e6), sides, st.integers(0, 255),
    )  # fmt: skip


def sounds() -> st.SearchStrategy[Sound]:
    samples = st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=160)
    return st.builds(
        lambda values, seconds, cut: Sound(np.array(values, np.float32) / 32_768, RATE, seconds, cut),
        samples, st.floats(0, 1e6), st.booleans(),
    )  # fmt: skip


def media() -> st.SearchStrategy[Media]:
    shown = st.lists(frames(), min_size=1, max_size=4).map(tuple)
    size = st.integers(0, 100)
    pictures = st.builds(
        Picture, shown, size, size, st.sampled_from(["jpeg", "gif"]), st.integers(4, 9), st.booleans()
    )
    films = st.builds(Movie, shown, size, size, st.floats(0, 1e6), st.none() | sounds(), st.booleans())
    return st.one_of(pictures, sounds(), films)


def kind(given: Media) -> Kind:
    return {Picture: Kind.PICTURE, Sound: Kind.SOUND, Movie: Kind.MOVIE}[type(given)]


def plain(given: object) -> object:
    """Arrays as lists, so that equality is one value."""
    if isinstance(given, np.ndarray):
        return (str(given.dtype), given.shape, given.tobytes())
    return tuple(map(plain, given)) if isinstance(given, tuple) else given


@settings(deadline=None)
@given(media())
def test_what_is_written_is_read(given: Media) -> None:
    """Any media within the limits, to the last bit."""
    raw = b"".join(bytes(record) for record in framing.pack_media(given))
    assert plain(Reader(source(raw), LIMITS[kind(given)]).media(kind(given))) == plain(given)


@settings(deadline=None)
@given(media(), st.data())
def test_nothing_beyond_the_limits_is_believed(given: Media, data: st.DataObject) -> None:
    """Bytes changed at will, or cut off, give media within the limits or an error of one kind."""
    raw = bytearray(b"".join(bytes(record) for record in framing.pack_media(given)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    within(bytes(raw[: data.draw(st.integers(0, len(raw)))]), kind(given))


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(Kind))
def test_any_bytes_are_media_within_the_limits_or_an_error(raw: bytes, asked: Kind) -> None:
    """Whatever the process sends."""
    within(raw, asked)


def within(raw: bytes, asked: Kind) -> None:
    limits = LIMITS[asked]
    try:
        found = Reader(source(raw), limits).media(asked)
    except FramingError:
        return
    sound = found if isinstance(found, Sound) else getattr(found, "sound", None)
    if sound is not None:
        assert len(sound.samples) <= limits.seconds * RATE
        assert np.isfinite(sound.samples).all()
        assert np.isfinite(sound.seconds)
    if not isinstance(found, Sound):
        assert len(found.frames) <= limits.frames
        assert all(frame.pixels.size <= 3 * limits.side**2 for frame in found.frames)
        assert all(np.isfinite(frame.time) for frame in found.frames)


@settings(deadline=None)
@given(st.sampled_from(Kind), st.booleans(), st.integers(0, 1 << 40), st.sampled_from([IMAGE, AUDIO, VIDEO]))
def test_a_question_arrives_as_it_was_asked(asked: Kind, first: bool, size: int, limits: Limits) -> None:
    """With the types that the limits have."""
    task = Task(asked, first, size, limits)
    again = framing.unpack_task(framing.pack_task(task))
    assert again == task
    assert [type(value) for value in again.limits] == [type(value) for value in limits]


@pytest.mark.parametrize("reason", [None, *Reason])
def test_a_reason_arrives(reason: Reason | None) -> None:
    """Each of the closed set, and none."""
    assert framing.unpack_reply(framing.pack_reply(reason)) is reason


@pytest.mark.parametrize("raw", [b"SSD1\x63", b"SSD2\0", framing.READY])
def test_another_reply_is_none(raw: bytes) -> None:
    """Unknown reasons, another version, and what is said at the start."""
    with pytest.raises(FramingError):
        framing.unpack_reply(raw)
