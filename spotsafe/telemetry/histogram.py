"""A mergeable histogram of durations with a stated quantile error.

Fixed logarithmic buckets, so histograms of any processes add up bucket by bucket (the mapping of
DDSketch: Masson, Rim, Lee, "DDSketch", VLDB 2019, without its collapsing).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.05
"""A quantile is within this share of the true value of that rank, between FLOOR_MS and CEILING_MS."""
FLOOR_MS = 0.001
"""Durations up to one microsecond share bucket 0, which is reported as FLOOR_MS."""
CEILING_MS = 3_600_000.0
"""Durations beyond one hour are counted as one hour."""

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
LAST_BUCKET = math.ceil(math.log(CEILING_MS / FLOOR_MS) / _LOG_GAMMA)


def bucket_of(milliseconds: float) -> int:
    """The bucket of a duration, in 0..LAST_BUCKET; NaN and negative values count as bucket 0."""
    if not milliseconds > FLOOR_MS:
        return 0
    if milliseconds >= CEILING_MS:
        return LAST_BUCKET
    return min(LAST_BUCKET, math.ceil(math.log(milliseconds / FLOOR_MS) / _LOG_GAMMA))


def value_of(bucket: int) -> float:
    """Milliseconds that stand for *bucket*: the value whose relative error is the same at both ends."""
    if bucket <= 0:
        return FLOOR_MS
    return FLOOR_MS * 2 * _GAMMA ** min(bucket, LAST_BUCKET) / (_GAMMA + 1)


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """The *q*-quantile in milliseconds of ``{bucket: count}``; None where nothing was counted.

    It estimates the value of rank ``floor(q · (n - 1))`` (0-based, sorted) within RELATIVE_ERROR.
    """
    total = sum(counts.values())
    if total <= 0:
        return None
    rank = math.floor(q * (total - 1))
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if passed > rank:
            return value_of(bucket)
    return value_of(max(counts))
