"""The page on decoding says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spotsafe.detectors.decode import limits
from spotsafe.detectors.decode.limits import AUDIO, IMAGE, VIDEO, Limits, Reason
from spotsafe.detectors.decode.sniff import PICTURES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "media-safety.md").read_text(encoding="utf-8")


def row(section: str, name: str) -> list[str]:
    """The cells of the row that begins with *name* in the table of *section*."""
    (body,) = re.findall(rf"^## {section}$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = re.findall(rf"^\| `{name}`(.*)\|$", body, re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


@pytest.mark.parametrize("name", Limits._fields)
def test_every_limit_is_on_the_page_with_its_defaults(name: str) -> None:
    """A limit that a kind does not have is a dash."""
    stated = row("The limits", name)[1:4]
    for cell, defaults in zip(stated, (IMAGE, AUDIO, VIDEO), strict=True):
        assert cell == "–" or float(cell) == getattr(defaults, name)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_on_the_page_with_its_cause(reason: Reason) -> None:
    """And with a remedy."""
    _, what, cause, remedy = row("The errors", reason.value)
    assert cause == f"`{reason.cause.value}`"
    assert what
    assert remedy


def test_every_accepted_picture_format_is_on_the_page() -> None:
    """By the name people know it by."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith("* **Pictures**")]
    assert all(name in line.lower() for name in PICTURES)


def test_the_figures_are_those_of_the_benchmark() -> None:
    """The table is what the committed result says."""
    results = ROOT / "tests" / "benchmarks" / "results" / "media_decode.json"
    for name, found in json.loads(results.read_text(encoding="utf-8"))["files"].items():
        figures = f"{found['bare_cpu_ms']:.1f} ms | {found['worker_cpu_ms']:.1f} ms"
        ratios = f"{found['worker_to_bare_cpu']:.2f} | {found['inline_to_bare_cpu']:.2f}"
        assert f"| {name} | {figures} | {ratios} |" in PAGE


def test_the_defaults_are_whole() -> None:
    """Each kind bounds what it has."""
    for kind in (limits.IMAGE, limits.AUDIO, limits.VIDEO):
        assert min(kind.bytes, kind.wall, kind.memory, kind.nesting) > 0
