"""The thresholds of a shipped baseline: from which score on any of its rules does something."""

from __future__ import annotations

from spotsafe.detectors.text.labels import LABELS
from spotsafe.policy.load import builtin

BASELINE = "baseline/public-ugc"


def thresholds(baseline: str = BASELINE) -> dict[str, float]:
    """Label → least score, for the labels of the text engine that the baseline has a rule for."""
    rules = builtin().baseline(baseline).rules
    found: dict[str, float] = {}
    for label in LABELS:
        least = [rule.at for rule in rules if label in rule.labels]
        if least:
            found[label] = min(least)
    return found
