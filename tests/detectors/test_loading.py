"""What can be loaded and closed, and what cannot."""

from __future__ import annotations

import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors import loading


class Noting:
    def __init__(self, notes: list[str], name: str) -> None:
        self._notes, self._name = notes, name

    def warm(self) -> None:
        self._notes.append(f"warm {self._name}")

    def close(self) -> None:
        self._notes.append(f"close {self._name}")


def test_all_that_can_is_loaded_and_closed_in_order() -> None:
    """None and things with neither are passed over."""
    notes: list[str] = []
    things = (Noting(notes, "a"), None, object(), Noting(notes, "b"))
    loading.warm(*things)
    loading.close(*things)
    assert notes == ["warm a", "warm b", "close a", "close b"]


def test_what_is_absent_is_told() -> None:
    """An error of loading is the caller's."""

    class Absent:
        def warm(self) -> None:
            raise ConfigurationError("install it")

    with pytest.raises(ConfigurationError, match="install it"):
        loading.warm(Absent())
