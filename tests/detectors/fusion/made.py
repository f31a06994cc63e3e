"""A fusion model that says what a test wants, and detectors that hand out words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path

import numpy as np

from spotsafe.core.content import Content, Part
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.fusion.features import FEATURES
from spotsafe.detectors.fusion.model import WEIGHTS, FusionModel
from spotsafe.detectors.fusion.senses import Perceived, Sensed
from spotsafe.testing import FakeDetector

BULLYING, THREAT, SPAM, NUDITY = "harass.bullying", "violence.threat", "integrity.spam", "sexual.nudity"
KILLING = "hate.threatening"
"""Of severity 4, and unlike a threat to somebody what it is whoever sings it."""
CANARY = "canary-7d21"


def model(
    scores: Mapping[str, float],
    *,
    met: Sequence[str] = ("typed+read", "typed+spoken"),
    lowers: bool = True,
    raises: bool = True,
    version: str = "m1",
) -> FusionModel:
    """A model whose fused scores are *scores*, whatever the features."""
    flags = np.ones((len(scores), len(met)), np.bool_)
    return FusionModel(
        labels=tuple(scores),
        coefficients=np.zeros((len(scores), len(FEATURES)), np.float32),
        bias=np.array([log(score / (1 - score)) for score in scores.values()], np.float32),
        constellations=tuple(met),
        raises=flags & raises,
        lowers=flags & lowers,
        text="w1",
        version=version,
    )


def leaning(label: str, **weights: float) -> FusionModel:
    """A model of *label* that reads the features named in *weights*."""
    plain = model({label: 0.5})
    coefficients = np.zeros((1, len(FEATURES)), np.float32)
    for name, weight in weights.items():
        coefficients[0, FEATURES.index(name)] = weight
    return plain._replace(coefficients=coefficients)


def written(folder: Path, **changed: np.ndarray) -> Path:
    """A folder with a model in a file, some of its arrays *changed* (None: left out)."""
    arrays = {**model({BULLYING: 0.8, SPAM: 0.3}).arrays(), **changed}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / WEIGHTS, **{name: array for name, array in arrays.items() if array is not None})
    return folder


class Wordy(FakeDetector):
    """A detector that finds words in its parts: *found* maps the part's data to a sense's words."""

    def __init__(self, found: Mapping[bytes, Sensed], script: Mapping = {}, **options: object) -> None:
        super().__init__(script, **options)  # type: ignore[arg-type]
        self._found = found

    def perceive(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Perceived]:
        answers = self.detect(requests, timeout=timeout)
        return [
            Perceived(
                signals, tuple(self._words(part) for part in request.content if part.data in self._found)
            )
            for request, signals in zip(requests, answers, strict=True)
        ]

    def _words(self, part: Part) -> Sensed:
        return self._found[part.data]._replace(part=part.name)


class Counting(FakeDetector):
    """Counts how often it is asked."""

    calls = 0

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list:
        self.calls += 1
        return super().detect(requests, timeout=timeout)


def request(
    *parts: Part, labels: Sequence[str] = (BULLYING,), languages: Sequence[str] = ("en",)
) -> DetectRequest:
    return DetectRequest(Content(parts, tuple(languages)), tuple(labels))
