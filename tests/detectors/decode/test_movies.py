"""Films: one frame for each shot, in time, within the budget, and honest about what was not seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.inline import InlineDecoder, MediaLimits
from spotsafe.detectors.decode.limits import VIDEO, Limits, Reason
from tests.detectors.decode import made

DECODER = InlineDecoder()


def limited(limits: Limits) -> InlineDecoder:
    return InlineDecoder(MediaLimits(video=limits))


def shots(count: int, frames: int = 10) -> list[made.U8]:
    """*count* scenes of *frames* frames each."""
    return [made.scene(index // frames) for index in range(count * frames)]


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("mp4", "libx264"), ("matroska", "libx264"), ("webm", "libvpx"), ("webm", "libvpx-vp9"),
        ("mov", "mpeg4"), ("avi", "mpeg4"), ("mpegts", "libx264"), ("mp4", "libsvtav1"),
    ],
)  # fmt: skip
def test_every_accepted_format_gives_one_frame_for_each_shot(container: str, codec: str) -> None:
    """At the time the shot begins."""
    found = DECODER.movie(made.movie(shots(3), container=container, codec=codec))
    first = {round(frame.time): frame for frame in reversed(found.frames)}  # codecs sharpen what stands still
    assert sorted(first) == [0, 1, 2]
    assert (found.width, found.height, found.cut, found.sound) == (160, 120, False, None)
    assert found.seconds == pytest.approx(3.0, abs=0.15)
    for number, frame in first.items():
        assert np.abs(frame.pixels.astype(int) - made.scene(number)).mean() < 8
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_the_sound_track_comes_along() -> None:
    """As samples, like any other sound."""
    found = DECODER.movie(made.movie(shots(1), samples=made.tone(1.0)))
    assert found.sound is not None
    assert found.sound.seconds == pytest.approx(1.0, abs=0.06)


def test_a_file_with_sound_alone_is_a_black_picture() -> None:
    """Podcasts come as MP4, too: what is said is heard, and there is nothing to see."""
    found = DECODER.movie(made.sound("mp4", "aac"))
    assert found.sound is not None
    assert found.sound.samples.any()
    assert (len(found.frames), found.frames[0].pixels.any(), found.cut) == (1, False, False)
    assert found.seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("frames", [5, 0])
def test_a_cover_is_seen_before_the_film(frames: int) -> None:
    """Players show it; it takes one place of the budget, and one that cannot be decoded is a gap."""
    cover = made.picture("PNG", made.scene(7))
    found = DECODER.movie(made.with_cover(cover, frames))
    assert (found.frames[0].pixels == made.scene(7)).all()
    assert [frame.time for frame in found.frames] == [0.0] * (2 if frames else 1)
    assert not found.cut
    one = limited(VIDEO._replace(frames=1)).movie(made.with_cover(cover, frames))
    assert (len(one.frames), one.cut) == (1, frames > 0)
    assert (one.frames[0].pixels == made.scene(7)).all()
    assert DECODER.movie(made.with_cover(cover[:60], frames)).cut


def test_phones_films_are_upright() -> None:
    """A quarter turn that is only noted in the file is carried out."""
    upright = made.scene(1, 160, 120)
    found = DECODER.movie(made.turned_movie([np.ascontiguousarray(np.rot90(upright))] * 5))
    assert (found.width, found.height, found.frames[0].pixels.shape) == (120, 160, (160, 120, 3))
    assert np.abs(found.frames[0].pixels.astype(int) - upright).mean() < 8


def test_a_flash_between_the_encoders_key_frames_is_found() -> None:
    """One frame of a hundred, in a film whose encoder was told to put no key frame there."""
    frames = [made.scene(int(index == 57)) for index in range(100)]
    data = made.movie(frames, g="1000", sc_threshold="0")
    found = DECODER.movie(data)
    assert [round(frame.time, 1) for frame in found.frames] == [0.0, 5.7, 5.8]
    assert not found.cut


def test_a_caption_is_found() -> None:
    """A line of letters changes a part of the picture, and not the whole."""
    frames = [np.full((360, 640, 3), 90, np.uint8) for _ in range(20)]
    for frame in frames[10:]:
        frame[310:330, 160:480:3] = 255
    found = DECODER.movie(made.movie(frames))
    assert [round(frame.time, 1) for frame in found.frames] == [0.0, 1.0]


def test_a_still_film_gives_one_frame() -> None:
    """Noise is no change of scene."""
    noise = np.random.default_rng(1)
    frames = [
        np.clip(made.scene(1) + noise.normal(0, 6, (120, 160, 3)), 0, 255).astype(np.uint8) for _ in range(30)
    ]
    found = DECODER.movie(made.movie(frames))
    assert [frame.time for frame in found.frames] == [0.0]


def test_frames_are_scaled_down_to_the_longest_side() -> None:
    """In proportion, and the film's own size is stated."""
    found = limited(VIDEO._replace(side=80)).movie(made.movie(shots(2)))
    assert [frame.pixels.shape for frame in found.frames] == [(60, 80, 3)] * 2
    assert (found.width, found.height) == (160, 120)


def test_more_shots_than_the_budget_are_cut_and_said_so() -> None:
    """Those that stay are spread over the film."""
    found = limited(VIDEO._replace(frames=3)).movie(made.movie(shots(8, 5)))
    assert (len(found.frames), found.cut) == (3, True)
    assert found.frames[0].time == 0.0


def test_a_long_film_is_seen_by_its_key_frames() -> None:
    """Where there are enough of them it is not cut; where one may pass unseen between them, it is."""
    frames = shots(4, 30)
    dense = limited(VIDEO._replace(visits=50)).movie(made.movie(frames, g="10"))
    assert [round(frame.time) for frame in dense.frames] == [0, 3, 6, 9]
    assert not dense.cut
    sparse = made.movie([made.scene(1)] * 240, g="240", sc_threshold="0")
    assert limited(VIDEO._replace(visits=50)).movie(sparse).cut


def test_the_end_beyond_the_limit_is_cut() -> None:
    """The first seconds are given, and the length of the film."""
    found = limited(VIDEO._replace(seconds=1.5)).movie(made.movie(shots(4)))
    assert [round(frame.time) for frame in found.frames] == [0, 1]
    assert found.cut
    assert found.seconds == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("make", "changes", "reason"),
    [
        (lambda: made.movie(shots(1)), {"bytes": 1_000}, Reason.BYTES),
        (lambda: made.movie(shots(1)), {"pixels": 10_000}, Reason.PIXELS),
        (lambda: made.movie(shots(1)), {"ratio": 1.0, "unpacked": 1_000}, Reason.RATIO),
        (lambda: made.movie(shots(2)), {"seconds": 0.01}, Reason.SECONDS),
        (lambda: made.movie(shots(1), samples=made.tone(1.0)), {"nesting": 1}, Reason.NESTING),
        (lambda: b"<?xml version='1.0'?><MPD/>", {}, Reason.NESTING),
        (lambda: made.movie(shots(1), container="matroska", codec="ffv1"), {}, Reason.UNREADABLE),
        (lambda: made.movie(shots(1))[:400], {}, Reason.UNREADABLE),
        (lambda: made.picture("AVIF"), {}, Reason.UNREADABLE),
        (lambda: b"", {}, Reason.UNREADABLE),
    ],
)  # fmt: skip
def test_each_bound_has_its_own_reason(
    make: Callable[[], bytes], changes: dict[str, Any], reason: Reason
) -> None:
    """And a film that has none of the used codecs is unreadable."""
    with pytest.raises(DecodeError) as caught:
        limited(VIDEO._replace(**changes)).movie(make())
    assert caught.value.reason is reason
    assert caught.value.__cause__ is None


def test_a_film_of_enormous_size_is_refused_before_it_is_decoded() -> None:
    """Sixteen thousand by sixteen thousand pixels, stated in a file of a few kilobytes."""
    data = made.movie([made.scene(1)] * 3, container="avi", codec="mjpeg", strict="unofficial")
    size = (120).to_bytes(2, "big") + (160).to_bytes(2, "big")
    assert data.count(b"\x08" + size) == 3
    one = data.replace(b"\x08" + size, b"\x08" + (16_384).to_bytes(2, "big") * 2, 1)
    assert DECODER.movie(one).cut
    with pytest.raises(DecodeError) as caught:
        DECODER.movie(data.replace(b"\x08" + size, b"\x08" + (16_384).to_bytes(2, "big") * 2))
    assert caught.value.reason in {Reason.PIXELS, Reason.UNREADABLE}
