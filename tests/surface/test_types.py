"""The decorator's types, read by a type checker: decorated functions keep theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

CODE = """
from collections.abc import AsyncIterator, Iterator
from typing import Annotated
from spotsafe import Text, safe_surface
from spotsafe.surface import guarded

@safe_surface("s")
def sync(a: int, body: Annotated[str, Text]) -> str: return body

@safe_surface("s")
async def coroutine(body: Annotated[str, Text]) -> bytes: return b""

@safe_surface("s")
def generator(body: Annotated[str, Text]) -> Iterator[int]: yield 1

@safe_surface("s")
async def async_generator(body: Annotated[str, Text]) -> AsyncIterator[int]: yield 1

class Service:
    @safe_surface("s")
    def method(self, body: Annotated[str, Text]) -> float: return 1.0
    @classmethod
    @safe_surface("s")
    def inside(cls, body: Annotated[str, Text]) -> float: return 1.0
    @safe_surface("s")
    @staticmethod
    def outside(body: Annotated[str, Text]) -> float: return 1.0

reveal_type(sync)
reveal_type(coroutine)
reveal_type(generator)
reveal_type(async_generator)
reveal_type(Service().method)
reveal_type(Service.inside)
reveal_type(Service.outside)
with guarded("s", body="x") as decision:
    reveal_type(decision)
sync("not a number", "x")
safe_surface(3)
"""

EXPECTED = [
    "def (a: int, body: str) -> str",
    "def (body: str) -> typing.Coroutine[Any, Any, bytes]",
    "def (body: str) -> typing.Iterator[int]",
    "def (body: str) -> typing.AsyncIterator[int]",
    "def (body: str) -> float",
    "def (body: str) -> float",
    "def (body: str) -> float",
    "spotsafe.core.decision.Decision",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("types")
    (folder / "snippet.py").write_text(CODE, encoding="utf-8")
    config = folder / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = True\ncache_dir = {folder / 'cache'}\nfollow_imports = silent\n")
    out, errors, _ = api.run([str(folder / "snippet.py"), "--config-file", str(config)])
    assert not errors
    return out.replace("builtins.", "").replace("collections.abc.", "typing.")


def test_decorated_functions_keep_their_types(report: str) -> None:
    """Parameters and results of every kind of handler are what they were."""
    revealed = [line.split('"')[1] for line in report.splitlines() if "Revealed type" in line]
    assert revealed == EXPECTED, report


def test_misuse_is_a_type_error(report: str) -> None:
    """A wrong argument, and a wrong option of the decorator, are found by the type checker."""
    wrong = [Path(line).name for line in report.splitlines() if "[arg-type]" in line]
    assert len(wrong) == 2, report
