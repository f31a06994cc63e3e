"""What is built is what a product team installs."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]

OPTIONAL_ROOMS = {
    "spotsafe.detectors.local:engine": "spotsafe[local]",
    "spotsafe.service:create_app": "spotsafe[server]",
    "spotsafe.integrations.fastapi:guard": "spotsafe[fastapi]",
    "spotsafe.integrations.flask:guard": "spotsafe[flask]",
}
"""Entry into a room → the extra that its error must name where it is not installed."""

BASE_ROOMS = [
    "core.content", "policy.load", "guard.ladder", "telemetry.outbox", "client.client", "surface.decorator",
    "testing", "cli.main",
]  # fmt: skip


def base_distributions() -> set[str]:
    """spotsafe's dependencies without extras, and theirs."""
    found: set[str] = set()
    waiting = list(metadata.requires("spotsafe") or [])
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = requirement.name.lower().replace("_", "-")
        if name not in found:
            found.add(name)
            waiting += metadata.requires(requirement.name) or []
    return found


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the built wheel and the base dependencies only.

    No index is asked: the dependencies are linked from this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("spotsafe-*.whl")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    site = next((folder / "env" / "lib").glob("python*/site-packages"))
    for name in base_distributions():
        for file in metadata.files(name) or []:
            top = file.parts[0]
            if top != ".." and not (site / top).exists():
                (site / top).symlink_to(
                    Path(str(file.locate())).parents[len(file.parts) - 2]
                    if len(file.parts) > 1
                    else file.locate()
                )
    return python


def run(python: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=False)


def test_the_wheel_carries_what_it_needs(clean: Path) -> None:
    """Types marker, baselines, weights with their card, and the examples of the demo are inside."""
    code = """
import json
from importlib.resources import files
root = files("spotsafe")
wanted = ["py.typed", "policy/baselines/floor.yaml", "examples/traffic.jsonl", "detectors/text/weights"]
print(json.dumps([name for name in wanted if not (root / name).is_file() and not (root / name).is_dir()]))
"""
    done = run(clean, code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("room", BASE_ROOMS)
def test_rooms_of_the_base_install_import(clean: Path, room: str) -> None:
    """What a product team installs works without any extra."""
    done = run(clean, f"import spotsafe.{room}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("entry", "extra"), OPTIONAL_ROOMS.items())
def test_rooms_behind_an_extra_say_which(clean: Path, entry: str, extra: str) -> None:
    """Entering a room without its extra gives one error that holds the install command."""
    module, _, name = entry.partition(":")
    code = f"""
from spotsafe.core.errors import ConfigurationError
try:
    import {module}
    {module}.{name}{"()" if name == "engine" else ""}
except (ConfigurationError, ImportError) as error:
    print(error)
"""
    done = run(clean, code)
    assert done.returncode == 0, done.stderr
    assert f"pip install '{extra}'" in done.stdout


def test_a_guarded_call_works_on_the_base_install(clean: Path) -> None:
    """Without engine and service nothing is clean: the content is held, unchecked, with a receipt."""
    code = """
import spotsafe, warnings
from typing import Annotated
from spotsafe import Client, SurfaceHeld, Text, safe_surface
warnings.simplefilter("ignore")
spotsafe.configure(Client(service="http://127.0.0.1:9", fallback=None))
@safe_surface("comments.create")
def create(body: Annotated[str, Text]) -> str:
    return body
try:
    create("hello")
except SurfaceHeld as held:
    print("held", held.receipt.reason.value)
"""
    done = run(clean, code)
    assert done.stdout.strip() == "held outage", done.stderr


def test_the_command_line_starts(clean: Path) -> None:
    """``spotsafe --version`` and a manifest command run on the base install."""
    command = str(clean.parent / "spotsafe")
    assert subprocess.run([command, "--version"], capture_output=True, check=False).returncode == 0
    done = subprocess.run([command, "schema", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
