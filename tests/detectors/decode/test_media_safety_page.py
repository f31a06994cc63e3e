"""The page on decoding says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spotsafe.detectors.decode import limits
from spotsafe.detectors.decode.limits import AUDIO, IMAGE, VIDEO, Limits, Reason
from spotsafe.detectors.decode.sniff import PICTURES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "media-safety.md").read_text(encoding="utf-8")


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


def test_the_defaults_are_whole() -> None:
    """Each kind bounds what it has."""
    for kind in (limits.IMAGE, limits.AUDIO, limits.VIDEO):
        assert min(kind.bytes, kind.wall, kind.memory, kind.nesting) > 0
