"""Loading: every fault at once with its place and a hint, and what a manifest comes to mean."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.decision import Disposition, Effect, Mode
from spotsafe.core.errors import ManifestError
from spotsafe.policy.durations import format_duration, parse_duration
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.load import builtin, load, load_text
from spotsafe.policy.surface import ContextField, HoldPolicy, PartSpec

BROKEN = """\
spotsafe: 1
team: a
owner: b
exteds: x
surfaces:
  c.d:
    audience: minors
    mode: {canary: 300}
    deadline: 5x
    content: {body: tex, note: text}
    context: {age: int, size: integer}
    languages: [no, english!]
    rules:
      - {id: A, label: hate.speach, at: 3, then: blok, parts: [bdy], oops: 1}
      - {label: hate.*, at: 1, then: block}
      - {id: c, label: hate.*, at: "1", then: block, parts: [bdy], notice: hate}
      - {id: c, label: hate.*, at: 0.1, then: hold}
    cache: {tll: 10m}
    notices: {hte: {en: x}}
    examples:
      - {body: secret-canary, expect: nah, zz: yy}
      - {body: secret-canary, expect: allow, boody: yy, context: {agee: 3}}
  Bad Name: {about: x}
"""

EXPECTED = [
    (4, 1, "unknown key 'exteds'", "did you mean 'extends'?"),
    (7, 15, "does not admit the audience minors", "extend baseline/minors"),
    (8, 11, "'mode': a canary is a percentage", "{canary: 10}"),
    (9, 15, "'deadline': not a duration", "150ms"),
    (10, 21, "'body': is not one of the words known here", "'text'"),
    (11, 31, "'size': is not one of the words", "'string'"),
    (12, 21, "is not written as it must be", ""),
    (14, 14, "'id': is not written as it must be", ""),
    (14, 24, "covers no label", "did you mean 'hate.speech'?"),
    (14, 41, "'at': must be at most 1", ""),
    (14, 50, "'then': not an action", "did you mean 'block'?"),
    (14, 64, "the content has no part 'bdy'", "did you mean 'body'?"),
    (14, 70, "unknown key 'oops'", "known are id, label"),
    (15, 9, "the key 'id' is missing", "Its name"),
    (16, 36, "'at': must be a number", "0.5"),
    (16, 62, "no part 'bdy'", "did you mean 'body'?"),
    (16, 76, "no notice 'hate'", "did you mean 'hte'?"),
    (17, 14, "the rule id 'c' is used twice", "line 16"),
    (18, 13, "unknown key 'tll'", "did you mean 'ttl'?"),
    (21, 39, "'expect': not an action", "known are allow"),
    (21, 44, "unknown key 'zz'", ""),
    (22, 46, "unknown key 'boody'", "did you mean 'body'?"),
    (22, 67, "unknown context field 'agee'", "did you mean 'age'?"),
    (23, 3, "the key 'Bad Name' cannot stand here", "lower-case"),
]


def test_every_fault_of_every_file_comes_at_once(kit: SimpleNamespace) -> None:
    """One ManifestError carries all faults, each at its line and column, with a hint that helps."""
    found = kit.faults(BROKEN, "a: [", "spotsafe: 1\nteam: t\nowner: o\nsurfaces: {}\n")
    first = [fault for fault in found if fault.file == "1"]
    for line, column, says, hint in EXPECTED:
        matching = [f for f in first if (f.line, f.column) == (line, column) and says in f.message]
        assert matching, f"no fault {says!r} at {line}:{column}"
        assert hint in matching[0].hint
    assert len(first) == len(EXPECTED)
    assert {fault.file for fault in found} == {"1", "2", "3"}


def test_faults_never_repeat_content(kit: SimpleNamespace) -> None:
    """What examples say stays out of errors."""
    assert all("secret-canary" not in str(fault) for fault in kit.faults(BROKEN))


def test_a_missing_top_key_does_not_hide_the_rest(kit: SimpleNamespace) -> None:
    """Without an owner the surfaces are still checked."""
    found = kit.faults("spotsafe: 1\nteam: t\nsurfaces: {a.b: {extends: baseline/flor}}")
    assert [fault.message for fault in found] == ["the key 'owner' is missing", "no such baseline"]
    assert found[1].hint == "did you mean 'baseline/floor'?"


@pytest.mark.parametrize(
    ("surface", "says"),
    [
        ({"rules": [{"id": "a", "label": "hate.*", "at": True, "then": "hold"}]}, "must be a number"),
        ({"rules": [{"id": "a", "label": "hate.*", "at": -0.1, "then": "hold"}]}, "at least 0"),
        ({"rules": [{"id": "a", "label": [], "at": 0.1, "then": "hold"}]}, "names no label"),
        ({"rules": [{"id": "a", "label": "hate.*", "at": 0.1, "then": []}]}, "names no action"),
        ({"rules": {"a": 1}}, "must be a list"),
        ({"about": 7}, "must be a string"),
        ({"content": {"body": {"type": "text", "optional": "yes"}}}, "must be true or false"),
        ({"deadline": 0}, "longer than 0"),
        ({"deadline": 150}, "not a duration"),
        ({"cache": {"ttl": True}}, "not a duration"),
        ({"mode": "shaddow"}, "not a mode"),
        ({"mode": {"canary": True}}, "a canary is a percentage"),
        ({"on_failure": {"hat.*": "hold"}}, "cannot stand here"),
        ({"if_missing": {"timeout": "hold"}}, "unknown key 'timeout'"),
        ({"extends": "baseline/none"}, "no such baseline"),
        (
            {
                "context": {"x": "int"},
                "rules": [{"id": "a", "label": "*", "at": 1, "then": "hold", "when": "y < 1"}],
            },
            "no field 'y'",
        ),
        ({"rules": [{"id": "a", "label": "*", "at": 1, "then": "hold", "when": ""}]}, "must not be empty"),
        (None, "must be a mapping"),
    ],
)
def test_each_wrong_value_is_refused(
    kit: SimpleNamespace, surface: dict[str, object] | None, says: str
) -> None:
    """Types are strict, ranges are kept, and the message says what is wrong."""
    text = kit.manifest(surface) if surface is not None else kit.manifest({}).replace("{}", "null")
    found = kit.faults(text)
    assert any(says in fault.message for fault in found), found


def test_a_surface_declared_twice_names_both_places(kit: SimpleNamespace) -> None:
    """The same surface in two files is a fault, with the first place in its hint."""
    (fault,) = kit.faults(kit.manifest({}), kit.manifest({}))
    assert "declared twice" in fault.message
    assert fault.file == "2"
    assert "1, line 1" in fault.hint


def test_when_faults_point_into_the_condition(kit: SimpleNamespace) -> None:
    """The fault stands at the value and counts characters inside it."""
    text = (
        kit.fixtures.joinpath("design_example.yaml")
        .read_text("utf-8")
        .replace("author_age_days <", "author_age <")
    )
    (fault,) = kit.faults(text)
    assert (fault.line, fault.column) == (20, 74)
    assert "character 1: the context has no field 'author_age'" in fault.message


def test_the_example_of_the_design_loads_as_designed(kit: SimpleNamespace) -> None:
    """Every field of the design's example comes out as it is meant, without a warning."""
    found = load(kit.fixtures / "design_example.yaml", now=0.0)
    surface = found.surface("comments.create")
    assert surface is not None
    assert found.warnings == ()
    assert (surface.team, surface.owner) == ("podcast-community", "comments@example.com")
    assert dict(surface.content) == {
        "body": PartSpec("text", False, ("body",)),
        "picture": PartSpec("image", True, ("picture",)),
    }
    assert surface.context == {"author_age_days": ContextField("int"), "market": ContextField("string", True)}
    assert surface.languages == ("en", "de", "pt")
    assert (surface.mode, surface.deadline, surface.cache_ttl, surface.cache_stale) == (
        Mode.ENFORCE,
        3.0,
        600,
        3600,
    )
    assert surface.hold == HoldPolicy("product", 72 * 3600, "reject")
    assert (surface.privacy_send, surface.retain, surface.service) == ("service", 180 * 86400, "main")
    assert surface.notice("hate", "de") == surface.notice("hate", "en") is not None
    assert surface.notice("nothing", "en") is None
    assert not surface.static
    assert {"hate.speech", "hate.discrimination", "privacy.pii_exposure"} <= set(surface.labels)


def test_the_examples_rules_decide_as_written(kit: SimpleNamespace) -> None:
    """Its block on hate is a hold, since the taxonomy leaves that to people; its redaction has spans."""
    surface = load(kit.fixtures / "design_example.yaml", now=0.0).surface("comments.create")
    hateful = evaluate(
        surface, kit.scored(surface, {"hate.speech": 0.9}), {"author_age_days": 400, "market": "x"}, 0
    )
    assert hateful.disposition is Disposition.HOLD
    assert hateful.notice == "hate"
    private = evaluate(surface, kit.scored(surface, {"privacy.pii_exposure": 0.6}, spans=True), {}, 0)
    assert private.effects == {Effect.REDACT, Effect.REVIEW}
    assert [edit.part for edit in private.edits] == ["body"]


def test_folders_are_searched_and_what_is_missing_is_named(tmp_path: Path, kit: SimpleNamespace) -> None:
    """Manifests are found in a folder and below; an empty folder and a missing file are faults."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.yml").write_text(kit.manifest({}), "utf-8")
    (tmp_path / "note.txt").write_text("not a manifest", "utf-8")
    assert list(load(tmp_path, now=0.0).surfaces) == ["a.b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError) as caught:
        load([tmp_path / "empty", tmp_path / "gone.yaml"], now=0.0)
    assert [fault.message for fault in caught.value.faults] == [
        "the folder holds no manifest",
        "no such file",
    ]


def test_equal_policies_have_equal_versions_wherever_written(kit: SimpleNamespace) -> None:
    """The version is a digest of what is in force: comments and order of keys do not change it."""
    one = load_text({"x.yaml": kit.manifest({"about": "a", "languages": ["en"]})}, now=0.0)
    other = load_text({"y.yaml": "# hi\n" + kit.manifest({"languages": ["en"], "about": "a"})}, now=0.0)
    assert one.version == other.version
    assert one.surfaces["a.b"].version == other.surfaces["a.b"].version
    assert one.version != load_text({"x": kit.manifest({"about": "b"})}, now=0.0).version


def test_policies_are_frozen_and_shown_without_content(kit: SimpleNamespace) -> None:
    """Nobody changes a shared policy, and an example's ``repr`` shows no content."""
    found = kit.policies(
        {"content": {"body": "text"}, "examples": [{"body": "secret-canary", "expect": "allow"}]}
    )
    with pytest.raises(AttributeError):
        found.surfaces["a.b"].mode = Mode.SHADOW
    assert "secret-canary" not in repr(found.examples) + repr(found) + repr(found.surfaces)


def test_floor_and_broken_are_one_object_per_surface() -> None:
    """What runs without a manifest is compiled once and marked as such."""
    policies = builtin()
    assert policies.floor("x") is policies.floor("x")
    assert policies.floor("x").unlinked
    assert not policies.floor("x").broken
    assert policies.broken("x") is policies.broken("x")
    assert policies.broken("x").broken
    assert policies.floor("x").deadline == 0.15
    assert policies.surface("x") is None


def test_audio_and_video_make_the_deadline_async(kit: SimpleNamespace) -> None:
    """Media is never checked inside a request, whatever the manifest says; lint says so."""
    found = kit.policies({"content": {"episode": "audio"}, "deadline": "150ms"})
    assert found.surfaces["a.b"].deadline is None
    assert any("never checked inside a request" in warning.message for warning in found.warnings)


PICTURE = {"content": {"cover": "image", "title": "text"}}


@pytest.mark.parametrize(
    ("surface", "floor", "seconds"),
    [
        (PICTURE, None, 3.0),
        ({"content": {"title": "text"}}, None, 0.15),
        ({**PICTURE, "deadline": "500ms"}, None, 0.5),
        ({**PICTURE, "deadline": "8s"}, None, 8.0),
        ({**PICTURE, "deadline": "500ms"}, {"deadline": "2s"}, 2.0),
        (PICTURE, {"deadline": "2s"}, 3.0),
        (PICTURE, {"deadline": "5s"}, 5.0),
        ({}, PICTURE, 3.0),
        ({**PICTURE, "deadline": "async"}, None, None),
        ({"content": {"cover": "image", "clip": "video"}}, None, None),
    ],
)
def test_a_picture_gets_seconds_unless_the_surface_states_less(
    kit: SimpleNamespace, surface: Any, floor: Any, seconds: float | None
) -> None:
    """The default goes by the declared kinds, wherever they are declared; a baseline stays a lower limit."""
    if floor is None:
        found = kit.policy(surface)
    else:
        ours = {"spotsafe": 1, "baseline": "ours", "extends": "baseline/floor", **floor}
        found = kit.policy(surface, extends="baseline/ours", platform={"baselines": [ours]})
    assert found.deadline == seconds


def test_what_only_a_handler_annotates_gets_the_seconds_of_a_picture_too(kit: SimpleNamespace) -> None:
    """Without declared content the picture is known at the check; what the surface states stands."""
    cover = Content((Text("x", "title"), Image(b"x", "cover")))
    title = Content((Text("x", "title"),))
    bare = builtin().floor("x")
    assert (bare.patience(cover), bare.patience(title)) == (3.0, 0.15)
    stated = kit.policy({"deadline": "400ms"})
    assert (stated.patience(cover), stated.patience(title)) == (0.4, 0.4)
    assert kit.policy({"deadline": "async"}).patience(cover) is None


@pytest.mark.parametrize(
    ("surface", "warned"),
    [
        ({**PICTURE, "deadline": "150ms"}, True),
        ({**PICTURE, "deadline": "999ms"}, True),
        ({**PICTURE, "deadline": "1s"}, False),
        (PICTURE, False),
        ({"content": {"title": "text"}, "deadline": "150ms"}, False),
        ({**PICTURE, "deadline": "async"}, False),
    ],
)
def test_a_deadline_too_short_for_a_picture_is_warned_of(
    kit: SimpleNamespace, surface: Any, warned: bool
) -> None:
    """Lint and the start name the part and the remedy, where less than a second is stated."""
    found = [w for w in kit.policies(surface).warnings if "too short for a picture" in w.message]
    assert bool(found) is warned
    assert all("'cover'" in w.message and "3s" in w.hint for w in found)


@pytest.mark.parametrize(
    ("rule", "says", "hint"),
    [
        ({"then": "reject"}, "not an action", "did you mean 'block'?"),
        ({"then": "flag"}, "not an action", "did you mean 'review'?"),
        ({"then": ["hold", "mask"]}, "not an action", "did you mean 'redact'?"),
        ({"then": "Warn"}, "not an action", "did you mean 'nudge'?"),
        ({"label": "hate.hates"}, "covers no label", "labels of hate: hate.speech, hate.threatening"),
        ({"label": "hate.speach"}, "covers no label", "did you mean 'hate.speech'?"),
        ({"label": "zzz"}, "covers no label", "explain --labels"),
        ({"id": "baseline/public-ugc#threats"}, "the ratchet", "waiver"),
        ({"when": "age < '7'"}, "does not go with int and string", "numbers stand without quotes"),
        ({"when": "!age"}, "does not go with int and bool", "compare it first"),
        ({"when": "age in ['a']"}, "'in' does not go with", "list of int"),
    ],
)
def test_hints_name_what_was_meant(kit: SimpleNamespace, rule: Any, says: str, hint: str) -> None:
    """Words of other systems, labels of a family, a baseline's rule, types that do not meet."""
    whole = {"id": "r", "label": "tone.toxic", "at": 0.5, "then": "hold", **rule}
    (found,) = kit.faults(kit.manifest({"context": {"age": "int"}, "rules": [whole]}))
    assert says in found.message
    assert hint in found.hint


def test_an_alias_is_one_fault(kit: SimpleNamespace) -> None:
    """What would have stood there is not missed as well."""
    text = "spotsafe: 1\nteam: t\nowner: o@example.com\nsurfaces:\n  a.b:\n    rules: *x\n    hold: *y\n"
    assert [(f.line, f.message) for f in kit.faults(text)] == [
        (6, "aliases are not allowed"),
        (7, "aliases are not allowed"),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (259_200.0, "72h"),
        (15_552_000.0, "180d"),
        (600.0, "10m"),
        (0.15, "150ms"),
        (86_400.0, "24h"),
        (0.0, "0"),
    ],
)
def test_durations_are_shown_as_documented(seconds: float, text: str) -> None:
    """Days from a week on, hours below; what is shown parses back."""
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds
