"""From training to serving: what is live in the registry is what the service answers with."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from spotsafe.cli.main import main
from spotsafe.detectors.text import weights
from spotsafe.learning.text import contrast
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.sources import parse_registry
from spotsafe.learning.text.train import train
from spotsafe.service.serve import service_app
from tests.learning.registry.made import MAPPING

BAD = ("you are a stupid fool", "shut up idiot", "what a dumb clown", "get lost moron")
GOOD = ("what a lovely song", "thanks for the episode", "see you at eight", "nice weather here")
GATE = """\
spotsafe-gate: 1
requirements:
  - {metric: auroc, label: tone.toxic, at_least: AT_LEAST}
"""


class HashEncoder:
    """Embeddings that depend on each text's bytes alone: quick to train on."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        found = np.empty((len(texts), 512), np.float32)
        for row, text in enumerate(texts):
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
            found[row] = np.random.default_rng(seed).standard_normal(512) / 512**0.5
        return found


class SilentTeacher:
    """One tenth for everything."""

    def scores(self, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        return np.full((len(texts), 6), 0.1, np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two sets of text weights, trained from different seeds on a few rows."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [
        {"text": f"{text} {n}", "lang": "en", "labels": {"toxicity": int(text in BAD)}, "split": split}
        for n in range(9)
        for text in BAD + GOOD
        for split in [("train", "train", "test")[n % 3]]
    ]
    raw = gzip.compress("\n".join(map(json.dumps, rows)).encode(), mtime=0)
    (folder / "tiny.jsonl.gz").write_bytes(raw)
    source = {
        "file": "tiny.jsonl.gz", "sha256": hashlib.sha256(raw).hexdigest(), "origin": "self-made",
        "revision": "1", "licence": "CC0-1.0", "licence_class": "permissive", "weight": 1.0,
        "labels": {"toxicity": ["tone.toxic"]},
    }  # fmt: skip
    sources = parse_registry(json.dumps({"sources": {"tiny": source}}))
    few = contrast.load()[::40]
    for seed in (0, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(contrast, "load", lambda: few)
            train(
                folder, folder / str(seed), seed=seed, registry=sources, encoder=HashEncoder(),
                teacher=SilentTeacher(),
            )  # fmt: skip
    return folder / "0", folder / "1"


@pytest.fixture
def models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """Runs ``spotsafe models …`` with the key of a new registry; exit code and JSON document."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPOTSAFE_REGISTRY_STATE", str(tmp_path / "seen.json"))
    monkeypatch.setenv("SPOTSAFE_REGISTRY_KEY", "key.pem.pub")
    rows = [
        {"text": f"{text} number {n}", "toxic": int(text in BAD)} for n in range(3) for text in BAD + GOOD
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("rows.mapping.yaml").write_text(MAPPING)
    for name, at_least in (("gate.yaml", "0.6"), ("wall.yaml", "1.0, confidence: lower")):
        Path(name).write_text(GATE.replace("AT_LEAST", at_least))

    def called(*words: str) -> tuple[int, Any]:
        code = main(["models", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    assert called("init", "--new-key", "key.pem")[0] == 0
    return called


def _digest(version: str) -> str:
    """That of the text weights, in the version of an engine."""
    return version.partition("-")[2][:12]


class Served(NamedTuple):
    """What answered: the digest of the *live* weights and that of those in *shadow*."""

    live: str
    shadow: str | None


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Served]:
    """Runs ``spotsafe serve --registry models`` up to where it would listen, and asks its app instead."""
    found: list[Served] = []

    def asked(host: str, port: int, data_dir: Path, keys: Path | None, **options: Any) -> int:
        del options["out"]
        app = service_app(host, data_dir, keys, **options)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            while client.get("/readyz").json()["engine"] == "loading":
                pass
            parts = [{"type": "text", "text": BAD[0]}]
            body = {"items": [{"id": "1", "parts": parts}], "labels": ["tone.toxic"]}
            ((signal,),) = [one["signals"] for one in client.post("/v1/detect", json=body).json()["results"]]
            shadow = client.get("/v1/shadow").json().get("shadow")
        found.append(
            Served(_digest(signal["version"]), None if shadow is None else _digest(shadow["version"]))
        )
        return 0

    def called() -> Served:
        assert main(["serve", "--registry", "models", "--data-dir", "data", "--quiet"]) == 0
        return found.pop()

    monkeypatch.setattr("spotsafe.service.serve.serve", asked)
    return called


def test_what_is_live_is_what_answers(
    trained: tuple[Path, Path],
    models: Callable[..., tuple[int, Any]],
    served: Callable[[], Served],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Trained, added, refused by one gate and promoted by another, served; the next beside it, then instead
    of it; and back."""
    one, two = map(weights.digest, trained)
    promote = ("promote", "text", "--data", "rows.jsonl", "--key", "key.pem")
    code, added = models("add", "text", str(trained[0]), "--key", "key.pem")
    assert (code, added["card"]) == (0, "model-card-text.md")
    assert models("card", "text")[1]["card"] == (trained[0] / "model-card-text.md").read_text()
    assert models(*promote, "--to", "live", "--gate", "wall.yaml")[0] == 1
    assert main(["serve", "--registry", "models", "--json"]) == 2
    assert "no version or stage 'live'" in json.loads(capsys.readouterr().out)["error"]
    assert models(*promote, "--to", "live", "--gate", "gate.yaml")[0] == 0
    assert served() == (one, None)

    assert models("add", "text", str(trained[1]), "--key", "key.pem")[0] == 0
    assert models(*promote, "--to", "shadow", "--gate", "gate.yaml")[0] == 0
    assert served() == (one, two)
    assert models(*promote, "--to", "live", "--gate", "gate.yaml")[1]["before"] == added["version"]
    laid_out = Path("data", "models", f"text-{added['version']}", weights.WEIGHTS)
    laid_out.write_bytes(b"altered")  # what is served is checked, also where it was laid out before
    assert served() == (two, None)
    assert models("rollback", "text", "--key", "key.pem", "--reason", "false alarms")[0] == 0
    assert served() == (one, two)


def test_no_promotion_is_asked_for_without_a_gate(
    models: Callable[..., tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no option to leave it out."""
    with pytest.raises(SystemExit) as ended:
        models("promote", "text", "--to", "live", "--data", "rows.jsonl", "--key", "key.pem")
    assert ended.value.code == 2
    assert "--gate" in capsys.readouterr().err


def test_an_older_index_is_not_served(
    trained: tuple[Path, Path], models: Callable[..., tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that begins with an index that was put back does not begin, whatever is live in it."""
    models("add", "text", str(trained[0]), "--key", "key.pem")
    index = Path("models", "index.signed")
    old = index.read_bytes()
    models("add", "text", str(trained[1]), "--key", "key.pem")
    index.write_bytes(old)
    for words in (["serve", "--registry", "models", "--json"], ["models", "list", "--json"]):
        assert main(words) == 2
        assert "index 2 is older than 3" in json.loads(capsys.readouterr().out)["error"]
    assert models("accept", "--serial", "2", "--reason", "restored")[1] == {"serial": 2, "before": 3}
    assert models("list")[0] == 0
    assert models("renew", "--key", "key.pem", "--valid-days", "1")[1]["serial"] == 4


def test_a_key_is_made_to_replace_another(models: Callable[..., tuple[int, Any]]) -> None:
    """The index is signed by the new one; the old one's public key is needed no more."""
    assert models("key", "new.pem")[1] == {"key": "new.pem", "public_key": "new.pem.pub"}
    assert models("renew", "--key", "new.pem")[0] == 0
    code, error = models("list")
    assert (code, "no trusted key" in error["error"]) == (2, True)
    assert models("list", "--trust", "new.pem.pub")[0] == 0
