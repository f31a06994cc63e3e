"""Scored runs as policies and metrics see them, labels sampled by score included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.evaluation.datasets.rows import DataSet, Row
from spotsafe.evaluation.policies.data import policy_data
from spotsafe.evaluation.policies.measured import evaluate_policies
from spotsafe.evaluation.runs.measures import Subject, measure
from spotsafe.evaluation.runs.run import ScoredRun
from spotsafe.evaluation.runs.scoring import score
from spotsafe.policy.load import load_text

SPAM = "integrity.spam"

MANIFEST = """
spotsafe: 1
team: t
owner: o@example.com
extends: baseline/floor
surfaces:
  notes.create:
    audience: public
    content: {body: text}
    on_failure: {default: hold}
    rules:
      - {id: spam, label: integrity.spam, at: 0.5, then: block}
"""


class Reader:
    """Scores a text by the number that it is; cannot read an empty one."""

    id, version = "reader", "1"

    def capabilities(self) -> None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [self._signals(request) for request in requests]

    def _signals(self, request: DetectRequest) -> Signals:
        part = request.content.parts[0]
        if part.kind == "text" and part.data:
            return Signals([Signal(label, float(part.data), part.name) for label in request.labels])
        return Signals((), [Missing(label, part.name, Cause.ERROR) for label in request.labels])


def scored(rows: list[Row], folder: Path, *, sampled: bool = False) -> ScoredRun:
    data = DataSet("mine", lambda: iter(rows), (SPAM,), digest="d", sampled=sampled)
    return score(Reader(), data, folder)


def row(name: str, text: str, label: float, **fields: object) -> Row:
    return Row(name, Content([Text(text, "body")]), {SPAM: label}, **fields)  # type: ignore[arg-type]


def test_causes_kinds_slices_and_ids_come_along(tmp_path: Path) -> None:
    """A text without a score is held by the surface's on_failure, sound is no row of it, languages divide."""
    rows = [
        row("a", "0.9", 1, language="en"),
        row("b", "0.1", 0, language="de"),
        row("c", "", 0, language="de"),
        Row("d", Content([Audio(b"x", "body")]), {SPAM: 0.0}),
    ]
    data = policy_data(scored(rows, tmp_path / "run"))
    found = evaluate_policies(load_text({"m.yaml": MANIFEST}, now=0.0), data, groupings=["language"])[0]
    assert (found.rows, found.left_out) == (3, 1)
    assert found.shares["block"].value == pytest.approx(1 / 3)
    assert found.shares["hold"].value == pytest.approx(1 / 3)
    assert found.unsure.value == pytest.approx(1 / 3)
    assert {entry.value: entry.shares["hold"].value for entry in found.slices} == {"en": 0.0, "de": 0.5}
    assert data.ids([2]) == ["c"]


def test_a_sampled_run_is_weighed_everywhere(tmp_path: Path) -> None:
    """60 labelled rows of a stratum that was taken whole, 60 of one that was taken by a tenth: rates, areas
    and shares are of the 660 rows that they stand for; a rate of 1 % of 35 clean rows cannot be told."""
    rng = np.random.default_rng(0)
    rows = []
    for stratum, chance, positive in (("high", 1.0, 40), ("low", 0.1, 25)):
        for index in range(60):
            value = 0.6 + 0.4 * rng.random() if stratum == "high" else 0.4 * rng.random()
            label = float(index < positive)
            rows.append(row(f"{stratum}{index}", f"{value:.4f}", label, inclusion=chance, stratum=stratum))
    run = scored(rows, tmp_path / "run", sampled=True)
    names = ["precision", "recall", "prevalence", "auroc", "auprc", "recall_at_fpr", "ece"]
    found = measure(Subject(run, SPAM), names)
    assert found["precision"].value == pytest.approx(40 / 60)
    assert found["recall"].value == pytest.approx(40 / (40 + 250))
    assert found["prevalence"].value == pytest.approx(290 / 660)
    assert found["auroc"].method.startswith("hájek")
    assert "cannot tell" in str(found["recall_at_fpr"].refused)
    assert found["ece"].method.startswith("hájek")
    shares = evaluate_policies(load_text({"m.yaml": MANIFEST}, now=0.0), policy_data(run))[0].shares
    assert shares["block"].value == pytest.approx(60 / 660)
