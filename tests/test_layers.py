"""Which room may import which: the table of the architecture, enforced on every import statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "spotsafe"

CLIENT_SIDE = {"core", "policy", "guard", "telemetry", "client", "surface"}

ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "policy": {"core"},
    "guard": {"core", "policy"},
    "telemetry": {"core"},
    "client": {"core", "policy", "guard", "telemetry"},
    "surface": {"core", "client"},
    "testing": CLIENT_SIDE,
    "integrations": {"core", "client", "surface"},
    # Nothing above this line may import anything below it.
    "detectors": {"core"},
    "service": {"core", "policy", "detectors", "telemetry"},
    "coverage": {"core", "policy"},
    "evaluation": {"core", "policy", "detectors"},
    "learning": {"core", "policy", "detectors", "evaluation"},
    "cli": {"*"},
}
"""Room → the rooms that it may import; its own modules, ``_version`` and (for ``cli``) all are allowed."""

FOREIGN: dict[str, set[str]] = {
    "core": {"httpx", "pydantic", "yaml", "cachetools", "tenacity", "opentelemetry", "numpy", "starlette"},
    "policy": {"httpx", "numpy", "starlette"},
    "guard": {"httpx", "asyncio", "socket", "time", "random"},
    "surface": {"httpx", "pydantic", "yaml", "asyncio", "fastapi", "flask", "celery", "starlette"},
}
"""Room → what it must not import from outside: core is standard library, guard decides without I/O."""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """``(line, module)`` of each import in the file, inside of functions too, but not those that only a
    type checker reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unread = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in unread:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import siblings by their full path"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}" if node.module == "spotsafe" else str(node.module)
                yield node.lineno, whole


def rooms() -> list[str]:
    return sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def test_every_room_is_in_the_table() -> None:
    """A new room states what it may import before it exists."""
    assert set(rooms()) <= set(ALLOWED)


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    """Violations come with file and line."""
    allowed = ALLOWED[room]
    wrong = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        for line, module in imports(path):
            place = f"{path.relative_to(PACKAGE)}:{line} imports {module}"
            top, _, rest = module.partition(".")
            if top == "spotsafe":
                target = rest.partition(".")[0]
                if target not in {room, "_version", "__version__"} | allowed and "*" not in allowed:
                    wrong.append(place)
            elif top in FOREIGN.get(room, ()):
                wrong.append(place)
    assert wrong == []
