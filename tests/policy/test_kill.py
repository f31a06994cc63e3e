"""Kill switches from the environment."""

from __future__ import annotations

import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.policy.kill import KillSwitch, active_switches, parse_switches

END = 1_798_675_200.0  # 2026-12-31T00:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("enforce", ()),
        (" ", ()),
        ("off@2026-12-31T00:00:00Z", (KillSwitch("process", "", END, "SPOTSAFE_MODE"),)),
        ("off:a.b@2026-12-31T00:00:00Z;storm", (KillSwitch("surface", "a.b", END, "storm"),)),
        (
            "off:baseline/floor#hate@2026-12-31T00:00Z;x, off:c@2026-12-31T00:00:00Z",
            (
                KillSwitch("rule", "baseline/floor#hate", END, "x"),
                KillSwitch("surface", "c", END, "SPOTSAFE_MODE"),
            ),
        ),
    ],
)
def test_switches_are_read(text: str, expected: tuple[KillSwitch, ...]) -> None:
    """Scope follows from the target; every switch has an end."""
    assert parse_switches(text) == expected


@pytest.mark.parametrize(
    "text", ["off", "on", "off:a.b", "off@tomorrow", "off@2026-12-31", "off@2026-12-31T00:00:00+02:00"]
)
def test_a_switch_without_a_readable_end_is_refused(text: str) -> None:
    """An emergency stop that nobody can read must not look like one that works."""
    with pytest.raises(ConfigurationError, match="SPOTSAFE_MODE"):
        parse_switches(text)


def test_all_running_switches_of_a_surface_apply() -> None:
    """Process before surface before rules; ended ones and those of others do not count."""
    process, surface = KillSwitch("process", "", 5.0, "p"), KillSwitch("surface", "a.b", 9.0, "s")
    one, two = (KillSwitch("rule", f"a.b#{name}", 9.0, "r") for name in "rs")
    given = [one, two, surface, process]
    assert active_switches(given, "a.b", {"a.b#r", "a.b#s"}, 1.0) == (process, surface, one, two)
    assert active_switches(given, "a.b", {"a.b#s"}, 6.0) == (surface, two)
    assert active_switches(given, "c", {"c#r"}, 1.0) == (process,)
    assert active_switches(given, "a.b", {"a.b#r", "a.b#s"}, 9.0) == ()


def test_a_switch_says_what_it_does() -> None:
    """Its text names scope, target, end and reason, for logs and adoption."""
    assert (
        str(KillSwitch("surface", "a.b", END, "storm")) == "surface a.b off until 2026-12-31T00:00:00Z: storm"
    )
