"""``spotsafe check --part … --context …``: one content of several parts, as a product would pass it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from spotsafe.cli import check, check_shown, waiting
from spotsafe.cli.main import main
from spotsafe.cli.waiting import Waited
from spotsafe.client.client import Client
from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Verdict
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Detector
from spotsafe.core.signals import Cause, Signal, Signals
from spotsafe.detectors import local
from spotsafe.detectors.fusion.engine import ID
from spotsafe.policy.starter import AUDIENCES
from spotsafe.policy.surface import SurfacePolicy
from spotsafe.testing import FakeService
from tests.detectors.decode import made

MANIFEST = """\
spotsafe: 1
team: t
owner: o@example.com
surfaces:
  a.b:
    content: {title: text, cover: {type: image, optional: true}}
    context: {age: int, share: double, staff: bool, market: string, tags: strings}
    languages: [de, en]
    rules:
      - {id: rude, label: tone.profanity, at: 0.5, then: redact}
      - {id: young, label: tone.toxic, at: 0.5, then: hold, when: "age < 7 && 'new' in tags && !staff"}
"""
CONTEXT = ("--context", "age=2", "--context", "tags=new, other", "--context", "staff=false")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(MANIFEST)
    (tmp_path / "half.png").write_bytes(made.picture("PNG"))
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    with FakeService(default=0.0) as running:
        running.say("tone.toxic", 0.9, containing="idiots")
        running.say("violence.threat", 0.3, containing="PNG")
        yield running


@pytest.fixture
def run(service: FakeService, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def called(*words: str) -> tuple[int, str, str]:
        code = main(["check", "--manifests", "m.yaml", "--service", service.url, *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


Run = Callable[..., tuple[int, str, str]]


def test_parts_are_one_content_with_scores_for_each(run: Run) -> None:
    """One decision and one document, of which each part has its own section."""
    words = ("--surface", "a.b", *CONTEXT, "--part", "title=you idiots", "--part", "cover=half.png")
    code, said, _ = run(*words, "--json")
    found = json.loads(said)
    assert (code, found["action"]) == (1, "hold")
    assert list(found["parts"]) == ["title", "cover"]
    assert (found["parts"]["cover"]["kind"], found["parts"]["cover"]["file"]) == ("image", "half.png")
    assert found["parts"]["title"]["scores"]["tone.toxic"] == 0.9
    assert found["parts"]["cover"]["scores"]["tone.toxic"] == 0.0
    rows = [line.split() for line in run(*words)[1].splitlines()]
    assert any(row[:2] == ["cover", "violence.threat"] for row in rows)


def test_without_a_surface_files_are_files_and_words_are_texts(run: Run) -> None:
    """And any name will do."""
    code, said, _ = run("--json", "--part", "a=some words", "--part", "b=half.png")
    assert {name: part["kind"] for name, part in json.loads(said)["parts"].items()} == {
        "a": "text",
        "b": "image",
    }
    assert code == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--part", "titel=x"], "did you mean 'title'?; declared are: title, cover"),
        (["--part", "some words"], "--part takes NAME=VALUE"),
        (["--part", "title=a", "--part", "title=b"], "title[0]=…, title[1]=…"),
        (["--part", "title=half.png"], "half.png is image, and the manifest declares text"),
        (["--part", "cover=song.mp3"], "song.mp3 is audio, and the manifest declares image"),
        (["--part", "cover=none.png"], "'none.png' is no file here; check the path"),
        (["--part", "title= "], "--part title: there is no text"),
        (["--part", "title=x", "more"], "give the other words as parts too"),
        (["--context", "aeg=2", "x"], "did you mean 'age'?"),
        (["--context", "age=two", "x"], "--context age: the manifest declares int; give a whole number"),
        (["--context", "staff=0", "x"], "give true or false"),
        (["--context", "age", "x"], "--context takes NAME=VALUE"),
    ],
)
def test_what_fits_no_declaration_is_said_with_the_remedy(run: Run, words: list[str], problem: str) -> None:
    """Exit 2, before anything is checked."""
    code, _, said = run("--surface", "a.b", *words)
    assert code == 2
    assert problem in said


def test_a_context_needs_a_surface(run: Run) -> None:
    """Nothing else declares its types."""
    code, _, said = run("--context", "age=2", "x")
    assert code == 2
    assert "--context needs --surface" in said


@pytest.mark.parametrize(
    ("context", "because"),
    [
        (CONTEXT, ["0.90 ≥ 0.50"]),
        (("--context", "age=9", *CONTEXT[2:]), []),
        ((), ["missing: context"]),
    ],
)
def test_conditions_read_the_context_that_is_given(
    run: Run, context: Sequence[str], because: list[str]
) -> None:
    """Typed by the manifest; without it what ``when`` cannot tell is shown as missing."""
    _, said, _ = run("--surface", "a.b", *context, "--json", "you idiots")
    assert [reason["because"] for reason in json.loads(said)["reasons"]] == because


def test_the_surface_states_the_languages(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the product; the option is for others."""
    asked: list[tuple[str, ...]] = []
    true = waiting.decided

    def noted(client: Client, policy: SurfacePolicy, content: Content, **more: Any) -> Waited:
        asked.append(content.languages)
        return true(client, policy, content, **more)

    monkeypatch.setattr(check, "decided", noted)
    run("--surface", "a.b", "hello")
    run("--surface", "a.b", "--language", "fr", "hello")
    assert asked == [("de", "en"), ("fr",)]


def test_a_score_that_parts_make_together_is_said_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, and with the detector's id in the JSON."""
    assert check_shown.FUSED == ID
    joined = Signals(
        [
            Signal("hate.speech", 0.91, "title", 3, ID, "1"),
            Signal("hate.speech", 0.2, "cover", 3, "local.image.text", "1"),
        ]
    )
    decision = Decision("s", Verdict(), joined, Content([]), lambda: "id")
    monkeypatch.setattr(check, "decided", lambda *_, **__: Waited(decision))
    words = ("--part", "title=some words", "--part", "cover=half.png")
    assert "title together with cover: hate.speech 0.91" in run(*words)[1]
    together = json.loads(run(*words, "--json")[1])["together"]
    assert [(entry["part"], entry["detector"]) for entry in together] == [("title", ID)]


def test_what_failed_alike_is_one_row(run: Run, service: FakeService) -> None:
    """A broken file fails every rule for one cause, which is said once; the JSON has each."""
    for label in LABELS:
        service.omit(label, Cause.ERROR)
    words = ("--part", "cover=half.png")
    shown = run(*words)[1]
    assert shown.count("failure: error") == 1
    assert " more" in shown
    assert len(json.loads(run(*words, "--json")[1])["reasons"]) > 3


@pytest.fixture(scope="module")
def engine() -> Detector:
    return local.engine("first")


@pytest.mark.parametrize("baseline", AUDIENCES)
def test_what_the_starter_comments_out_works(
    baseline: str,
    engine: Detector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With every commented line in force the engine gives what the manifest asks, and its examples pass; one
    whose context is missing fails for that cause, which is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, "engine", lambda *_, **__: engine)
    main(["init", "a.b", "--baseline", baseline])
    path = tmp_path / "safety" / "a-b.yaml"
    text, count = re.subn(r"(?m)^( +)# (context:|- \{|on_failure:)", r"\1\2", path.read_text("utf-8"))
    assert count == 4
    path.write_text(text, "utf-8")
    assert main(["lint"]) == 0
    assert main(["test"]) == 0
    path.write_text(text.replace("context: {author_age_days: 2}, ", ""), "utf-8")
    capsys.readouterr()
    assert main(["test", "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)["examples"][2]["causes"] == ["context"]
