"""``spotsafe check``: one text against a surface, with its reasons."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotsafe.cli.main import main
from spotsafe.core.signals import Span
from spotsafe.testing import FakeService

MANIFEST = """\
spotsafe: 1
team: t
owner: o@example.com
surfaces:
  a.b:
    content: {body: text}
    rules:
      - {id: rude, label: tone.profanity, at: 0.5, then: redact}
      - {id: toxic, label: tone.toxic, at: 0.5, then: hold}
"""


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService(api_key="secret-key") as running:
        running.say("tone.toxic", 0.9, containing="idiots")
        running.say("tone.profanity", 0.9, containing="damn", evidence=[Span(0, 4)])
        yield running


def check(folder: Path, service: FakeService, *words: str) -> int:
    (folder / "m.yaml").write_text(MANIFEST)
    source = ("--manifests", str(folder), "--service", service.url)
    return main(["check", "--surface", "a.b", *source, *words])


def test_the_answer_names_action_scores_and_rules(
    tmp_path: Path, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1 where the text does not pass, and everything that led there in the JSON."""
    assert check(tmp_path, service, "--api-key", "secret-key", "--json", "you idiots") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["action"], found["status"]) == ("hold", "checked")
    assert found["reasons"] == [
        {"rule": "a.b#toxic", "label": "tone.toxic", "because": "0.90 ≥ 0.50", "does": "hold"}
    ]
    assert found["scores"]["tone.toxic"] == 0.9


def test_a_text_from_standard_input_is_shown_redacted(
    tmp_path: Path, service: FakeService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 0 for a text that passes after an edit; the key comes from the environment."""
    monkeypatch.setenv("SPOTSAFE_API_KEY", "secret-key")
    monkeypatch.setattr("sys.stdin", io.StringIO("damn good episode"))
    assert check(tmp_path, service, "-") == 0
    shown = capsys.readouterr().out
    assert "redact" in shown
    assert "████ good episode" in shown
    assert "secret-key" not in shown


def test_a_service_that_does_not_know_the_key_checks_nothing(
    tmp_path: Path, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was not checked is never shown as clean by the service."""
    check(tmp_path, service, "--json", "a fine day")
    assert json.loads(capsys.readouterr().out)["status"] not in ("checked", "cached")


def test_nothing_to_check_is_unusable_input(
    tmp_path: Path, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty text is an error with the remedy."""
    assert check(tmp_path, service, " ") == 2
    assert "pass it as an argument" in capsys.readouterr().err


def test_the_headline_names_effects_too(
    tmp_path: Path, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that is done, not the one word for it; without scores a sentence in place of a table."""
    assert check(tmp_path, service, "--api-key", "secret-key", "damn idiots") == 1
    assert capsys.readouterr().out.startswith("hold, redact  (checked)")
    assert check(tmp_path, service, "--api-key", "secret-key", "a fine day") == 0
    shown = capsys.readouterr().out
    assert "labels scores 0.1 or more" in shown
    assert "Scores from" not in shown


@pytest.mark.parametrize("manifests", [("--manifests", "safety"), ()])
def test_an_unknown_surface_is_an_error_with_near_names(
    manifests: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2; ``safety/`` is read where no manifests are named, as by the other commands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "safety").mkdir()
    (tmp_path / "safety" / "m.yaml").write_text(MANIFEST.replace("a.b", "comments.create"))
    assert main(["check", *manifests, "--surface", "comments.crate", "hello"]) == 2
    assert "did you mean 'comments.create'?" in capsys.readouterr().err


@pytest.mark.parametrize("deadline", ["1ms", "async"])
def test_a_person_waits_longer_than_a_request(
    deadline: str, tmp_path: Path, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    """The surface's deadline does not bound the command, and an async surface is checked at once."""
    manifest = MANIFEST.replace("    rules:", f"    deadline: {deadline}\n    rules:", 1)
    (tmp_path / "m.yaml").write_text(manifest)
    source = ("--manifests", str(tmp_path), "--service", service.url, "--api-key", "secret-key")
    assert main(["check", "--surface", "a.b", *source, "--json", "you idiots"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["scores"]["tone.toxic"]) == ("checked", 0.9)


def test_warnings_of_a_start_are_not_shown(
    tmp_path: Path, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """They are lint's; the level of the logger is put back."""
    manifest = MANIFEST.replace("at: 0.5, then: hold", "at: 1, then: hold")
    (tmp_path / "m.yaml").write_text(manifest)
    level = logging.getLogger("spotsafe").level
    source = ("--manifests", str(tmp_path), "--service", service.url, "--api-key", "secret-key")
    main(["check", "--surface", "a.b", *source, "a fine day"])
    assert [record for record in caplog.records if record.name.startswith("spotsafe")] == []
    assert logging.getLogger("spotsafe").level == level
