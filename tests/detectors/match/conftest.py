"""Banks in a folder of the test, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.testing.clock import ManualClock

START = 1_800_000_000.0


@pytest.fixture
def clock() -> ManualClock:
    """It stands at :data:`START`."""
    return ManualClock(START)


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock) -> Callable[[str], BankSet]:
    """Opens the banks of the test's folder for an actor: twice, as two processes would."""
    return lambda actor: BankSet.open(tmp_path / "banks", actor=actor, clock=clock)


@pytest.fixture
def banks(opened: Callable[[str], BankSet]) -> BankSet:
    """The banks of the test's folder, changed by maria."""
    return opened("maria")
