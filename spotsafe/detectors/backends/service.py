"""A spotsafe service as a detector: ``POST /v1/detect``."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.core.wire import MAX_ITEMS, WIRE_HEADER, WIRE_VERSION, decode_answer, encode_detect
from spotsafe.detectors.backends.exchange import Endpoint, Waiting, bearer

ID = "service"


class ServiceDetector:
    """Asks the service at *url*; ``version`` is the engine that its last answer announced."""

    id = ID

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self._endpoint = Endpoint(url, bearer(key), detector=ID, transport=transport, waiting=waiting)
        self.version = ""

    def capabilities(self) -> Capabilities | None:
        """Unknown until it answers."""
        return None

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        """As :class:`spotsafe.core.seams.Detector` promises; what the answer does not tell is missing with
        cause ``error``."""
        found: dict[int, Signals] = {}
        for labels in dict.fromkeys(request.labels for request in requests):
            chosen = [index for index, request in enumerate(requests) if request.labels == labels]
            for start in range(0, len(chosen), MAX_ITEMS):
                some = chosen[start : start + MAX_ITEMS]
                found.update(zip(some, self._ask([requests[i] for i in some], timeout), strict=True))
        return [found[index] for index in range(len(requests))]

    def _ask(self, requests: Sequence[DetectRequest], timeout: float | None) -> list[Signals]:
        body = self._endpoint.post(
            "/v1/detect",
            encode_detect(requests),
            timeout=timeout,
            headers={WIRE_HEADER: str(WIRE_VERSION)},
        )
        signals, engine = decode_answer(body, requests)
        if not any(one.scores or not one.has_failures for one in signals):
            raise DetectorError(Failure.MALFORMED, detector=ID)
        self.version = engine or self.version
        return signals
