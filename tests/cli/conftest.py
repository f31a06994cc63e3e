"""What all commands are run with here."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's state."""
    monkeypatch.setenv("SPOTSAFE_REGISTRY_STATE", str(tmp_path / "state" / "registries.json"))
