"""The central service as a detector."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from spotsafe.client.http import Answer, Exchange
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.core.wire import decode_answer, encode_detect
from spotsafe.guard.steps import Failed

DETECT = "v1/detect"
UNBOUNDED = 30.0
"""Seconds for a request whose caller names no time."""


class ServiceDetector:
    """Asks ``POST /v1/detect``. ``version`` is the engine that the last readable answer announced."""

    id = "service"

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.version = ""

    def capabilities(self) -> Capabilities | None:
        """Unknown until it answers."""
        return None

    def ask(
        self, requests: Sequence[DetectRequest], timeout: float, headers: Mapping[str, str] | None = None
    ) -> list[Signals] | Failed:
        """Signals for each request in order, or why there are none."""
        return self._read(self._exchange.post(DETECT, _body(requests), timeout, headers), requests)

    async def aask(
        self, requests: Sequence[DetectRequest], timeout: float, headers: Mapping[str, str] | None = None
    ) -> list[Signals] | Failed:
        """As :meth:`ask`."""
        return self._read(await self._exchange.apost(DETECT, _body(requests), timeout, headers), requests)

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """As :class:`spotsafe.core.seams.Detector` promises."""
        return _raised(self.ask(requests, UNBOUNDED if timeout is None else timeout))

    async def adetect(
        self, requests: Sequence[DetectRequest], *, timeout: float | None = None
    ) -> list[Signals]:
        """As :meth:`detect`."""
        return _raised(await self.aask(requests, UNBOUNDED if timeout is None else timeout))

    def _read(self, answer: Answer | Failed, requests: Sequence[DetectRequest]) -> list[Signals] | Failed:
        if isinstance(answer, Failed):
            return answer
        failed = failure_of(answer)
        if failed is not None:
            return failed
        body = parsed(answer.body)
        signals, engine = decode_answer(body, requests)
        if not any(_says_something(one) for one in signals):
            return Failed(Failure.MALFORMED)  # nothing could be read, or all is about another text
        if engine:
            self.version = engine
        return signals


def _says_something(signals: Signals) -> bool:
    """Whether it has a score that is not in doubt, or nothing that failed."""
    if not signals.has_failures:
        return True
    doubted = {(entry.label, entry.part) for entry in signals.missing if entry.cause.is_failure}
    return any((signal.label, signal.part) not in doubted for signal in signals.scores)


def _raised(outcome: list[Signals] | Failed) -> list[Signals]:
    if isinstance(outcome, Failed):
        raise DetectorError(outcome.failure, detector="service", retry_after=outcome.retry_after)
    return outcome


def _body(requests: Sequence[DetectRequest]) -> bytes:
    return json.dumps(encode_detect(requests), ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def parsed(body: bytes) -> Any:
    """The JSON in *body*, None where there is none (or one nested too deep to read)."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def failure_of(answer: Answer) -> Failed | None:
    """None for 200, else what the status means."""
    status = answer.status
    if status == 200:
        return None
    if status in (401, 403):
        return Failed(Failure.UNAUTHORIZED)
    if status in (429, 503):
        return Failed(Failure.OVERLOADED, retry_after(answer.headers))
    return Failed(Failure.SERVER if status >= 500 else Failure.REJECTED)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` (RFC 9110, 10.2.3) in seconds; a date counts from the answer's own ``Date``, so that
    clocks need not agree. None where absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        then = parsedate_to_datetime(value).timestamp()
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, then - now)
