"""``spotsafe eval``: from a file of labelled rows to a report, a comparison and an exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from spotsafe.cli.eval_options import progress_of
from spotsafe.cli.main import main
from spotsafe.cli.output import Output
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Detector
from spotsafe.detectors.backends import choose
from spotsafe.testing.detector import FakeDetector

MAPPING = """\
mapping: 1
name: comments
id: id
content: {body: text}
language: lang
labels:
  tone.toxic: rude
slices: {target: target}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data set; detectors are scripted: ``local`` is good, ``local:first`` is weaker."""
    rows = []
    for n in range(160):
        rude = n % 2
        weak = "obvious" if n % 3 else "veiled"
        text = f"canary-5e1f {weak} rude {n}" if rude else f"nice thing {n}"
        target = "women" if n % 4 < 2 else "none"
        rows.append(
            {"id": f"c{n}", "text": text, "lang": "de" if n < 80 else "en", "rude": rude, "target": target}
        )
    (tmp_path / "comments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "comments.mapping.yaml").write_text(MAPPING, "utf-8")
    monkeypatch.chdir(tmp_path)

    def scripted(tier: str) -> Detector:
        fake = FakeDetector({"obvious": {"tone.toxic": 0.9}}, id=f"scripted.{tier}")
        if tier == "full":
            fake.say("veiled", {"tone.toxic": 0.8})
        fake.say("nice thing 4", {"tone.toxic": 0.6})
        return fake

    monkeypatch.setattr(choose, "_local", scripted)
    return tmp_path


def called(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Exit code and the JSON document of a command."""
    code = main(["eval", *words.split(), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return code, found


RUN = "run --data comments.jsonl --detector local"


def test_a_run_reports_figures(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures by label and slice, kept in a folder that is named; the same command again scores nothing."""
    code, found = called(RUN, capsys)
    assert code == 0
    [label] = found["labels"]
    assert label["label"] == "tone.toxic"
    assert (label["positives"], label["annotated"]) == (80, 160)
    assert label["figures"]["recall"]["value"] == 1.0
    assert label["figures"]["fpr"]["value"] == pytest.approx(6 / 80)
    assert {entry["category"] for entry in label["slices"]} == {"language", "target"}
    assert (place / found["folder"] / "meta.json").exists()
    assert called(RUN, capsys) == (0, found)


def test_the_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The terminal shows the same figures, and where the run is."""
    assert main(["eval", *RUN.split()]) == 0
    shown = capsys.readouterr().out
    assert "tone.toxic" in shown
    assert "80/160" in shown
    assert "eval-runs/comments.local" in shown


GATES = [("at_most: 0.10", 0), ("at_most: 0.05", 1), ("at_most: 0.10, confidence: upper", 1)]


@pytest.mark.parametrize(("bound", "code"), GATES)
def test_a_gate_decides_the_exit_code(
    place: Path, bound: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 where all is kept, 1 where not, with the requirement's line."""
    (place / "gate.yaml").write_text(
        f"spotsafe-gate: 1\nrequirements:\n  - {{metric: fpr, label: tone.*, {bound}}}\n", "utf-8"
    )
    found_code, found = called(f"{RUN} --gate gate.yaml", capsys)
    assert found_code == code
    assert found["gate"]["passed"] is (code == 0)
    assert found["gate"]["results"][0]["place"] == "gate.yaml:3"


def test_thresholds_of_the_gate_hold_in_the_report(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The gate, then the option, then the surface's rules say where scores are cut."""
    (place / "m.yaml").write_text(
        "spotsafe: 1\nteam: t\nowner: o@example.com\nsurfaces:\n  a.b:\n    content: {body: text}\n"
        "    rules:\n"
        "      - {id: x, label: tone.toxic, at: 0.85, then: hold}\n",
        "utf-8",
    )
    (place / "gate.yaml").write_text(
        "spotsafe-gate: 1\nthresholds: {tone.*: 0.7}\nrequirements:\n"
        "  - {metric: fpr, label: tone.*, at_most: 1}\n",
        "utf-8",
    )
    surface = "--manifests m.yaml --surface a.b"
    assert called(f"{RUN} {surface}", capsys)[1]["labels"][0]["at"] == 0.85
    assert called(f"{RUN} {surface} --threshold tone.*=0.3", capsys)[1]["labels"][0]["at"] == 0.3
    assert called(f"{RUN} {surface} --gate gate.yaml", capsys)[1]["labels"][0]["at"] == 0.7


def test_the_report_shows_content_only_when_asked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Row ids by default; content with the option; never in the run's folder or the terminal."""
    weak = RUN.replace("local", "local:first")
    assert main(["eval", *f"{weak} --report r.html".split()]) == 0
    assert "canary-5e1f" not in capsys.readouterr().out
    page = (place / "r.html").read_text("utf-8")
    assert "c9" in page
    assert "canary-5e1f" not in page
    assert main(["eval", *f"{weak} --report r.html --with-content".split()]) == 0
    assert "canary-5e1f" not in capsys.readouterr().out
    assert "canary-5e1f" in (place / "r.html").read_text("utf-8")
    folder = place / "eval-runs" / "comments.local-first"
    assert all(b"canary" not in path.read_bytes() for path in folder.iterdir())


def test_an_earlier_run_can_be_reported_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """`report` needs no detector; `compare` says which is better and exits 1 where the second is worse."""
    called(f"{RUN} --out good", capsys)
    called(f"{RUN}:first --out weak", capsys)
    code, found = called("report weak --against good", capsys)
    assert code == 0
    assert found["comparison"]["means"][0]["verdict"] == "worse"
    code, found = called("compare good weak", capsys)
    assert code == 1
    assert found["differences"][0]["verdict"] == "worse"
    assert called("compare weak good", capsys)[0] == 0
    code, found = called("compare good good --metric fpr --slice language=de", capsys)
    assert (code, found["differences"][0]["verdict"]) == (0, "no difference")
    assert found["differences"][0]["rows"] == 80
    assert main(["eval", "compare", "good", "weak"]) == 1
    assert "worse" in capsys.readouterr().out


def test_a_gate_can_compare_with_another_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`no_worse_than: against` is the run of --against."""
    (place / "gate.yaml").write_text(
        "spotsafe-gate: 1\nrequirements:\n  - {metric: auprc, label: tone.*, no_worse_than: against}\n",
        "utf-8",
    )
    called(f"{RUN} --out good", capsys)
    called(f"{RUN}:first --out weak", capsys)
    assert called("report good --against weak --gate gate.yaml", capsys)[0] == 0
    assert called("report weak --against good --gate gate.yaml", capsys)[0] == 1


def test_rows_that_a_model_was_trained_on_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--trained-on SET@SPLIT``: nothing is scored, and the rows are named; other splits do not count."""
    lines = [json.loads(line) for line in (place / "comments.jsonl").read_text("utf-8").splitlines()]
    rows = [
        {**line, "id": f"t{n}", "part": "train" if n == 5 else "test"} for n, line in enumerate(lines[:9])
    ]
    (place / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (place / "train.mapping.yaml").write_text(MAPPING.replace("comments", "train") + "split: part\n", "utf-8")
    code, found = called(f"{RUN} --trained-on train.jsonl@train", capsys)
    assert code == 2
    assert "t5 [train] ~ c5" in found["error"]
    assert "canary" not in found["error"]
    assert not (place / "eval-runs").exists()
    other = [{**row, "text": f"quite another text, number {row['id']}"} for row in rows]
    (place / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other), "utf-8")
    assert called(f"{RUN} --trained-on train.jsonl", capsys)[0] == 0


def test_figures_over_training_data_are_told_to_flatter(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A registered set that the local engine learned from, measured with it, says so everywhere."""
    text = (place / "comments.mapping.yaml").read_text("utf-8").replace("comments", "edos_sexism")
    (place / "comments.mapping.yaml").write_text(text, "utf-8")
    monkey = "run --data comments.jsonl --detector local --out run --report r.html"
    meta = called(monkey, capsys)[1]
    assert meta["cautions"] == []  # the scripted detector is not the local engine
    path = place / "run" / "meta.json"
    path.write_text(path.read_text("utf-8").replace("scripted.full", "local"), "utf-8")
    [caution] = called("report run --report r.html", capsys)[1]["cautions"]
    assert "flatter" in caution
    assert "flatter" in (place / "r.html").read_text("utf-8")
    assert main(["eval", "report", "run"]) == 0
    assert "flatter" in capsys.readouterr().out


UNUSABLE = [
    ("run --data comments.jsonl --detector local --cost tone.toxic=1", "two prices"),
    ("run --data nowhere.jsonl --detector local", "no such file"),
    (f"{RUN} --detector magic", "names no detector"),
    (f"{RUN} --limit 0", "leaves no rows"),
    (f"{RUN} --batch 0", "1 or more"),
    (f"{RUN} --labels hat.*", "no label of the taxonomy"),
    (f"{RUN} --threshold tone.toxic=2", "0 to 1"),
    (f"{RUN} --threshold nothing=0.5", "pattern of the taxonomy"),
    (f"{RUN} --manifests comments.mapping.yaml", "--surface"),
    (f"{RUN} --gate nowhere.yaml", "cannot be read"),
    (f"{RUN} --against nowhere", "no run"),
    ("report nowhere", "no run"),
    ("compare nowhere nowhere", "no run"),
    ("data check --data comments.jsonl --out x", "--out goes with"),
    ("data card --data comments.jsonl --against x", "--against goes with"),
]


@pytest.mark.parametrize(("words", "told"), UNUSABLE)
def test_unusable_input_is_refused_with_the_remedy(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and a message that says what to do."""
    code, found = called(words, capsys)
    assert code == 2
    assert told in found["error"]


def test_a_gate_is_read_before_anything_is_scored(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault in it does not show after hours of scoring."""
    (place / "gate.yaml").write_text("spotsafe-gate: 1\n", "utf-8")
    assert called(f"{RUN} --gate gate.yaml", capsys)[0] == 2
    assert not (place / "eval-runs").exists()


def test_content_needs_the_data_that_were_scored(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another file under the same name does not lend its texts to old errors."""
    called(f"{RUN} --out run", capsys)
    assert "needs --data" in called("report run --with-content", capsys)[1]["error"]
    with (place / "comments.jsonl").open("a") as file:
        file.write('{"id": "x", "text": "new", "lang": "en", "rude": 0, "target": "none"}\n')
    code, found = called("report run --with-content --data comments.jsonl", capsys)
    assert code == 2
    assert "digest differs" in found["error"]


def test_data_sets_are_described_and_checked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Card and Croissant go to a file or the terminal; a row that stands in a training set is a finding."""
    assert called("data card --data comments.jsonl", capsys)[1]["rows"] == 160
    assert main(["eval", "data", "card", "--data", "comments.jsonl", "--out", "card.md"]) == 0
    assert "comments" in (place / "card.md").read_text("utf-8")
    capsys.readouterr()
    assert called("data croissant --data comments.jsonl", capsys)[1]["@type"]
    assert main(["eval", "data", "croissant", "--data", "comments.jsonl", "--out", "c.json"]) == 0
    assert json.loads((place / "c.json").read_text("utf-8"))["@type"]
    (place / "train.jsonl").write_text(
        (place / "comments.jsonl").read_text("utf-8").splitlines()[5] + "\n", "utf-8"
    )
    (place / "train.mapping.yaml").write_text(MAPPING.replace("comments", "train"), "utf-8")
    capsys.readouterr()
    code, found = called("data check --data comments.jsonl --against train.jsonl", capsys)
    assert code == 1
    assert "c5" in {pair["second"] for pair in found["leaks"]["train"]}
    assert main(["eval", "data", "check", "--data", "comments.jsonl", "--against", "train.jsonl"]) == 1
    shown = capsys.readouterr().out
    assert "c5" in shown
    assert "canary" not in shown


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "quiet"), [(Terminal, False), (io.StringIO, True)])
def test_progress_is_shown_on_a_terminal_alone(stream: type[io.StringIO], quiet: bool) -> None:
    """Rows, the total and the time left; nothing in a pipe."""
    error, moments = stream(), iter([0.0, 10.0, 20.0, 20.01])
    told = progress_of(Output(stdout=io.StringIO(), stderr=error), "scored", lambda: next(moments))
    for done in (100, 200, 210):
        told(done, 400)
    assert error.getvalue() == "" if quiet else "scored 200 of 400 rows, 40 s left" in error.getvalue()
    assert "210" not in error.getvalue()


@pytest.mark.parametrize("action", ["run", "compare", "report", "policy", "tune", "data"])
def test_every_action_explains_itself(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``spotsafe eval ACTION --help``."""
    with pytest.raises(SystemExit) as left:
        main(["eval", action, "--help"])
    assert left.value.code == 0
    assert f"usage: spotsafe eval {action}" in capsys.readouterr().out


MANIFEST = """\
spotsafe: 1
team: t
owner: o@example.com
surfaces:
  a.b:
    content: {body: text}
    rules:
      - {id: toxic, label: tone.toxic, at: 0.5, then: hold}
"""


def test_a_policy_is_measured_on_data(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What share is held, whom that wrongs, by slice; the same from data and from an earlier run."""
    (place / "a.yaml").write_text(MANIFEST, "utf-8")
    words = "policy a.yaml --data comments.jsonl --by language"
    code, found = called(words, capsys)
    assert code == 0
    [surface] = found["surfaces"]
    assert surface["shares"]["hold"]["value"] == pytest.approx(86 / 160)
    assert surface["errors"]["false_stops"]["value"] == pytest.approx(6 / 80)
    assert {entry["value"] for entry in surface["slices"]} == {"de", "en"}
    again = called(f"policy a.yaml --run {found['run']}", capsys)[1]
    assert again["surfaces"][0]["shares"] == surface["shares"]
    assert main(["eval", *words.split()]) == 0
    assert "a.b#toxic" in capsys.readouterr().out


def test_two_policies_are_told_apart_with_examples(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What changes, in which direction, with row ids, and content only when asked; looser is a finding."""
    (place / "a.yaml").write_text(MANIFEST, "utf-8")
    (place / "b.yaml").write_text(MANIFEST.replace("0.5", "0.7"), "utf-8")
    code, found = called("policy a.yaml b.yaml --data comments.jsonl", capsys)
    assert code == 1
    [change] = found["surfaces"][0]["changes"]
    assert (change["before"], change["after"], change["direction"]) == ("hold", "allow", "looser")
    assert (change["rows"], change["clean"]) == (6, 6)
    assert {example["id"] for example in change["examples"]} <= {"c4", "c40", "c42", "c44", "c46", "c48"}
    assert called("policy b.yaml a.yaml --data comments.jsonl", capsys)[0] == 0
    assert called("policy a.yaml a.yaml --data comments.jsonl", capsys)[0] == 0
    assert main(["eval", "policy", "a.yaml", "b.yaml", "--data", "comments.jsonl"]) == 1
    assert "nice thing" not in capsys.readouterr().out
    assert main(["eval", "policy", "a.yaml", "b.yaml", "--data", "comments.jsonl", "--with-content"]) == 1
    shown = capsys.readouterr().out
    assert "nice thing 4" in shown
    assert "no longer a.b#toxic" in shown


def test_changes_do_not_borrow_content_from_other_data(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Content comes from the very data that the run was scored on, or not at all."""
    (place / "a.yaml").write_text(MANIFEST, "utf-8")
    (place / "b.yaml").write_text(MANIFEST.replace("0.5", "0.7"), "utf-8")
    called(f"{RUN} --labels * --out run", capsys)
    text = (place / "comments.jsonl").read_text("utf-8")
    (place / "comments.jsonl").write_text(text.replace("nice thing", "another"), "utf-8")
    code, found = called("policy a.yaml b.yaml --run run --data comments.jsonl --with-content", capsys)
    assert code == 2
    assert "digest differs" in found["error"]


def test_other_instead_of_a_hold_is_a_finding(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was held and is now published and looked at is looser, one effect for another is a finding too."""
    held = MANIFEST.replace("then: hold", "then: [hold, nudge]")
    for after, direction in (("[nudge, review]", "looser"), ("[hold, review]", "other")):
        (place / "a.yaml").write_text(held, "utf-8")
        (place / "b.yaml").write_text(MANIFEST.replace("then: hold", f"then: {after}"), "utf-8")
        code, found = called("policy a.yaml b.yaml --data comments.jsonl", capsys)
        assert code == 1
        assert [change["direction"] for change in found["surfaces"][0]["changes"]] == [direction]
        assert found["surfaces"][0][direction]["value"] == pytest.approx(86 / 160)


@pytest.mark.parametrize("words", ["policy a.yaml", "tune a.yaml --surface a.b --rule toxic --recall 0.5"])
def test_a_run_without_labels_that_rules_read_is_refused(
    place: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody scored is not clean: the labels, and a command whose run is then taken."""
    (place / "a.yaml").write_text(MANIFEST, "utf-8")
    called(f"{RUN} --out run", capsys)
    code, found = called(f"{words} --run run", capsys)
    assert code == 2
    assert "child.csam" in found["error"]
    assert "spotsafe eval run --data SET --detector SPEC --labels '*' --out NEW" in found["error"]
    called(f"{RUN} --labels * --out new", capsys)
    assert called(f"{words} --run new", capsys)[0] == 0


def test_labels_that_the_detector_never_gives_are_unsupported(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of all that a detector gives is whole: other labels are unsupported in every row, which a
    manifest answers by if_missing, the same from the data and from the run, and people are told."""
    given = [label for label in LABELS if label != "integrity.spam"]
    narrow = FakeDetector({"obvious": {"tone.toxic": 0.9}}, id="narrow", labels=given)
    monkeypatch.setattr(choose, "_local", lambda tier: narrow)
    rule = "      - {id: s, label: integrity.spam, at: 0.5, then: block, if_missing: {unsupported: limit}}\n"
    (place / "a.yaml").write_text(MANIFEST + rule, "utf-8")
    called(f"{RUN} {' '.join(f'--labels {label}' for label in given)} --out run", capsys)
    code, found = called("policy a.yaml --run run", capsys)
    assert code == 0
    assert found["unsupported"] == ["integrity.spam"]
    fresh = called("policy a.yaml --data comments.jsonl", capsys)[1]
    assert found["surfaces"] == fresh["surfaces"]
    assert found["unsupported"] == fresh["unsupported"]
    assert found["surfaces"][0]["unscored"] == []
    shares = found["surfaces"][0]["shares"]
    assert 0 < shares["hold"]["value"] < 1
    assert shares["hold"]["value"] + shares["limit"]["value"] == pytest.approx(1)
    assert main(["eval", "policy", "a.yaml", "--run", "run"]) == 0
    assert "integrity.spam" in capsys.readouterr().out


POLICY_UNUSABLE = [
    ("policy a.yaml", "--data SET"),
    ("policy a.yaml --data comments.jsonl --context [1]", "JSON object"),
    ("policy a.yaml --data comments.jsonl --by market", "no grouping"),
    ("policy a.yaml --data comments.jsonl --surface c.d", "c.d"),
]


@pytest.mark.parametrize(("words", "told"), POLICY_UNUSABLE)
def test_unusable_policy_questions_are_refused(
    place: Path, words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and a message that says what to do."""
    (place / "a.yaml").write_text(MANIFEST, "utf-8")
    code, found = called(words, capsys)
    assert code == 2
    assert told in found["error"]


def test_a_threshold_is_tuned_to_a_promise(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The threshold that keeps it, the frontier as a page, and the edit made when asked; a promise that these
    data cannot show exits 1 with how far off it is."""
    (place / "a.yaml").write_text(MANIFEST, "utf-8")
    words = "tune a.yaml --surface a.b --rule toxic --data comments.jsonl"
    code, found = called(f"{words} --precision 0.85 --report t.html", capsys)
    assert code == 0
    assert 0.6 < found["threshold"] <= 0.8
    assert found["then"]["precision"]["value"] == 1.0
    assert "canary" not in (place / "t.html").read_text("utf-8")
    assert (place / "a.yaml").read_text("utf-8") == MANIFEST
    assert called(f"{words} --precision 0.85 --write", capsys)[0] == 0
    assert (place / "a.yaml").read_text("utf-8") == MANIFEST.replace("0.5", f"{found['threshold']:g}")
    code, found = called(f"{words} --precision 0.999", capsys)
    assert (code, found["threshold"]) == (1, None)
    assert "label more" in found["why"]
    assert main(["eval", *words.split(), "--precision", "0.85", "--report", "t.html"]) == 0
    assert "nothing to edit" in capsys.readouterr().out
    shown = (place / "t.html").read_text("utf-8")
    assert "It is the present threshold" in shown
    assert "Precision and recall over rows flagged" in shown
    assert main(["eval", *words.split(), "--precision", "0.999"]) == 1
    assert "label more" in capsys.readouterr().out


TUNE_UNUSABLE = [
    ("--rule toxic", "--precision"),
    ("--rule toxic --recall 1", "between 0 and 1"),
    ("--rule toxi --recall 0.5", "did you mean 'toxic'"),
    ("--rule toxic --recall 0.5 --confidence 2", "confidence"),
]


@pytest.mark.parametrize(("words", "told"), TUNE_UNUSABLE)
def test_unusable_promises_are_refused(
    place: Path, words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and a message that says what to do."""
    (place / "a.yaml").write_text(MANIFEST, "utf-8")
    code, found = called(f"tune a.yaml --surface a.b --data comments.jsonl {words}", capsys)
    assert code == 2
    assert told in found["error"]
