"""Guard models behind an OpenAI-compatible chat endpoint: one question per text, one reader per family.

``POST {url}/chat/completions``, as vLLM, llama.cpp, Ollama, TGI and the hosted ones serve it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import httpx

from spotsafe.core.content import Part
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Signals
from spotsafe.detectors.backends.answering import Answer, ask_each, askable, assembled
from spotsafe.detectors.backends.exchange import Endpoint, Waiting, bearer

MOST_TEXT = 24_000
"""Code points of one text: about the shortest context that guard models are served with."""


class Choice(NamedTuple):
    """The first choice of an answer: its text, and for each token its alternatives with log probabilities
    (None where the endpoint gives none)."""

    text: str
    tokens: list[Mapping[str, float]] | None

    def weight(self, position: int, accepts: Callable[[str], bool]) -> float:
        """Probability of the tokens at *position* that *accepts* takes, of those that were told."""
        if self.tokens is None or not 0 <= position < len(self.tokens):
            return 0.0
        return sum(math.exp(min(0.0, p)) for word, p in self.tokens[position].items() if accepts(word))


class Family(Protocol):
    """How one family of guard models is asked and read."""

    @property
    def id(self) -> str:
        """The detector's id."""
        ...

    def capabilities(self) -> Capabilities:
        """The labels that it can give."""
        ...

    def question(self, part: Part, labels: Sequence[str]) -> dict[str, Any]:
        """The body of the request, without the model's name."""
        ...

    def read(self, choice: Choice, labels: Sequence[str]) -> Answer:
        """What the model said of the part."""
        ...


class ChatGuard:
    """A detector over *model* at *url* (with its ``/v1``), asked and read by *family*."""

    def __init__(
        self,
        family: Family,
        *,
        model: str,
        url: str,
        key: str | None = None,
        workers: int = 4,
        transport: httpx.BaseTransport | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.id = family.id
        self.version = model
        self._family = family
        self._model = model
        self._workers = workers
        self._capabilities = family.capabilities()
        self._endpoint = Endpoint(url, bearer(key), detector=family.id, transport=transport, waiting=waiting)

    def capabilities(self) -> Capabilities:
        """The family's labels, uncalibrated."""
        return self._capabilities

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """As :class:`spotsafe.core.seams.Detector` promises. *timeout* bounds each exchange."""
        answers = ask_each(
            askable(requests, self._capabilities),
            lambda entry: self._part(entry.part, requests[entry.request].labels, timeout),
            workers=self._workers,
        )
        return assembled(requests, answers, self._capabilities, detector=self.id, version=self.version)

    def _part(self, part: Part, labels: Sequence[str], timeout: float | None) -> Answer:
        if len(part.data) > MOST_TEXT:
            return Cause.SIZE
        known = [label for label in labels if label in self._capabilities.labels]
        body = {"model": self._model, "temperature": 0, **self._family.question(part, known)}
        choice = _choice(self._endpoint.post("/chat/completions", body, timeout=timeout))
        if choice is None:
            raise DetectorError(Failure.MALFORMED, detector=self.id)
        return self._family.read(choice, known)


def _choice(answer: Any) -> Choice | None:
    try:
        first = answer["choices"][0]
        text = first["message"]["content"]
        finished = first.get("finish_reason")
    except (TypeError, KeyError, IndexError, AttributeError):
        return None
    if not isinstance(text, str) or finished == "content_filter":
        return None
    return Choice(text, _tokens(first.get("logprobs")))


def _tokens(logprobs: Any) -> list[Mapping[str, float]] | None:
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list) or not content:
        return None
    found: list[Mapping[str, float]] = []
    for entry in content:
        if not isinstance(entry, Mapping):
            return None
        listed = entry.get("top_logprobs")
        alternatives = [entry, *(listed if isinstance(listed, list) else [])]
        found.append(
            {
                item["token"]: float(item["logprob"])
                for item in alternatives
                if isinstance(item, Mapping)
                and isinstance(item.get("token"), str)
                and isinstance(item.get("logprob"), int | float)
                and abs(item["logprob"]) < 1e9
            }
        )
    return found
