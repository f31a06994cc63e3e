"""The detector of the service: loaded in a thread, so that ``/healthz`` answers while weights are read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from anyio import to_thread

from spotsafe.core.errors import SpotsafeError
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.seams import Detector
from spotsafe.service.admission import DetectionQueue
from spotsafe.service.limits import Limits
from spotsafe.service.problems import NOT_READY, Problem

_log = logging.getLogger("spotsafe.service")

Load = Callable[[], Detector]


class EngineSlot:
    """Empty, then loaded or failed. *on_failure* is called once with the reason when loading fails."""

    __slots__ = ("_detector", "_faults", "_limits", "_load", "_queue", "_task", "failure", "on_failure")

    def __init__(self, detector: Detector | Load, limits: Limits, faults: FaultCounter) -> None:
        # A class of detectors looks like one of them to isinstance, but has still to be called.
        loaded = isinstance(detector, Detector) and not isinstance(detector, type)
        self._load = cast(Load, (lambda: detector) if loaded else detector)
        self._limits = limits
        self._faults = faults
        self._detector: Detector | None = None
        self._queue: DetectionQueue | None = None
        self._task: asyncio.Task[None] | None = None
        self.failure: str | None = None
        self.on_failure: Callable[[str], None] | None = None

    @property
    def detector(self) -> Detector | None:
        """The loaded detector, or None."""
        return self._detector

    @property
    def waiting(self) -> int:
        """Items in the queue or in work."""
        return self._queue.items if self._queue is not None else 0

    def queue(self) -> DetectionQueue:
        """The way to the detector. Raises :class:`Problem` 503 until it is loaded."""
        if self._queue is None:
            detail = self.failure or "The detector is being loaded. Try again in a moment."
            raise Problem(NOT_READY, detail, retry_after=self._limits.retry_after)
        return self._queue

    async def start(self) -> None:
        """Begin to load; returns at once."""
        self._task = asyncio.create_task(self._loading())

    async def _loading(self) -> None:
        detector: Detector | None = None
        try:
            with contained("service.engine", self._faults):
                detector = await to_thread.run_sync(self._load, abandon_on_cancel=True)
        except SpotsafeError as error:
            # Our own errors carry fixed words and a remedy; they are the operator's, not the caller's.
            _log.error("the detector could not be loaded: %s", error)
            self._fail(str(error))
            return
        if detector is None:
            self._fail("the detector broke while it was loaded")
            return
        self._queue = DetectionQueue(detector, self._limits, self._faults)
        self._detector = detector
        _log.info("the detector is loaded: %s %s", detector.id, detector.version)

    def _fail(self, reason: str) -> None:
        self.failure = "The detector could not be loaded; the service's log says why."
        if self.on_failure is not None:
            self.on_failure(reason)

    async def stop(self) -> None:
        """Refuse what waits and let go of the threads."""
        if self._task is not None:
            self._task.cancel()
        if self._queue is not None:
            self._queue.close()
