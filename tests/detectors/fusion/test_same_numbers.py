"""What a model is fitted on and what it meets at run time are the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from spotsafe.core.content import Audio, Content, Image, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signal, Signals
from spotsafe.detectors.engine import LocalEngine
from spotsafe.detectors.fusion.engine import Fusion
from spotsafe.detectors.fusion.features import FEATURES
from spotsafe.detectors.fusion.senses import Sensed
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.fusion.cases import Case
from spotsafe.learning.fusion.table import build
from spotsafe.learning.text.progress import Progress
from spotsafe.testing import FakeDetector
from tests.detectors.fusion.made import BULLYING, SPAM, Wordy, model

TYPED, READ, SPOKEN = "You should really", "go and hide", "you should really go"
SCORES = {"really": {BULLYING: 0.3}, "hide": {BULLYING: 0.2, SPAM: 0.1}, "really\ngo": {BULLYING: 0.8}}


class Spelling:
    """Embeddings of how often each letter occurs."""

    def encode(self, texts: Sequence[str]) -> Any:
        counts = np.array([[text.count(chr(code)) for code in range(512)] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


class Spy:
    """A model that keeps the features it was given."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self._model = model(dict.fromkeys((BULLYING, SPAM), 0.5), met=MET)._replace(
            coefficients=np.ones((2, len(FEATURES)), np.float32)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def fused(self, features: Any) -> dict[str, float]:
        self.seen.append(features)
        return self._model.fused(features)


MET = ("typed+read", "typed+spoken", "read+spoken", "typed+read+spoken")
CONTENTS = {
    "a picture with its caption": {"typed": TYPED, "read": READ},
    "a song with its title": {"typed": TYPED, "spoken": SPOKEN},
    "a picture and a recording": {"read": READ, "spoken": SPOKEN},
    "all three": {"typed": TYPED, "read": READ, "spoken": SPOKEN},
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_model_meets_the_numbers_that_it_was_fitted_on(name: str) -> None:
    """For each meeting of senses, label and feature."""
    words = CONTENTS[name]
    text = FakeDetector(SCORES, kinds=("text",), id="local.text")
    case = Case("split", "own", "film", "g", {}, words, music=0.6 if "spoken" in words else 0.0)
    table = build([case], text=text, encoder=Spelling(), progress=Progress())
    spy = Spy()
    engine = LocalEngine(
        text,
        {"image": _sense(b"x", "local.image.text", Sensed("read", "", READ), text),
         "audio": _sense(b"y", "local.audio.speech", Sensed("spoken", "", SPOKEN, 0.6), text)},
        fusion=Fusion(text, spy, encoder=Spelling),  # type: ignore[arg-type]
    )  # fmt: skip
    parts = {"typed": Text(TYPED, "title"), "read": Image(b"x", "cover"), "spoken": Audio(b"y", "clip")}
    content = Content([parts[sense] for sense in words], ("en",))
    engine.detect([DetectRequest(content, tuple(sorted(LABELS)))])
    (met,) = spy.seen
    for label in (BULLYING, SPAM):
        np.testing.assert_allclose(met[label], table.features[0, COLUMN[label]], atol=1e-6)


def _sense(data: bytes, name: str, sensed: Sensed, text: FakeDetector) -> Wordy:
    """A detector that scores the words it finds as *text* does."""

    class Reading(Wordy):
        def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list:
            asked = [DetectRequest(Content((Text(sensed.text, "words"),)), one.labels) for one in requests]
            answers = text.detect(asked)
            return [
                Signals([_as(signal, one.content.parts[0].name, name) for signal in answer.scores])
                for one, answer in zip(requests, answers, strict=True)
            ]

    return Reading({data: sensed}, id=name)


def _as(signal: Signal, part: str, detector: str) -> Signal:
    return signal._replace(part=part, detector=detector)
