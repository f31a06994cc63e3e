"""The kill switch: an emergency stop of enforcement, limited in time and recorded.

It never turns detection or records off: the decision that would have been applied is kept in ``would``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

from spotsafe.core.errors import ConfigurationError
from spotsafe.policy.durations import format_instant, parse_instant

SCOPES = ("process", "surface", "rule")


class KillSwitch(NamedTuple):
    """*scope* is one of :data:`SCOPES`; *target* names the surface or the qualified rule
    (``comments.create#pii``; empty for a process); *ends* is a Unix time in seconds."""

    scope: str
    target: str
    ends: float
    reason: str

    def stops_surface(self, surface: str, now: float) -> bool:
        """Whether all enforcement of *surface* is off at *now*."""
        return now < self.ends and (
            self.scope == "process" or (self.scope == "surface" and self.target == surface)
        )

    def stops_rule(self, rule: str, now: float) -> bool:
        """Whether enforcement of one qualified *rule* is off at *now*."""
        return self.scope == "rule" and self.target == rule and now < self.ends

    def __str__(self) -> str:
        target = f" {self.target}" if self.target else ""
        return f"{self.scope}{target} off until {format_instant(self.ends)}: {self.reason}"


def parse_switches(text: str) -> tuple[KillSwitch, ...]:
    """Kill switches from ``SPOTSAFE_MODE``: ``off[:TARGET]@INSTANT[;REASON]``, several joined by commas.

    TARGET is a surface or a qualified rule (with ``#``); without one the whole process is meant.
    ``enforce`` and the empty string mean none. Raises ConfigurationError: a switch without an end, or
    one that cannot be read, must not look like one that works.
    """
    if text.strip() in ("", "enforce"):
        return ()
    return tuple(_parse_switch(entry.strip()) for entry in text.split(","))


def _parse_switch(entry: str) -> KillSwitch:
    head, _, reason = entry.partition(";")
    word, at, instant = head.partition("@")
    off, _, target = word.partition(":")
    try:
        if off != "off" or not at:
            raise ValueError
        ends = parse_instant(instant)
    except ValueError:
        raise ConfigurationError(
            "SPOTSAFE_MODE is not readable: write 'off[:SURFACE or RULE]@2026-12-31T00:00:00Z;reason',"
            " or 'enforce'"
        ) from None
    scope = "rule" if "#" in target else "surface" if target else "process"
    return KillSwitch(scope, target, ends, reason or "SPOTSAFE_MODE")


def active_switches(
    switches: Iterable[KillSwitch], surface: str, rules: Container[str], now: float
) -> tuple[KillSwitch, ...]:
    """Those that apply at *now* to *surface*, whose checks come from *rules*: process before surface before
    rule."""
    running = [switch for switch in switches if now < switch.ends]
    return tuple(
        switch
        for scope in SCOPES
        for switch in running
        if switch.scope == scope
        and (scope != "surface" or switch.target == surface)
        and (scope != "rule" or switch.target in rules)
    )
