"""Recorded exchanges, a clock that does not wait, and requests to ask with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import respx

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.backends.exchange import Waiting

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture
def recorded() -> Callable[[str], dict[str, Any]]:
    """Request and response of an exchange, as the vendor's reference documents it."""
    return lambda name: json.loads((RECORDED / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def waiting() -> Waiting:
    """Time that passes only in pauses; the pauses made are ``waiting.sleep.made``."""
    made: list[float] = []

    def sleep(seconds: float) -> None:
        made.append(seconds)

    sleep.made = made  # type: ignore[attr-defined]  # read by tests
    return Waiting(lambda: sum(made), sleep)


@pytest.fixture
def network() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def asked(
    *texts: str, labels: tuple[str, ...] = tuple(LABELS), languages: tuple[str, ...] = ()
) -> list[DetectRequest]:
    """One request per text, for every label unless told otherwise."""
    return [DetectRequest(Content([Text(text, "body")], languages), labels) for text in texts]


def pictured(*, labels: tuple[str, ...] = tuple(LABELS)) -> DetectRequest:
    """A request of one picture."""
    return DetectRequest(Content([Image(b"\x89PNG\r\n\x1a\n", "cover", mime="image/png")]), labels)


@pytest.fixture(name="asked")
def _asked() -> Any:
    return asked


@pytest.fixture(name="pictured")
def _pictured() -> Any:
    return pictured
