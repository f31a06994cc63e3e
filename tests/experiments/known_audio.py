"""How often excerpts of known songs are found, and how near unrelated songs come.

    python -m tests.experiments.known_audio [--known 40] [--unrelated 300]

Songs are composed (:mod:`tests.experiments.music`). From each known one an excerpt of 10 s is changed and
looked up in a bank that holds them all. Unrelated songs, other seeds of the same composer, are looked up too;
of their first stretches the distance to the nearest stretch of any known song is kept, at every speed tried.
Where libchromaprint is installed, our fingerprints are compared with its own.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from spotsafe.detectors.match.audio_bank import MOST_DIFFERENT, SPEEDS
from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.chroma import fingerprint, fingerprints
from spotsafe.detectors.match.entries import Terms
from spotsafe.detectors.match.sound_index import STRETCH, SoundIndex, bits
from tests.experiments import music, record
from tests.experiments.known_images import interval

SECONDS = 60.0
EXCERPT = 10.0
FIRST_UNRELATED = 10_000

Change = Callable[[music.F32, np.random.Generator], music.F32]


def mp3(sound: music.F32, _: np.random.Generator) -> music.F32:
    """MP3 at 32 kbit/s."""
    return music.reencoded(sound, "libmp3lame", "mp3", 32_000)


def ogg(sound: music.F32, _: np.random.Generator) -> music.F32:
    """Opus in Ogg at 16 kbit/s."""
    return music.reencoded(sound, "libopus", "ogg", 16_000, hertz=48_000)


def any_speed(sound: music.F32, chance: np.random.Generator) -> music.F32:
    """Any speed up to 2 % away."""
    return music.at_speed(sound, chance.uniform(0.98, 1.02))


def noise(sound: music.F32, chance: np.random.Generator) -> music.F32:
    """White or pink noise 15 dB below."""
    return music.with_noise(sound, 15, int(chance.integers(1 << 30)), pink=chance.random() < 0.5)


def chain(*changes: Change) -> Change:
    """One after the other."""

    def change(sound: music.F32, chance: np.random.Generator) -> music.F32:
        for each in changes:
            sound = each(sound, chance)
        return sound

    return change


REQUIRED: dict[str, Change] = {
    "MP3, 32 kbit/s": mp3,
    "Opus in Ogg, 16 kbit/s": ogg,
    "2 % faster": lambda sound, _: music.at_speed(sound, 1.02),
    "2 % slower": lambda sound, _: music.at_speed(sound, 0.98),
    "noise, 15 dB": noise,
    "any speed, MP3, noise": chain(any_speed, mp3, noise),
}
"""What an excerpt must survive."""

BEYOND: dict[str, Change] = {
    "any speed, Opus, noise at 8 dB": chain(
        any_speed, ogg, lambda sound, chance: music.with_noise(sound, 8, int(chance.integers(1 << 30)))
    ),
}
"""What is measured beside it."""


def recalls(banks: BankSet, known: list[music.F32]) -> dict[str, Any]:
    """Per change: how many excerpts were found as their own song, and how many as another one as well."""
    found = {}
    for name, change in {**REQUIRED, **BEYOND}.items():
        hits = others = 0
        worst = 0.0
        for number, song in enumerate(known):
            chance = np.random.default_rng((number, len(name)))
            start = chance.uniform(0, SECONDS - EXCERPT)
            matches = banks.match_sound(change(music.excerpt(song, start, EXCERPT), chance))
            own = [match for match in matches if match.entry_id == f"s{number}"]
            hits += bool(own)
            others += len(matches) - len(own)
            worst = max([worst, *(match.distance for match in own)])
        low, high = interval(hits, len(known))
        found[name] = {
            "recall": hits / len(known), "low": low, "high": high, "n": len(known),
            "other songs": others, "largest distance": worst,
        }  # fmt: skip
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def unrelated(banks: BankSet, known: list[music.F32], count: int) -> dict[str, Any]:
    """Matches of *count* unrelated excerpts, and the nearest that any of some of them comes."""
    index = SoundIndex([fingerprint(song) for song in known])
    matched = 0
    nearest: list[float] = []
    for number in range(count):
        sound = music.song(FIRST_UNRELATED + number, EXCERPT)
        if number % 2:
            sound = music.with_noise(sound, 15, number)
        matched += len(banks.match_sound(sound)) > 0
        if number % 10 == 0:
            nearest.append(min(_nearest(items, index.items) for items in fingerprints(sound, SPEEDS)))
        if number % 50 == 49:
            print(number + 1, "unrelated, matched", matched, file=sys.stderr, flush=True)
    return {
        "excerpts": count, "matched": matched, "rate at most": 3 / count if not matched else None,
        "pairs of excerpt and song": count * len(known),
        "nearest stretch": min(nearest), "of excerpts": len(nearest), "median": float(np.median(nearest)),
    }  # fmt: skip


def _nearest(asked: np.ndarray, known: np.ndarray) -> float:
    """The least share of differing bits between the asked sound's first stretch and any known one."""
    if len(asked) < STRETCH:
        return 1.0
    windows = np.lib.stride_tricks.sliding_window_view(known, STRETCH)
    differing = bits((windows ^ asked[:STRETCH]).ravel()).reshape(windows.shape).sum(axis=1)
    return float(differing.min() / (32 * STRETCH))


def agreement(songs: list[music.F32]) -> float | None:
    """The share of bits in which our fingerprints and libchromaprint's are the same; None without it."""
    name = ctypes.util.find_library("chromaprint")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.chromaprint_new.restype = ctypes.c_void_p
    shares = []
    for song in songs:
        context = ctypes.c_void_p(library.chromaprint_new(1))
        samples = (song * 32767).astype(np.int16)
        library.chromaprint_start(context, music.RATE, 1)
        library.chromaprint_feed(context, samples.ctypes.data_as(ctypes.c_void_p), len(samples))
        library.chromaprint_finish(context)
        items, count = ctypes.POINTER(ctypes.c_uint32)(), ctypes.c_int()
        library.chromaprint_get_raw_fingerprint(context, ctypes.byref(items), ctypes.byref(count))
        theirs, ours = np.array(items[: count.value], np.uint32), fingerprint(song)
        both = min(len(theirs), len(ours))
        shares.append(1 - bits(theirs[:both] ^ ours[:both]).mean() / 32)
        library.chromaprint_dealloc(items)
        library.chromaprint_free(context)
    return float(np.mean(shares))


def main() -> None:
    """Run all and write the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--known", type=int, default=40)
    options.add_argument("--unrelated", type=int, default=300)
    args = options.parse_args()
    known = [music.song(seed, SECONDS) for seed in range(args.known)]
    same = agreement(known[:8])
    with tempfile.TemporaryDirectory() as folder:
        banks = BankSet.open(folder, actor="experiment")
        for number, song in enumerate(known):
            banks.audio.add(song, Terms("ip.copyright", "experiment", id=f"s{number}"))
        found = recalls(banks, known)
        false = unrelated(banks, known, args.unrelated)
    write(found, false, same)


def write(found: dict[str, Any], false: dict[str, Any], same: float | None) -> None:
    """The result and its table."""
    required = [found[name]["recall"] for name in REQUIRED]
    rows = [
        [name, each["recall"], f"{each['low']:.3f} to {each['high']:.3f}", each["n"],
         each["largest distance"], "yes" if name in REQUIRED else "no"]
        for name in (*REQUIRED, *BEYOND)
        for each in (found[name],)
    ]  # fmt: skip
    columns = ("what happened to the excerpt", "found", "95 % interval", "n", "largest distance", "required")
    result = {
        "limit": MOST_DIFFERENT, "recall": found, "false": false, "agreement with libchromaprint": same,
        "required": {"mean": sum(required) / len(required), "least": min(required)},
    }  # fmt: skip
    note = (
        f"Limit {MOST_DIFFERENT}. {false['excerpts']} excerpts of unrelated songs, "
        f"{false['pairs of excerpt and song']} pairs: {false['matched']} matched; the nearest stretch of "
        f"{false['of excerpts']} of them, over all places and speeds: {false['nearest stretch']:.3f}."
    )
    record.write(
        "known_audio", result, data={}, packages=("numpy", "scipy", "av"),
        tables=(record.Table("known-audio-recall", "Excerpts of 10 s that were found", columns, rows, note),),
    )  # fmt: skip


if __name__ == "__main__":
    main()
