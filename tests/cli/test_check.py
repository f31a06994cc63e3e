"""``spotsafe check``: one text against a surface, with its reasons."""

from __future__ import annotations

import io
import json
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
