"""The repository speaks of the product only."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALLOWED_TOP = {
    "pyproject.toml", "README.md", "spotsafe", "examples", "tests", "docs", "CONTRIBUTING.md",
}  # fmt: skip


def test_the_top_level_is_as_agreed() -> None:
    """Nothing but the agreed names and dotfiles stands at the top."""
    if not (ROOT / ".git").exists():
        names = {path.name for path in ROOT.iterdir() if not path.name.endswith(".egg-info")}
    else:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
        names = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= ALLOWED_TOP


def test_committed_weights_stay_small() -> None:
    """All committed binary files together stay under 40 MiB."""
    kinds = {".npz", ".onnx", ".safetensors", ".gz"}
    weights = [p for p in (ROOT / "spotsafe").rglob("*") if p.suffix in kinds]
    assert sum(path.stat().st_size for path in weights) < 40 * 2**20
