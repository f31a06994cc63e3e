"""The shipped baselines: what they catch, what they let be, and that they fit the shipped engine."""

from __future__ import annotations

import pytest

from spotsafe.core.decision import Disposition, Effect
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.detectors.local import engine
from spotsafe.policy.chains import SHIPPED
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.load import builtin
from spotsafe.policy.surface import SurfacePolicy

NAMES = [f"baseline/{name}" for name in SHIPPED]


@pytest.fixture(scope="module")
def capabilities() -> Capabilities:
    """What the shipped engine says of itself; weights are not loaded for it."""
    return engine().capabilities()


def given(policy: SurfacePolicy, scores: dict[str, float], cause: Cause | None = None) -> Signals:
    """Every label scored; with *cause*, those not named are missing."""
    if cause is None:
        return Signals([Signal(label, scores.get(label, 0.0), "body") for label in policy.labels])
    scored = [Signal(label, score, "body") for label, score in scores.items()]
    return Signals(scored, [Missing(label, "", cause) for label in policy.labels if label not in scores])


@pytest.mark.parametrize("name", NAMES)
def test_no_baseline_blocks_on_a_label_that_is_not_calibrated(name: str, capabilities: Capabilities) -> None:
    """Automatic blocks need scores whose calibration was measured in every language they act on."""
    for check in builtin().baseline(name).checks:
        if check.then is not None and check.then.disposition is Disposition.BLOCK:
            languages = capabilities.labels.get(check.label, {})
            assert languages, f"{check.rule} blocks on {check.label}, which no shipped detector gives"
            assert set(languages.values()) == {Calibration.CALIBRATED}, f"{check.rule}: {check.label}"


@pytest.mark.parametrize("name", NAMES)
def test_labels_without_a_detector_hold_nothing(name: str, capabilities: Capabilities) -> None:
    """With the shipped engine alone, clean content passes: rules on labels that it never gives say
    ``if_missing: {unsupported: allow}`` in the open."""
    policy = builtin().baseline(name)
    known = {label: 0.0 for label in policy.labels if label in capabilities.labels}
    verdict = evaluate(policy, given(policy, known, Cause.UNSUPPORTED), {}, 0.0)
    assert (verdict.action, verdict.status.word) == ("allow", "checked")
    for rule in policy.rules:
        lost = [label for label in rule.labels if label not in capabilities.labels]
        for check in policy.checks:
            if check.rule == rule.name and check.label in lost:
                assert not any(check.reach[Cause.UNSUPPORTED]), f"{rule.name} would act on everything"


@pytest.mark.parametrize("name", NAMES)
def test_ordinary_scores_change_nothing(name: str) -> None:
    """What a detector gives ordinary speech (a third on everything) is below every threshold."""
    policy = builtin().baseline(name)
    scores = dict.fromkeys(policy.labels, 0.33)
    assert evaluate(policy, given(policy, scores), {}, 0.0).action == "allow"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "label",
    [
        "violence.threat",
        "hate.threatening",
        "violence.incitement",
        "selfharm.promotion",
        "child.csam",
        "terror.content",
    ],
)
def test_what_is_severe_and_clear_is_held_everywhere(name: str, label: str) -> None:
    """The floor is under every baseline."""
    policy = builtin().baseline(name)
    verdict = evaluate(policy, given(policy, {label: 0.97}), {}, 0.0)
    assert verdict.disposition >= Disposition.HOLD
    if label == "child.csam":
        assert Effect.QUARANTINE in verdict.effects


@pytest.mark.parametrize("name", NAMES)
def test_an_outage_of_everything_holds(name: str) -> None:
    """No baseline lets content through when nothing answers."""
    policy = builtin().baseline(name)
    verdict = evaluate(policy, given(policy, {}, Cause.TIMEOUT), {}, 0.0)
    assert (verdict.action, verdict.status.word) == ("hold", "unchecked")


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("floor", "allow"),
        ("private-messages", "allow"),
        ("ai-assistant", "allow"),
        ("public-ugc", "review"),
        ("collaborative", "review"),
        ("minors", "review"),
    ],
)
def test_a_language_that_no_detector_reads_is_not_held(name: str, action: str) -> None:
    """Public places queue it, private ones do not show it to others merely for its language."""
    policy = builtin().baseline(f"baseline/{name}")
    verdict = evaluate(policy, given(policy, {"violence.threat": 0.0}, Cause.LANGUAGE), {}, 0.0)
    assert (verdict.action, verdict.status.word) == (action, "partial")


@pytest.mark.parametrize("name", NAMES)
def test_baselines_use_no_conditions_and_have_sound_notices(name: str) -> None:
    """Shipped rules work without the CEL extra; every notice has an English text that names no rule."""
    policy = builtin().baseline(name)
    assert all(rule.when is None and not rule.parts for rule in policy.rules)
    assert policy.static
    for rule in policy.rules:
        if rule.notice is not None:
            text = policy.notice(rule.notice, "en")
            assert text
            assert rule.id not in text
            assert not any(label in text for label in LABELS)


def test_every_audience_has_a_baseline_and_minors_have_their_own() -> None:
    """The floor does not admit minors, so a surface for them must extend their baseline."""
    assert builtin().baseline("baseline/minors").audience == "minors"
    assert builtin().baseline("baseline/floor").audience == "public"


def test_minors_are_at_least_as_protected_as_the_public() -> None:
    """For every label and score the minors' baseline is at least as strict as the public one."""
    public, minors = builtin().baseline("baseline/public-ugc"), builtin().baseline("baseline/minors")
    for label in public.labels:
        for score in (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0):
            one = evaluate(public, given(public, {label: score}), {}, 0.0)
            other = evaluate(minors, given(minors, {label: score}), {}, 0.0)
            assert other.at_least_as_strict_as(one), (label, score)
