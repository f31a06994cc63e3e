"""Known sounds: excerpts at other speeds with noise are found, with the place; what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.chroma import ITEM_SECONDS, fingerprint, fingerprints
from spotsafe.detectors.match.entries import BankError, Terms
from spotsafe.detectors.match.sound_index import STRETCH, SoundIndex, bits
from spotsafe.testing.clock import ManualClock
from tests.detectors.match.made import song

F32 = NDArray[np.float32]
TERMS = Terms("ip.copyright", "a label")


def at_speed(sound: F32, speed: float) -> F32:
    count = round(len(sound) / speed)
    spectrum = np.fft.rfft(sound)
    wanted = np.zeros(count // 2 + 1, complex)
    kept = min(len(spectrum), len(wanted))
    wanted[:kept] = spectrum[:kept]
    return (np.fft.irfft(wanted, count) * count / len(sound)).astype(np.float32)


def noisy(sound: F32, decibels: float) -> F32:
    noise = np.random.default_rng(5).standard_normal(len(sound))
    level = np.sqrt(np.mean(sound**2)) * 10 ** (-decibels / 20)
    return (sound + noise * level).astype(np.float32)


def excerpt(sound: F32, start: float, seconds: float = 10.0) -> F32:
    return sound[round(start * 16_000) : round((start + seconds) * 16_000)]


CHANGES: dict[str, Callable[[F32], F32]] = {
    "as it is": lambda s: s,
    "quieter": lambda s: s * np.float32(0.1),
    "noise": lambda s: noisy(s, 15),
    "2 % faster, noise": lambda s: noisy(at_speed(s, 1.02), 20),
    "1.3 % slower, noise": lambda s: noisy(at_speed(s, 0.987), 20),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_excerpt_of_ten_seconds_is_found_with_its_place(
    change: Callable[[F32], F32], banks: BankSet
) -> None:
    """Its own track, no other, and where in it."""
    ids = [banks.audio.add(song(seed, 16), TERMS).id for seed in range(2)]
    found = banks.match_sound(change(excerpt(song(1, 16), 3.3)))
    assert [match.entry_id for match in found] == [ids[1]]
    assert float(found[0].how.removeprefix("from ").partition(" s ")[0]) == pytest.approx(3.3, abs=0.5)
    assert found[0].start == pytest.approx(0, abs=1)
    assert found[0].end == pytest.approx(10, abs=1.5)
    assert banks.match_sound(change(excerpt(song(77, 16), 3.3))) == []


def test_a_track_inside_a_longer_sound_is_found_with_its_range(banks: BankSet) -> None:
    """A jingle within a programme: the range is that of the jingle."""
    banks.audio.add(song(1), TERMS)
    programme = np.concatenate([song(50, 30), excerpt(song(1), 1, 12), song(51, 8)])
    (found,) = banks.match_sound(programme)
    assert found.start == pytest.approx(30, abs=1.5)
    assert found.end == pytest.approx(42, abs=1.5)


REFUSED = {
    "silence": np.zeros(16_000 * 20, np.float32),
    "one tone": np.sin(2 * np.pi * 440 * np.arange(16_000 * 20) / 16_000).astype(np.float32),
    "five seconds": song(1, 5),
    "nothing": np.zeros(0, np.float32),
}


@pytest.mark.parametrize("sound", REFUSED.values(), ids=REFUSED)
def test_what_has_no_fingerprint_is_refused_and_matches_nothing(sound: F32, banks: BankSet) -> None:
    """Pauses and hums are the same in all recordings."""
    with pytest.raises(BankError, match="too short"):
        banks.audio.add(sound, TERMS)
    banks.audio.add(np.concatenate([song(1), REFUSED["silence"], REFUSED["one tone"]]), TERMS)
    assert banks.match_sound(sound) == []


def test_only_mono_floats_are_taken(banks: BankSet) -> None:
    """A stereo array would be read as nonsense."""
    with pytest.raises(BankError, match="float32"):
        banks.audio.add(np.zeros((2, 16_000), np.float32), TERMS)


def test_removed_expired_and_foreign_changes_count_at_once(
    opened: Callable[[str], BankSet], clock: ManualClock
) -> None:
    """Two processes, one folder."""
    writer, reader = opened("maria"), opened("noor")
    first = writer.audio.add(song(1), TERMS).id
    second = writer.audio.add(song(2), TERMS._replace(expires=clock.now() + 60)).id
    asked = (song(1), song(2))
    assert [m.entry_id for sound in asked for m in reader.match_sound(sound)] == [first, second]
    writer.remove(first)
    assert [m.entry_id for sound in asked for m in reader.match_sound(sound)] == [second]
    clock.advance(61)
    assert [m.entry_id for sound in asked for m in reader.match_sound(sound)] == []


def test_a_grown_bank_is_indexed_as_a_whole(banks: BankSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recent tracks join the settled ones, and are found on both sides of it."""
    monkeypatch.setattr("spotsafe.detectors.match.audio_bank.RECENT", 150)
    for seed in range(3):
        entry_id = banks.audio.add(song(seed), TERMS).id
        assert [match.entry_id for match in banks.match_sound(song(seed))] == [entry_id]
    assert len(banks.match_sound(song(0))) == 1


def test_a_fingerprint_knows_the_speed() -> None:
    """Read at the speed at which it was played, a sound has the original's fingerprint."""
    sound = song(3)
    original = fingerprint(sound)
    (faster,) = fingerprints(at_speed(sound, 1.02), (1.02,))
    share = bits(original[: len(faster)] ^ faster[: len(original)]).mean() / 32
    assert share < 0.05
    assert len(original) == pytest.approx(14 / ITEM_SECONDS, abs=25)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_bits_are_counted(values: list[int]) -> None:
    """As Python counts them."""
    found = bits(np.array(values, np.uint32))
    assert found.tolist() == [value.bit_count() for value in values]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.2), st.integers(0, 100))
def test_a_run_is_found_where_it_was_put(seed: int, wrong: float, offset: int) -> None:
    """Random fingerprints with a share of wrong bits: number, offset and distance come back."""
    chance = np.random.default_rng(seed)
    known = [chance.integers(0, 2**32, 200, dtype=np.uint32) for _ in range(3)]
    asked = known[1][offset : offset + 60].copy()
    errors = np.packbits(chance.random((len(asked), 32)) < wrong / 2, axis=1).view(np.uint32).ravel()
    runs = SoundIndex(known).runs(asked ^ errors, 0.25)
    assert {(run.number, run.offset - run.first) for run in runs} == {(1, offset)}
    assert all(run.distance <= 0.25 and run.last - run.first >= STRETCH // 2 for run in runs)


def test_an_empty_bank_and_a_short_sound_give_nothing() -> None:
    """No index, no stretch: no runs."""
    chance = np.random.default_rng(1)
    items = chance.integers(0, 2**32, 100, dtype=np.uint32)
    assert SoundIndex([]).runs(items, 0.25) == []
    assert SoundIndex([items]).runs(items[: STRETCH - 1], 0.25) == []
