"""The room's shape: what may be imported, and what evaluation costs to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import spotsafe.policy

ROOM = Path(spotsafe.policy.__file__).parent
LIGHT = ("evaluate", "surface", "kill", "redact", "load", "actions", "durations")


@pytest.mark.parametrize("module", LIGHT)
def test_the_request_path_imports_nothing_heavy(module: str) -> None:
    """What a guarded call needs of this room loads neither pydantic nor YAML nor CEL."""
    code = f"import sys, spotsafe.policy.{module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOM.parents[1])!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {
        "pydantic",
        "yaml",
        "cel",
        "cel_expr_python",
        "asyncio",
        "httpx",
        "importlib.metadata",
        "dataclasses",
    }
    assert heavy & set(loaded) == set()


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.py")), ids=lambda path: path.name)
def test_the_room_imports_core_pydantic_and_yaml_alone(path: Path) -> None:
    """CEL libraries may be imported inside functions; other rooms not at all."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            top = name.partition(".")[0]
            if top == "spotsafe":
                assert name.split(".")[1] in ("core", "policy"), name
            elif top in ("cel", "cel_expr_python"):
                assert id(node) in inside, f"{name} at the top of {path.name}"
            else:
                assert top in ("pydantic", "pydantic_core", "yaml") or top in sys.stdlib_module_names, name
