"""Llama Guard over a chat endpoint: ``safe``, or ``unsafe`` and the hazards S1 to S14.

Meta, model card of Llama Guard 3: the serving side puts the message into the model's own template; the first
token tells safe from unsafe, and its probability is the score that the card recommends. Hazards that are not
listed have no probability of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from spotsafe.core.content import Part
from spotsafe.core.seams import Capabilities
from spotsafe.core.signals import Cause
from spotsafe.detectors.backends import categories
from spotsafe.detectors.backends.answering import Answer, Said
from spotsafe.detectors.backends.chat import Choice

ID = "llama_guard"

LANGUAGES = ("en", "fr", "de", "hi", "it", "pt", "es", "th")
"""The languages that the model card says it was made for; others are missing."""

_VERDICT = re.compile(r"\s*(safe|unsafe)\b[ \t]*(?:\n(.*))?", re.IGNORECASE | re.DOTALL)
_HAZARD = re.compile(r"\bS\d{1,2}\b")


class LlamaGuard:
    """Asks for one message at a time and reads the verdict.

    Scores: the probability of ``unsafe`` where the endpoint gives log probabilities, else 0 and 1. A listed
    hazard has that score, one not listed beside others has 0, and all have it where the verdict is ``safe``:
    there it ranks how near a text was. An answer that is no verdict, and ``unsafe`` without a hazard that is
    known, say nothing: everything is missing.
    """

    id = ID

    def __init__(self, *, broad: bool = False, languages: Sequence[str] = LANGUAGES) -> None:
        table = categories.LLAMA_GUARD
        self._table = categories.widened(table, "llama_guard") if broad else table
        self._languages = tuple(languages)

    def capabilities(self) -> Capabilities:
        """The labels that a hazard speaks for, in the card's languages."""
        return categories.spoken_for({"text": self._table}, self._languages)

    def question(self, part: Part, labels: Sequence[str]) -> dict[str, Any]:
        """The text as the last user message, with the first token's alternatives."""
        return {
            "messages": [{"role": "user", "content": part.data}],
            "max_tokens": 64,
            "logprobs": True,
            "top_logprobs": 20,
        }

    def read(self, choice: Choice, labels: Sequence[str]) -> Answer:
        """Scores from the verdict, or cause ``error``."""
        verdict = _VERDICT.fullmatch(choice.text.strip())
        if verdict is None:
            return Cause.ERROR
        unsafe = verdict[1].lower() == "unsafe"
        score = _unsafe(choice, unsafe)
        if not unsafe:
            return Said(categories.scores_by_label(self._table, dict.fromkeys(self._table, score)))
        listed = set(_HAZARD.findall((verdict[2] or "").upper())) & self._table.keys()
        if not listed:
            return Cause.ERROR
        scores = {hazard: score if hazard in listed else 0.0 for hazard in self._table}
        return Said(categories.scores_by_label(self._table, scores))


def _unsafe(choice: Choice, verdict: bool) -> float:
    """Probability of ``unsafe`` at the token that decides; 0 or 1 where there are no probabilities, or they
    contradict the verdict, as sampling at a temperature that the server forces on us can."""
    plain = 1.0 if verdict else 0.0
    for position in range(len(choice.tokens or ())):
        unsafe = choice.weight(position, lambda token: token.strip().lower() in ("unsafe", "uns", "un"))
        safe = choice.weight(position, lambda token: token.strip().lower() == "safe")
        if unsafe + safe > 0.5:
            found = min(1.0, unsafe / (unsafe + safe))
            return found if (found >= 0.5) == verdict else plain
    return plain
