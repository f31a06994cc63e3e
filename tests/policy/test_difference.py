"""``diff``: whatever makes a verdict laxer is reported as laxer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.policy.actions import Action
from spotsafe.policy.difference import difference
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.surface import SurfacePolicy

LABELS = ("tone.toxic", "harass.bullying", "hate.speech")
PARTS = ("a", "b")
RULE = {"id": "r", "label": "tone.toxic", "at": 0.7, "then": ["hold", "label"]}
ACTIONS = st.sampled_from(
    ["allow", "review", "limit", "hold", "block", "redact", ["hold", "label"], ["redact", "review"]]
)
MODES = st.sampled_from(["enforce", "enforce", "shadow", {"canary": 10}, {"canary": 50}])

RULES = st.fixed_dictionaries(
    {
        "label": st.sampled_from([*LABELS, "tone.*", "*"]),
        "at": st.sampled_from([0.3, 0.6, 0.9]),
        "then": ACTIONS,
    },
    optional={
        "when": st.sampled_from(["age < 7", "age > 3"]),
        "parts": st.sampled_from([["a"], ["b"], ["a", "b"]]),
        "mode": MODES,
        "if_missing": st.fixed_dictionaries({}, optional={"default": ACTIONS, "language": ACTIONS}),
    },
)
SURFACES = st.fixed_dictionaries(
    {"rules": st.lists(RULES, max_size=3)},
    optional={"on_failure": ACTIONS, "mode": MODES, "if_missing": ACTIONS},
)
SCORES = st.sampled_from([0.0, 0.3, 0.5, 0.6, 0.95])
GAPS = st.sampled_from([Cause.LANGUAGE, Cause.UNSUPPORTED, Cause.TIMEOUT])
CELLS = st.one_of(SCORES, GAPS, st.tuples(SCORES, st.sampled_from([(Span(0, 1),), ()])))
SIGNALS = st.dictionaries(st.tuples(st.sampled_from(LABELS), st.sampled_from(PARTS)), CELLS)
CONTEXTS = st.sampled_from([{"age": 2}, {"age": 5}, {"age": 9}, {}])
BUCKETS = st.sampled_from([None, 5.0, 30.0, 90.0])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two surfaces: unrelated ones, or one with a single field of it or of its first rule changed. Small
    changes find what large ones hide."""
    before, other = draw(SURFACES), draw(SURFACES)
    if not before["rules"] or not other["rules"] or draw(st.booleans()):
        return before, other
    first = {**other["rules"][0]}
    if draw(st.booleans()):
        field = draw(st.sampled_from(sorted({*first, *before["rules"][0]})))
        changed = {k: v for k, v in before["rules"][0].items() if k != field}
        changed.update({field: first[field]} if field in first else {})
        return before, {**before, "rules": [changed, *before["rules"][1:]]}
    return before, {**other, "rules": before["rules"]}


def written(surface: dict[str, Any]) -> dict[str, Any]:
    rules = [{"id": f"r{number}", **rule} for number, rule in enumerate(surface["rules"])]
    return {"content": dict.fromkeys(PARTS, "text"), "context": {"age": "int"}, **surface, "rules": rules}


def signals(policy: SurfacePolicy, cells: dict[tuple[str, str], Any]) -> Signals:
    scores, missing = [], []
    for label in policy.labels:
        for part in PARTS:
            cell = cells.get((label, part), 0.0)
            if isinstance(cell, Cause):
                missing.append(Missing(label, part, cell))
            else:
                score, evidence = cell if isinstance(cell, tuple) else (cell, ())
                scores.append(Signal(label, score, part, evidence=evidence))
    return Signals(scores, missing)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    pair=pairs(),
    cells=st.lists(SIGNALS, min_size=8, max_size=12),
    context=CONTEXTS,
    bucket=BUCKETS,
)
def test_what_is_laxer_for_any_signals_is_reported(
    kit: SimpleNamespace, *, pair: Any, cells: Any, context: Any, bucket: float | None
) -> None:
    """Laxer by the order of actions, for any scores, gaps, context and place in a canary."""
    one, other = (kit.policies(written(surface)) for surface in pair)
    directions = {change.direction for change in difference(one, other, 0.0)}
    opposite = {change.direction for change in difference(other, one, 0.0)}
    assert ("laxer" in directions, "stricter" in directions) == ("stricter" in opposite, "laxer" in opposite)
    old, new = one.surfaces["a.b"], other.surfaces["a.b"]
    for entry in cells:
        found = signals(old if len(old.labels) > len(new.labels) else new, entry)
        was, now = (evaluate(p, found, context, 0.0, bucket=bucket) for p in (old, new))
        if not Action(now.disposition, now.effects).covers(Action(was.disposition, was.effects)):
            assert "laxer" in directions, (was, now)


@pytest.mark.parametrize(
    ("change", "directions"),
    [
        ({"then": ["review", "label"]}, {"laxer", "stricter"}),  # a hold lost, a review won
        ({"then": "hold"}, {"laxer"}),  # an effect lost
        ({"then": "block"}, {"laxer", "stricter"}),
        ({"then": ["hold", "label", "review"]}, {"stricter"}),
        ({"at": 0.9}, {"laxer"}),
        ({"at": 0.9, "then": ["block", "label"]}, {"laxer", "stricter"}),
        ({"at": 0.9, "then": "review", "when": "age < 7"}, {"laxer", "stricter"}),
        ({"when": "age < 7"}, {"laxer"}),
        ({"parts": ["a"]}, {"laxer"}),
        ({"mode": {"canary": 50}}, {"laxer"}),
        ({"label": "tone.profanity"}, {"laxer", "stricter"}),
        ({"label": "tone.*"}, {"stricter"}),
        ({"if_missing": "allow"}, set()),  # what a label of severity 1 does anyway
        ({"if_missing": {"language": "review"}}, {"stricter"}),
    ],
)
def test_each_way_to_loosen_a_rule_is_laxer(
    kit: SimpleNamespace, change: dict[str, Any], directions: set[str]
) -> None:
    """A lower disposition, a lost effect, part or label, a raised threshold; stricter the other way round."""
    before = kit.policies(written({"rules": [RULE]}))
    after = kit.policies(written({"rules": [{**RULE, **change}]}))
    assert {c.direction for c in difference(before, after, 0.0)} == directions
    turned = {"laxer": "stricter", "stricter": "laxer"}
    assert {c.direction for c in difference(after, before, 0.0)} == {turned[d] for d in directions}


def test_a_looser_action_under_one_condition_is_laxer(kit: SimpleNamespace) -> None:
    """``hold from 0.7`` to ``review from 0.9`` under the same ``when``."""
    rule = {**RULE, "when": "age < 7"}
    before = kit.policies(written({"rules": [rule]}))
    after = kit.policies(written({"rules": [{**rule, "at": 0.9, "then": "review"}]}))
    found = difference(before, after, 0.0)
    assert ("tone.toxic (when age < 7)", "laxer") in {(c.what, c.direction) for c in found}


@pytest.mark.parametrize(
    ("before", "after", "directions"),
    [
        ({"languages": ["en", "de"]}, {"languages": ["en", "fr"]}, {"laxer", "stricter"}),
        ({"content": {"a": "text"}}, {"content": {"b": "text"}}, {"laxer", "stricter"}),
        ({"content": {"a": "text"}}, {"content": {"a": {"type": "text", "optional": True}}}, {"laxer"}),
        ({"languages": ["en"]}, {"languages": []}, {"laxer"}),
    ],
)
def test_a_lost_part_or_language_is_laxer(
    kit: SimpleNamespace, before: Any, after: Any, directions: set[str]
) -> None:
    """Also where another one comes in its place."""
    found = difference(kit.policies(before), kit.policies(after), 0.0)
    assert {change.direction for change in found} == directions


def test_a_waiver_that_runs_longer_is_laxer(kit: SimpleNamespace) -> None:
    """Nothing changes today, but the rule comes back later."""

    def waived(ends: str) -> Any:
        entry = {"rule": "baseline/public-ugc#profanity", "surface": "a.b", "ends": ends}
        said = {"owner": "o", "reason": "r", "approver": "p"}
        return kit.policies({}, extends="baseline/public-ugc", platform={"waivers": [{**entry, **said}]})

    found = difference(waived("2027-01-01T00:00:00Z"), waived("2028-01-01T00:00:00Z"), 0.0)
    assert [(c.what, c.direction) for c in found] == [("waiver of baseline/public-ugc#profanity", "laxer")]


@pytest.mark.parametrize(
    ("content", "directions"),
    [
        ({"a": "text", "b": "text"}, {"laxer", "stricter"}),
        ({"a": "text"}, {"stricter"}),
        ({}, {"laxer", "stricter"}),
    ],
)
def test_what_fires_earlier_may_be_laxer_beside_a_gap(
    kit: SimpleNamespace, content: Any, directions: set[str]
) -> None:
    """A lower threshold publishes with a review what a failure in another part would have held; a surface of
    one part has no other part."""
    rule = {"id": "r", "label": "tone.toxic", "at": 0.9, "then": "review"}
    one, other = (
        kit.policies({"content": content, "on_failure": "hold", "rules": [{**rule, "at": at}]})
        for at in (0.9, 0.5)
    )
    assert {change.direction for change in difference(one, other, 0.0)} == directions
    found = signals(one.surfaces["a.b"], {("tone.toxic", "a"): 0.6, ("tone.toxic", "b"): Cause.TIMEOUT})
    was, now = (evaluate(side.surfaces["a.b"], found, {}, 0.0) for side in (one, other))
    assert (was.action, now.action) == ("hold", "review")
