"""Runs say how the scores of parts and senses became one."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotsafe.evaluation.runs.layout import Meta, read_meta, write_meta


@pytest.mark.parametrize(
    ("detector", "versions", "join"),
    [
        ("local", ("4-w1+abcd+fused.798eebe5b384",), "fused 798eebe5b384"),
        ("local", ("4-w1+abcd",), "highest score"),
        ("local.first", ("4-w1",), "highest score"),
        ("local", ("4-w1", "4-w1+fused.m1"), "fused m1, highest score"),
        ("local", (), None),
        ("service", ("9",), None),
    ],
)
def test_the_join_follows_from_detector_and_versions(
    detector: str, versions: tuple[str, ...], join: str | None, tmp_path: Path
) -> None:
    """It stands in the description beside the run, which reads back as it was."""
    meta = Meta(detector, versions, "set", "0" * 64, ("hate.speech",))
    assert meta.join == meta.to_json()["join"] == join
    write_meta(tmp_path, meta)
    assert read_meta(tmp_path) == meta
