"""Recordings and videos that are known byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotsafe.core.content import Audio, Content, Part, Video
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause
from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.detector import KnownFileDetector
from spotsafe.detectors.match.entries import Terms
from spotsafe.detectors.match.views import KnownFiles

LABELS = ("hate.speech", "terror.content")
FILE = b"the bytes of a recording"


@pytest.fixture
def known(tmp_path: Path) -> KnownFiles:
    banks = BankSet.open(tmp_path / "banks", actor="test")
    banks.exact.add(Audio(FILE, "x").digest, Terms(label="terror.content", source="test"))
    return KnownFiles(banks)


@pytest.mark.parametrize(("kind", "part_type"), [("audio", Audio), ("video", Video)])
def test_the_very_file_is_found_and_no_other(known: KnownFiles, kind: str, part_type: type[Part]) -> None:
    """Labels of no entry are missing: a bank says nothing of them."""
    detector = KnownFileDetector(known, kind)
    requests = [DetectRequest(Content([part_type(data, "p")]), LABELS) for data in (FILE, FILE + b".")]
    same, other = detector.detect(requests)
    assert (same.score("terror.content"), other.score("terror.content")) == (1.0, 0.0)
    assert {(entry.label, entry.cause) for entry in same.missing} == {("hate.speech", Cause.UNSUPPORTED)}
