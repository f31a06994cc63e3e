"""Evaluation: firing, missing labels, joins, status, modes, kill switches, redaction."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest

from spotsafe.core.decision import Disposition, Effect, Mode, Status
from spotsafe.core.signals import Box, Cause, Missing, Signal, Signals, Span, all_missing
from spotsafe.policy.evaluate import enforced_mode, evaluate
from spotsafe.policy.kill import KillSwitch
from spotsafe.policy.load import builtin

ALLOW, LIMIT, HOLD, BLOCK = Disposition


def rule(label: str, at: float, then: Any, **more: Any) -> dict[str, Any]:
    return {"id": more.pop("id", "r"), "label": label, "at": at, "then": then, **more}


def only(found: Any, label: str, cause: Cause) -> Signals:
    """All labels clean but one, which is missing."""
    present = [Signal(code, 0.0, "body") for code in found.labels if code != label]
    return Signals(present, [Missing(label, "", cause)])


@pytest.mark.parametrize(
    ("score", "action"), [(0.0, "allow"), (0.499, "allow"), (0.5, "label"), (1.0, "label")]
)
def test_a_rule_fires_from_its_threshold_on(kit: SimpleNamespace, score: float, action: str) -> None:
    """``at`` is reached by equality."""
    found = kit.policy({"rules": [rule("tone.toxic", 0.5, "label")]})
    assert evaluate(found, kit.scored(found, {"tone.toxic": score}), {}, 0.0).action == action


def test_firing_rules_join_by_strictness_not_by_score(kit: SimpleNamespace) -> None:
    """The highest disposition and all effects, whatever scored most."""
    found = kit.policy(
        {
            "rules": [
                rule("tone.toxic", 0.1, ["hold", "label"], id="a"),
                rule("tone.profanity", 0.1, ["limit", "nudge"], id="b"),
            ]
        }
    )
    verdict = evaluate(found, kit.scored(found, {"tone.toxic": 0.2, "tone.profanity": 1.0}), {}, 0.0)
    assert (verdict.disposition, verdict.effects) == (HOLD, {Effect.LABEL, Effect.NUDGE})
    assert [(r.rule, r.trigger, r.score, r.threshold) for r in verdict.reasons] == [
        ("a.b#a", "score", 0.2, 0.1),
        ("a.b#b", "score", 1.0, 0.1),
    ]


def test_where_nothing_fires_the_verdict_is_shared(kit: SimpleNamespace) -> None:
    """One frozen verdict per policy and status, also where labels are missing that it goes without."""
    found = kit.policy({}, extends="baseline/public-ugc")
    clean = kit.scored(found, {})
    assert evaluate(found, clean, None, 0.0) is evaluate(found, clean, None, 1.0)
    assert evaluate(found, clean, None, 0.0, origin=Status.CACHED).status is Status.CACHED
    lacking = kit.without(found, {"child.csam": Cause.UNSUPPORTED, "fraud.scam": Cause.UNSUPPORTED})
    assert evaluate(found, lacking, None, 0.0) is evaluate(found, clean, None, 0.0)


def test_the_all_clear_path_allocates_nothing(kit: SimpleNamespace) -> None:
    """A thousand clean evaluations leave no memory behind and build no object of ours."""
    found = kit.policy({"rules": [rule("tone.toxic", 0.5, "label")]})
    clean = kit.scored(found, {})
    evaluate(found, clean, None, 0.0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(1000):
            evaluate(found, clean, None, 0.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - before < 600


@pytest.mark.parametrize(
    ("label", "cause", "stated", "expected"),
    [
        ("hate.discrimination", Cause.UNSUPPORTED, None, "allow"),  # severity 2
        ("harass.stalking", Cause.UNSUPPORTED, None, "hold"),  # severity 3
        ("harass.stalking", Cause.SIZE, None, "hold"),
        ("harass.stalking", Cause.UNSUPPORTED, {"unsupported": "allow"}, "allow"),
        ("harass.stalking", Cause.SIZE, {"unsupported": "allow"}, "hold"),
        ("harass.stalking", Cause.SIZE, "review", "review"),
        ("hate.discrimination", Cause.SIZE, {"default": "block"}, "block"),
        ("hate.discrimination", Cause.SIZE, "redact", "hold"),  # nothing to redact
        ("harass.stalking", Cause.LANGUAGE, None, "allow"),  # the floor states it, in the open
        ("harass.stalking", Cause.TIMEOUT, {"default": "allow"}, "hold"),  # a failure is on_failure's
    ],
)
def test_what_a_missing_label_does(
    kit: SimpleNamespace, label: str, cause: Cause, stated: Any, expected: str
) -> None:
    """Reach is answered by the rule's ``if_missing``, then the taxonomy's default; failures are not."""
    more = {} if stated is None else {"if_missing": stated}
    found = kit.policy({"rules": [rule(label, 0.5, "label", **more)]})
    verdict = evaluate(found, only(found, label, cause), {}, 0.0)
    assert verdict.action == expected


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.ERROR, Cause.STALE])
def test_failures_take_the_most_specific_pattern(kit: SimpleNamespace, cause: Cause) -> None:
    """``on_failure`` by label: the exact code before the pattern before the default."""
    stated = {"default": "limit", "tone.*": "nudge", "tone.toxic": "block"}
    found = kit.policy(
        {
            "rules": [rule("tone.*", 0.5, "label"), rule("tc.other", 0.5, "label", id="o")],
            "on_failure": stated,
        }
    )
    for label, action in (("tone.toxic", "block"), ("tone.profanity", "nudge"), ("tc.other", "hold")):
        # tc.other: the floor's default of hold is stricter than the surface's limit
        assert evaluate(found, only(found, label, cause), {}, 0.0).action == action


def test_a_failure_that_is_let_through_is_still_a_reason(kit: SimpleNamespace) -> None:
    """Records can count it: an allow with trigger ``failure``."""
    found = kit.policy({"rules": [rule("tone.toxic", 0.5, "label")]})
    verdict = evaluate(found, only(found, "tone.toxic", Cause.TIMEOUT), {}, 0.0)
    assert verdict.action == "allow"
    assert [(r.trigger, r.cause, r.disposition) for r in verdict.reasons] == [("failure", "timeout", ALLOW)]


def test_a_score_that_is_there_counts_though_another_part_is_missing(kit: SimpleNamespace) -> None:
    """A present score that fires makes the label's gap elsewhere irrelevant; one below does not."""
    found = kit.policy({"rules": [rule("harass.stalking", 0.5, "label")]})
    clean = [Signal(code, 0.0, "body") for code in found.labels if code != "harass.stalking"]
    gap = [Missing("harass.stalking", "title", Cause.ERROR)]
    fires = Signals([*clean, Signal("harass.stalking", 0.7, "body")], gap)
    quiet = Signals([*clean, Signal("harass.stalking", 0.3, "body")], gap)
    assert evaluate(found, fires, {}, 0.0).action == "label"
    assert evaluate(found, quiet, {}, 0.0).action == "hold"


def test_an_outage_never_lowers_a_block_that_could_be_read(kit: SimpleNamespace) -> None:
    """Present block plus failed labels: the block stands."""
    found = kit.policy({"rules": [rule("tone.toxic", 0.5, "block")]})
    signals = Signals(
        [Signal("tone.toxic", 0.9, "body")],
        [Missing(label, "", Cause.TIMEOUT) for label in found.labels if label != "tone.toxic"],
    )
    verdict = evaluate(found, signals, {}, 0.0)
    assert (verdict.disposition, verdict.status) == (BLOCK, Status.PARTIAL)


def test_what_nobody_mentioned_is_not_clean(kit: SimpleNamespace) -> None:
    """A label neither scored nor missing counts as failed; so do signals that know nothing."""
    found = kit.policy({})
    half = Signals([Signal(label, 0.0, "body") for label in found.labels[1:]])
    assert evaluate(found, half, {}, 0.0).action == "hold"
    nothing = evaluate(found, Signals(), {}, 0.0)
    assert (nothing.action, nothing.status) == ("hold", Status.UNCHECKED)


@pytest.mark.parametrize("score", [float("nan"), float("-inf"), -0.1, 1.1])
def test_a_score_that_is_none_fires(kit: SimpleNamespace, score: float) -> None:
    """What is no number from 0 to 1 is not below any threshold."""
    found = kit.policy({"rules": [rule("tone.toxic", 0.99, "hold")]})
    verdict = evaluate(found, kit.scored(found, {"tone.toxic": score}), {}, 0.0)
    assert verdict.action == "hold"
    assert verdict.reasons[0].score == 1.0


def test_status_is_the_worst_over_the_labels_that_rules_read(kit: SimpleNamespace) -> None:
    """Gaps make it partial, unsupported ones do not, no score at all makes it unchecked."""
    found = kit.policy({})
    label = "hate.speech"
    assert evaluate(found, only(found, label, Cause.LANGUAGE), {}, 0.0).status is Status.PARTIAL
    assert evaluate(found, only(found, "child.csam", Cause.UNSUPPORTED), {}, 0.0).status is Status.CHECKED
    assert evaluate(found, all_missing(found.labels, Cause.TIMEOUT), {}, 0.0).status is Status.UNCHECKED
    assert evaluate(found, all_missing(found.labels, Cause.UNSUPPORTED), {}, 0.0).status is Status.UNCHECKED
    stale = evaluate(found, only(found, label, Cause.STALE), {}, 0.0, origin=Status.STALE)
    assert stale.status is Status.PARTIAL
    foreign = Signals(kit.scored(found, {}).scores, [Missing("tone.toxic", "", Cause.ERROR)])
    assert evaluate(found, foreign, {}, 0.0).status is Status.CHECKED


def test_a_label_that_cannot_occur_in_a_kind_of_part_is_not_missing_there(kit: SimpleNamespace) -> None:
    """Gore is not looked for in texts: a modality gap there neither acts nor counts. Words can stand in
    pictures: a picture that nobody read is a gap for threats."""
    rules = [rule("violence.graphic", 0.5, "block")]
    given = {"content": {"body": "text", "pic": "image"}, "rules": rules}
    found = kit.policy(given, extends="baseline/public-ugc")
    clean = kit.scored(found, {}).scores
    gore = evaluate(found, Signals(clean, [Missing("violence.graphic", "body", Cause.MODALITY)]), {}, 0.0)
    assert (gore.action, gore.status) == ("allow", Status.CHECKED)
    for label in ("hate.speech", "violence.threat"):
        gap = evaluate(found, Signals(clean, [Missing(label, "pic", Cause.MODALITY)]), {}, 0.0)
        assert (gap.action, gap.status) == ("review", Status.PARTIAL)


def test_parts_limit_scores_and_gaps(kit: SimpleNamespace) -> None:
    """A rule on ``tags`` reads the list's entries and nothing else, gaps included."""
    content = {"tags": "text", "body": "text"}
    found = kit.policy({"content": content, "rules": [rule("tone.toxic", 0.5, "block", parts=["tags"])]})
    base = [s for s in kit.scored(found, {}).scores if s.label != "tone.toxic"]
    for part, action in (
        ("body", "allow"),
        ("tags", "block"),
        ("tags[0]", "block"),
        ("tags.1", "block"),
        ("tagsy", "allow"),
    ):
        signals = Signals([*base, Signal("tone.toxic", 0.9, part)])
        assert evaluate(found, signals, {}, 0.0).action == action
    gap = Signals([*base, Signal("tone.toxic", 0.1, "tags")], [Missing("tone.toxic", "body", Cause.ERROR)])
    assert evaluate(found, gap, {}, 0.0).reasons == ()


CONDITIONAL = {"context": {"age": "int"}}


@pytest.mark.parametrize(
    ("stated", "context", "expected"),
    [
        (rule("tone.toxic", 0.5, "limit"), {"age": 3}, "limit"),
        (rule("tone.toxic", 0.5, "limit"), {"age": 9}, "allow"),
        (rule("tone.toxic", 0.5, "limit"), {}, "limit"),  # cannot be told: its own action …
        (rule("tone.toxic", 0.5, "block"), {}, "hold"),  # … at most a hold
        (rule("harass.stalking", 0.5, "label"), {}, "hold"),  # severity 3 holds what is not known
        (rule("harass.stalking", 0.5, "label", if_missing="review"), {"age": "3"}, "review"),
        (rule("harass.stalking", 0.5, "label", if_missing="allow"), {}, "allow"),
        (rule("tone.toxic", 0.5, "redact"), {}, "hold"),
    ],
)
def test_a_condition_gates_its_rule_and_an_unknown_one_is_a_missing_value(
    kit: SimpleNamespace, stated: Any, context: Any, expected: str
) -> None:
    """True fires, false does not, and what cannot be told is answered strictly."""
    found = kit.policy({**CONDITIONAL, "rules": [{**stated, "when": "age < 7"}]})
    signals = kit.scored(found, {stated["label"]: 0.9})
    assert evaluate(found, signals, context, 0.0).action == expected


def test_a_condition_is_not_asked_below_the_threshold(kit: SimpleNamespace) -> None:
    """A low score decides alone: an absent context field then holds nothing."""
    found = kit.policy({**CONDITIONAL, "rules": [rule("harass.stalking", 0.5, "block", when="age < 7")]})
    assert evaluate(found, kit.scored(found, {"harass.stalking": 0.4}), {}, 0.0).action == "allow"


def test_a_missing_label_under_a_false_condition_does_nothing(kit: SimpleNamespace) -> None:
    """A rule that does not apply has no failure either."""
    found = kit.policy({**CONDITIONAL, "rules": [rule("tc.other", 0.5, "block", when="age < 7")]})
    signals = only(found, "tc.other", Cause.TIMEOUT)
    assert evaluate(found, signals, {"age": 9}, 0.0).action == "allow"
    assert evaluate(found, signals, {"age": 3}, 0.0).action == "hold"
    assert evaluate(found, signals, {}, 0.0).action == "hold"


@pytest.mark.parametrize(
    ("mode", "bucket", "enforced"),
    [
        ("enforce", None, True),
        ("shadow", 0.0, False),
        ({"canary": 10}, 9.99, True),
        ({"canary": 10}, 10.0, False),
        ({"canary": 10}, None, False),
        ({"canary": 0}, 0.0, False),
        ({"canary": 100}, 99.9, True),
    ],
)
def test_modes_govern_own_rules_and_would_carries_the_rest(
    kit: SimpleNamespace, mode: Any, bucket: float | None, enforced: bool
) -> None:
    """In shadow and outside the canary the surface's rules alter nothing; the baseline's do."""
    found = kit.policy({"mode": mode, "rules": [rule("tone.toxic", 0.5, "block")]})
    verdict = evaluate(
        found, kit.scored(found, {"tone.toxic": 0.9, "hate.speech": 0.99}), {}, 0.0, bucket=bucket
    )
    assert verdict.disposition is (BLOCK if enforced else HOLD)
    assert (verdict.would is None) is enforced
    if verdict.would is not None:
        assert verdict.would.disposition is BLOCK
        assert verdict.would.would is None


def test_a_rules_own_mode_goes_before_the_surfaces(kit: SimpleNamespace) -> None:
    """One rule in shadow on an enforcing surface, and the other way round."""
    rules = [
        rule("tone.toxic", 0.5, "block", mode="shadow", id="a"),
        rule("tone.profanity", 0.5, "limit", id="b"),
    ]
    found = kit.policy({"rules": rules})
    verdict = evaluate(found, kit.scored(found, {"tone.toxic": 0.9, "tone.profanity": 0.9}), {}, 0.0)
    assert (verdict.action, verdict.would and verdict.would.action) == ("limit", "block")
    other = kit.policy({"mode": "shadow", "rules": [rule("tone.toxic", 0.5, "block", mode="enforce")]})
    assert evaluate(other, kit.scored(other, {"tone.toxic": 0.9}), {}, 0.0).action == "block"


def test_static_policies_depend_on_signals_alone(kit: SimpleNamespace) -> None:
    """A condition, a canary or a waiver that ends makes a verdict more than its signals."""
    plain = kit.policy({"rules": [rule("tone.toxic", 0.5, "block")], "mode": "shadow"})
    canary = kit.policy({"rules": [rule("tone.toxic", 0.5, "block")], "mode": {"canary": 5}})
    conditional = kit.policy({**CONDITIONAL, "rules": [rule("tone.toxic", 0.5, "block", when="age < 7")]})
    assert (plain.static, canary.static, conditional.static) == (True, False, False)


def test_enforced_mode_is_false_only_where_everything_is_in_shadow(kit: SimpleNamespace) -> None:
    """The baseline's rules enforce, whatever the surface's own mode."""
    assert enforced_mode(kit.policy({"mode": "shadow"}))
    assert enforced_mode(builtin().broken("x"))


@pytest.mark.parametrize(
    ("kill", "action"),
    [
        (KillSwitch("process", "", 10.0, "r"), "allow"),
        (KillSwitch("surface", "a.b", 10.0, "r"), "allow"),
        (KillSwitch("surface", "other", 10.0, "r"), "block"),
        (KillSwitch("rule", "a.b#r", 10.0, "r"), "hold"),
        (KillSwitch("rule", "baseline/floor#hate", 10.0, "r"), "block"),
        (KillSwitch("process", "", 5.0, "r"), "block"),  # ended
    ],
)
def test_a_kill_switch_stops_enforcement_and_nothing_else(
    kit: SimpleNamespace, kill: KillSwitch, action: str
) -> None:
    """What it stops stays visible in ``would`` and the status; it ends by itself."""
    found = kit.policy({"rules": [rule("tone.toxic", 0.5, "block")]})
    signals = kit.scored(found, {"tone.toxic": 0.9, "hate.speech": 0.99})
    verdict = evaluate(found, signals, {}, 5.0, kill=(kill,), origin=Status.CACHED)
    assert verdict.action == action
    assert verdict.status is Status.CACHED
    assert (verdict.would is None) is (action == "block" and kill.target != "baseline/floor#hate")
    if verdict.would is not None:
        assert verdict.would.action == "block"


def test_several_kill_switches_stop_several_rules(kit: SimpleNamespace) -> None:
    """Each rule-scoped switch stops its own rule; the rest is enforced."""
    found = kit.policy(
        {"rules": [{**rule("tone.toxic", 0.5, "block"), "id": "one"},
                   {**rule("integrity.spam", 0.5, "block"), "id": "two"}]}
    )  # fmt: skip
    signals = kit.scored(found, {"tone.toxic": 0.9, "integrity.spam": 0.9})
    one, two = (KillSwitch("rule", f"a.b#{name}", 10.0, "r") for name in ("one", "two"))
    assert evaluate(found, signals, {}, 5.0, kill=(one,)).action == "block"
    assert evaluate(found, signals, {}, 5.0, kill=(two,)).action == "block"
    stopped = evaluate(found, signals, {}, 5.0, kill=(one, two))
    assert (stopped.action, stopped.would and stopped.would.action) == ("allow", "block")


def test_a_broken_policy_holds_everything_unchecked() -> None:
    """Clean signals included; a kill switch can still stop it."""
    found = builtin().broken("x")
    clean = Signals([Signal(label, 0.0, "body") for label in found.labels])
    verdict = evaluate(found, clean, {}, 0.0, origin=Status.CHECKED)
    assert (verdict.action, verdict.status) == ("hold", Status.UNCHECKED)
    stopped = evaluate(found, clean, {}, 0.0, kill=(KillSwitch("process", "", 9.0, "r"),))
    assert (stopped.action, stopped.would and stopped.would.action) == ("allow", "hold")


def redacting(kit: SimpleNamespace, then: Any = ("redact", "review")) -> Any:
    return kit.policy({"rules": [rule("privacy.pii_exposure", 0.5, list(then))]})


@pytest.mark.parametrize(
    ("evidence", "action", "effects", "edits"),
    [
        ([(Span(0, 3),)], "review", {"redact", "review"}, 1),
        ([()], "hold", {"review"}, 0),
        ([(Box(0, 0, 1, 1),)], "hold", {"review"}, 0),
        ([(Span(0, 3),), ()], "hold", {"redact", "review"}, 1),
        ([(Span(0, 3), Box(0, 0, 1, 1))], "hold", {"redact", "review"}, 1),
        ([(Span(2, 2),)], "hold", {"review"}, 0),
        ([(Span(0, 3), Span(4, 4))], "hold", {"redact", "review"}, 1),
        ([(Span(0, 3), Span(-3, -1))], "hold", {"redact", "review"}, 1),
    ],
)
def test_redact_needs_text_spans(
    kit: SimpleNamespace, evidence: list[Any], action: str, effects: set[str], edits: int
) -> None:
    """What cannot be cut out is held, also where something else could be."""
    found = redacting(kit)
    label = "privacy.pii_exposure"
    others = [s for s in kit.scored(found, {}).scores if s.label != label]
    firing = [Signal(label, 0.9, f"p{i}", 3, "", "", tuple(e)) for i, e in enumerate(evidence)]
    verdict = evaluate(found, Signals([*others, *firing]), {}, 0.0)
    assert verdict.action == action
    assert {effect.value for effect in verdict.effects} == effects
    assert len(verdict.edits) == edits


def test_the_second_pass_has_nothing_more_to_redact(kit: SimpleNamespace) -> None:
    """Over redacted content, ``redact`` is dropped and the remaining rules stand."""
    found = redacting(kit)
    again = evaluate(found, kit.scored(found, {"privacy.pii_exposure": 0.9}), {}, 0.0, redacted=True)
    assert (again.action, again.effects, again.edits) == ("review", {Effect.REVIEW}, ())
    bare = redacting(kit, ["redact"])
    assert (
        evaluate(bare, kit.scored(bare, {"privacy.pii_exposure": 0.9}), {}, 0.0, redacted=True).reasons == ()
    )
    failed = evaluate(bare, only(bare, "privacy.pii_exposure", Cause.ERROR), {}, 0.0, redacted=True)
    assert failed.action == "hold"


@pytest.mark.parametrize("then", ["block", ["block", "quarantine"]])
def test_people_decide_what_the_taxonomy_leaves_to_them(kit: SimpleNamespace, then: Any) -> None:
    """An automatic block becomes a hold on human labels, unless the platform allows it with a basis."""
    surface = {"rules": [rule("hate.speech", 0.5, then), rule("tone.toxic", 0.5, "block", id="t")]}
    found = kit.policy(surface)
    assert evaluate(found, kit.scored(found, {"hate.speech": 0.9}), {}, 0.0).disposition is HOLD
    assert evaluate(found, kit.scored(found, {"tone.toxic": 0.9}), {}, 0.0).disposition is BLOCK
    allowed = {"label": "hate.*", "automatic": "allowed", "basis": "Terms of service, section 4"}
    baseline = {"spotsafe": 1, "baseline": "ours", "extends": "baseline/floor", "decisions": [allowed]}
    loosened = kit.policy(surface, extends="baseline/ours", platform={"baselines": [baseline]})
    assert evaluate(loosened, kit.scored(loosened, {"hate.speech": 0.9}), {}, 0.0).disposition is BLOCK


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.ERROR, Cause.SIZE, Cause.LANGUAGE])
def test_a_failure_says_nothing_about_the_person(kit: SimpleNamespace, cause: Cause) -> None:
    """What could not be checked never shows a rule's notice (such as help in a crisis), but that it waits."""
    found = kit.policy({"if_missing": "hold"})
    verdict = evaluate(found, kit.without(found, dict.fromkeys(found.labels, cause)), {}, 0.0)
    assert (verdict.action, verdict.notice) == ("hold", "held")
    assert any(reason.notice == "support" for reason in verdict.reasons)


def test_a_rule_that_fired_keeps_its_notice_beside_a_failure(kit: SimpleNamespace) -> None:
    """A score speaks for itself; a hold by a score without a notice gets none of somebody else's."""
    found = kit.policy({"rules": [rule("tone.toxic", 0.5, "hold")]})
    failed = {"hate.speech": Cause.TIMEOUT}
    at_risk = kit.without(found, failed, {"selfharm.at_risk": 0.99})
    assert evaluate(found, at_risk, {}, 0.0).notice == "support"
    toxic = kit.without(found, failed, {"tone.toxic": 0.99})
    assert evaluate(found, toxic, {}, 0.0).notice is None


def test_a_failure_that_refuses_or_lets_through_is_not_said_to_wait(kit: SimpleNamespace) -> None:
    """``held`` is for what is held: a block by failure has the refusal's own words."""
    for action in ("block", "review"):
        found = kit.policy({"on_failure": action, "rules": [rule("tone.toxic", 0.5, "hold")]})
        verdict = evaluate(found, kit.without(found, {"tone.toxic": Cause.ERROR}), {}, 0.0)
        assert (verdict.action, verdict.notice) == (action, None)


def test_the_surfaces_own_notice_goes_before_the_baselines(kit: SimpleNamespace) -> None:
    """The strictest reason names the notice; on a tie the surface's words are used."""
    texts = {"mine": {"en": "x", "de-AT": "y"}}
    found = kit.policy({"notices": texts, "rules": [rule("hate.speech", 0.5, "hold", notice="mine")]})
    verdict = evaluate(found, kit.scored(found, {"hate.speech": 0.99}), {}, 0.0)
    assert verdict.notice == "mine"
    assert [found.notice("mine", tag) for tag in ("de-AT", "de", "fr", None)] == ["y", "x", "x", "x"]
    assert found.mode is Mode.ENFORCE
