"""A scripted detector, a manual clock, and the real app around them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.service.app import create_app
from spotsafe.service.store import Store

SUPPORTED = ("hate.speech", "hate.threatening", "harass.bullying", "violence.threat", "selfharm.at_risk",
             "sexual.explicit", "illicit.instructions", "tone.toxic", "tone.profanity")  # fmt: skip


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class ScriptedDetector:
    """Scores the labels whose code stands in the text as ``code=0.9``; everything else 0.01.

    ``fail`` is raised when a text has the word ``BREAK``; ``gate``, where set, is waited for.
    """

    id = "scripted"
    version = "scripted-1"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate: threading.Event | None = None
        self.entered = threading.Semaphore(0)
        self.fail: Exception | None = None
        self.missing: Mapping[str, Cause] = {}
        self.contexts: list[Mapping[str, object]] = []

    def capabilities(self) -> Capabilities:
        return Capabilities(
            {code: {"en": Calibration.CALIBRATED} for code in SUPPORTED}, ("text",), ("market",)
        )

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        self.batches.append(len(requests))
        self.entered.release()
        if self.gate is not None:
            self.gate.wait(10)
        return [self._one(request) for request in requests]

    def _one(self, request: DetectRequest) -> Signals:
        self.contexts.append(request.context)
        scores, missing = [], []
        for part in request.content:
            if self.fail is not None and part.kind == "text" and "BREAK" in part.data:
                raise self.fail
            for label in request.labels:
                cause = self.missing.get(label) or self.capabilities().gap(label, part.kind, None)
                if cause is not None:
                    missing.append(Missing(label, part.name, cause))
                    continue
                scores.append(self._signal(label, part.name, str(part.data)))
        return Signals(scores, missing, self.version)

    def _signal(self, label: str, name: str, text: str) -> Signal:
        at = text.find(f"{label}=")
        score, evidence = 0.01, ()
        if at >= 0:
            score = float(text[at:].split(maxsplit=1)[0].partition("=")[2])
            evidence = (Span(at, at + len(label)),)
        return Signal(label, score, name, LABELS[label].severity, self.id, self.version, evidence)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def detector() -> ScriptedDetector:
    return ScriptedDetector()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "data")
    yield found
    found.close()


@pytest.fixture
def service(store: Store, detector: ScriptedDetector, clock: Clock) -> Iterator[Callable[..., TestClient]]:
    """Start the real app, with options of ``create_app``, and give a client once it is ready."""
    with ExitStack() as stack:

        def start(*, wait: bool = True, **options: Any) -> TestClient:
            app = create_app(store, options.pop("detector", detector), clock=clock, **options)
            client = stack.enter_context(TestClient(app))
            while wait and client.get("/readyz").json()["engine"] == "loading":
                pass
            return client

        yield start


@pytest.fixture
def client(service: Callable[..., TestClient]) -> TestClient:
    return service()
