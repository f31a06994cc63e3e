"""Waivers: what loosens a baseline's rule, for whom, until when, and what does not."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from spotsafe.policy.durations import parse_instant
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.load import load_text

END = "2027-01-31T00:00:00Z"
DAY = 86_400.0


def waiver(**more: Any) -> dict[str, Any]:
    return {
        "rule": "baseline/public-ugc#profanity",
        "surface": "a.b",
        "owner": "o@example.com",
        "reason": "linguists",
        "approver": "p@example.com",
        "ends": END,
        **more,
    }


def found(kit: SimpleNamespace, waivers: list[dict[str, Any]], *, days_before: float = 100) -> Any:
    now = parse_instant(END) - days_before * DAY
    return kit.policies({}, extends="baseline/public-ugc", platform={"waivers": waivers}, now=now)


def test_a_running_waiver_takes_one_rule_off_one_surface(kit: SimpleNamespace) -> None:
    """The rule does nothing until the end, and the verdict names the waiver; afterwards it counts again
    without anything being loaded anew."""
    policies = found(kit, [waiver()])
    policy = policies.surfaces["a.b"]
    signals = kit.scored(policy, {"tone.profanity": 0.95, "tone.toxic": 0.95})
    before = evaluate(policy, signals, {}, parse_instant(END) - 1)
    assert (before.action, before.waivers) == ("nudge", ("baseline/public-ugc#profanity",))
    after = evaluate(policy, signals, {}, parse_instant(END))
    assert {effect.value for effect in after.effects} == {"label", "nudge"}
    assert after.waivers == ()
    assert not policy.static
    assert policies.waivers[0].approver == "p@example.com"


def test_a_waiver_covers_the_rules_failures_too(kit: SimpleNamespace) -> None:
    """Waiving a rule waives what it does where its label is missing."""
    from spotsafe.core.signals import Cause

    policies = found(kit, [waiver(rule="baseline/public-ugc#personal-data")])
    policy = policies.surfaces["a.b"]
    signals = kit.without(policy, {"privacy.pii_exposure": Cause.ERROR})
    assert evaluate(policy, signals, {}, 0.0).action == "allow"
    assert evaluate(policy, signals, {}, parse_instant(END) + 1).action == "hold"


@pytest.mark.parametrize(
    ("days", "count", "says"),
    [(100, 1, None), (30, 1, "ends 2027-01-31"), (1, 1, "ends"), (0, 0, "ended"), (-5, 0, "ended")],
)
def test_waivers_are_warned_of_and_end(
    kit: SimpleNamespace, days: float, count: int, says: str | None
) -> None:
    """From 30 days ahead there is a warning; one that has ended does not count and is named."""
    policies = found(kit, [waiver()], days_before=days)
    assert len(policies.waivers) == count
    messages = [warning.message for warning in policies.warnings]
    assert (says is None and messages == []) or any(says and says in message for message in messages)


def test_a_waiver_in_a_manifest_is_a_request(kit: SimpleNamespace) -> None:
    """It never counts, and lint says so; nor does a platform file that was not given as such."""
    text = kit.manifest({}, extends="baseline/public-ugc", waivers=[waiver()])
    loose = json.dumps({"spotsafe": 1, "waivers": [waiver()]})
    policies = load_text({"m": text, "w": loose}, now=0.0)
    assert policies.waivers == ()
    assert [w.file for w in policies.warnings if "is a request and does not count" in w.message] == ["m", "w"]
    policy = policies.surfaces["a.b"]
    assert evaluate(policy, kit.scored(policy, {"tone.profanity": 0.95}), {}, 0.0).action == "label"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rule": "baseline/public-ugc#profanty"}, "no baseline has this rule"),
        ({"rule": "profanity"}, "is not written as it must be"),
        ({"ends": "2027-01-31"}, "not an instant in UTC"),
        ({"ends": "2027-01-31T00:00:00+02:00"}, "not an instant in UTC"),
        ({"reason": ""}, "must not be empty"),
        ({"until": END}, "unknown key 'until'"),
    ],
)
def test_a_waiver_must_be_complete(kit: SimpleNamespace, change: dict[str, Any], says: str) -> None:
    """Rule, owner, reason, approver and an end in UTC, or it is a fault."""
    platform = json.dumps({"spotsafe": 1, "waivers": [waiver(**change)]})
    found_ = kit.faults(kit.manifest({}), waivers=platform)
    assert any(says in fault.message for fault in found_)
    for key in ("rule", "surface", "owner", "reason", "approver", "ends"):
        entry = {k: v for k, v in waiver().items() if k != key}
        (fault,) = kit.faults(kit.manifest({}), waivers=json.dumps({"spotsafe": 1, "waivers": [entry]}))
        assert fault.message == f"the key {key!r} is missing"


def test_a_misspelt_rule_or_surface_is_guessed(kit: SimpleNamespace) -> None:
    """A rule that no baseline has is a fault; a surface that is not declared here only a warning."""
    platform = json.dumps({"spotsafe": 1, "waivers": [waiver(rule="baseline/public-ugc#profanty")]})
    (fault,) = kit.faults(kit.manifest({}), waivers=platform)
    assert fault.hint == "did you mean 'baseline/public-ugc#profanity'?"
    policies = found(kit, [waiver(surface="a.c")])
    assert "no manifest here declares the surface 'a.c'" in policies.warnings[0].message
    assert policies.warnings[0].hint == "did you mean 'a.b'?"
