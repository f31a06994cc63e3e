"""A text engine and an encoder that a test understands, and cases of made-up words.

Words with ``b1`` and ``b2`` together are a threat, either alone is hardly one; ``bad`` alone is one; ``rude``
alone is bullying.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Signal, Signals
from spotsafe.detectors.text.labels import LABELS
from spotsafe.learning.fusion.cases import Case
from spotsafe.learning.fusion.recipe import LYRICS

THREAT, BULLYING = "violence.threat", "harass.bullying"


class Engine:
    """Scores by the words above, and by how many others there are."""

    id = "text"
    version = "1-w1"

    def capabilities(self) -> Capabilities | None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [self._one(str(part.data), one.labels) for one in requests for part in one.content]

    def _one(self, text: str, labels: Sequence[str]) -> Signals:
        words = text.split()
        noise = (sum(map(len, words)) % 7) / 100
        threat = 0.9 if "bad" in words or {"b1", "b2"} <= {*words} else 0.1
        scores = {THREAT: threat - noise, BULLYING: (0.9 if "rude" in words else 0.1) - noise}
        return Signals([Signal(label, scores.get(label, 0.01), "words", 1, self.id) for label in labels])


class Encoder:
    """The same vector for everything."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.eye(512, dtype=np.float32)[0], (len(texts), 1))


def cases(count: int = 20) -> list[Case]:
    """Some of every recipe in both families; *count* harmful and as many harmless ones."""
    found = []
    for number in range(count):
        other = "x" * (number % 5 + 1)
        for medium, family, sense in (("picture", "pictures", "read"), ("sound", "sounds", "spoken")):
            name = f"{family} {number}"
            for harmful in (0, 1):
                first, last = ("b1", "b2") if harmful else ("b1", "c2")
                known = {THREAT: harmful}
                halves = {"typed": f"{first} {other}", sense: f"{last} {other}"}
                found.append(Case("split", family, medium, f"{name} {harmful}", known, halves))
                own = f"{'gh'[number % 2]}/{name}"
                found.append(Case("completion", "own", medium, own, known, halves))
                alone = {"typed": "bad" if harmful else "good", sense: f"nothing {other}"}
                found.append(Case("whole-typed", family, medium, f"{name} {harmful} w", known, alone))
            calm = {"typed": f"good {other}", sense: f"nothing {other}"}
            found.append(Case("benign-pairs", family, medium, f"{name} p", dict.fromkeys(LABELS, 0), calm))
            found += songs(family, name, number % 3 > 0)
    return found


def songs(family: str, name: str, harmful: bool) -> list[Case]:
    """The line of a song as a title, and its three twins."""
    line = f"{'rude' if harmful else 'kind'} words of {name}"
    talk = "something else entirely"
    made = zip(LYRICS, (line, line, talk, talk), (1.0, 0.0, 1.0, 0.0), strict=True)
    return [
        Case(
            recipe, family, "sound", f"{name} line", {BULLYING: int(harmful and recipe != "lyric")},
            {"typed": line, "spoken": said},
        )._replace(music=music)
        for recipe, said, music in made
    ]  # fmt: skip
