"""From what an endpoint said about single parts to Signals, the same way for every backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from spotsafe.core.content import Part
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals

DIGITS = 4
_RAISED = frozenset({Failure.UNAUTHORIZED, Failure.OVERLOADED, Failure.CONNECT, Failure.CLOSED})
"""Failures that would meet the next part too: they end the batch, so that its caller can wait."""


class Said(NamedTuple):
    """What is known of one part: *scores* by label, *severities* (0 to 4) where the endpoint grades,
    *missing* with a cause of their own; any other label that was asked for is missing as ``error``."""

    scores: Mapping[str, float]
    severities: Mapping[str, int] = {}
    missing: Mapping[str, Cause] = {}


Answer = Said | Cause
"""A part's scores, or why there are none at all."""


class Asked(NamedTuple):
    """One part to ask about, of one request."""

    request: int
    position: int
    part: Part


def askable(requests: Sequence[DetectRequest], capabilities: Capabilities) -> list[Asked]:
    """The parts for which the detector can give at least one of the labels asked for."""
    return [
        Asked(index, position, part)
        for index, request in enumerate(requests)
        for position, part in enumerate(request.content)
        if any(capabilities.gap(label, part.kind, language_of(request)) is None for label in request.labels)
    ]


def language_of(request: DetectRequest) -> str | None:
    """The primary tag of the request's language where it states exactly one."""
    languages = request.content.languages
    return languages[0].partition("-")[0].lower() if len(languages) == 1 else None


def ask_each(
    asked: Sequence[Asked], ask: Callable[[Asked], Answer], *, workers: int
) -> dict[tuple[int, int], Answer]:
    """*ask* for every part, at most *workers* at a time. A failure of one part is its cause; one that
    concerns the endpoint, or that every part met, is raised."""

    def one(entry: Asked) -> Answer | DetectorError:
        try:
            return ask(entry)
        except DetectorError as error:
            if error.failure in _RAISED:
                raise
            return error

    if len(asked) < 2 or workers < 2:
        answers = [one(entry) for entry in asked]
    else:
        with ThreadPoolExecutor(min(workers, len(asked))) as pool:
            answers = list(pool.map(one, asked))
    failed = [answer for answer in answers if isinstance(answer, DetectorError)]
    if failed and len(failed) == len(answers):
        raise failed[0]
    return {
        (entry.request, entry.position): _cause(answer) if isinstance(answer, DetectorError) else answer
        for entry, answer in zip(asked, answers, strict=True)
    }


def _cause(error: DetectorError) -> Cause:
    return Cause.TIMEOUT if error.failure is Failure.TIMEOUT else Cause.ERROR


def assembled(
    requests: Sequence[DetectRequest],
    answers: Mapping[tuple[int, int], Answer],
    capabilities: Capabilities,
    *,
    detector: str,
    version: str,
) -> list[Signals]:
    """Signals per request: a score or a cause for every label and part."""
    return [
        _signals(index, request, answers, capabilities, (detector, version))
        for index, request in enumerate(requests)
    ]


def _signals(
    index: int,
    request: DetectRequest,
    answers: Mapping[tuple[int, int], Answer],
    capabilities: Capabilities,
    named: tuple[str, str],
) -> Signals:
    scored: list[Signal] = []
    missing: list[Missing] = []
    language = language_of(request)
    for position, part in enumerate(request.content):
        answer = answers.get((index, position), Cause.ERROR)
        for label in request.labels:
            found = capabilities.gap(label, part.kind, language) or _said(answer, label)
            if isinstance(found, Cause):
                missing.append(Missing(label, part.name, found))
                continue
            score, severity = found
            scored.append(Signal(label, round(score, DIGITS), part.name, severity, *named))
    return Signals(scored, missing, named[1])


def _said(answer: Answer, label: str) -> tuple[float, int] | Cause:
    if isinstance(answer, Cause):
        return answer
    score = answer.scores.get(label)
    if score is None:
        return answer.missing.get(label, Cause.ERROR)
    return score, answer.severities.get(label, LABELS[label].severity)
