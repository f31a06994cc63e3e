"""Which labels may be raised or lowered: the rule of :mod:`~spotsafe.learning.fusion.ablation`, applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotsafe.core.labels import LABELS
from spotsafe.detectors.fusion.model import is_lowerable
from spotsafe.learning.fusion.ablation import (
    DRAWS,
    GROUPS,
    KEPT,
    MOST_LOST,
    MOST_MISSED,
    MOST_RISEN,
    TESTED,
    Tested,
    after_pilot,
    cells,
    compared,
    found_at,
)
from spotsafe.learning.fusion.compositions import QUOTED_ANSWERS
from spotsafe.learning.fusion.fit import LEAST
from spotsafe.learning.fusion.recipe import LYRIC, LYRICS, PAIRS

Figures = Mapping[str, Any]

ALL = "all"

FEW = 4
"""Positives and negatives that are enough for the rows after the pilot: half of the rows, no decision."""


def report(found: Sequence[Tested], thresholds: Mapping[str, float], *, draws: int = DRAWS) -> dict[str, Any]:
    """Every figure, and what follows: *raises* and *lowers* are the labels that ship."""
    groups = {
        name: _group(found, labels, thresholds, draws)
        for name, labels in (
            *GROUPS.items(),
            (ALL, tuple(label for those in GROUPS.values() for label in those)),
        )
    }
    songs = {label: _song(found, label, thresholds, draws) for label in QUOTED_ANSWERS}
    raises = [label for name, labels in GROUPS.items() if groups[name]["ships"] for label in labels]
    measured = {cell.label for cell in cells(found, TESTED)}
    return {
        "groups": groups,
        "after_pilot": _group(after_pilot(found), tuple(sorted(measured)), thresholds, draws, FEW),
        "met": {
            "harmless pairs": found_at(found, (PAIRS,), thresholds, harmful=False, draws=draws),
            "split, harmful": found_at(found, ("split",), thresholds, harmful=True, draws=draws),
            "completion, harmful": found_at(found, ("completion",), thresholds, harmful=True, draws=draws),
            "completion, harmless twins": found_at(
                found, ("completion",), thresholds, harmful=False, draws=draws
            ),
            "whole, harmful": found_at(found, KEPT, thresholds, harmful=True, draws=draws),
        },
        "songs": songs,
        "raises": sorted(label for label in raises if label in measured),
        "lowers": sorted(label for label, figures in songs.items() if figures["ships"]),
    }


def _group(
    found: Sequence[Tested],
    labels: Sequence[str],
    thresholds: Mapping[str, float],
    draws: int,
    least: int = LEAST,
) -> dict[str, Any]:
    """Figures of a group of labels, and whether it may raise."""
    known: dict[str, Any] = {
        name: compared(
            [cell for cell in cells(found, recipes, least=least) if cell.label in labels], draws=draws
        )
        for name, recipes in (("tested", TESTED), *((one, (one,)) for one in TESTED), ("whole", KEPT))
    }
    own = {label: at for label, at in thresholds.items() if label in labels}
    known["pairs"] = found_at(found, (PAIRS,), own, harmful=False, draws=draws) if own else None
    known["ships"] = may_raise(known)
    return known


def may_raise(known: Figures) -> bool:
    tested, whole, pairs = known["tested"], known["whole"], known["pairs"]
    if tested is None:
        return False
    gains = all(tested["gain"][way]["low"] > 0 for way in ("highest", "best sense"))
    keeps = whole is None or whole["gain"]["highest"]["value"] >= -MOST_LOST
    calm = pairs is None or pairs["fused"]["difference"]["value"] <= MOST_RISEN
    return bool(gains and keeps and calm)


def _song(found: Sequence[Tested], label: str, thresholds: Mapping[str, float], draws: int) -> dict[str, Any]:
    """Figures of a label on lines of songs and their twins, and whether it may lower."""
    own = {label: thresholds[label]} if label in thresholds else {}
    twins = tuple(name for name in LYRICS if name != LYRIC)
    pooled = [cell for cell in cells(found, LYRICS, pooled=True) if cell.label == label]
    known: dict[str, Any] = {
        "ranked": compared(pooled, draws=draws),
        "quoted": found_at(found, (LYRIC,), own, harmful=False, draws=draws),
        "twins": found_at(found, twins, own, harmful=True, draws=draws),
        "severity": LABELS[label].severity,
    }
    known["gains"] = _gains(known)
    known["ships"] = known["gains"] and is_lowerable(label)
    return known


def _gains(known: Figures) -> bool:
    ranked, twins = known["ranked"], known["twins"]
    if ranked is None or twins is None:
        return False
    better = all(ranked["gain"][way]["low"] > 0 for way in ("highest", "best sense"))
    return bool(better and twins["fused"]["difference"]["value"] >= -MOST_MISSED)
