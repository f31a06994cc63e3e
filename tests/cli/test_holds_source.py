"""``spotsafe holds``: where it looks for holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spotsafe.cli.main import main
from spotsafe.client.hold_store import FileHolds, holds_path
from spotsafe.testing import ManualClock


def test_a_file_that_is_named_goes_before_a_service_of_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a service in the environment can still look into a client's outbox."""
    outbox = tmp_path / "spotsafe.outbox"
    FileHolds(holds_path(outbox), ManualClock()).check()
    monkeypatch.setenv("SPOTSAFE_SERVICE", "http://127.0.0.1:9")
    assert main(["holds", "list", "--json", "--outbox", str(outbox)]) == 0
    assert json.loads(capsys.readouterr().out) == {"holds": []}


def test_two_sources_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A service and a file cannot both be meant."""
    with pytest.raises(SystemExit) as ended:
        main(["holds", "list", "--service", "http://127.0.0.1:9", "--outbox", "o"])
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
