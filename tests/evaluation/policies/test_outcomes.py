"""Policies over columns: the same verdicts as one by one, shares and errors by hand, and what changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.evaluation.policies.changes import LOOSER, OTHER, STRICTER, difference, direction_of
from spotsafe.evaluation.policies.data import Grouping, PolicyData, Sampling
from spotsafe.evaluation.policies.measured import evaluate_policies
from spotsafe.evaluation.policies.outcomes import Circumstances, outcomes
from spotsafe.evaluation.runs import layout
from spotsafe.policy.actions import action
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.load import load_text
from spotsafe.policy.surface import PolicySet

MANIFEST = """
spotsafe: 1
team: t
owner: o@example.com
extends: baseline/floor
surfaces:
  comments.create:
    audience: public
    content: {{title: text, body: text, cover: {{type: image, optional: true}}}}
    context: {{age: int}}
    on_failure: {{default: review}}
    rules:
      - {{id: spam-block, label: integrity.spam, at: {at}, then: block}}
      - {{id: spam-look, label: integrity.spam, at: 0.5, then: review, mode: shadow}}
      - {{id: toxic, label: tone.toxic, at: 0.5, then: limit, parts: [title]}}
      - {{id: pii, label: privacy.pii_exposure, at: 0.5, then: [redact, review]}}
      - {{id: explicit, label: sexual.explicit, at: 0.6, then: age_gate}}
      - {{id: young, label: tone.profanity, at: 0.4, then: hold, when: "age < 18"}}
"""

LABELS_READ = ("integrity.spam", "tone.toxic", "privacy.pii_exposure", "sexual.explicit", "tone.profanity")


def policies(at: float = 0.8) -> PolicySet:
    return load_text({"m.yaml": MANIFEST.format(at=at)}, now=0.0)


def table(rows: list[dict[str, float]], **given: object) -> PolicyData:
    """Rows as label → score; a label that is not named scores 0."""
    scores = {label: np.array([row.get(label, 0.0) for row in rows], np.float32) for label in LABELS_READ}
    return PolicyData(scores, **given)


CELL = st.tuples(
    st.sampled_from([0.0, 0.39, 0.4, 0.5, 0.6, 0.79, 0.8, 0.95, None]),
    st.sampled_from([None, *Cause]),
)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["text", "image"]), *[CELL] * len(LABELS_READ)), min_size=1, max_size=6
    ),
    context=st.sampled_from([{}, {"age": 12}, {"age": 40}]),
    part=st.sampled_from([None, "body", "title"]),
)
def test_columns_get_the_verdicts_of_single_contents(rows, context, part) -> None:
    """Disposition, effects and status of each row are those that evaluation gives its signals: scores, gaps,
    a score with a gap beside it, conditions, parts, shadow and redaction included."""
    policy = policies().surfaces["comments.create"]
    only = policy.changed(
        checks=tuple(check for check in policy.checks if check.label in LABELS_READ),
        gates=tuple(gate for gate in policy.gates if gate[0] in LABELS_READ),
        labels=tuple(label for label in policy.labels if label in LABELS_READ),
    )
    scores, causes = {}, {}
    for index, label in enumerate(LABELS_READ):
        cells = [row[1 + index] for row in rows]
        scores[label] = np.array([np.nan if score is None else score for score, _ in cells], np.float32)
        causes[label] = np.array([layout.CAUSES.index(cause) for _, cause in cells], np.uint8)
    kinds = Grouping(np.array([row[0] == "image" for row in rows], np.int32), ("text", "image"))
    found = outcomes(
        policy, PolicyData(scores, causes=causes, kinds=kinds), Circumstances(context, part=part)
    )
    for place, row in enumerate(rows):
        name = "cover" if row[0] == "image" else part or "title"
        expected = evaluate(only, _signals(row, name), context, 0.0)
        expected = expected.would or expected
        assert found.action(place) == (expected.disposition, expected.effects)
        assert found.status[place] == expected.status
        assert set(found.rules(place)) == {reason.rule for reason in expected.reasons}


def _signals(row, name: str) -> Signals:
    scored, missing = [], []
    for label, (score, cause) in zip(LABELS_READ, row[1:], strict=True):
        evidence = (Span(0, 1),) if score and row[0] == "text" else ()
        if score is not None:
            scored.append(Signal(label, score, name, LABELS[label].severity, evidence=evidence))
        if cause is not None or score is None:
            missing.append(Missing(label, name, cause or Cause.ERROR))
    return Signals(scored, missing)


def test_shares_and_errors_by_hand() -> None:
    """Ten rows: two blocked of which one is clean, one limited, one redacted and reviewed, six untouched of
    which one violates. Truth of the last row is not known."""
    spam = {"integrity.spam": 0.9}
    rows = [spam, spam, {"tone.toxic": 0.6}, {"privacy.pii_exposure": 0.7}, *[{}] * 6]
    truth = {"integrity.spam": np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, np.nan], np.float32)}
    languages = Grouping(np.array([0] * 5 + [1] * 5), ("en", "de"))
    data = table(rows, truth=truth, groupings={"language": languages})
    one = evaluate_policies(policies(), data, groupings=["language"])[0]
    shares = {word: share.value for word, share in one.shares.items()}
    assert (shares["block"], shares["limit"], shares["hold"]) == (0.2, 0.1, 0.0)
    assert (shares["redact"], shares["people"]) == (0.1, 0.3)
    assert one.errors.false_blocks.value == pytest.approx(1 / 7)
    assert one.errors.block_precision.value == 0.5
    assert one.errors.missed.value == 0.5
    spam_row = next(entry for entry in one.labels if entry.label == "integrity.spam")
    assert (spam_row.positives, spam_row.blocked.value, spam_row.missed.value) == (2, 0.5, 0.5)
    rule = next(entry for entry in one.rules if entry.rule == "comments.create#spam-block")
    assert (rule.fires.value, rule.precision.value) == (0.2, 0.5)
    parts = {entry.value: entry for entry in one.slices}
    assert (parts["en"].shares["block"].value, parts["de"].shares["block"].value) == (0.4, 0.0)
    assert "child.csam" in one.unscored
    assert one.to_json()["shares"]["block"]["value"] == 0.2


def test_precision_is_refused_where_no_row_is_annotated_for_all_labels() -> None:
    """Two sets put together, each annotated for one label: rows known to violate are known, but none could
    have been known to be clean, so there is no precision; what is missed still counts."""
    truth = {
        "integrity.spam": np.array([1, 0, np.nan, np.nan], np.float32),
        "tone.toxic": np.array([np.nan, np.nan, 1, 0], np.float32),
    }
    data = table([{"integrity.spam": 0.9}] * 2 + [{}] * 2, truth=truth)
    one = evaluate_policies(policies(), data)[0]
    assert one.errors.block_precision.value is None
    assert "annotated for all labels" in one.errors.block_precision.refused
    assert one.errors.missed.value == 0.5
    rule = next(entry for entry in one.rules if entry.rule == "comments.create#spam-block")
    assert rule.precision.value == 0.5


def test_what_the_surface_does_not_carry_is_left_out_and_counted() -> None:
    """A sound file is no row of a surface of text and pictures."""
    kinds = Grouping(np.array([0, 1, 1, 0]), ("text", "audio"))
    one = evaluate_policies(policies(), table([{"integrity.spam": 0.9}] * 4, kinds=kinds))[0]
    assert (one.rows, one.left_out, one.shares["block"].value) == (2, 2, 1.0)


def test_shares_of_rows_chosen_by_score_are_weighted() -> None:
    """Thirty blocked rows of chance 1 and thirty quiet ones that stand for ten each: 30 of 330, not half."""
    rows = [{"integrity.spam": 0.9}] * 30 + [{}] * 30
    inclusion = np.repeat([1.0, 0.1], 30)
    one = evaluate_policies(policies(), table(rows, sampling=Sampling(inclusion, np.repeat([0, 1], 30))))[0]
    assert one.shares["block"].value == pytest.approx(30 / 330)
    unknown = Sampling(np.full(60, np.nan), None)
    refused = evaluate_policies(policies(), table(rows, sampling=unknown))[0]
    assert "inclusion probability" in str(refused.shares["block"].refused)


def test_a_difference_by_hand() -> None:
    """Spam at 0.9 instead of 0.8: two rows of five are let off, to review and not to nothing, as the shadow
    rule counts as done."""
    rows = [{"integrity.spam": score} for score in (0.95, 0.85, 0.85, 0.6, 0.1)]
    truth = {"integrity.spam": np.array([1, 1, 0, 0, 0], np.float32)}
    found = difference(policies(0.8), policies(0.9), table(rows, truth=truth))[0]
    assert (found.same.value, found.looser.value, found.stricter.value) == (0.6, 0.4, 0.0)
    (change,) = found.changes
    assert (change.before, change.after, change.direction) == ("block + review", "review", LOOSER)
    assert (change.rows, change.violating, change.clean) == (2, 1, 1)
    assert [row.id for row in change.examples] == ["1", "2"]
    assert "comments.create#spam-block" in change.examples[0].rules_before
    back = difference(policies(0.9), policies(0.8), table(rows))[0]
    assert back.changes[0].direction == STRICTER


DIRECTIONS = [
    ("hold nudge", "nudge review", LOOSER),
    ("block", "hold review", LOOSER),
    ("hold", "limit redact quarantine", LOOSER),
    ("hold nudge", "hold", LOOSER),
    ("nudge", "allow", LOOSER),
    ("hold nudge", "hold review", OTHER),
    ("allow", "label", STRICTER),
    ("nudge", "hold", STRICTER),
    ("redact review", "block", STRICTER),
    ("redact", "limit", OTHER),
    ("hold quarantine", "block", OTHER),
]


@pytest.mark.parametrize(("before", "after", "expected"), DIRECTIONS)
def test_what_is_published_comes_before_effects(before: str, after: str, expected: str) -> None:
    """A lower disposition is looser whatever comes with it; a higher one is stricter unless it loses an
    effect that publishing, or evidence, still needs."""
    assert direction_of(action(before.split()), action(after.split())) == expected


def test_content_is_shown_only_where_asked_for() -> None:
    """Without a reader there is none; with one it is in the example but never in its repr."""
    rows = [{"integrity.spam": 0.85}]
    plain = difference(policies(0.8), policies(0.9), table(rows))[0].changes[0].examples[0]
    assert plain.content is None
    assert "content" not in plain.to_json()
    shown = difference(policies(0.8), policies(0.9), table(rows), content=lambda row: f"secret {row}")[0]
    example = shown.changes[0].examples[0]
    assert example.content == "secret 0"
    assert "secret" not in repr(example) + repr(shown)


def test_a_surface_that_only_one_side_declares_is_compared_with_its_floor() -> None:
    """What no manifest declares runs under the floor."""
    bare = load_text({}, now=0.0)
    found = difference(bare, policies(), table([{"integrity.spam": 0.9}, {}]))[0]
    assert found.rows == 2
    assert found.changes[0].direction == STRICTER


WRONG = [
    ({"surfaces": ["comments.creat"]}, "comments.create"),
    ({"groupings": ["market"]}, "no grouping 'market'"),
    ({"circumstances": Circumstances(part="bodi")}, "no part 'bodi'"),
]


@pytest.mark.parametrize(("given_", "words"), WRONG)
def test_names_that_there_are_not(given_: dict, words: str) -> None:
    """The message says what there is."""
    with pytest.raises(ConfigurationError, match=words):
        evaluate_policies(policies(), table([{}]), **given_)
    with pytest.raises(ConfigurationError, match="one length"):
        PolicyData({"tone.toxic": np.zeros(2)}, truth={"tone.toxic": np.zeros(3)})


def test_a_baseline_can_be_named() -> None:
    """Without a manifest of one's own the shipped baselines can be measured."""
    found = evaluate_policies(
        load_text({}, now=0.0), table([{"tone.toxic": 0.9}]), surfaces=["baseline/public-ugc"]
    )
    assert found[0].shares["nudge"].value == 1.0
    with pytest.raises(ConfigurationError, match="declare no surface"):
        evaluate_policies(load_text({}, now=0.0), table([{}]))
