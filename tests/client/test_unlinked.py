"""Surfaces that no manifest declares."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from spotsafe.client.client import Client
from spotsafe.core.decision import Disposition
from spotsafe.telemetry.adoption_table import summarise
from spotsafe.telemetry.file_store import read_bodies
from spotsafe.testing import FakeDetector, ManualClock


def test_a_surface_without_manifest_is_guarded_warned_of_once_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The floor decides, one log line says so, and adoption shows code without a manifest."""
    outbox, clock = tmp_path / "outbox", ManualClock()
    detector = FakeDetector({"kill you": {"violence.threat": 1.0}})
    with caplog.at_level(logging.WARNING, "spotsafe.client"):
        client = Client(detector=detector, fallback=None, outbox=outbox, clock=clock, environ={})
        held = client.check("nobody.declared", body="I will kill you")
        client.check("nobody.declared", body="a fine day")
        assert client.close(10.0)
    assert held.disposition >= Disposition.HOLD
    assert held.reasons[0].rule.startswith("baseline/floor#")
    warned = [record.getMessage() for record in caplog.records if "has no manifest" in record.getMessage()]
    assert warned == ["surface nobody.declared has no manifest: baseline/floor guards it"]
    table = summarise([json.loads(body) for body in read_bodies(outbox)], now=clock.now())
    (row,) = table.rows
    assert (row.surface, row.unlinked, row.traffic, row.declared) == ("nobody.declared", "code", 2, False)
