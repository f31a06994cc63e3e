"""Explain, diff, lint's warnings, examples, schema and reference: what policies say of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml

from spotsafe.core.content import Content
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Signal, Signals
from spotsafe.policy.chains import SHIPPED, baseline_text
from spotsafe.policy.difference import difference
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.examples import run_examples
from spotsafe.policy.explain import explain, explain_verdict, parse_missing, parse_scores, scripted_signals
from spotsafe.policy.load import builtin, load_text
from spotsafe.policy.reach import reach_warnings, unsupported_labels
from spotsafe.policy.reference import SECTIONS, render, undescribed
from spotsafe.policy.schema import KINDS, schema
from spotsafe.policy.starter import AUDIENCES, STARTER_WAIVERS, starter_manifest

ROOT = Path(__file__).parents[2]
TOXIC = {"id": "t", "label": "tone.toxic", "at": 0.5, "then": "hold"}


# ── explain ─────────────────────────────────────────────────────────────────────────────────────


def test_explain_names_the_layer_of_every_rule_and_field(kit: SimpleNamespace) -> None:
    """Provenance: which baseline, which line, what was tightened, until when it is waived."""
    waiver = {
        "rule": "baseline/public-ugc#profanity",
        "surface": "a.b",
        "owner": "o",
        "reason": "r",
        "approver": "p",
        "ends": "2027-01-01T00:00:00Z",
    }
    found = kit.policies(
        {"rules": [{**TOXIC, "mode": "shadow"}], "hold": {"on_expiry": "release"}},
        extends="baseline/public-ugc",
        platform={"waivers": [waiver]},
        now=0.0,
    )
    told = explain(found.surfaces["a.b"], 0.0)
    rules = {rule["rule"]: rule for rule in told["rules"]}
    assert rules["baseline/floor#hate"]["from"] == "baseline/floor"
    assert rules["baseline/public-ugc#profanity"]["waived_until"] == "2027-01-01T00:00:00Z"
    assert (rules["a.b#t"]["from"], rules["a.b#t"]["mode"], rules["a.b#t"]["place"]) == (
        "a.b",
        "shadow",
        "m.yaml:1",
    )
    fields = {field["field"]: field for field in told["fields"]}
    assert fields["hold.on_expiry"] == {
        "field": "hold.on_expiry",
        "value": "reject",
        "source": "baseline/public-ugc",
        "stated": "release",
        "tightened": True,
    }
    assert fields["deadline"]["source"] == "default"
    labels = {label["label"]: label for label in told["labels"]}
    assert labels["tone.toxic"]["fires_from"] == 0.5
    assert labels["hate.speech"]["on_failure"] == ["hold"]
    assert labels["hate.speech"]["if_missing"]["language"] == ["review"]
    assert json.loads(json.dumps(told)) == told


def test_explain_tells_where_a_person_decides(kit: SimpleNamespace) -> None:
    """A block that becomes a hold is said to."""
    told = explain(kit.policy({"rules": [{"id": "h", "label": "hate.*", "at": 0.5, "then": "block"}]}), 0.0)
    rule = next(rule for rule in told["rules"] if rule["rule"] == "a.b#h")
    assert rule["held_for_a_person"] == [label for label in LABELS if label.startswith("hate.")]


def test_a_decision_is_explained_from_scores_alone(kit: SimpleNamespace) -> None:
    """Scores by pattern, gaps by cause; the answer names rules, scores and thresholds."""
    policy = kit.policy({"rules": [TOXIC]})
    signals = scripted_signals(policy, parse_scores(["tone.*=0.7"]), parse_missing(["hate.speech=timeout"]))
    told = explain_verdict(evaluate(policy, signals, {}, 0.0))
    assert (told["action"], told["status"]) == ("hold", "partial")
    assert {(r["rule"], r["score"], r["cause"]) for r in told["reasons"]} == {
        ("a.b#t", 0.7, None),
        ("baseline/floor#hate", None, "timeout"),
    }


@pytest.mark.parametrize(
    "entry", ["hate.speech", "hate.speach=0.5", "hate.speech=2", "hate.speech=x", "hate.speech=nan"]
)
def test_scores_of_a_command_line_are_checked(entry: str) -> None:
    """The entry is named with its remedy."""
    with pytest.raises(ConfigurationError, match="LABEL=SCORE"):
        parse_scores([entry])
    with pytest.raises(ConfigurationError, match="causes are"):
        parse_missing([entry])


# ── diff ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "after", "what", "direction"),
    [
        ({"rules": [TOXIC]}, {"rules": [{**TOXIC, "at": 0.4}]}, "tone.toxic", "stricter"),
        ({"rules": [TOXIC]}, {"rules": [{**TOXIC, "at": 0.6}]}, "tone.toxic", "laxer"),
        ({"rules": [TOXIC]}, {"rules": []}, "tone.toxic", "laxer"),
        ({"rules": [TOXIC]}, {"rules": [{**TOXIC, "then": "block"}]}, "tone.toxic", "stricter"),
        (
            {"rules": [TOXIC]},
            {"rules": [{**TOXIC, "at": 0.4, "mode": "shadow"}]},
            "tone.toxic (shadow)",
            "changed",
        ),
        ({"rules": [TOXIC]}, {"rules": [TOXIC], "mode": "shadow"}, "tone.toxic", "laxer"),
        ({"deadline": "200ms"}, {"deadline": "300ms"}, "deadline", "stricter"),
        ({"deadline": "async"}, {"deadline": "300ms"}, "deadline", "laxer"),
        ({"cache": {"ttl": "5m"}}, {"cache": {"ttl": "9m"}}, "cache.ttl", "laxer"),
        ({"privacy": {"send": "local"}}, {}, "privacy.send", "laxer"),
        ({"languages": ["en"]}, {"languages": ["en", "de"]}, "languages", "stricter"),
        ({"content": {"a": "text", "b": "text"}}, {"content": {"a": "text"}}, "content", "laxer"),
        (
            {},
            {"on_failure": "block"},
            "on_failure: violence.threat, hate.threatening, violence.incitement and 18 more",
            "stricter",
        ),
    ],
)
def test_diff_tells_stricter_from_laxer(
    kit: SimpleNamespace, before: Any, after: Any, what: str, direction: str
) -> None:
    """By what rules do, not by how they are written; fields by the ratchet's own table."""
    changes = difference(kit.policies(before), kit.policies(after), 0.0)
    found = {change.what: change.direction for change in changes}
    assert found.get(what) == direction, found


def test_diff_is_silent_where_nothing_changes(kit: SimpleNamespace) -> None:
    """Another id or order of rules is no difference."""
    other = {**TOXIC, "id": "z", "label": ["tone.toxic"]}
    profane = {"id": "p", "label": "tone.profanity", "at": 0.5, "then": "hold"}
    assert (
        difference(kit.policies({"rules": [TOXIC, profane]}), kit.policies({"rules": [profane, other]}), 0.0)
        == []
    )


def test_a_surface_that_appears_or_goes_is_compared_with_the_floor(kit: SimpleNamespace) -> None:
    """Dropping a manifest makes a surface as lax as the floor, and diff says so."""
    declared = kit.policies({}, extends="baseline/public-ugc")
    gone = difference(declared, builtin(), 0.0)
    assert {change.surface for change in gone} == {"a.b"}
    assert {"laxer", "changed"} == {change.direction for change in gone}
    assert "stricter" in {change.direction for change in difference(builtin(), declared, 0.0)}


# ── lint ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("surface", "says"),
    [
        ({"rules": [{**TOXIC, "at": 1}]}, "hardly ever fires"),
        ({"rules": [{**TOXIC, "then": "allow"}]}, "does nothing"),
        ({"rules": [{**TOXIC, "when": "false"}]}, "never fires"),
        ({"rules": [TOXIC, {**TOXIC, "id": "u", "at": 0.7}]}, "'u' adds nothing: a.b#t"),
        (
            {"rules": [{"id": "v", "label": "violence.threat", "at": 0.95, "then": "hold"}]},
            "baseline/floor#threats",
        ),
        ({"on_failure": {"default": "allow"}}, "baseline/floor is stricter than this"),
        ({"deadline": "1ms"}, "deadline has no effect: baseline/floor"),
        ({"service": "mian"}, "knows no service 'mian'"),
    ],
)
def test_lint_warns_of_what_is_hardly_meant(kit: SimpleNamespace, surface: Any, says: str) -> None:
    """Each warning has a place and a hint; none of them stops a load."""
    found = kit.policies(surface, platform={"services": ["main"]})
    matching = [warning for warning in found.warnings if says in warning.message]
    assert matching, found.warnings
    assert matching[0].hint
    assert matching[0].line >= 1


@pytest.mark.parametrize(
    "surface",
    [
        {"rules": [TOXIC, {**TOXIC, "id": "u", "at": 0.7, "then": "block"}]},
        {"rules": [{**TOXIC, "mode": "shadow"}, {**TOXIC, "id": "u", "at": 0.7}]},
        {"context": {"age": "int"}, "rules": [{**TOXIC, "when": "age < 7"}, {**TOXIC, "id": "u", "at": 0.7}]},
        {"content": {"x": "text"}, "rules": [{**TOXIC, "parts": ["x"]}, {**TOXIC, "id": "u", "at": 0.7}]},
        {"on_failure": {"default": "block"}},
        {"service": "main"},
    ],
)
def test_lint_is_silent_about_what_makes_sense(kit: SimpleNamespace, surface: Any) -> None:
    """No warning where the second rule does add something."""
    assert kit.policies(surface, platform={"services": ["main"]}).warnings == ()


def test_coverage_compares_with_what_a_detector_can_give(kit: SimpleNamespace) -> None:
    """Labels without a detector, languages not covered, blocks on rough scores."""
    rules = [
        {"id": "s", "label": "harass.stalking", "at": 0.5, "then": "hold"},
        {**TOXIC, "then": "block"},
        {"id": "o", "label": "tc.other", "at": 0.5, "then": "label"},
    ]
    found = kit.policies({"rules": rules, "languages": ["en", "fi"]})
    labels = {
        label: {"en": Calibration.CALIBRATED}
        for label in LABELS
        if label not in ("harass.stalking", "tc.other")
    }
    labels["tone.toxic"] = {"en": Calibration.UNCALIBRATED, "fi": Calibration.LEXICON}
    capabilities = Capabilities(labels)
    messages = [warning.message for warning in reach_warnings(found, capabilities)]
    assert [m for m in messages if "no detector here gives harass.stalking: a.b#s acts on everything" in m]
    assert [m for m in messages if "a.b#o never fires" in m]
    assert [m for m in messages if "blocks on tone.toxic" in m]
    assert [m for m in messages if "no detector here covers 'fi' for child.csam" in m]
    assert not [m for m in messages if "covers en" in m]
    assert unsupported_labels(found.surfaces["a.b"], capabilities) == ("harass.stalking", "tc.other")


# ── examples ────────────────────────────────────────────────────────────────────────────────────


def test_examples_run_scripted_or_against_a_detector(kit: SimpleNamespace) -> None:
    """Scores and gaps as written; without them the detector is asked, in the surface's language."""
    asked: list[Content] = []

    def detect(requests: list[DetectRequest]) -> list[Signals]:
        asked.extend(request.content for request in requests)
        return [Signals([Signal(label, 0.0, "body") for label in request.labels]) for request in requests]

    examples = [
        {"body": "x", "scores": {"tone.toxic": 0.6}, "expect": "hold"},
        {"body": "x", "missing": {"hate.speech": "timeout"}, "expect": "hold"},
        {"body": "x", "scores": {"privacy.*": 0.9}, "expect": ["redact", "review"]},
        {"body": "secret-canary", "expect": "allow"},
        {"body": "secret-canary", "expect": "block"},
        {"body": "x", "scores": {"tone.profanity": 0.9}, "context": {"age": 9}, "expect": "allow"},
    ]
    rules = [
        TOXIC,
        {"id": "p", "label": "privacy.pii_exposure", "at": 0.5, "then": ["redact", "review"]},
        {"id": "c", "label": "tone.profanity", "at": 0.5, "then": "limit", "when": "age < 7"},
    ]
    found = kit.policies(
        {
            "content": {"body": "text"},
            "context": {"age": "int"},
            "languages": ["de"],
            "rules": rules,
            "examples": examples,
            "mode": "shadow",
        }
    )
    results = list(run_examples(found, detect, 0.0))
    assert [(result.number, result.passed) for result in results] == [
        (1, True),
        (2, True),
        (3, True),
        (4, True),
        (5, False),
        (6, True),
    ]
    assert [content.languages for content in asked] == [("de",), ("de",)]
    assert "secret-canary" not in repr(results)
    assert len(list(run_examples(found, None, 0.0))) == 4
    assert list(run_examples(found, None, 0.0, surfaces=["other"])) == []


# ── starter, schema, reference ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("baseline", SHIPPED)
def test_the_starter_loads_and_its_scripted_example_passes(baseline: str) -> None:
    """What init writes is sound for every baseline, and the waiver file with it."""
    assert set(AUDIENCES) == set(SHIPPED)
    text = starter_manifest("a.b", baseline=baseline, team="t", owner="o@example.com")
    found = load_text({"m": text}, waivers=STARTER_WAIVERS, now=0.0)
    assert [w for w in found.warnings if "adds nothing" not in w.message] == []
    assert [result.passed for result in run_examples(found, None, 0.0)] == [True]
    jsonschema.validate(yaml.safe_load(text), schema())


def test_the_starter_says_what_its_mode_governs() -> None:
    """In shadow are its own rules alone; the baseline's hold from the first request on."""
    text = starter_manifest("a.b", baseline="public-ugc", team="t", owner="o@example.com")
    comment = " ".join(line.strip("# ") for line in text.partition("    mode: shadow")[0].splitlines()[-2:])
    assert "governs the rules below alone" in comment
    assert "The baseline's rules hold and block at once" in comment
    surface = load_text({"m": text}, now=0.0).surfaces["a.b"]
    assert {(rule.source == "a.b", rule.mode.value) for rule in surface.rules} == {
        (True, "shadow"),
        (False, "enforce"),
    }


def test_the_schema_accepts_what_the_loader_accepts(kit: SimpleNamespace) -> None:
    """The design's example and the shipped baselines are valid; the schema itself is too."""
    for kind in KINDS:
        jsonschema.Draft202012Validator.check_schema(schema(kind))
    jsonschema.validate(
        yaml.safe_load(kit.fixtures.joinpath("design_example.yaml").read_text("utf-8")), schema()
    )
    for name in SHIPPED:
        jsonschema.validate(yaml.safe_load(baseline_text(name)), schema("baseline"))


@pytest.mark.parametrize(
    "surface",
    [
        {"mode": "sometimes"},
        {"deadline": "5x"},
        {"rules": [{**TOXIC, "label": "tone.toxi"}]},
        {"oops": 1},
        {"rules": [{**TOXIC, "then": "blok"}]},
        {"content": {"a": "txt"}},
        {"on_failure": "blok"},
        {"if_missing": {"timeout": "hold"}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(kit: SimpleNamespace, surface: Any) -> None:
    """Editors mark the same mistakes."""
    text = kit.manifest(surface)
    assert kit.faults(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text), schema())


def test_the_manifest_reference_is_complete_and_up_to_date() -> None:
    """Every field has a description, and the page says what the models say."""
    assert undescribed() == []
    page = (ROOT / "docs" / "manifest-reference.md").read_text("utf-8")
    assert page == render(), "stale: python -m spotsafe.policy.reference > docs/manifest-reference.md"
    for _, _, model in SECTIONS:
        assert model.__doc__
        for name in model.model_fields:
            assert f"`{name}`" in page
    assert all(f"`{label}`" in page for label in LABELS)


def test_missing_signals_for_a_cause_are_scripted_by_label(kit: SimpleNamespace) -> None:
    """A label of its own goes before a pattern, and gaps take labels out of the scores."""
    policy = kit.policy({"rules": [TOXIC]})
    signals = scripted_signals(policy, {"tone.*": 0.1, "tone.toxic": 0.9}, {"hate.*": "language"})
    assert signals.score("tone.toxic") == 0.9
    assert signals.score("hate.speech") is None
    assert {entry.cause for entry in signals.missing} == {Cause.LANGUAGE}
