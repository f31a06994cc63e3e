"""The plugin: run in a pytest of its own, as a product's suite would."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest
import spotsafe
from typing import Annotated
from spotsafe import Client, ConfigurationError, SurfaceHeld, Text, safe_surface
from spotsafe.client import registry
from spotsafe.testing import FakeDetector

@safe_surface("comments.create")
def create(body: Annotated[str, Text]) -> str:
    return body
"""


def test_fixtures_work_together(pytester: pytest.Pytester) -> None:
    """Client, detector, clock and decisions belong to each other; nothing outlives its test."""
    pytester.makepyfile(
        SUITE
        + """
def test_first(spotsafe_client, spotsafe_detector, spotsafe_clock, spotsafe_decisions):
    spotsafe_detector.say("kill", {"violence.threat": 0.99})
    assert create("fine") == "fine"
    with pytest.raises(SurfaceHeld) as held:
        create("kill")
    assert spotsafe_decisions.actions == [("comments.create", "allow"), ("comments.create", "hold")]
    assert held.value.receipt.expires > spotsafe_clock.now()
    assert spotsafe.current() is spotsafe_client

def test_second():
    with pytest.raises(ConfigurationError, match="configured no client"):
        create("fine")

def test_third(spotsafe_client, spotsafe_detector):
    assert spotsafe_detector.requests == []
    assert create("kill") == "kill"
"""
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_a_suites_own_client_and_manifests_are_respected(pytester: pytest.Pytester) -> None:
    """A client configured at import holds for all tests; spotsafe_manifests names the product's own."""
    pytester.makeconftest(
        '''
import pytest
import spotsafe
from spotsafe.testing import FakeDetector
own = spotsafe.Client(detector=FakeDetector(), fallback=None, app="own")
spotsafe.configure(own)

@pytest.fixture
def spotsafe_manifests(tmp_path):
    (tmp_path / "m.yaml").write_text("""
spotsafe: 1
team: t
owner: t@example.com
extends: baseline/floor
surfaces:
  comments.create:
    about: Comments
    direction: input
    audience: public
    content: {body: text}
""")
    return tmp_path
'''
    )
    pytester.makepyfile(
        SUITE
        + """
def test_replaced(spotsafe_client):
    assert create("fine") == "fine"
    assert not spotsafe_client.policy("comments.create").unlinked

@pytest.mark.parametrize("again", [1, 2])
def test_own(again):
    assert spotsafe.current().policy("comments.create").unlinked
    assert create("fine") == "fine"
"""
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_faults_are_loud_unless_a_test_wants_production(pytester: pytest.Pytester) -> None:
    """Broken manifests and faults of spotsafe raise in tests; spotsafe_as_in_production holds instead."""
    pytester.makepyfile(
        SUITE
        + """
class Broken(FakeDetector):
    def detect(self, requests, *, timeout=None):
        raise ZeroDivisionError

def test_loud():
    with Client(detector=Broken(), fallback=None, app="t") as client:
        with pytest.raises(ConfigurationError, match="internal fault"):
            client.check("comments.create", body="x")

def test_broken_manifests(tmp_path):
    (tmp_path / "m.yaml").write_text("surfaces: [")
    spotsafe.configure(Client(manifests=tmp_path, detector=FakeDetector(), fallback=None, app="t"))
    with pytest.raises(spotsafe.SpotsafeError):
        create("x")

def test_production(spotsafe_as_in_production, tmp_path):
    with Client(detector=Broken(), fallback=None, app="t") as client:
        assert client.check("comments.create", body="x").action == "hold"
    (tmp_path / "m.yaml").write_text("surfaces: [")
    spotsafe.configure(Client(manifests=tmp_path, detector=FakeDetector(), fallback=None, app="t"))
    with pytest.raises(SurfaceHeld):
        create("x")

def test_loud_again():
    assert registry.faults.loud

def test_no_live(spotsafe_no_live_calls):
    with pytest.raises(ConfigurationError, match="no_live_calls"):
        registry.require_live_calls("detect.example")
"""
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=5)
