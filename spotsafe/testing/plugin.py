"""The pytest plugin: isolated tests, loud faults, and a client that needs no network and no model.

It is loaded by its entry point wherever spotsafe is installed. In every test

* faults inside spotsafe are raised instead of contained, and a guarded call in a process that configured
  no client, or whose manifests are broken, raises ConfigurationError instead of holding everything;
* the configured client is put back as it was before the test.

Fixtures: ``spotsafe_client`` (configured, with ``spotsafe_detector`` and ``spotsafe_clock``),
``spotsafe_decisions`` (what it decides), ``spotsafe_manifests`` (override it in a conftest to name your
manifests), ``spotsafe_no_live_calls``, and ``spotsafe_as_in_production`` (faults are contained again).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from spotsafe.client.client import Client
    from spotsafe.testing.capture import Captured
    from spotsafe.testing.clock import ManualClock
    from spotsafe.testing.detector import FakeDetector


@pytest.fixture(autouse=True)
def _spotsafe_isolated() -> Iterator[None]:
    """Loud faults, and the process as it was."""
    from spotsafe.client import registry

    before = registry.state()
    registry.faults.loud = True
    yield
    registry.restore(before)


@pytest.fixture
def spotsafe_as_in_production(_spotsafe_isolated: None) -> None:
    """Faults are contained and counted, and what cannot be checked is held, as in production."""
    from spotsafe.client import registry

    registry.faults.loud = False


@pytest.fixture
def spotsafe_no_live_calls() -> Iterator[None]:
    """A client that would call a service raises ConfigurationError instead; loopback is allowed."""
    from spotsafe.testing.live import no_live_calls

    with no_live_calls():
        yield


@pytest.fixture
def spotsafe_detector() -> FakeDetector:
    """A detector that finds nothing until the test scripts it."""
    from spotsafe.testing.detector import FakeDetector

    return FakeDetector()


@pytest.fixture
def spotsafe_clock() -> ManualClock:
    """The client's clock; stands still."""
    from spotsafe.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def spotsafe_manifests() -> Any:
    """Files or folders of manifests; None leaves every surface under ``baseline/floor``."""
    return None


@pytest.fixture
def spotsafe_client(
    spotsafe_detector: FakeDetector, spotsafe_clock: ManualClock, spotsafe_manifests: Any
) -> Iterator[Client]:
    """The process's client for this test: started, with the fake detector and no fallback. Its events
    stay in memory, under the environment ``test``."""
    from spotsafe.client import registry
    from spotsafe.client.client import Client

    client = Client(
        manifests=spotsafe_manifests,
        detector=spotsafe_detector,
        fallback=None,
        app="tests",
        environment="test",
        clock=spotsafe_clock,
        environ={},
    )
    client.start()
    registry.configure(client)
    yield client
    client.close(0.0)


@pytest.fixture
def spotsafe_decisions(spotsafe_client: Client) -> Iterator[Captured]:
    """Every decision that ``spotsafe_client`` makes during the test."""
    from spotsafe.testing.capture import capture_decisions

    with capture_decisions(spotsafe_client) as captured:
        yield captured
