"""The latency histogram: its error bound, and that it merges."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis.strategies import floats, lists, sampled_from

from spotsafe.telemetry.histogram import (
    CEILING_MS,
    FLOOR_MS,
    LAST_BUCKET,
    RELATIVE_ERROR,
    bucket_of,
    quantile,
    value_of,
)

durations = floats(FLOOR_MS, CEILING_MS, allow_nan=False)


@given(lists(durations, min_size=1, max_size=60), sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_its_stated_error(values: list[float], q: float) -> None:
    """The estimate is within five percent of the value of that rank."""
    estimate = quantile(Counter(map(bucket_of, values)), q)
    true = sorted(values)[math.floor(q * (len(values) - 1))]
    assert estimate is not None
    assert abs(estimate - true) <= RELATIVE_ERROR * true * (1 + 1e-9)


@given(lists(durations), lists(durations))
def test_merging_is_adding_buckets(some: list[float], others: list[float]) -> None:
    """Two histograms added up are the histogram of both."""
    both = Counter(map(bucket_of, some)) + Counter(map(bucket_of, others))
    assert both == Counter(map(bucket_of, [*some, *others]))


@pytest.mark.parametrize(
    ("value", "bucket"),
    [(0.0, 0), (-1.0, 0), (math.nan, 0), (FLOOR_MS, 0), (CEILING_MS, LAST_BUCKET), (math.inf, LAST_BUCKET)],
)
def test_what_lies_outside_the_range_is_counted_at_its_end(value: float, bucket: int) -> None:
    """No duration, however odd, is lost or raises."""
    assert bucket_of(value) == bucket
    assert math.isfinite(value_of(bucket))


def test_nothing_counted_has_no_quantile() -> None:
    """No traffic is not a latency of nought."""
    assert quantile({}, 0.5) is None
