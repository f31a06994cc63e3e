"""The policy commands: exit codes, JSON for machines, and nothing of content in what they print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spotsafe.cli.main import main
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities
from spotsafe.core.signals import Signal, Signals
from spotsafe.detectors import local

MANIFEST = """\
spotsafe: 1
team: t
owner: o@example.com
extends: baseline/public-ugc
surfaces:
  a.b:
    content: {body: text}
    context: {age: int}
    languages: [en]
    rules:
      - {id: toxic, label: tone.toxic, at: 0.5, then: hold}
      - {id: young, label: tone.profanity, at: 0.5, then: limit, when: "age < 7"}
    examples:
      - {body: secret-canary, scores: {tone.toxic: 0.6}, expect: hold}
      - {body: secret-canary, expect: allow}
"""


class Engine:
    """A local engine that gives every label of the taxonomy, all clean but for a word."""

    def capabilities(self) -> Capabilities:
        from spotsafe.core.labels import LABELS

        return Capabilities({label: {"en": Calibration.CALIBRATED} for label in LABELS})

    def detect(self, requests: Any, *, timeout: float | None = None) -> list[Signals]:
        return [
            Signals(
                [
                    Signal(label, 0.9 if "awful" in part.data else 0.0, part.name)
                    for label in r.labels
                    for part in r.content
                ]
            )
            for r in requests
        ]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with one good manifest in ``safety/``, and the engine above."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, "engine", Engine)
    (tmp_path / "safety").mkdir()
    (tmp_path / "safety" / "m.yaml").write_text(MANIFEST, "utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code, out, _ = run(capsys, *words, "--json")
    return code, json.loads(out)


def test_init_writes_what_lint_and_test_accept(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer's first three commands work; a second init overwrites nothing."""
    assert run(capsys, "init", "chat.send", "--baseline", "private-messages", "--dir", "new")[0] == 0
    written = (workplace / "new" / "chat-send.yaml").read_text("utf-8")
    assert run(capsys, "lint", "new", "--waivers", "waivers.yaml")[0] == 0
    assert run(capsys, "test", "new")[0] == 0
    code, _, err = run(capsys, "init", "chat.send", "--dir", "new")
    assert code == 2
    assert "nothing was written" in err
    assert (workplace / "new" / "chat-send.yaml").read_text("utf-8") == written
    assert answer(capsys, "init", "chat.read", "--dir", "new")[1]["waivers_kept"] is True


@pytest.mark.parametrize("words", [["Bad Name"], ["a.b", "--team", "x: y"], ["a.b", "--owner", ""]])
def test_init_refuses_names_that_would_not_load(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that is written can break the file."""
    assert run(capsys, "init", *words)[0] == 2


def test_lint_is_0_for_fine_1_for_warnings_2_for_faults(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Faults come all at once, with file, line, column and hint, for people and for machines."""
    assert answer(capsys, "lint") == (0, {"faults": [], "warnings": []})
    path = workplace / "safety" / "m.yaml"
    path.write_text(MANIFEST.replace("at: 0.5, then: hold", "at: 1, then: hold"), "utf-8")
    code, found = answer(capsys, "lint")
    assert code == 1
    assert "hardly ever fires" in found["warnings"][0]["message"]
    path.write_text(
        MANIFEST.replace("tone.toxic,", "tone.toxi,").replace("then: limit", "then: limt"), "utf-8"
    )
    code, found = answer(capsys, "lint")
    assert (code, len(found["faults"])) == (2, 2)
    code, out, _ = run(capsys, "lint")
    assert code == 2
    assert f"{Path('safety') / 'm.yaml'}:11:" in out
    assert "did you mean 'tone.toxic'?" in out
    assert "secret-canary" not in out


def test_lint_compares_with_what_the_engine_gives(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A language that is not covered is a warning, unless the comparison is switched off."""
    (workplace / "safety" / "m.yaml").write_text(MANIFEST.replace("[en]", "[en, fi]"), "utf-8")
    code, found = answer(capsys, "lint")
    assert code == 1
    assert "covers 'fi'" in found["warnings"][0]["message"]
    assert answer(capsys, "lint", "--no-detector")[0] == 0


def test_lint_points_at_the_place_in_order(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A language at its entry under ``languages``, a rule at its column; sorted by file and line."""
    text = MANIFEST.replace("[en]", "[en, no]").replace("at: 0.5, then: limit", "at: 1, then: limit")
    (workplace / "safety" / "m.yaml").write_text(text, "utf-8")
    (workplace / "safety" / "a.yaml").write_text(text.replace("a.b", "z.z"), "utf-8")
    found = answer(capsys, "lint")[1]["warnings"]
    assert found == sorted(found, key=lambda w: (w["file"], w["line"], w["column"]))
    assert [w["file"][-6:] for w in found] == ["a.yaml", "a.yaml", "m.yaml", "m.yaml"]
    lines = text.splitlines()
    assert "covers 'no' for" in found[0]["message"]
    assert lines[found[0]["line"] - 1][found[0]["column"] - 1 :].startswith("no]")
    assert lines[found[1]["line"] - 1][found[1]["column"] - 1 :].startswith("1, then: limit")


def test_commands_that_load_show_faults_as_lint_does(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same words, on standard error."""
    (workplace / "safety" / "m.yaml").write_text(MANIFEST.replace("then: limit", "then: reject"), "utf-8")
    shown = run(capsys, "lint")[1]
    assert "did you mean 'block'?" in shown
    assert run(capsys, "diff", "safety", "safety")[2] == shown


def test_commands_say_what_to_do_where_there_is_nothing(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No folder, no such file, no such surface: exit 2, with the remedy."""
    code, _, err = run(capsys, "explain", "x.y")
    assert code == 2
    assert "declared are: a.b" in err
    assert run(capsys, "lint", "gone.yaml")[0] == 2
    (workplace / "safety" / "m.yaml").unlink()
    (workplace / "safety").rmdir()
    code, _, err = run(capsys, "lint")
    assert code == 2
    assert "spotsafe init" in err


def test_explain_shows_a_policy_and_a_decision(capsys: pytest.CaptureFixture[str]) -> None:
    """Layers, origins and limits; with scores, the decision and its reasons."""
    code, found = answer(capsys, "explain", "a.b")
    assert code == 0
    assert {rule["from"] for rule in found["rules"]} == {"baseline/floor", "baseline/public-ugc", "a.b"}
    code, out, _ = run(capsys, "explain", "a.b")
    assert code == 0
    assert "a.b#young" in out
    assert "when age < 7" in out
    code, found = answer(capsys, "explain", "a.b", "--score", "tone.profanity=0.6", "--context", '{"age": 3}')
    assert (code, found["action"], found["reasons"][0]["rule"]) == (0, "limit", "a.b#young")
    code, found = answer(capsys, "explain", "a.b", "--missing", "hate.speech=timeout")
    assert (found["action"], found["status"]) == ("hold", "partial")
    code, out, _ = run(capsys, "explain", "a.b", "--score", "tone.toxic=0.9")
    assert "a.b: hold (status checked)" in out
    assert run(capsys, "explain", "baseline/minors")[0] == 0
    for wrong in (
        ["--score", "tone.toxi=1"],
        ["--context", "[1]"],
        ["--context", "{"],
        ["--missing", "hate.*=no"],
    ):
        assert run(capsys, "explain", "a.b", "--score", "tone.toxic=1", *wrong)[0] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a.b", "--context", '{"agee": 3}'], "did you mean 'age'?"),
        (["a.b", "--context", '{"age": "3"}'], "age must be a whole number"),
        (["a.b", "--context", '{"age": true}', "--score", "tone.toxic=1"], "age must be a whole number"),
        (["a.b", "--context", "{"], "write a JSON object"),
        (["baseline/nope"], "there are: baseline/floor"),
        (["baseline/minor"], "did you mean 'baseline/minors'?"),
        ([], "--labels"),
    ],
)
def test_explain_refuses_what_it_would_not_use(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with the remedy, with scores and without."""
    code, _, err = run(capsys, "explain", *words)
    assert code == 2
    assert says in err


def test_explain_lists_the_taxonomy(capsys: pytest.CaptureFixture[str]) -> None:
    """Every label with severity, default action, who decides, and its names in other schemes."""
    code, found = answer(capsys, "explain", "--labels")
    entries = {entry["label"]: entry for entry in found["labels"]}
    assert (code, set(entries)) == (0, set(LABELS))
    assert entries["hate.threatening"] == {
        "label": "hate.threatening",
        "severity": 4,
        "default": ["block"],
        "decision": "human",
        "human": True,
        "openai": ["hate/threatening"],
        "llama_guard": ["S10", "S1"],
        "azure": ["Hate"],
        "dsa_category": "ILLEGAL_OR_HARMFUL_SPEECH",
        "dsa_keywords": ["HATE_SPEECH"],
    }
    shown = run(capsys, "explain", "--labels")[1]
    assert all(word in shown for word in (*LABELS, "block + quarantine", "Llama Guard", "S10, S1"))


def test_usage_errors_call_nothing_required_that_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """``manifests`` has a default."""
    for command in ("lint", "explain", "test"):
        with pytest.raises(SystemExit):
            main([command, "--waivers"])
        assert "required" not in capsys.readouterr().err


def test_test_runs_examples_and_shows_only_their_numbers(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when all are as expected, 1 when not, 2 when there is none; content is never printed."""
    code, found = answer(capsys, "test")
    assert (code, found["ran"], found["failed"]) == (0, 2, 0)
    path = workplace / "safety" / "m.yaml"
    path.write_text(
        MANIFEST.replace(
            "{body: secret-canary, expect: allow}", "{body: awful secret-canary, expect: allow}"
        ),
        "utf-8",
    )
    code, out, err = run(capsys, "test")
    assert code == 1
    assert "m.yaml:15" in out
    assert "secret-canary" not in out + err
    code, found = answer(capsys, "test")
    assert found["examples"][1]["passed"] is False
    path.write_text(MANIFEST.partition("    examples:")[0], "utf-8")
    assert run(capsys, "test")[0] == 2
    assert run(capsys, "test", "--surface", "x.y")[0] == 2


def test_test_asks_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    """With --service the service answers; one that is not there is unusable input."""
    code, _, err = run(capsys, "test", "--service", "http://127.0.0.1:1")
    assert code == 2
    assert "could not be run" in err


def test_diff_finds_what_gets_laxer(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1 where something gets laxer, 0 where it only gets stricter, each change with its direction."""
    after = workplace / "after.yaml"
    after.write_text(MANIFEST.replace("at: 0.5, then: hold", "at: 0.6, then: hold"), "utf-8")
    code, found = answer(capsys, "diff", "safety", "after.yaml")
    assert code == 1
    assert found["changes"] == [
        {
            "surface": "a.b",
            "what": "tone.toxic",
            "direction": "laxer",
            "before": "hold from 0.5, hold + nudge from 0.85",
            "after": "hold from 0.6, hold + nudge from 0.85",
        }
    ]
    assert run(capsys, "diff", "after.yaml", "safety")[0] == 0
    assert run(capsys, "diff", "after.yaml", "safety", "--fail-on", "any")[0] == 1
    code, out, _ = run(capsys, "diff", "safety", "safety", "--fail-on", "any")
    assert code == 0
    assert "no difference" in out


@pytest.mark.parametrize(
    ("rule", "counted"),
    [
        ("{id: toxic, label: tone.toxic, at: 0.5, then: review}", "1 stricter, 1 laxer"),
        ("{id: toxic, label: tone.toxic, at: 0.9, then: review}", "1 stricter, 1 laxer"),
    ],
)
def test_diff_does_not_let_a_lost_hold_through(
    rule: str, counted: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hold that becomes a review is laxer, whatever the review adds."""
    after = workplace / "after.yaml"
    after.write_text(MANIFEST.replace("{id: toxic, label: tone.toxic, at: 0.5, then: hold}", rule), "utf-8")
    code, out, _ = run(capsys, "diff", "safety", "after.yaml", "--fail-on", "laxer")
    assert code == 1
    assert counted in out


@pytest.mark.parametrize("kind", ["manifest", "baseline", "platform"])
def test_schema_prints_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With and without --json the output is the schema."""
    code, out, _ = run(capsys, "schema", "--kind", kind)
    assert code == 0
    assert json.loads(out)["title"] == f"spotsafe {kind}"
    assert answer(capsys, "schema", "--kind", kind) == (0, json.loads(out))
