"""The cache of signals: what goes first, and what counts."""

from __future__ import annotations

import pytest

from spotsafe.client.cache import SignalCache
from spotsafe.core.decision import Verdict
from spotsafe.core.signals import Signals
from spotsafe.testing import ManualClock

SIGNALS = Signals((), (), "")


def keys_of(cache: SignalCache) -> list[bytes]:
    return [key for key in (b"a", b"b", b"c", b"d") if cache.get(key) is not None]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_the_least_recently_used_goes_first(clock: ManualClock) -> None:
    """A look-up makes an entry recent, as a touch of the hit path does; room is made at the other end."""
    cache = SignalCache(3, 30_000, clock.monotonic)
    for key in (b"a", b"b", b"c"):
        cache.put(key, SIGNALS, 60.0)
    cache.get(b"a")
    cache.table[b"b"]
    cache.put(b"d", SIGNALS, 60.0)
    assert keys_of(cache) == [b"a", b"b", b"d"]
    assert cache.evictions == 1


def test_bytes_are_counted_and_given_back(clock: ManualClock) -> None:
    """However entries leave (replaced, evicted, ended, cleared), the sizes are those of what is left."""
    cache = SignalCache(3, 30_000, clock.monotonic)
    cache.put(b"a", SIGNALS, 60.0)
    one = cache.sizes()
    assert one == (1, 10_000)
    cache.put(b"a", SIGNALS, 60.0)
    assert cache.sizes() == one
    for key in (b"b", b"c", b"d"):
        cache.put(key, SIGNALS, 5.0)
    assert cache.sizes() == (3, 30_000)
    clock.advance(5.0)
    assert cache.get(b"b") is None
    assert cache.sizes() == (2, 20_000)
    cache.clear()
    assert cache.sizes() == (0, 0)


def test_what_has_ended_is_not_found(clock: ManualClock) -> None:
    """An entry past its end answers nothing more, and leaving so is no eviction."""
    cache = SignalCache(3, 30_000, clock.monotonic)
    cache.put(b"a", SIGNALS, 1.0)
    cache.put(b"b", SIGNALS, 60.0)
    clock.advance(1.0)
    cache.put(b"c", SIGNALS, 60.0)
    assert keys_of(cache) == [b"b", b"c"]
    assert cache.evictions == 0


def test_an_entry_larger_than_the_cache_is_not_kept(clock: ManualClock) -> None:
    """It would push out everything and then itself."""
    cache = SignalCache(1, 100, clock.monotonic)
    cache.put(b"a", SIGNALS, 60.0)
    assert cache.sizes() == (0, 0)
    assert cache.evictions == 1


def test_a_memo_is_kept_only_with_its_entry(clock: ManualClock) -> None:
    """What a policy made of signals is noted on their entry, and nowhere else."""
    cache = SignalCache(3, 30_000, clock.monotonic)
    policy, verdict = object(), Verdict()
    cache.remember(b"a", policy, verdict, SIGNALS)
    assert cache.sizes() == (0, 0)
    cache.put(b"a", SIGNALS, 60.0)
    cache.remember(b"a", policy, verdict, SIGNALS)
    entry = cache.get(b"a")
    assert entry is not None
    assert entry.memo[:3] == (policy, verdict, SIGNALS)
