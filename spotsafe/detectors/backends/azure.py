"""Azure AI Content Safety: ``text:analyze`` and ``image:analyze``.

REST reference, api-version 2024-09-01. Texts are graded 0 to 7, pictures 0, 2, 4 and 6; a grade becomes the
score grade / 7, so that the middle of the scale lies at one half, and our severity by the same share of 4.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from spotsafe.core.content import Part
from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Signals
from spotsafe.detectors.backends import categories
from spotsafe.detectors.backends.answering import Answer, Said, ask_each, askable, assembled
from spotsafe.detectors.backends.exchange import Endpoint, Waiting, checked_key

ID = "azure.content_safety"
API_VERSION = "2024-09-01"
HIGHEST = 7
MOST_TEXT = 10_000
"""Code points of one text."""

MOST_IMAGE = 4 << 20
"""Bytes of one picture."""


class AzureContentSafety:
    """A detector over the resource at *endpoint*, e.g. ``https://NAME.cognitiveservices.azure.com``.

    A category without a grade, or with one off the scale, makes its labels missing; unknown categories are
    ignored. *broad*: see :mod:`~spotsafe.detectors.backends.categories`.
    """

    id = ID
    version = API_VERSION

    def __init__(
        self,
        endpoint: str,
        *,
        key: str,
        broad: bool = False,
        workers: int = 4,
        transport: httpx.BaseTransport | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self._tables = {"text": categories.AZURE_TEXT, "image": categories.AZURE_IMAGE}
        if broad:
            self._tables = {kind: categories.widened(t, "azure") for kind, t in self._tables.items()}
        self._capabilities = categories.spoken_for(self._tables)
        self._workers = workers
        headers = {"ocp-apim-subscription-key": checked_key(key)}
        self._endpoint = Endpoint(endpoint, headers, detector=ID, transport=transport, waiting=waiting)

    def capabilities(self) -> Capabilities:
        """The labels that a category speaks for, uncalibrated, in any language."""
        return self._capabilities

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """As :class:`spotsafe.core.seams.Detector` promises. *timeout* bounds each exchange."""
        answers = ask_each(
            askable(requests, self._capabilities),
            lambda entry: self._part(entry.part, timeout),
            workers=self._workers,
        )
        return assembled(requests, answers, self._capabilities, detector=ID, version=API_VERSION)

    def _part(self, part: Part, timeout: float | None) -> Answer:
        if len(part.data) > (MOST_TEXT if part.kind == "text" else MOST_IMAGE):
            return Cause.SIZE
        body: dict[str, Any] = {"categories": list(self._tables[part.kind])}
        if isinstance(part.data, str):
            body |= {"text": part.data, "outputType": "EightSeverityLevels"}
        else:
            image = {"content": b64encode(part.data).decode()}
            body |= {"image": image, "outputType": "FourSeverityLevels"}
        path = f"/contentsafety/{part.kind}:analyze?api-version={API_VERSION}"
        return self._read(self._endpoint.post(path, body, timeout=timeout), part.kind)

    def _read(self, answer: Any, kind: str) -> Answer:
        analysis = answer.get("categoriesAnalysis") if isinstance(answer, Mapping) else None
        if not isinstance(analysis, list):
            return Cause.ERROR
        grades: dict[str, float | None] = {}
        for entry in analysis:
            if isinstance(entry, Mapping) and isinstance(entry.get("category"), str):
                grades[entry["category"]] = _grade(entry.get("severity"))
        scores = categories.scores_by_label(self._tables[kind], grades)
        return Said(scores, {code: round(score * 4) for code, score in scores.items()})


def _grade(severity: Any) -> float | None:
    if isinstance(severity, bool) or not isinstance(severity, int) or not 0 <= severity <= HIGHEST:
        return None
    return severity / HIGHEST
