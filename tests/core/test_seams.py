"""What a detector says of itself."""

from __future__ import annotations

import pytest

from spotsafe.core.seams import Calibration, Capabilities
from spotsafe.core.signals import Cause

EVERYWHERE = {"*": Calibration.UNCALIBRATED}
REACH = Capabilities(
    {"hate.speech": {"en": Calibration.CALIBRATED}, "violence.graphic": EVERYWHERE, "tone.toxic": EVERYWHERE},
    kinds=("text", "image"),
    narrower={"violence.graphic": ("image",)},
)


@pytest.mark.parametrize(
    ("label", "kind", "language", "gap"),
    [
        ("hate.speech", "text", "en", None),
        ("hate.speech", "text", None, None),
        ("hate.speech", "text", "de", Cause.LANGUAGE),
        ("hate.speech", "image", "en", None),
        ("hate.speech", "audio", "en", Cause.MODALITY),
        ("violence.graphic", "image", None, None),
        ("violence.graphic", "text", "en", Cause.MODALITY),
        ("fraud.scam", "text", "en", Cause.UNSUPPORTED),
    ],
)
def test_a_gap_names_its_cause(label: str, kind: str, language: str | None, gap: Cause | None) -> None:
    """A label that one kind of part cannot be scored for is missing there, and there only."""
    assert REACH.gap(label, kind, language) is gap
