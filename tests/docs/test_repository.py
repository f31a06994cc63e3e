"""The repository speaks of the product only."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

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


def named_extras() -> Iterator[tuple[str, str]]:
    """``(place, extra)`` of each extra that the package tells people to install."""
    for path in sorted((ROOT / "spotsafe").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "missing_extra":
                if isinstance(node.args[0], ast.Constant):
                    yield where, str(node.args[0].value)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                for extras in re.findall(r"spotsafe\[([a-z0-9,]+)\]", node.value):
                    yield from ((where, extra) for extra in extras.split(","))


def test_every_install_hint_names_an_extra_that_exists() -> None:
    """What an error tells people to install can be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = list(named_extras())
    assert {"local", "server", "outbox", "cel"} <= {extra for _, extra in named}
    assert [place for place, extra in named if extra not in project["optional-dependencies"]] == []


def test_continuous_integration_pins_what_developers_install() -> None:
    """Every direct dependency, of any extra, has one version in ``.ci/constraints.txt``, and it fits."""
    lines = (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    known = {_normal(name): version for name, version in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    for requirement in map(Requirement, wanted):
        if requirement.name != "spotsafe":
            assert known.get(_normal(requirement.name), "") in requirement.specifier, requirement


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
