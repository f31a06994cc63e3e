"""``spotsafe train text``: what it says about data that it cannot use."""

from __future__ import annotations

import json

import pytest

from spotsafe.cli import main as cli
from spotsafe.cli import train as command


def test_absent_data_is_named_with_its_origin(tmp_path, capsys):
    """Without the registered files the command ends with 2, names the file and writes nothing."""
    out = tmp_path / "out"
    assert cli.main(["train", "text", "--data", str(tmp_path), "--out", str(out)]) == cli.UNUSABLE
    message = capsys.readouterr().err
    assert "jsonl.gz: absent" in message
    assert "published at" in message
    assert not out.exists()


def test_unusable_registry_is_reported_as_json(tmp_path, capsys):
    """With ``--json`` the fault is one document on standard output."""
    registry = tmp_path / "mine.json"
    registry.write_text("{}")
    words = ["train", "text", "--data", str(tmp_path), "--registry", str(registry), "--json"]
    assert cli.main(words) == cli.UNUSABLE
    assert "not a registry" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("extra", ["local", "eval"])
def test_missing_extra_is_named(extra, tmp_path, capsys, monkeypatch):
    """Where the packages for training are absent, the install line says which extra brings them."""
    gone = command.RECIPES["text"].extras[extra]
    monkeypatch.setattr(command, "find_spec", lambda name: None if name in gone else object())
    assert cli.main(["train", "text", "--data", str(tmp_path)]) == cli.UNUSABLE
    assert f"pip install 'spotsafe[{extra}]'" in capsys.readouterr().err
