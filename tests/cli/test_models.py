"""``spotsafe models``: a registry on disk, from its first key to a rollback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotsafe.cli.main import main
from spotsafe.detectors.text import weights
from tests.learning.registry.made import MAPPING

Call = Callable[..., tuple[int, Any]]

ROWS = [
    *({"text": f"you are a stupid worthless idiot number {n}", "toxic": 1} for n in range(12)),
    *({"text": f"we enjoyed episode {n} about garden birds", "toxic": 0} for n in range(12)),
]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs ``spotsafe models …`` in an empty folder; exit code and JSON document."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPOTSAFE_REGISTRY_KEY", raising=False)

    def called(action: str, *words: str) -> tuple[int, Any]:
        code = main(["models", action, "--json", *words])
        return code, json.loads(capsys.readouterr().out)

    return called


def write(folder: Path) -> None:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "rows.mapping.yaml").write_text(MAPPING)
    (folder / "gate.yaml").write_text(GATE)


GATE = """\
spotsafe-gate: 1
about: what the fixture asks
requirements:
  - {id: ranks, metric: auroc, label: tone.toxic, at_least: 0.9}
"""


def test_a_model_goes_live_by_its_gate(call: Call, tmp_path: Path) -> None:
    """The shipped text weights: added, promoted, listed, laid out; there is nothing to go back to yet."""
    code, made = call("init", "--new-key", "key.pem")
    assert (code, made["public_key"]) == (0, "key.pem.pub")
    code, added = call("add", "text", str(weights.shipped()), "--key", "key.pem", "--by", "ann")
    assert code == 0
    write(tmp_path)
    words = ("text", "--to", "live", "--gate", "gate.yaml", "--data", "rows.jsonl")
    code, promoted = call("promote", *words, "--key", "key.pem", "--reason", "first")
    assert (code, promoted["promoted"], promoted["version"]) == (0, True, added["version"])
    code, listed = call("list", "--trust", "key.pem.pub")
    assert listed["models"]["text"]["stages"]["live"] == added["version"]
    kept = listed["models"]["text"]["history"][-1]["gate"]
    gate = json.loads(Path("models", "gates", f"{kept}.json").read_text())
    assert (gate["version"], gate["rows"], list(gate["data"])) == (added["version"], len(ROWS), ["fixture"])
    code, error = call("rollback", "text", "--key", "key.pem", "--reason", "because")
    assert code == 2
    assert f"no version in live before {added['version']}" in error["error"]
    code, _ = call("layout", "text", "live", "engine", "--trust", "key.pem.pub")
    assert weights.digest(tmp_path / "engine") == weights.digest(weights.shipped())


def test_whose_signature_counts_has_to_be_said(call: Call, tmp_path: Path) -> None:
    """A registry cannot vouch for itself."""
    call("init", "--new-key", "key.pem")
    code, error = call("list")
    assert code == 2
    assert "--trust" in error["error"]


def test_json_counts_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the action as after it."""
    monkeypatch.chdir(tmp_path)
    assert main(["models", "--json", "init", "--new-key", "key.pem"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == "key.pem"
