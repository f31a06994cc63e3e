"""The ratchet: nothing that a surface says makes its decisions laxer than its baseline's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotsafe.core.decision import Status, Verdict
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.load import load_text
from spotsafe.policy.model import LayerModel, SurfaceModel
from spotsafe.policy.ratchet import RATCHET, merge
from spotsafe.policy.surface import PolicySet

LABELS = (
    "hate.speech",
    "tone.toxic",
    "harass.stalking",
    "privacy.pii_exposure",
    "child.csam",
    "sexual.explicit",
)
PATTERNS = (*LABELS, "hate.*", "tone.*", "*", "privacy.*")
PARTS = ("body", "title")
NOW = 1_800_000_000.0

words = st.sampled_from(
    ["allow", "limit", "hold", "block", "label", "nudge", "redact", "review", "quarantine"]
)
actions = st.one_of(words, st.lists(words, min_size=1, max_size=3))
modes = st.sampled_from(["shadow", "enforce", {"canary": 30}])
scores = st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
causes = st.sampled_from(["unsupported", "language", "modality", "size"])
if_missing = st.one_of(actions, st.dictionaries(st.one_of(causes, st.just("default")), actions, min_size=1))
on_failure = st.dictionaries(st.sampled_from(["default", *PATTERNS]), actions, min_size=1, max_size=4)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def rules(draw: st.DrawFn, *, when: bool) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        more = {
            "parts": st.lists(st.sampled_from(PARTS), min_size=1, max_size=2, unique=True),
            "mode": modes,
            "if_missing": if_missing,
        }
        if when:
            more["when"] = st.sampled_from(["age < 7", "!(age < 7)", "market == 'DE'", "true", "false"])
        head = {
            "id": f"r{number}",
            "label": draw(st.sampled_from(PATTERNS)),
            "at": draw(scores),
            "then": draw(actions),
        }
        found.append({**head, **draw(optional(**more))})
    return found


layer_fields = {"mode": modes, "if_missing": if_missing, "on_failure": on_failure}


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """A baseline of the platform, a surface over it, and waivers of which some have ended."""
    baseline = {
        "spotsafe": 1,
        "baseline": "ours",
        "extends": draw(st.sampled_from(["baseline/floor", "baseline/public-ugc"])),
        "rules": draw(rules(when=False)),
        **draw(optional(**layer_fields)),
    }
    if draw(st.booleans()):
        basis = "a basis of ten letters"
        baseline["decisions"] = [
            {"label": draw(st.sampled_from(PATTERNS)), "automatic": "allowed", "basis": basis}
        ]
    surface = {
        "context": {"age": "int", "market": "string"},
        "content": {"body": "text", "title": "text"},
        "rules": draw(rules(when=True)),
        **draw(optional(**layer_fields)),
    }
    names = [f"baseline/ours#{rule['id']}" for rule in baseline["rules"]] + ["baseline/floor#hate"]
    waived = draw(st.dictionaries(st.sampled_from(names), st.booleans(), max_size=2))
    return {"baseline": baseline, "surface": surface, "waived": waived}


signals = st.builds(
    lambda per, spans: Signals(
        [
            Signal(label, score, part, 0, "", "", (Span(0, 2),) if spans else ())
            for (label, part), score in per.items()
            if isinstance(score, float)
        ],
        [Missing(label, part, cause) for (label, part), cause in per.items() if isinstance(cause, Cause)],
    ),
    st.dictionaries(
        st.tuples(st.sampled_from(LABELS), st.sampled_from(PARTS)),
        st.one_of(scores, st.sampled_from(list(Cause))),
        max_size=10,
    ),
    st.booleans(),
)


def loaded(world: Mapping[str, Any], *, dropped: frozenset[str] = frozenset()) -> PolicySet:
    """The world's policies; *dropped* takes rules out of the baseline by hand, for comparison."""
    baseline = dict(world["baseline"])
    baseline["rules"] = [r for r in baseline["rules"] if f"baseline/ours#{r['id']}" not in dropped]
    waivers = [
        {
            "rule": rule,
            "surface": "a.b",
            "owner": "o",
            "reason": "r",
            "approver": "p",
            "ends": "2099-01-01T00:00:00Z" if running else "2020-01-01T00:00:00Z",
        }
        for rule, running in world["waived"].items()
        if rule not in dropped
    ]
    platform = json.dumps({"spotsafe": 1, "baselines": [baseline], "waivers": waivers})
    manifest = {
        "spotsafe": 1,
        "team": "t",
        "owner": "o",
        "extends": "baseline/ours",
        "surfaces": {"a.b": world["surface"]},
    }
    return load_text({"m": json.dumps(manifest)}, waivers=platform, now=NOW)


def judged(policies: PolicySet, name: str, found: Signals, given: Mapping[str, Any]) -> Verdict:
    policy = policies.surface(name) or policies.baseline(name)
    return evaluate(
        policy,
        found,
        given["context"],
        NOW,
        origin=given["origin"],
        bucket=given["bucket"],
        redacted=given["redacted"],
    )


circumstances = st.fixed_dictionaries(
    {
        "context": st.dictionaries(st.sampled_from(["age", "market"]), st.sampled_from([3, 9, "DE", None])),
        "origin": st.sampled_from([Status.CHECKED, Status.CACHED, Status.LOCAL, Status.STALE]),
        "bucket": st.sampled_from([None, 0.0, 29.0, 31.0, 99.0]),
        "redacted": st.booleans(),
    }
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(worlds(), st.lists(st.tuples(signals, circumstances), min_size=3, max_size=10))
def test_a_decision_is_never_laxer_than_the_baselines_own(
    world: dict[str, Any], cases: list[tuple[Signals, dict[str, Any]]]
) -> None:
    """Over random manifests, signals, gaps, statuses, contexts, modes and failures: disposition at least
    as high, effects a superset, edits no fewer; unless an unexpired platform waiver covers the rule."""
    running = frozenset(rule for rule, runs in world["waived"].items() if runs)
    effective = loaded(world)
    # What a running waiver covers is taken out of the baseline by hand, and nothing else.
    bare = loaded({**world, "waived": {}}, dropped=running)
    for found, given_ in cases:
        mine = judged(effective, "a.b", found, given_)
        base = judged(bare, "baseline/ours", found, given_)
        assert base.at_least_as_strict_as(judged(bare, world["baseline"]["extends"], found, given_))
        if "baseline/floor#hate" in running:
            kept = [r for r in base.reasons if r.rule != "baseline/floor#hate"]
            assert {r.rule for r in kept} <= {r.rule for r in mine.reasons}
            assert all(mine.disposition >= r.disposition and mine.effects >= r.effects for r in kept)
            continue
        assert mine.at_least_as_strict_as(base)
        cut = {(e.part, i) for e in mine.edits for s in e.spans for i in range(s.start, s.end)}
        assert cut >= {(e.part, i) for e in base.edits for s in e.spans for i in range(s.start, s.end)}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(worlds(), signals, circumstances)
def test_would_is_at_least_as_strict_as_what_is_applied(
    world: dict[str, Any], found: Signals, given_: dict[str, Any]
) -> None:
    """What shadow and canary hold back only ever adds."""
    verdict = judged(loaded(world), "a.b", found, given_)
    assert verdict.would is None or verdict.would.at_least_as_strict_as(verdict)


def test_the_table_names_every_field_of_a_surface_once() -> None:
    """One table is the whole truth: no field without a direction, none twice."""
    fields = [direction.field for direction in RATCHET]
    assert len(fields) == len(set(fields))
    assert {field.partition(".")[0] for field in fields} == set(SurfaceModel.model_fields) | {"decisions"}
    for name, field in LayerModel.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        if name in ("cache", "hold", "privacy"):
            assert {f"{name}.{key}" for key in inner or ()} <= set(fields)


@given(st.sampled_from(RATCHET), st.floats(1, 1e6), st.floats(1, 1e6))
def test_numbers_join_the_same_way_round_in_any_order(direction: Any, one: float, other: float) -> None:
    """A directed field does not depend on which layer states the stricter value."""
    if direction.merge in (min, max):
        assert merge(direction.field, [one, other]) == merge(direction.field, [other, one])


def test_fields_take_the_stricter_of_both(kit: Any) -> None:
    """Deadline, cache, retention, sending, expiry, languages and parts, each in its direction."""
    baseline = {
        "spotsafe": 1,
        "baseline": "ours",
        "deadline": "300ms",
        "cache": {"ttl": "5m", "stale": "0"},
        "privacy": {"send": "local", "retain": "30d"},
        "hold": {"on_expiry": "reject", "ttl": "1h"},
        "languages": ["en"],
        "content": {"body": "text"},
    }
    lax = {
        "deadline": "100ms",
        "cache": {"ttl": "1h", "stale": "2h"},
        "privacy": {"send": "service", "retain": "90d"},
        "hold": {"on_expiry": "release", "ttl": "2h"},
        "languages": ["de"],
        "content": {"body": {"type": "text", "optional": True}, "pic": "image"},
    }
    found = kit.policies(lax, extends="baseline/ours", platform={"baselines": [baseline]})
    policy = found.surfaces["a.b"]
    assert (policy.deadline, policy.cache_ttl, policy.cache_stale) == (0.3, 300, 0)
    assert (policy.privacy_send, policy.retain) == ("local", 30 * 86400)
    assert (policy.hold.on_expiry, policy.hold.ttl) == ("reject", 7200)
    assert policy.languages == ("en", "de")
    assert (policy.content["body"].optional, policy.content["pic"].kind) == (False, "image")
    tightened = {origin.field for origin in policy.origins if origin.tightened}
    assert tightened == {
        "deadline",
        "cache.ttl",
        "cache.stale",
        "privacy.send",
        "privacy.retain",
        "hold.on_expiry",
    }
    assert sum("has no effect" in warning.message for warning in found.warnings) == 6
    strict = kit.policies(
        {"deadline": "async", "cache": {"ttl": "1m"}},
        extends="baseline/ours",
        platform={"baselines": [baseline]},
    )
    assert (strict.surfaces["a.b"].deadline, strict.surfaces["a.b"].cache_ttl) == (None, 60)


def test_unknown_and_circular_baselines_are_faults(kit: Any) -> None:
    """Every chain ends at the floor; one that does not is named."""
    baseline = "spotsafe: 1\nbaseline: {0}\nextends: baseline/{1}\n"
    found = kit.faults(
        baseline.format("one", "two"), baseline.format("two", "one"), baseline.format("x", "gone")
    )
    assert sorted(fault.message.split(":")[0] for fault in found) == [
        "baselines extend each other",
        "baselines extend each other",
        "no such baseline",
    ]
    again = kit.faults("spotsafe: 1\nbaseline: floor\nrules: []")
    assert "exists" in again[0].message


def test_teams_cannot_allow_automatic_blocks(kit: Any) -> None:
    """``decisions`` counts in the platform's file alone; beside manifests it is a fault."""
    text = json.dumps(
        {
            "spotsafe": 1,
            "baseline": "mine",
            "decisions": [{"label": "hate.*", "automatic": "allowed", "basis": "because we would like to"}],
        }
    )
    (fault,) = kit.faults(text)
    assert "the platform's to allow" in fault.message


def test_a_teams_baseline_can_only_tighten(kit: Any) -> None:
    """A baseline beside manifests works, and still stands on the floor."""
    own = json.dumps(
        {
            "spotsafe": 1,
            "baseline": "mine",
            "rules": [{"id": "t", "label": "tone.toxic", "at": 0.5, "then": "hold"}],
        }
    )
    found = load_text({"b": own, "m": kit.manifest({}, extends="baseline/mine")}, now=0.0).surfaces["a.b"]
    assert {"baseline/floor#threats", "baseline/mine#t"} <= {rule.name for rule in found.rules}


def test_an_if_missing_of_the_surface_tightens_the_baselines_rules_in_its_own_mode(kit: Any) -> None:
    """Stricter words on gaps and failures reach the baseline's rules, but in shadow alter nothing."""
    surface = {"if_missing": {"unsupported": "block"}, "on_failure": "block"}
    for mode, applied in (("enforce", "block"), ("shadow", "allow")):
        found = kit.policy({**surface, "mode": mode})
        verdict = evaluate(found, kit.without(found, {"child.csam": Cause.UNSUPPORTED}), {}, 0.0)
        assert verdict.action == applied
        assert (verdict.would or verdict).action == "block"
        failed = evaluate(found, kit.without(found, {"hate.speech": Cause.TIMEOUT}), {}, 0.0)
        assert failed.action == ("block" if mode == "enforce" else "hold")
