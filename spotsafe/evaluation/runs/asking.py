"""Asking a detector for a batch: what fails is asked again alone, and what still fails is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause, Signals, all_missing

MAX_IN_A_ROW = 20
"""Rows in a row without an answer after which the detector counts as down and the run stops."""

ATTEMPTS = 4
"""How often a batch is asked while the detector says that it is busy."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before the second attempt, doubled each time; a server's ``Retry-After`` wins within the bound."""

_BUSY = frozenset({Failure.OVERLOADED, Failure.BACKING_OFF, Failure.BREAKER_OPEN, Failure.CONNECT})


class Asker:
    """Gives Signals for every request, whatever the detector does.

    A batch that fails is asked request by request, so that one that cannot be answered costs no other its
    score. *timeout* is seconds per call of the detector; *pause* waits a number of seconds (``time.sleep``).
    """

    def __init__(self, detector: Detector, *, timeout: float | None, pause: Callable[[float], None]) -> None:
        self._detector = detector
        self._timeout = timeout
        self._pause = pause
        self.in_a_row = 0
        """Requests without an answer since the last one that had one."""

    def signals(self, requests: Sequence[DetectRequest]) -> list[Signals]:
        """One Signals per request, in order. ConfigurationError where the detector refuses the key or has
        given no answer :data:`MAX_IN_A_ROW` times in a row."""
        try:
            found = self._patiently(requests)
        except DetectorError as error:
            if len(requests) == 1:
                return [self._failed(requests[0], error)]
            return [signals for request in requests for signals in self.signals([request])]
        self.in_a_row = 0
        return found

    def _patiently(self, requests: Sequence[DetectRequest]) -> list[Signals]:
        """The answer, asked for again while the detector is busy. Raises DetectorError."""
        pause = FIRST_PAUSE
        for _ in range(ATTEMPTS - 1):
            try:
                return self._once(requests)
            except DetectorError as error:
                if error.failure not in _BUSY or self.in_a_row:
                    raise
                self._pause(min(error.retry_after or pause, LONGEST_PAUSE))
                pause *= 2
        return self._once(requests)

    def _once(self, requests: Sequence[DetectRequest]) -> list[Signals]:
        found = self._detector.detect(requests, timeout=self._timeout)
        if len(found) != len(requests):
            raise DetectorError(Failure.MALFORMED, detector=self._detector.id)
        return found

    def _failed(self, request: DetectRequest, error: DetectorError) -> Signals:
        self.in_a_row += 1
        if error.failure is Failure.UNAUTHORIZED:
            raise ConfigurationError(
                f"{self._detector.id} refuses the key: set the right one in its environment variable"
            ) from None
        if self.in_a_row >= MAX_IN_A_ROW:
            raise ConfigurationError(
                f"{self._detector.id} has given no answer {self.in_a_row} times in a row "
                f"({error.failure.value}); what is scored is kept: run the same command again to go on"
            ) from None
        cause = Cause.TIMEOUT if error.failure is Failure.TIMEOUT else Cause.ERROR
        return all_missing(request.labels, cause)
