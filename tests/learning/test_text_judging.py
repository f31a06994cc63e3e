"""Own judging lines: never trained on, judged with the models as they are stored."""

from __future__ import annotations

import numpy as np

from spotsafe.detectors.text import weights
from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.learning.text import card, contrast, judging


def test_no_judging_line_is_trained_on():
    """The lines are honest: none is among our own training sentences, whatever its case."""
    trained = {row.text.casefold() for row in contrast.load()}
    assert [row.text for row in judging.load() if row.text.casefold() in trained] == []


def test_judging_lines_are_many_harmless_and_of_several_languages():
    """Six languages, at least ten positives for five labels, and more harmless lines than of any label."""
    lines = judging.load()
    assert {row.language for row in lines} == {"en", "de", "es", "fr", "pt", "it"}
    harmless = sum(max(row.targets.values()) == 0 for row in lines)
    per_label = {label: sum(row.targets[label] >= judging.AT for row in lines) for label in lines[0].targets}
    judged = {label: count for label, count in per_label.items() if count}
    assert len(judged) == 5
    assert min(judged.values()) >= judging.LEAST
    assert harmless > max(judged.values())


def test_shipped_models_rank_the_lines_and_rarely_cry_wolf():
    """A floor under the figures of the card: ranking far above chance, few harmless lines over one half."""
    found = judging.judged(weights.load(weights.shipped()), sentence_encoder())
    assert [entry.label for entry in found if entry.auroc is None or entry.auroc < 0.8] == []
    assert [entry.label for entry in found if entry.false_alarms > 0.05] == []
    assert float(np.mean([entry.found for entry in found])) > 0.35


def test_card_prints_the_judged_figures():
    """The table of the card has one row per judged label, shares as percentages."""
    shown = card._judged([judging.Judged("violence.threat", 19, 128, 0.9, 0.5, 0.031)._asdict()]).splitlines()
    assert shown[-1] == "| `violence.threat` | 19 | 128 | 0.900 | 50% | 3.1% |"
