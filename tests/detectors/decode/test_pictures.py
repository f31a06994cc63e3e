"""Pictures and animations: upright sRGB without transparency, whatever they are stored as."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.inline import InlineDecoder, MediaLimits
from spotsafe.detectors.decode.limits import IMAGE, Limits, Reason
from spotsafe.detectors.decode.pictures import STRIP, orientation, reduction
from tests.detectors.decode import made

U8 = NDArray[np.uint8]
DECODER = InlineDecoder()


def pixels(data: bytes) -> NDArray[np.int64]:
    """The only frame of a still."""
    (frame,) = DECODER.picture(data).frames
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.flags.c_contiguous
    return frame.pixels.astype(np.int64)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def apart(seen: NDArray[np.int64], meant: U8) -> float:
    return float(np.abs(seen - meant).mean())


def refused(data: bytes, limits: Limits = IMAGE) -> Reason:
    with pytest.raises(DecodeError) as caught:
        InlineDecoder(MediaLimits(image=limits)).picture(data)
    assert caught.value.__cause__ is None
    return caught.value.reason


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("PNG", 0), ("GIF", 0), ("BMP", 0), ("JPEG", 6), ("WEBP", 6), ("AVIF", 6)]
)
def test_every_accepted_format_is_read(kind: str, tolerance: float) -> None:
    """Each gives the pixels that went in, and its name."""
    found = DECODER.picture(made.picture(kind))
    assert (found.format, found.width, found.height, found.total_frames) == (kind.lower(), 160, 120, 1)
    assert not found.cut
    assert apart(pixels(made.picture(kind)), made.scene(1)) <= tolerance


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "TGA", "JPEG2000"])
def test_no_other_format_reaches_a_parser(kind: str) -> None:
    """However many formats Pillow knows."""
    assert refused(saved(Image.fromarray(made.scene(1)), kind)) is Reason.UNREADABLE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(orientation: int) -> None:
    """All eight EXIF orientations: what a viewer shows is what is judged."""
    upright = Image.fromarray(made.scene(2))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(
        orientation
    )  # Pillow's numbers of the inverse turns
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    data = saved(stored, "PNG", exif=exif)
    found = DECODER.picture(data)
    assert (found.width, found.height) == (160, 120)
    assert apart(pixels(data), made.scene(2)) == 0


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_every_format_that_knows_turns_is_turned(kind: str) -> None:
    """As phones write them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(made.scene(2)).transpose(Image.Transpose.ROTATE_90), kind, exif=exif)
    found = DECODER.picture(data)
    assert (found.width, found.height) == (160, 120)
    assert apart(pixels(data), made.scene(2)) < 9


def test_a_damaged_exif_block_is_no_orientation() -> None:
    """As in viewers; the picture is still judged."""
    for block in (b"MM\0*\0\0\0\x08\xff\xff", b"MM\0*\xff\xff\xff\xff", b"II*\0", b"no TIFF"):
        data = saved(Image.fromarray(made.scene(2)), "PNG", exif=b"Exif\0\0" + block)
        assert apart(pixels(data), made.scene(2)) == 0


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"II*\0", b"MM\0*", b"MM\0*\0\0\0\x08"]))
def test_any_exif_block_has_an_orientation(block: bytes, head: bytes) -> None:
    """Whatever it holds."""
    assert isinstance(orientation(head + block), int)


def ramp(mode: str) -> Image.Image:
    """Grey from black to white in the colours of *mode*."""
    levels = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (16, 1))
    grey = Image.fromarray(levels)
    if mode == "I;16":
        return Image.fromarray(levels.astype(np.uint16) * 257)
    if mode == "CMYK":
        return grey.convert("RGB").convert("CMYK")
    return grey.convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("I;16", "PNG"),
        ("RGBA", "PNG"),
        ("CMYK", "JPEG"),
        ("L", "JPEG"),
    ],
)
def test_every_way_to_store_colours_gives_the_same(mode: str, kind: str) -> None:
    """Sixteen bits, palettes, printers' inks: a grey ramp stays that ramp."""
    levels = np.repeat(np.tile(np.arange(0, 256, 2, dtype=np.uint8), (16, 1))[..., None], 3, axis=-1)
    assert apart(pixels(saved(ramp(mode), kind)), levels) < 3


def test_one_bit_is_black_and_white() -> None:
    """And not black and almost black."""
    image = Image.fromarray((made.scene(3)[..., 0] > 127).astype(np.uint8) * 255).convert("1")
    assert set(np.unique(pixels(saved(image)))) == {0, 255}


def swapped_profile() -> bytes:
    """A colour profile by which red is shown as green, to hide a picture from whoever ignores it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    table = {profile[at : at + 4]: at for at in range(132, 132 + 12 * 20, 12)}
    red, green = table[b"rXYZ"], table[b"gXYZ"]
    swapped = bytearray(profile)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(swapped)


def test_colour_profiles_are_applied() -> None:
    """A viewer would show the red square green."""
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    shown = pixels(saved(red, icc_profile=swapped_profile()))[0, 0]
    assert shown[0] < 100
    assert shown[1] > 200


def test_a_damaged_colour_profile_is_passed_over() -> None:
    """As in viewers."""
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert tuple(pixels(saved(red, icc_profile=b"no profile at all"))[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize("ink", [0, 255])
def test_drawings_on_nothing_stay_visible(ink: int) -> None:
    """A white drawing is laid on black, a black one on white: neither vanishes."""
    drawing = np.zeros((64, 64, 4), np.uint8)
    drawing[16:48, 30:34] = (ink, ink, ink, 255)
    drawing[..., :3][drawing[..., 3] == 0] = 127  # what lies under full transparency is not seen
    shown = pixels(saved(Image.fromarray(drawing)))
    assert abs(int(shown[32, 32, 0]) - int(shown[2, 2, 0])) == 255


def test_large_pictures_come_smaller_and_state_their_size() -> None:
    """The pixels are bounded, the proportion stays."""
    limits = IMAGE._replace(side=100)
    for kind in ("JPEG", "PNG", "WEBP"):
        found = InlineDecoder(MediaLimits(image=limits)).picture(made.picture(kind, made.scene(1, 600, 900)))
        height, width = found.frames[0].pixels.shape[:2]
        assert (found.width, found.height) == (900, 600)
        assert 0.5 * 100**2 < width * height <= 100**2
        assert width / height == pytest.approx(1.5, abs=0.03)
        small = np.asarray(Image.fromarray(made.scene(1, 600, 900)).resize((width, height)))
        assert apart(found.frames[0].pixels.astype(np.int64), small) < 8


@given(st.integers(1, 60_000), st.integers(1, 60_000), st.sampled_from([16, 100, 2560]))
def test_reduced_pictures_stay_within_the_square(width: int, height: int, side: int) -> None:
    """And are divided by no more than they have to be, but for strips longer than any screen."""
    by = reduction((width, height), side)

    def area(divisor: int) -> int:
        return -(-width // divisor) * -(-height // divisor)

    assert area(by) <= side**2
    assert -(-max(width, height) // by) <= STRIP * side
    assert by == 1 or area(by - 1) > side**2 or -(-max(width, height) // (by - 1)) > STRIP * side


def test_a_long_screenshot_keeps_its_letters() -> None:
    """A picture of a whole conversation is divided by its area, not by its length."""
    found = InlineDecoder().picture(made.picture("PNG", made.scene(1, 9_000, 800)))
    assert found.frames[0].pixels.shape == (4_500, 400, 3)


def test_what_is_not_seen_does_not_shine_through_when_scaled_down() -> None:
    """Fully transparent red beside opaque blue gives blue on white, without a red edge."""
    stored = np.zeros((200, 200, 4), np.uint8)
    stored[:, :101] = (0, 0, 255, 255)
    stored[:, 101:] = (255, 0, 0, 0)
    limits = MediaLimits(image=IMAGE._replace(side=100))
    (frame,) = InlineDecoder(limits).picture(saved(Image.fromarray(stored))).frames
    assert (frame.pixels[:, :, 0].astype(int) <= frame.pixels[:, :, 1].astype(int) + 2).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_give_the_frames_that_differ(kind: str) -> None:
    """Each scene once, at the time it begins."""
    found = DECODER.picture(made.animation(kind, [made.scene(index // 4) for index in range(16)]))
    assert [round(frame.time, 2) for frame in found.frames] == [0.0, 0.4, 0.8, 1.2]
    assert not found.cut
    assert all(apart(f.pixels.astype(np.int64), made.scene(n)) < 9 for n, f in enumerate(found.frames))


def test_a_flash_of_one_frame_is_found() -> None:
    """One frame in fifty that differs is worth more than the forty-nine."""
    found = DECODER.picture(made.animation("WEBP", [made.scene(int(index == 31)) for index in range(50)], 40))
    assert [round(frame.time, 2) for frame in found.frames] == [0.0, 1.24, 1.28]


def test_animations_over_the_budget_are_cut_and_say_so() -> None:
    """The frames come from the whole of it."""
    limits = IMAGE._replace(frames=4)
    data = made.animation("GIF", [made.scene(index) for index in range(12)])
    found = InlineDecoder(MediaLimits(image=limits)).picture(data)
    assert (len(found.frames), found.total_frames, found.cut) == (4, 12, True)
    visited = InlineDecoder(MediaLimits(image=IMAGE._replace(visits=5))).picture(data)
    assert visited.cut
    assert max(frame.time for frame in visited.frames) < 0.5


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: made.stated_png(20_000, 20_000), Reason.PIXELS),
        (lambda: made.flat_png(6_000, 6_000), Reason.RATIO),
        (lambda: made.endless_gif(50_001), Reason.FRAMES),
        (lambda: made.flat_png(8, 8, made.chunk(b"zTXt", b"a\0\0" + made.deflated(1 << 26))), Reason.RATIO),
        (lambda: b"\xff\xd8\xff" + b"\0" * (26 << 20), Reason.BYTES),
        (lambda: b"PK\x03\x04 and so on", Reason.NESTING),
        (made.huge_webp, Reason.PIXELS),
        (lambda: b"", Reason.UNREADABLE),
        (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", Reason.UNREADABLE),
        (lambda: made.picture("PNG")[:300], Reason.UNREADABLE),
        (lambda: made.picture("JPEG")[:1500], Reason.UNREADABLE),
        (lambda: made.movie([made.scene(1)]), Reason.UNREADABLE),
    ],
)
def test_each_bound_has_its_own_reason(make: Callable[[], bytes], reason: Reason) -> None:
    """Before anything is allocated for it."""
    assert refused(make()) is reason


def test_flat_drawings_may_compress_as_well_as_they_like() -> None:
    """The ratio counts only where decoding takes much memory."""
    found = DECODER.picture(made.flat_png(3_000, 3_000))
    assert (found.width, found.height) == (3_000, 3_000)
    assert found.frames[0].pixels.max() == 0
