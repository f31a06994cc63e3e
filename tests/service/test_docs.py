"""``docs/service.md`` leaves nothing out."""

from __future__ import annotations

from pathlib import Path

from spotsafe.service.app import ROUTES
from spotsafe.service.keys import SCOPES
from spotsafe.service.limits import Limits
from spotsafe.service.metrics import HELP
from spotsafe.service.problems import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "service.md").read_text("utf-8")


def test_every_route_limit_metric_problem_and_scope_is_documented() -> None:
    """What the code has, the page names."""
    names = [f"{method} {path}" for method, path, _ in ROUTES]
    names += [f"`{field}`" for field in Limits._fields]
    names += [f"`{name}`" for name in HELP]
    names += [f"`{kind.slug}`" for kind in KINDS]
    names += [f"`{scope}`" for scope in SCOPES]
    assert [name for name in names if name not in PAGE] == []


def test_documented_statuses_are_the_real_ones() -> None:
    """The table of problems gives each its status."""
    for kind in KINDS:
        row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"`{kind.slug}`" in line)
        assert str(kind.status) in row
