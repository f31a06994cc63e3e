"""Moderation endpoints of OpenAI's shape: OpenAI itself, Mistral, and whoever copies them.

Request and answer: ``POST /moderations``, ``openai-python`` ``types/moderation*.py``, ``mistralai``
``ClassificationRequest``. Texts go in lists, pictures one by one, as data URLs.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx

from spotsafe.core.content import Part
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Signals
from spotsafe.detectors.backends import categories
from spotsafe.detectors.backends.answering import Answer, Asked, Said, ask_each, askable, assembled
from spotsafe.detectors.backends.categories import Table
from spotsafe.detectors.backends.exchange import Endpoint, Waiting, bearer

TEXTS_AT_ONCE = 32
MOST_IMAGE = 20 << 20
"""Bytes of a picture (OpenAI's limit); a larger one is missing with cause ``size``."""

_SEEN_IN_IMAGES = (
    "self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "violence", "violence/graphic",
)  # fmt: skip
"""The categories that ``omni-moderation`` gives for pictures (OpenAI, moderation guide)."""


class Vendor(NamedTuple):
    """One endpoint's address, default model, what its categories mean, and the taxonomy's field for them."""

    id: str
    url: str
    model: str
    text: Table
    image: Table | None
    scheme: str | None


OPENAI = Vendor(
    "openai.moderation",
    "https://api.openai.com/v1",
    "omni-moderation-latest",
    categories.OPENAI,
    {category: codes for category, codes in categories.OPENAI.items() if category in _SEEN_IN_IMAGES},
    "openai",
)
MISTRAL = Vendor(
    "mistral.moderation",
    "https://api.mistral.ai/v1",
    "mistral-moderation-latest",
    categories.MISTRAL,
    None,
    None,
)


class OpenAIModeration:
    """A detector over ``POST {url}/moderations``.

    A score that is absent, null or no number from 0 to 1, and a category that was not applied to the part's
    kind, make its labels missing; ``flagged`` and the booleans are not read, unknown categories are ignored.
    *broad*: see :mod:`~spotsafe.detectors.backends.categories`.
    """

    def __init__(
        self,
        vendor: Vendor = OPENAI,
        *,
        key: str | None = None,
        model: str | None = None,
        url: str | None = None,
        broad: bool = False,
        workers: int = 4,
        transport: httpx.BaseTransport | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.id = vendor.id
        self._model = model or vendor.model
        self.version = self._model
        self._tables: dict[str, Table] = {"text": vendor.text}
        if vendor.image is not None:
            self._tables["image"] = vendor.image
        if broad and vendor.scheme is not None:
            scheme = vendor.scheme
            self._tables = {kind: categories.widened(t, scheme) for kind, t in self._tables.items()}
        self._capabilities = categories.spoken_for(self._tables)
        self._workers = workers
        self._endpoint = Endpoint(
            url or vendor.url, bearer(key), detector=vendor.id, transport=transport, waiting=waiting
        )

    def capabilities(self) -> Capabilities:
        """The labels that a category speaks for, uncalibrated, in any language."""
        return self._capabilities

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """As :class:`spotsafe.core.seams.Detector` promises. *timeout* bounds each exchange."""
        asked = askable(requests, self._capabilities)
        answers = self._texts([entry for entry in asked if entry.part.kind == "text"], timeout)
        images = [entry for entry in asked if entry.part.kind == "image"]
        answers |= ask_each(images, lambda entry: self._image(entry.part, timeout), workers=self._workers)
        return assembled(requests, answers, self._capabilities, detector=self.id, version=self.version)

    def _texts(self, asked: Sequence[Asked], timeout: float | None) -> dict[tuple[int, int], Answer]:
        answers: dict[tuple[int, int], Answer] = {}
        for start in range(0, len(asked), TEXTS_AT_ONCE):
            some = asked[start : start + TEXTS_AT_ONCE]
            try:
                results = self._results([entry.part.data for entry in some], len(some), timeout)
            except DetectorError as error:
                if error.failure is not Failure.REJECTED or len(some) == 1:
                    raise
                # One text that the endpoint refuses must not cost the others their answer.
                answers |= ask_each(some, lambda entry: self._text(entry.part, timeout), workers=1)
                continue
            for entry, result in zip(some, results, strict=True):
                answers[entry.request, entry.position] = self._read(result, "text")
        return answers

    def _text(self, part: Part, timeout: float | None) -> Answer:
        return self._read(self._results([part.data], 1, timeout)[0], "text")

    def _image(self, part: Part, timeout: float | None) -> Answer:
        if len(part.data) > MOST_IMAGE:
            return Cause.SIZE
        data = b64encode(part.data if isinstance(part.data, bytes) else b"").decode()
        url = f"data:{part.mime or 'image/png'};base64,{data}"
        body = [{"type": "image_url", "image_url": {"url": url}}]
        return self._read(self._results(body, 1, timeout)[0], "image")

    def _results(self, given: list[Any], count: int, timeout: float | None) -> list[Any]:
        body = {"model": self._model, "input": given}
        answer = self._endpoint.post("/moderations", body, timeout=timeout)
        results = answer.get("results") if isinstance(answer, Mapping) else None
        if not isinstance(results, list) or len(results) != count:
            raise DetectorError(Failure.MALFORMED, detector=self.id)
        model = answer.get("model")
        if isinstance(model, str) and model:
            self.version = model[:100]
        return results

    def _read(self, result: Any, kind: str) -> Answer:
        scores = result.get("category_scores") if isinstance(result, Mapping) else None
        if not isinstance(scores, Mapping):
            return Cause.ERROR
        table = self._tables[kind]
        applied = result.get("category_applied_input_types")
        causes = {
            category: cause
            for category in table
            if isinstance(applied, Mapping) and (cause := _not_applied(applied.get(category), kind))
        }
        read = {
            category: None if category in causes else categories.unit_number(scores.get(category))
            for category in table
        }
        missing = {code: cause for category, cause in causes.items() for code in table[category]}
        return Said(categories.scores_by_label(table, read), missing=missing)


def _not_applied(kinds: Any, kind: str) -> Cause | None:
    """Why a category's score is not about a part of *kind*, or None where it is, or nothing tells."""
    if not isinstance(kinds, list) or kind in kinds:
        return None
    return Cause.MODALITY if kinds else Cause.UNSUPPORTED
