"""The one guard against faults of our own: counted, logged without content, loud in tests.

A fault inside spotsafe must not take a product's request down with it, and must not let content
through as clean either: the caller of :func:`contained` says what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from spotsafe.core.errors import SpotsafeError


class FaultCounter:
    """Counts contained faults by place. ``loud`` re-raises them: the pytest plugin switches it on."""

    __slots__ = ("counts", "loud")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.loud = False

    def note(self, place: str, kind: str) -> None:
        """Count one fault at *place*; *kind* is the exception's class name. Logged once per place."""
        seen = self.counts.get(place, 0)
        self.counts[place] = seen + 1
        if not seen:
            import logging  # only now: the path of a guarded call imports as little as it can

            logging.getLogger("spotsafe.core").error(
                "internal fault in spotsafe at %s (%s); further ones are only counted", place, kind
            )


class contained:  # noqa: N801 - reads as a statement: ``with contained("telemetry", faults): ...``
    """Context manager that contains any ``Exception`` but spotsafe's own; *then* is called with nothing.

    Only the class name of what was raised is kept: its message and its chain could carry content.
    """

    __slots__ = ("_faults", "_place", "_then")

    def __init__(self, place: str, faults: FaultCounter, then: Callable[[], None] | None = None) -> None:
        self._place = place
        self._faults = faults
        self._then = then

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if kind is None or not issubclass(kind, Exception) or issubclass(kind, SpotsafeError):
            return False
        self._faults.note(self._place, kind.__name__)
        if self._faults.loud:
            return False
        if self._then is not None:
            self._then()
        return True
