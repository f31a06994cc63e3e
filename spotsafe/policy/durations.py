"""Durations and instants as manifests write them, in seconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT = "|".join(UNITS)
DURATION_PATTERN = rf"^(0|[0-9]+(\.[0-9]+)?({_UNIT}))$"
WEEK = 604_800.0
ASYNC = math.inf
"""The deadline of a surface whose check never runs inside a request."""

IMAGE_DEADLINE = 3.0
"""Seconds for a check with a picture where its surface states none: decoding, classes and reading take a few
hundred milliseconds (``docs/model-card-image.md``); the rest is for machines that are busy."""

HASTY = 1.0
"""Seconds below which a deadline leaves many pictures unchecked."""

_DURATION = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,6}})?)({_UNIT})")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|\+00:00)")


def parse_duration(text: str) -> float:
    """Seconds of ``150ms``, ``10m``, ``72h``, ``180d``, ``1.5s`` or ``0``. ValueError for anything else."""
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("not a duration")
    return float(found[1]) * UNITS[found[2]]


def format_duration(seconds: float) -> str:
    """*seconds* in the largest unit that divides them, days from a week on (``72h``, ``180d``); ``async``
    for infinity."""
    if seconds == ASYNC:
        return "async"
    if not seconds:
        return "0"
    for unit in ("d", "h", "m", "s") if seconds >= WEEK else ("h", "m", "s"):
        if seconds >= UNITS[unit] and not seconds % UNITS[unit]:
            return f"{seconds / UNITS[unit]:.0f}{unit}"
    return f"{seconds * 1000:g}ms"


def parse_instant(text: str) -> float:
    """Unix seconds of ``2026-12-31T00:00:00Z``: a UTC instant, never a bare date. ValueError otherwise."""
    if _INSTANT.fullmatch(text) is None:
        raise ValueError("not an instant in UTC")
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def format_instant(seconds: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
