"""Functional tests, confusion, subgroups, spans and groups: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Span
from spotsafe.evaluation.metrics import confusion as confused
from spotsafe.evaluation.metrics import ranking
from spotsafe.evaluation.metrics.confusion import confusion
from spotsafe.evaluation.metrics.fairness import gaps, power_mean, subgroup_aucs
from spotsafe.evaluation.metrics.functional import functional_tests
from spotsafe.evaluation.metrics.spans import span_figures

NAN = np.nan


def test_functionalities_by_hand() -> None:
    """A positive and a negative functionality and one of both kinds; the row without one counts nowhere."""
    truth = [1, 1, 1, 0, 0, 1, 0, 1]
    scores = [0.9, 0.8, 0.1, 0.2, 0.7, 0.6, 0.6, 0.0]
    codes = [0, 0, 0, 1, 1, 2, 2, -1]
    found = functional_tests(truth, scores, 0.5, codes, ["slur", "reclaimed", "quoted", "unused"])
    assert [(one.name, one.expected, one.figure.value, one.figure.n) for one in found] == [
        ("slur", "positive", 2 / 3, 3),
        ("reclaimed", "negative", 1 / 2, 2),
        ("quoted", "mixed", 1 / 2, 2),
    ]
    with pytest.raises(ConfigurationError, match="one index"):
        functional_tests(truth, scores, 0.5, [4] * 8, ["one"])


LABELS = ["hate.speech", "hate.threatening", "spam.links"]
TRUTH = [[1, 1, 0, 0, NAN], [0, 1, 0, 0, NAN], [0, NAN, 1, 0, NAN]]
SCORES = [[0.9, 0.9, 0.1, 0.1, 0.9], [0.8, 0.2, 0.1, 0.7, 0.9], [0.1, 0.9, NAN, 0.1, 0.9]]


@pytest.mark.parametrize("block", [2, 100])
def test_confusion_by_hand(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 1 flags a wrong sibling, row 2 one that nobody annotated, row 3 has no score where it is right,
    row 4 is clean and flagged; row 5 is not annotated and counts nowhere. The same in blocks of two rows."""
    monkeypatch.setattr(confused, "BLOCK", block)
    found = confusion(LABELS, TRUTH, SCORES, [0.5] * 3)
    assert found.rows.tolist() == [2, 1, 1, 1]
    assert found.scored.tolist() == [[2, 2, 2], [1, 1, 1], [1, 1, 0], [1, 1, 1]]
    assert found.flagged.tolist() == [[2, 1, 1], [1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert found.wrong.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert found.told.tolist() == [2, 1, 0, 1]
    assert found.silent.tolist() == [0, 0, 0, 0]
    assert found.clean == 1
    assert found.shares()[0].tolist() == [1.0, 0.5, 0.5]


def test_what_nobody_scored_is_no_silence() -> None:
    """A label that has no score in any row tells nothing and hides nothing; one that lacks some hides
    whether its rows were silent."""
    gone = [NAN] * 3
    found = confusion(["a.b", "c.d"], [[1, 1, 0], gone], [[0.1, 0.9, 0.1], gone], [0.5] * 2)
    assert (found.told.tolist(), found.silent.tolist()) == ([2, 0, 1], [1, 0, 1])
    assert found.scored.tolist() == [[2, 0], [0, 0], [1, 0]]
    found = confusion(["a.b", "c.d"], [[1, 1, 0], gone], [[0.1, 0.9, 0.1], [NAN, NAN, 0.1]], [0.5] * 2)
    assert (found.told.tolist(), found.silent.tolist()) == ([1, 0, 1], [0, 0, 1])


def test_families_forgive_the_sibling() -> None:
    """By family, hate flagged as another kind of hate is a hit."""
    found = confusion(LABELS, TRUTH, SCORES, [0.5] * 3, families=True)
    assert found.labels == ("hate", "spam")
    assert found.flagged.tolist() == [[2, 1], [0, 0], [1, 0]]
    assert found.wrong.tolist() == [[0, 0], [0, 0], [1, 0]]
    assert np.isnan(confusion(["a.b"], [[0]], [[NAN]], [0.5]).shares()).all()
    with pytest.raises(ConfigurationError, match="per label"):
        confusion(LABELS, TRUTH, SCORES, [0.5])


def test_the_power_mean_by_hand() -> None:
    """((1 + 32)/2)^(-1/5) of 1 and 1/2; a group at 0 takes it to 0."""
    assert power_mean([1.0, 0.5]) == pytest.approx(16.5**-0.2)
    assert power_mean([0.7, 0.7]) == pytest.approx(0.7)
    assert power_mean([0.0, 1.0]) == 0.0


def test_subgroup_areas_by_hand() -> None:
    """Group: positive 0.9, negative 0.8; background: positive 0.7, negative 0.1. Mentions raise scores, so a
    subgroup negative beats a background positive (BPSN 0), and no background negative does (BNSP 1)."""
    truth = [1, 0, 1, 0] * 5
    scores = np.array([0.9, 0.8, 0.7, 0.1] * 5) + np.arange(20) / 1000
    group = np.array([True, True, False, False] * 5)
    found = subgroup_aucs(truth, scores, {"group": group}, least=5)
    aucs = found.groups["group"]
    assert (aucs.subgroup.value, aucs.bpsn.value, aucs.bnsp.value) == (1.0, 0.0, 1.0)
    assert found.mean.bpsn.value == 0.0
    few = subgroup_aucs(truth, scores, {"group": group}, least=6)
    assert "at least 6" in str(few.groups["group"].bpsn.refused)
    assert few.mean.bpsn.refused


def test_the_mean_over_one_group_is_that_group() -> None:
    """Value and interval: the delta method over one area is DeLong's."""
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.3
    scores = rng.normal(size=400) + truth
    group = rng.random(400) < 0.5
    found = subgroup_aucs(truth, scores, {"g": group})
    assert found.mean.bpsn[:3] == pytest.approx(found.groups["g"].bpsn[:3], rel=1e-5)
    alone = ranking.auroc(truth[group], scores[group])
    assert found.groups["g"].subgroup[:3] == pytest.approx(alone[:3])


def test_the_mean_sees_that_groups_share_rows() -> None:
    """A group counted twice tells nothing new: the interval stays that of one."""
    rng = np.random.default_rng(1)
    truth = rng.random(400) < 0.3
    scores = rng.normal(size=400) + truth
    group = rng.random(400) < 0.5
    once = subgroup_aucs(truth, scores, {"a": group}).mean.subgroup
    twice = subgroup_aucs(truth, scores, {"a": group, "b": group}).mean.subgroup
    assert once[:3] == pytest.approx(twice[:3], rel=1e-5)


def test_gaps_by_hand() -> None:
    """Group: 12 of 60 negatives flagged; rest: 5 of 100. Small groups are not shown."""
    truth = np.zeros(162)
    scores = np.r_[np.repeat([0.9, 0.1], [12, 48]), np.repeat([0.9, 0.1], [5, 95]), 0.9, 0.9]
    group = np.r_[np.ones(60), np.zeros(102)].astype(bool)
    tiny = np.r_[np.zeros(160), np.ones(2)].astype(bool)
    found = gaps(truth, scores, 0.5, {"group": group, "tiny": tiny})
    assert found["group"].fpr.value == pytest.approx(0.2)
    assert found["group"].fpr_gap.value == pytest.approx(12 / 60 - 7 / 102)
    assert found["group"].fpr_gap.low > 0
    assert "0 rows of the group" in str(found["group"].fnr.refused)
    assert "2 rows of the group; at least 50" in str(found["tiny"].fpr.refused)
    with pytest.raises(ConfigurationError, match="one boolean per row"):
        gaps(truth, scores, 0.5, {"group": np.ones(162)})


ROW = ((Span(0, 5), Span(10, 20)), (Span(0, 5), Span(12, 18), Span(30, 31)))
"""Right: 15 characters in two places. Found: 12 in three; 11 right, one place exact, one by half."""


def test_spans_by_hand() -> None:
    """Characters 11/12 and 11/15; exactly 1/3 and 1/2; partly 1.5/3 and 1.5/2."""
    found = span_figures([ROW] * 10)
    expected = {"characters": (11 / 12, 11 / 15), "exact": (1 / 3, 1 / 2), "partial": (1.5 / 3, 1.5 / 2)}
    for name, (precision, recall) in expected.items():
        one = found[name]
        assert (one.precision.value, one.recall.value) == pytest.approx((precision, recall)), name
        assert one.f1.value == pytest.approx(2 * precision * recall / (precision + recall)), name


def test_spans_are_matched_one_to_one_and_merged_for_characters() -> None:
    """One long place over two right ones gets half of one; places that overlap count their characters
    once."""
    found = span_figures([((Span(0, 4), Span(5, 9)), (Span(0, 9),))] * 10)
    assert found["partial"].recall.value == pytest.approx(0.25)
    assert found["characters"].recall.value == 1.0
    twice = span_figures([((Span(0, 4),), (Span(0, 4), Span(2, 4)))] * 10)
    assert twice["characters"].precision.value == 1.0


def test_texts_and_not_characters_carry_the_interval() -> None:
    """200 characters in ten texts, half the texts found: the interval is that of ten, not of 200."""
    rows = [((Span(0, 20),), (Span(0, 20),) if index % 2 else ()) for index in range(10)]
    recall = span_figures(rows)["characters"].recall
    assert recall.value == 0.5
    assert recall.high - recall.low > 0.5
    assert span_figures(rows[:9])["characters"].recall.refused
    assert span_figures([((), ())] * 10)["exact"].f1.refused
