"""Known pictures: which copies are found, which pictures are refused, what the index promises."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from spotsafe.detectors.match import generations
from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.borders import insides
from spotsafe.detectors.match.entries import BankError, Terms
from spotsafe.detectors.match.hash_index import EXACT_RADIUS, HashIndex, distances_to
from spotsafe.detectors.match.image_bank import RADIUS
from spotsafe.detectors.match.picture_hash import from_hex, looked_up_hashes, stored_hashes, to_hex
from spotsafe.testing.clock import ManualClock
from tests.detectors.match.made import picture

U8 = NDArray[np.uint8]
TERMS = Terms("sexual.ncii", "in-house")


def jpeg(pixels: U8, quality: int = 75) -> U8:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def resized(pixels: U8, scale: float) -> U8:
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((round(width * scale), round(height * scale))))


def bordered(pixels: U8, colour: int) -> U8:
    return np.pad(pixels, ((15, 15), (24, 24), (0, 0)), constant_values=colour)


COPIES: dict[str, Callable[[U8], U8]] = {
    "mirrored": lambda p: p[:, ::-1],
    "left cut": lambda p: p[:, p.shape[1] // 10 :],
    "right cut": lambda p: p[:, : -(p.shape[1] // 10)],
    "top cut": lambda p: p[p.shape[0] // 10 :],
    "bottom cut": lambda p: p[: -(p.shape[0] // 10)],
    "centre, 5 % a side": lambda p: p[6:-6, 8:-8],
    "centre, 10 % a side": lambda p: p[12:-12, 16:-16],
    "white border": lambda p: bordered(p, 255),
    "black bars": lambda p: np.pad(p, ((20, 20), (0, 0), (0, 0))),
    "strong compression": lambda p: jpeg(p, 30),
    "half size": lambda p: resized(p, 0.5),
    "double size": lambda p: resized(p, 2),
    "bordered and mirrored": lambda p: bordered(p, 0)[:, ::-1],
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_found_and_an_unrelated_picture_is_not(copy: Callable[[U8], U8], banks: BankSet) -> None:
    """Each of the promised changes, saved as JPEG, leads back to its own entry and to no other."""
    ids = [banks.image.add(picture(seed), TERMS).id for seed in range(3)]
    for seed, entry_id in enumerate(ids):
        found = banks.match_frames([jpeg(copy(picture(seed)))])
        assert [match.entry_id for match in found] == [entry_id]
        assert found[0].distance <= RADIUS
        assert (found[0].label, found[0].source, found[0].frame) == ("sexual.ncii", "in-house", 0)
    assert banks.match_frames([jpeg(copy(picture(99)))]) == []


def test_the_frame_that_shows_it_is_named(banks: BankSet) -> None:
    """Of several frames the match says which."""
    banks.image.add(picture(1), TERMS)
    assert [match.frame for match in banks.match_frames([picture(2), picture(1)])] == [1]
    assert [match.frame for match in banks.match_frames(picture(1))] == [0]


def fine_texture() -> U8:
    """Noise of single pixels: plenty of gradients, nothing that a hash of large shapes sees."""
    grey = np.random.default_rng(1).integers(0, 2, (512, 512), dtype=np.uint8) * 40 + 100
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (fine_texture(), "too flat"),
        (np.full((100, 100, 3), 127, np.uint8), "too flat"),
        (np.zeros((20, 300, 3), np.uint8), "fewer than 32 pixels"),
        (np.zeros((100, 100), np.uint8), "uint8\\[height, width, 3\\]"),
        (np.zeros((100, 100, 3), np.float32), "uint8\\[height, width, 3\\]"),
    ],
    ids=["texture", "flat", "tiny", "grey", "float"],
)
def test_what_no_hash_can_tell_is_refused_with_the_reason(pixels: U8, words: str, banks: BankSet) -> None:
    """A flat or tiny picture would match by chance: it is not added."""
    with pytest.raises(BankError, match=words):
        banks.image.add(pixels, TERMS)
    assert banks.entries() == []


def test_a_flat_picture_matches_nothing(banks: BankSet) -> None:
    """Also not another flat one that came in by a list."""
    flat = np.full((100, 100, 3), 40, np.uint8)
    banks.image.add(picture(1), TERMS)
    assert looked_up_hashes(flat) == []
    assert banks.match_frames([flat]) == []


def test_a_stored_picture_has_a_hash_for_each_cut() -> None:
    """The whole comes first: it is what the id is made from."""
    hashes = stored_hashes(picture(3))
    assert hashes[0].how == "whole"
    assert len({each.how for each in hashes}) == len(hashes) == 23
    assert "without borders" in {each.how for each in stored_hashes(bordered(picture(3), 0))}


@pytest.mark.parametrize("colour", [0, 90, 255])
def test_borders_are_found_to_the_pixel(colour: int) -> None:
    """The box holds what was there before the border was put around it."""
    height, width = picture(4).shape[:2]
    assert insides(bordered(picture(4), colour))[0] == (24, 15, 24 + width, 15 + height)
    assert insides(picture(4)) == []


def test_a_coloured_border_ends_where_a_picture_of_its_grey_begins() -> None:
    """Of the same luminance, told apart by colour."""
    whole = np.full((150, 208, 3), (200, 71, 71), np.uint8)
    grey = picture(4).mean(axis=2, keepdims=True) * 0.05 + 105
    whole[15:-15, 24:-24] = grey.astype(np.uint8)
    assert (24, 15, 184, 135) in insides(whole)


def test_an_empty_picture_has_no_inside() -> None:
    """What is one colour all over is no border around nothing."""
    assert insides(np.full((80, 80, 3), 9, np.uint8)) == []


@given(st.binary(min_size=32, max_size=32))
def test_hexadecimal_and_back(raw: bytes) -> None:
    """Hashes come out of lists as they went in."""
    assert to_hex(from_hex(raw.hex())) == raw.hex()


# ── the index ───────────────────────────────────────────────────────────────────────────────────────


def index_of(hashes: NDArray[np.uint64]) -> HashIndex:
    return HashIndex.build(hashes, np.arange(len(hashes), dtype=np.int64) + 100)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, EXACT_RADIUS))
def test_the_index_gives_what_comparing_with_all_gives(seed: int, radius: int) -> None:
    """Exact up to its radius: random hashes, clusters of near ones, and queries at every distance."""
    chance = np.random.default_rng(seed)
    centres = chance.integers(0, 2**63, (5, 4), dtype=np.uint64)
    flips = np.packbits(chance.random((5 * 40, 256)) < chance.uniform(0, 0.2), axis=1).view(np.uint64)
    hashes = np.repeat(centres, 40, axis=0) ^ flips
    index = index_of(hashes)
    for value in (*centres[:2], hashes[7]):
        found = index.within(value, radius)
        distances = distances_to(hashes, value)
        assert sorted(found.positions.tolist()) == np.flatnonzero(distances <= radius).tolist()
        assert (found.distances == distances[found.positions]).all()


def test_a_radius_that_would_not_be_exact_is_refused() -> None:
    """The bound of the construction is kept, not hoped for."""
    index = index_of(np.zeros((1, 4), np.uint64))
    with pytest.raises(ValueError, match="exact up to 31"):
        index.within(np.zeros(4, np.uint64), EXACT_RADIUS + 1)


def test_bits_are_counted_alike_by_old_and_new_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before numpy 2 there was no ``bitwise_count``."""
    chance = np.random.default_rng(1)
    hashes = chance.integers(0, 2**63, (50, 4), dtype=np.uint64)
    new = distances_to(hashes, hashes[0])
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert (distances_to(hashes, hashes[0]) == new).all()
    assert new[0] == 0


# ── rebuild, processes, damage ──────────────────────────────────────────────────────────────────────


def test_what_another_process_adds_or_removes_counts_at_once(opened: Callable[[str], BankSet]) -> None:
    """Without a rebuild, and after one; the reader is never told."""
    writer, reader = opened("maria"), opened("noor")
    assert reader.match_frames([picture(1)]) == []
    first = writer.image.add(picture(1), TERMS).id
    assert [match.entry_id for match in reader.match_frames([picture(1)])] == [first]
    assert writer.rebuild() == 23
    second = writer.image.add(picture(2), TERMS).id
    assert [m.entry_id for m in reader.match_frames([picture(1), picture(2)])] == [first, second]
    assert writer.remove(first)
    assert [m.entry_id for m in reader.match_frames([picture(1), picture(2)])] == [second]


def test_a_rebuild_does_not_take_the_index_from_who_uses_it(
    opened: Callable[[str], BankSet], tmp_path: Path
) -> None:
    """A reader that has the old one mapped answers from it until it looks up again; old files go away."""
    writer, reader = opened("maria"), opened("noor")
    for seed in range(3):
        writer.image.add(picture(seed), TERMS)
        writer.rebuild()
        assert len(reader.match_frames([picture(seed)])) == 1
    folder = tmp_path / "banks" / "images"
    names = {path.name for path in folder.iterdir()}
    assert generations.current_name(folder) in names
    assert sum(name.startswith("index-") for name in names) <= 2
    assert not any(name.startswith("building-") for name in names)


@pytest.mark.parametrize("damage", ["missing", "cut", "no json"])
def test_a_damaged_index_is_built_anew(damage: str, opened: Callable[[str], BankSet], tmp_path: Path) -> None:
    """Everything is in the store: nothing is lost with the index."""
    writer = opened("maria")
    writer.image.add(picture(1), TERMS)
    writer.rebuild()
    folder = tmp_path / "banks" / "images"
    current = folder / generations.current_name(folder)
    if damage == "missing":
        (current / "order.npy").unlink()
    elif damage == "cut":
        (current / "hashes.npy").write_bytes(b"\x93NUMPY")
    else:
        (current / "meta.json").write_text("{")
    assert len(opened("noor").match_frames([picture(1)])) == 1


def test_many_recent_hashes_are_built_into_the_index(
    banks: BankSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who adds more than are compared one by one rebuilds."""
    monkeypatch.setattr("spotsafe.detectors.match.image_bank.MOST_RECENT", 30)
    for seed in range(2):
        banks.image.add(picture(seed), TERMS)
    assert generations.current_name(tmp_path / "banks" / "images")
    assert [change.action for change in banks.changes()] == ["add", "add", "rebuild"]


def test_an_expired_entry_does_not_match(banks: BankSet, clock: ManualClock) -> None:
    """Expiry is looked at when something is matched."""
    banks.image.add(picture(1), TERMS._replace(expires=clock.now() + 60))
    assert len(banks.match_frames([picture(1)])) == 1
    assert banks.pictures.labels == ("sexual.ncii",)
    clock.advance(60)
    assert banks.match_frames([picture(1)]) == []
    assert banks.pictures.labels == ()
