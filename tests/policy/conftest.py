"""Short ways to policies for the tests of this room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spotsafe.core.errors import Fault, ManifestError
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.policy.load import load_text
from spotsafe.policy.surface import PolicySet, SurfacePolicy

FIXTURES = Path(__file__).parent / "fixtures"


def manifest(surface: Mapping[str, Any], *, extends: str = "baseline/floor", **top: Any) -> str:
    """A manifest with one surface, ``a.b``; JSON is YAML."""
    whole = {"spotsafe": 1, "team": "t", "owner": "o@example.com", "extends": extends, **top}
    return json.dumps({**whole, "surfaces": {"a.b": dict(surface)}}, ensure_ascii=False)


def policies(
    surface: Mapping[str, Any],
    *,
    extends: str = "baseline/floor",
    platform: Mapping[str, Any] | None = None,
    now: float = 0.0,
) -> PolicySet:
    """The policy set of one surface ``a.b`` over a baseline, with the platform's file where given."""
    owned = None if platform is None else json.dumps({"spotsafe": 1, **platform})
    return load_text({"m.yaml": manifest(surface, extends=extends)}, waivers=owned, now=now)


def policy(surface: Mapping[str, Any], **options: Any) -> SurfacePolicy:
    """The compiled surface ``a.b``."""
    found = policies(surface, **options).surface("a.b")
    assert found is not None
    return found


def faults(*texts: str, waivers: str | None = None, now: float = 0.0) -> list[Fault]:
    """The faults of texts named ``1``, ``2`` …; empty where they load."""
    try:
        load_text({str(i): text for i, text in enumerate(texts, 1)}, waivers=waivers, now=now)
    except ManifestError as error:
        return list(error.faults)
    return []


def scored(
    found: SurfacePolicy, scores: Mapping[str, float], *, part: str = "body", spans: bool = False
) -> Signals:
    """Every label that *found* reads, scored 0 but for *scores*; labels without a detector here are
    scored too."""
    evidence = (Span(0, 3),) if spans else ()
    return Signals(
        [Signal(label, scores.get(label, 0.0), part, 0, "fake", "1", evidence) for label in found.labels]
    )


def without(
    found: SurfacePolicy, missing: Mapping[str, Cause], scores: Mapping[str, float] | None = None
) -> Signals:
    """As :func:`scored`, with some labels missing."""
    present = [
        Signal(label, (scores or {}).get(label, 0.0), "body")
        for label in found.labels
        if label not in missing
    ]
    return Signals(present, [Missing(label, "", cause) for label, cause in missing.items()])


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """The functions of this module; test files cannot import each other."""
    return SimpleNamespace(
        manifest=manifest,
        policies=policies,
        policy=policy,
        faults=faults,
        scored=scored,
        without=without,
        fixtures=FIXTURES,
    )
